"""Budget store in a database, for several machines. An extra, on SQLAlchemy."""

from __future__ import annotations

import contextlib
import json
import time
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

from typing_extensions import override

from tap_constantcontact.budget.ledger import Ledger
from tap_constantcontact.budget.store import BudgetStore, BudgetStoreError

try:
    import sqlalchemy as sa
except ImportError as error:
    msg = (
        "A `budget_store` in a database needs SQLAlchemy: install tap-constantcontact[database],"
        " and the database's driver."
    )
    raise BudgetStoreError(msg) from error
else:
    from tap_constantcontact.shared_database import create_tables, database_errors

if TYPE_CHECKING:
    from collections.abc import Callable

_T = TypeVar("_T")

# Seconds since 1970, by the clock of the database: those of machines differ.
_NOW = {
    "postgresql": "extract(epoch from clock_timestamp())::double precision",
    "sqlite": "((julianday('now') - 2440587.5) * 86400.0)",
    "mysql": "unix_timestamp(sysdate(6))",
    "mariadb": "unix_timestamp(sysdate(6))",
}
_SQLITE = {"connect_args": {"timeout": 60}}
_SERVER = {"isolation_level": "READ COMMITTED"}

_TABLES = sa.MetaData()
_LEDGERS = sa.Table(
    "tap_constantcontact_ledgers",
    _TABLES,
    sa.Column("key_hash", sa.String(64), primary_key=True),
    sa.Column("updates", sa.Integer, nullable=False),
    sa.Column("ledger", sa.Text, nullable=False),
)


class DatabaseStore(BudgetStore):
    """A table with a row per key. The database queues transactions that change the same row."""

    def __init__(self, url: str) -> None:
        """Create a store, without a connection.

        Args:
            url: URL of the database.
        """
        super().__init__(time.monotonic)
        self._url = url
        self._known_keys: set[str] = set()

    @cached_property
    def _engine(self) -> sa.Engine:
        is_sqlite = self._url.startswith("sqlite")
        engine = sa.create_engine(self._url, **(_SQLITE if is_sqlite else _SERVER))
        create_tables(_TABLES, engine)
        return engine

    @override
    def close(self) -> None:
        if "_engine" in vars(self):
            self._engine.dispose()

    @override
    def update(self, key: str, change: Callable[[Ledger, float], _T]) -> _T:
        try:
            return self._update(key, change)
        except BudgetStoreError:
            # The connection may have been lost.
            return self._update(key, change)

    def _update(self, key: str, change: Callable[[Ledger, float], _T]) -> _T:
        with database_errors(BudgetStoreError, "budget_store"):
            self._insert(key)
            is_key = _LEDGERS.c.key_hash == key
            now = sa.literal_column(_NOW[self._engine.dialect.name], sa.Double)
            with self._engine.begin() as transaction:
                # The first statement locks the row, in any database.
                locked = sa.update(_LEDGERS).where(is_key)
                transaction.execute(locked.values(updates=_LEDGERS.c.updates + 1))
                row = transaction.execute(sa.select(_LEDGERS.c.ledger, now).where(is_key)).one()
                ledger = Ledger.from_dict(json.loads(row.ledger))
                ledger.begin(row[1])
                result = change(ledger, row[1])
                kept = json.dumps(ledger.to_dict())
                transaction.execute(sa.update(_LEDGERS).where(is_key).values(ledger=kept))
                return result

    def _insert(self, key: str) -> None:
        """Insert the ledger of a key that has none."""
        if key in self._known_keys:
            return
        row = {"key_hash": key, "updates": 0, "ledger": json.dumps(Ledger().to_dict())}
        # Another process may have inserted it.
        with contextlib.suppress(sa.exc.IntegrityError), self._engine.begin() as transaction:
            transaction.execute(sa.insert(_LEDGERS).values(**row))
        self._known_keys.add(key)

    @override
    def keys(self) -> list[str]:
        with database_errors(BudgetStoreError, "budget_store"), self._engine.begin() as transaction:
            return list(transaction.execute(sa.select(_LEDGERS.c.key_hash)).scalars())
