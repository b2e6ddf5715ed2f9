"""Tokens in a database, for containers without a disk; an extra, on SQLAlchemy."""

from __future__ import annotations

import contextlib
import functools
import time
import uuid
from typing import TYPE_CHECKING

from typing_extensions import override

from tap_constantcontact.v3.store import Grant, StoreError, TokenStore, read_grants, write_grants

try:
    import sqlalchemy as sa
except ImportError as error:
    msg = (
        "A `token_store` in a database needs SQLAlchemy: install tap-constantcontact[database], and"
        " the database's driver."
    )
    raise StoreError(msg) from error

if TYPE_CHECKING:
    from collections.abc import Iterator

_ROW = 1
_NOBODY = "-"
_PAUSE = 0.2


class DatabaseStore(TokenStore):
    """One row of a table, with a lock beside it that a run that died cannot keep for ever."""

    def __init__(self, url: str, patience: float = 360.0) -> None:
        """Take the database's address; it is not connected to yet.

        Args:
            url: The address.
            patience: Seconds after which a lock that does not change hands belongs to a run that
                has died.
        """
        self._url = url
        self._patience = patience
        self._meta = sa.MetaData()
        self._table = sa.Table(
            "tap_constantcontact_tokens",
            self._meta,
            sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
            sa.Column("grants", sa.Text, nullable=False),
            sa.Column("locked_by", sa.String(64), nullable=False),
        )

    @functools.cached_property
    def _engine(self) -> sa.Engine:
        """The database, with the table in it.

        Raises:
            StoreError: It cannot be used.
        """
        with self._told():
            engine = sa.create_engine(self._url, pool_pre_ping=True)
            self._meta.create_all(engine)
        with self._told(), engine.begin() as connection:
            if connection.execute(sa.select(self._table.c.id)).first() is None:
                with contextlib.suppress(sa.exc.IntegrityError):
                    empty = {"id": _ROW, "grants": write_grants([]), "locked_by": _NOBODY}
                    connection.execute(self._table.insert().values(**empty))
        return engine

    @property
    @override
    def place(self) -> str:
        return f"the database's table {self._table.name}"

    @override
    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        name = self._lock()
        try:
            yield
        finally:
            # If the database is away, another run takes the lock over. What went on before matters
            # more than that.
            with contextlib.suppress(StoreError):
                self._pass_on(name, _NOBODY)

    def _lock(self) -> str:
        """Take the lock, and return the name under which it is held.

        Clocks of machines differ. So a run that waits looks whether the lock changes hands, by its
        own clock, and takes it from one that holds it for too long.
        """
        name = uuid.uuid4().hex
        owner, since = _NOBODY, time.monotonic()
        while not self._pass_on(_NOBODY, name):
            with self._told(), self._engine.begin() as connection:
                seen = connection.execute(sa.select(self._table.c.locked_by)).scalar_one()
            if seen != owner:
                owner, since = seen, time.monotonic()
            elif time.monotonic() - since > self._patience and self._pass_on(owner, name):
                break
            time.sleep(_PAUSE)
        return name

    def _pass_on(self, owner: str, to: str) -> bool:
        """Pass the lock on, unless it has another owner."""
        is_owner = self._table.c.locked_by == owner
        with self._told(), self._engine.begin() as connection:
            taken = self._table.update().where(is_owner).values(locked_by=to)
            return bool(connection.execute(taken).rowcount)

    @override
    def grants(self) -> list[Grant]:
        with self._told(), self._engine.begin() as connection:
            text = connection.execute(sa.select(self._table.c.grants)).scalar_one()
        try:
            return read_grants(text)
        except ValueError:
            msg = "The token store holds something else than tokens. Empty its table, and log in."
            raise StoreError(msg) from None

    @override
    def save(self, grants: list[Grant]) -> None:
        with self._told(), self._engine.begin() as connection:
            connection.execute(self._table.update().values(grants=write_grants(grants)))

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        """A time in which the database's faults are told without its address."""
        try:
            yield
        except (sa.exc.SQLAlchemyError, ImportError, OSError, ValueError, TypeError) as error:
            msg = (
                f"The token store's database cannot be used ({type(error).__name__}). Check the"
                " address in `token_store`, and that the database's driver is installed."
            )
            raise StoreError(msg) from None
