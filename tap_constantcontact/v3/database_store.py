"""Tokens in a database, for containers without a disk; an extra, on SQLAlchemy."""

from __future__ import annotations

import contextlib
import functools
import time
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
# Who holds the lock longer has died.
_LOCK_LIVES = 180.0
_PAUSE = 0.2


class DatabaseStore(TokenStore):
    """One row of a table, with a lock beside it that a run that died cannot keep for ever."""

    def __init__(self, url: str) -> None:
        """Take the database's address; it is not connected to yet."""
        self._url = url
        self._meta = sa.MetaData()
        self._table = sa.Table(
            "tap_constantcontact_tokens",
            self._meta,
            sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
            sa.Column("grants", sa.Text, nullable=False),
            sa.Column("locked_until", sa.Float, nullable=False),
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
                    empty = {"id": _ROW, "grants": write_grants([]), "locked_until": 0.0}
                    connection.execute(self._table.insert().values(**empty))
        return engine

    @property
    @override
    def place(self) -> str:
        return f"the database's table {self._table.name}"

    @override
    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        until = self._lock()
        try:
            yield
        finally:
            mine = self._table.c.locked_until == until
            with self._told(), self._engine.begin() as connection:
                connection.execute(self._table.update().where(mine).values(locked_until=0.0))

    def _lock(self) -> float:
        give_up = time.time() + _LOCK_LIVES
        while time.time() < give_up:
            now = time.time()
            is_free = self._table.c.locked_until < now
            until = now + _LOCK_LIVES
            with self._told(), self._engine.begin() as connection:
                taken = self._table.update().where(is_free).values(locked_until=until)
                if connection.execute(taken).rowcount:
                    return until
            time.sleep(_PAUSE)
        msg = "The token store is locked by another run that does not end."
        raise StoreError(msg)

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
        except (sa.exc.SQLAlchemyError, ModuleNotFoundError) as error:
            msg = (
                f"The token store's database cannot be used ({type(error).__name__}). Check the"
                " address in `token_store`, and that the database's driver is installed."
            )
            raise StoreError(msg) from None
