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
    from collections.abc import Callable, Mapping

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
    sa.Column("account", sa.String(100), primary_key=True),
    sa.Column("ledger", sa.Text, nullable=False),
)
# The row of a key has no account.
_NO_ACCOUNT = ""


class DatabaseStore(BudgetStore):
    """A table with a row per key, and one per account of a key.

    The database queues transactions that change the row of the same key.
    """

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
            self._insert_key(key)
            with self._engine.begin() as transaction:
                kept, now = self._lock(transaction, key)
                ledger = _parse(kept)
                ledger.begin(now)
                result = change(ledger, now)
                _write(transaction, key, kept, _format(ledger))
                return result

    def _insert_key(self, key: str) -> None:
        """Insert the row of a key that has none."""
        if key in self._known_keys:
            return
        rows = [{"key_hash": key, "account": _NO_ACCOUNT, "ledger": _format(Ledger())[_NO_ACCOUNT]}]
        # Another process may have inserted it.
        with contextlib.suppress(sa.exc.IntegrityError), self._engine.begin() as transaction:
            transaction.execute(sa.insert(_LEDGERS), rows)
        self._known_keys.add(key)

    def _lock(self, transaction: sa.Connection, key: str) -> tuple[dict[str, str], float]:
        """Lock the row of a key, and return all its rows and the time."""
        is_key = _LEDGERS.c.key_hash == key
        row = sa.update(_LEDGERS).where(is_key, _LEDGERS.c.account == _NO_ACCOUNT)
        # An update locks the row in any database, even if it changes nothing.
        transaction.execute(row.values(ledger=_LEDGERS.c.ledger))
        now = sa.literal_column(_NOW[self._engine.dialect.name], sa.Double)
        columns = (_LEDGERS.c.account, _LEDGERS.c.ledger, now)
        rows = transaction.execute(sa.select(*columns).where(is_key)).all()
        return {account: text for account, text, _ in rows}, rows[0][2]

    @override
    def keys(self) -> list[str]:
        with database_errors(BudgetStoreError, "budget_store"), self._engine.begin() as transaction:
            keys = sa.select(_LEDGERS.c.key_hash).where(_LEDGERS.c.account == _NO_ACCOUNT)
            return list(transaction.execute(keys).scalars())


def _write(
    transaction: sa.Connection, key: str, before: Mapping[str, str], after: Mapping[str, str]
) -> None:
    """Write the rows of a key that have changed."""
    new = [
        {"key_hash": key, "account": account, "ledger": text}
        for account, text in after.items()
        if account not in before
    ]
    changed = [
        {"changed": account, "ledger": text}
        for account, text in after.items()
        if account in before and text != before[account]
    ]
    if new:
        transaction.execute(sa.insert(_LEDGERS), new)
    if changed:
        is_row = (_LEDGERS.c.key_hash == key, _LEDGERS.c.account == sa.bindparam("changed"))
        row = sa.update(_LEDGERS).where(*is_row)
        transaction.execute(row.values(ledger=sa.bindparam("ledger")), changed)


def _format(ledger: Ledger) -> dict[str, str]:
    """Return the rows of a ledger by account."""
    kept = ledger.to_dict()
    accounts = kept.pop("accounts")
    return {account: json.dumps(each) for account, each in {_NO_ACCOUNT: kept, **accounts}.items()}


def _parse(rows: Mapping[str, str]) -> Ledger:
    kept = {account: json.loads(text) for account, text in rows.items()}
    return Ledger.from_dict({**kept.pop(_NO_ACCOUNT), "accounts": kept})
