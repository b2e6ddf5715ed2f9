"""Token store in a database, for containers without a disk. An extra, on SQLAlchemy."""

from __future__ import annotations

import contextlib
import functools
import time
import uuid
from typing import TYPE_CHECKING

from typing_extensions import override

from tap_constantcontact.v3.auth.token_store.base import (
    StoredToken,
    StoreError,
    TokenStore,
    format_tokens,
    parse_tokens,
)

try:
    import sqlalchemy as sa
except ImportError as error:
    msg = (
        "A `token_store` in a database needs SQLAlchemy: install tap-constantcontact[database], and"
        " the database's driver."
    )
    raise StoreError(msg) from error
else:
    from tap_constantcontact.shared_database import create_tables, database_errors

if TYPE_CHECKING:
    from collections.abc import Iterator

_ROW = 1
_NOBODY = "-"
_PAUSE = 0.2


class DatabaseStore(TokenStore):
    """One row of a table, with a lock that a crashed run cannot hold for ever."""

    def __init__(self, url: str, timeout: float = 360.0) -> None:
        """Create a store, without a connection.

        Args:
            url: URL of the database.
            timeout: Seconds after which a lock with the same owner belongs to a crashed run.
        """
        self._url = url
        self._lock_timeout = timeout
        self._meta = sa.MetaData()
        self._table = sa.Table(
            "tap_constantcontact_tokens",
            self._meta,
            sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
            sa.Column("tokens", sa.Text, nullable=False),
            sa.Column("locked_by", sa.String(64), nullable=False),
        )

    @functools.cached_property
    def _engine(self) -> sa.Engine:
        """The database, with the table.

        Raises:
            StoreError: It cannot be used.
        """
        with database_errors(StoreError, "token_store"):
            # Connections are few, far between, and closed after use.
            engine = sa.create_engine(self._url, poolclass=sa.NullPool)
            create_tables(self._meta, engine)
        with database_errors(StoreError, "token_store"), engine.begin() as connection:
            if connection.execute(sa.select(self._table.c.id)).first() is None:
                with contextlib.suppress(sa.exc.IntegrityError):
                    empty = {"id": _ROW, "tokens": format_tokens([]), "locked_by": _NOBODY}
                    connection.execute(self._table.insert().values(**empty))
        return engine

    @property
    @override
    def location(self) -> str:
        return f"the database's table {self._table.name}"

    @override
    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        name = self._lock()
        try:
            yield
        finally:
            # If the database is not reachable, another run takes the lock over. The original error
            # matters more.
            with contextlib.suppress(StoreError):
                self._pass_on(name, _NOBODY)

    def _lock(self) -> str:
        """Take the lock, and return the name of its owner.

        Clocks of machines differ. So a waiting run checks by its own clock whether the owner
        changes, and takes the lock from an owner that holds it for too long.
        """
        name = uuid.uuid4().hex
        owner, since = _NOBODY, time.monotonic()
        while not self._pass_on(_NOBODY, name):
            with database_errors(StoreError, "token_store"), self._engine.begin() as connection:
                seen = connection.execute(sa.select(self._table.c.locked_by)).scalar_one()
            if seen != owner:
                owner, since = seen, time.monotonic()
            elif time.monotonic() - since > self._lock_timeout and self._pass_on(owner, name):
                break
            time.sleep(_PAUSE)
        return name

    def _pass_on(self, owner: str, to: str) -> bool:
        """Release the lock, unless it has another owner."""
        is_owner = self._table.c.locked_by == owner
        with database_errors(StoreError, "token_store"), self._engine.begin() as connection:
            taken = self._table.update().where(is_owner).values(locked_by=to)
            return bool(connection.execute(taken).rowcount)

    @override
    def tokens(self) -> list[StoredToken]:
        with database_errors(StoreError, "token_store"), self._engine.begin() as connection:
            text = connection.execute(sa.select(self._table.c.tokens)).scalar_one()
        try:
            return parse_tokens(text)
        except ValueError:
            msg = (
                "The token store contains something else than tokens. Empty its table, and log in."
            )
            raise StoreError(msg) from None

    @override
    def save(self, tokens: list[StoredToken]) -> None:
        with database_errors(StoreError, "token_store"), self._engine.begin() as connection:
            connection.execute(self._table.update().values(tokens=format_tokens(tokens)))
