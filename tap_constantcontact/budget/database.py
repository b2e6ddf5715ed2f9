"""Budget store in a database, for several machines. An extra, on SQLAlchemy."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from typing_extensions import override

from tap_constantcontact.budget.base import (
    DAILY_QUOTA,
    DAY_SECONDS,
    MAX_QUEUED_SLOTS,
    AccountUsage,
    BudgetExhaustedError,
    BudgetStore,
    BudgetStoreError,
    RunOutcome,
    SlotRequest,
    Slots,
    Usage,
    demand_after,
    estimated_demand,
)
from tap_constantcontact.budget.ledger import end_of_lease

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
    from collections.abc import Callable, Iterator, Mapping

_T = TypeVar("_T")

# The row of a key has no account.
_KEY = ""
# Seconds since 1970, and days, by the clock of the database: those of machines differ.
_NOW = {
    "postgresql": "extract(epoch from clock_timestamp())::double precision",
    "sqlite": "((julianday('now') - 2440587.5) * 86400.0)",
    "mysql": "unix_timestamp(sysdate(6))",
}
_TODAY = {
    "postgresql": f"floor({_NOW['postgresql']} / {DAY_SECONDS})",
    "sqlite": f"cast({_NOW['sqlite']} / {DAY_SECONDS} as integer)",
    "mysql": f"floor({_NOW['mysql']} / {DAY_SECONDS})",
}
_OPTIONS = {"sqlite": {"timeout": 60}}


class DatabaseStore(BudgetStore):
    """A table with a row per key, and one per account of a key.

    Slots are reserved by one statement, which is one round trip. The database queues statements
    that update the same row.
    """

    def __init__(self, url: str) -> None:
        """Create a store, without a connection.

        Args:
            url: URL of the database.
        """
        self._url = url
        self._has_table = False
        self._meta = sa.MetaData()
        self._table = sa.Table(
            "tap_constantcontact_budget",
            self._meta,
            sa.Column("api_key", sa.String(64), primary_key=True),
            sa.Column("account", sa.String(100), primary_key=True),
            sa.Column("used", sa.Integer, nullable=False),
            sa.Column("allowed", sa.Integer, nullable=False),
            sa.Column("next_at", sa.Double, nullable=False),
            sa.Column("ends_at", sa.Double, nullable=False),
            sa.Column("day", sa.Integer, nullable=False),
            sa.Column("current", sa.Integer, nullable=False),
            sa.Column("backfill", sa.Integer),
            sa.Column("waiting_since", sa.Double, nullable=False),
            sa.Column("outcome", sa.String(20), nullable=False),
        )

    @cached_property
    def _engine(self) -> sa.Engine:
        dialect = self._url.partition(":")[0].partition("+")[0]
        return sa.create_engine(
            self._url,
            isolation_level="AUTOCOMMIT",
            pool_reset_on_return=None,
            connect_args=_OPTIONS.get(dialect, {}),
        )

    def _create_table(self) -> None:
        if not self._has_table:
            create_tables(self._meta, self._engine)
            self._has_table = True

    @cached_property
    def _transactions(self) -> sa.Engine:
        """The same, for several statements in one transaction."""
        is_sqlite = self._dialect == "sqlite"
        level = "SERIALIZABLE" if is_sqlite else "READ COMMITTED"
        return self._engine.execution_options(isolation_level=level)

    @property
    def _now(self) -> sa.ColumnElement[float]:
        return sa.literal_column(_NOW[self._dialect], sa.Double)

    @property
    def _today(self) -> sa.ColumnElement[int]:
        return sa.literal_column(_TODAY[self._dialect], sa.Integer)

    @property
    def _dialect(self) -> str:
        name = self._engine.dialect.name
        return "mysql" if name == "mariadb" else name

    @override
    def close(self) -> None:
        if self._has_table:
            self._engine.dispose()

    @contextlib.contextmanager
    def _connect(self) -> Iterator[sa.Connection]:
        with database_errors(BudgetStoreError, "budget_store"):
            self._create_table()
            with self._engine.connect() as connection:
                yield connection

    @override
    def open(self, key: str, account: str, limit: int | None) -> Usage:
        with self._connect() as connection:
            for each in {_KEY, account}:
                self._ensure(connection, key, each)
            if limit is not None:
                changed = self._table.update().where(self._is(key, _KEY)).values(allowed=limit)
                connection.execute(changed)
            return self._usage(connection, key)

    def _ensure(self, connection: sa.Connection, key: str, account: str) -> None:
        row = {
            "api_key": key,
            "account": account,
            "allowed": 0 if account else DAILY_QUOTA,
            "waiting_since": self._now,
            "outcome": "",
            **dict.fromkeys(("used", "next_at", "ends_at", "day", "current"), 0),
        }
        if connection.execute(sa.select(self._table.c.used).where(self._is(key, account))).first():
            return
        with contextlib.suppress(sa.exc.IntegrityError):
            connection.execute(self._table.insert().values(**row))

    def _is(self, key: str, *accounts: str) -> sa.ColumnElement[bool]:
        return sa.and_(self._table.c.api_key == key, self._table.c.account.in_(accounts))

    @override
    def usage(self, key: str) -> Usage:
        with self._connect() as connection:
            return self._usage(connection, key)

    def _usage(self, connection: sa.Connection, key: str) -> Usage:
        table = self._table
        is_open = table.c.ends_at > self._now
        leased = sa.case((is_open, table.c.allowed - _today_or_zero(table, self._today)))
        used = _today_or_zero(table, self._today)
        demand = (table.c.current, table.c.backfill, table.c.waiting_since, table.c.outcome)
        columns = (table.c.account, table.c.allowed, used, leased, *demand)
        usage = Usage()
        accounts = {}
        for account, allowed, used_today, left, *demand_of_account in connection.execute(
            sa.select(*columns).where(table.c.api_key == key)
        ):
            if account == _KEY:
                usage = Usage(used_today, allowed)
            else:
                lease = None if left is None else max(0, left)
                accounts[account] = AccountUsage(used_today, lease, *demand_of_account)
        return replace(usage, accounts=accounts)

    @override
    def reserve(self, key: str, request: SlotRequest) -> Slots | None:
        return self._with_retry(lambda: self._reserve(key, request))

    def _with_retry(self, operation: Callable[[], _T]) -> _T:
        """Retry once: a connection may be lost, or two statements may block each other."""
        try:
            return operation()
        except BudgetStoreError:
            return operation()

    def _reserve(self, key: str, request: SlotRequest) -> Slots | None:
        accounts = {_KEY, request.account}
        table, now = self._table, self._now
        used = _today_or_zero(table, self._today)
        is_queue = table.c.next_at.between(now, now + MAX_QUEUED_SLOTS * request.spacing)
        first = sa.case((is_queue, table.c.next_at), else_=now)
        step = request.spacing * request.count
        changed = (
            table.update()
            .where(self._is(key, *accounts), self._has_room(key, request))
            # In this order: MySQL uses the new values of columns that are already set.
            .ordered_values(
                (table.c.used, _or_zero(used + request.requests)),
                (table.c.next_at, first + step),
                (table.c.day, self._today),
            )
        )
        columns = (table.c.account, table.c.next_at - step - now, table.c.allowed, table.c.used)
        with self._connect() as connection:
            rows = self._update(connection, changed, columns, self._is(key, *accounts))
            if rows.keys() != accounts:
                self._give_back(connection, key, request, rows)
                return None
        left = min(allowed - used for _, allowed, used in rows.values())
        return Slots(max(0.0, rows[_KEY][0]), left if request.has_lease else None)

    def _has_room(self, key: str, request: SlotRequest) -> sa.ColumnElement[bool]:
        """Return the condition under which a row has room for the requests."""
        table = self._table
        room = table.c.allowed - _today_or_zero(table, self._today)
        is_key = table.c.account == _KEY
        if request.has_lease:
            is_open = table.c.ends_at > self._now
            return sa.and_(_or_zero(room) >= request.requests, sa.or_(is_key, is_open))
        return sa.or_(~is_key, _or_zero(room - self._reserved(key)) >= request.requests)

    def _reserved(self, key: str) -> sa.ScalarSelect[int]:
        """Return the number of requests that open leases reserve."""
        each = self._table.alias("lease")
        left = each.c.allowed - _today_or_zero(each, self._today)
        reserved = (
            sa.select(sa.func.coalesce(sa.func.sum(_or_zero(left)), 0).label("reserved"))
            .where(each.c.api_key == key, each.c.account != _KEY, each.c.ends_at > self._now)
            .subquery()  # MySQL does not read from the table that a statement updates.
        )
        return sa.select(reserved.c.reserved).scalar_subquery()

    def _update(
        self,
        connection: sa.Connection,
        changed: sa.Update,
        columns: tuple[Any, ...],
        rows: sa.ColumnElement[bool],
    ) -> dict[str, tuple[Any, ...]]:
        """Update rows, and return their new values by account."""
        if connection.dialect.update_returning:
            result = connection.execute(changed.returning(*columns)).all()
        else:
            with self._transactions.begin() as transaction:
                updated = transaction.execute(changed).rowcount
                result = transaction.execute(sa.select(*columns).where(rows)).all()
                if updated != len(result):
                    transaction.rollback()
                    result = []
        return {account: tuple(values) for account, *values in result}

    def _give_back(
        self, connection: sa.Connection, key: str, request: SlotRequest, rows: Mapping[str, Any]
    ) -> None:
        """Undo the update of one row where the other one had no room."""
        if rows:
            used = self._table.c.used - request.requests
            connection.execute(self._table.update().where(self._is(key, *rows)).values(used=used))

    @override
    def lease(self, key: str, shares: Mapping[str, int], seconds: float) -> None:
        self._with_retry(lambda: self._lease(key, shares, seconds))

    def _lease(self, key: str, shares: Mapping[str, int], seconds: float) -> None:
        table = self._table
        with self._connect() as connection:
            for account in (_KEY, *shares):
                self._ensure(connection, key, account)
            with self._transactions.begin() as transaction:
                now = self._lock(transaction, key)
                usage = self._usage(transaction, key)
                returned = sum(usage.accounts[label].leased or 0 for label in shares)
                if sum(shares.values()) > (usage.left or 0) + returned:
                    raise BudgetExhaustedError
                for label, share in shares.items():
                    used = usage.accounts[label].used
                    lease = {
                        "used": used,
                        "allowed": used + share,
                        "ends_at": end_of_lease(now, seconds),
                        "day": self._today,
                    }
                    changed = table.update().where(self._is(key, label)).values(**lease)
                    transaction.execute(changed)

    def _lock(self, transaction: sa.Connection, key: str) -> float:
        """Lock the row of a key until the end of the transaction, and return the time."""
        table = self._table
        locked = table.update().where(self._is(key, _KEY))
        today = locked.ordered_values(
            (table.c.used, _today_or_zero(table, self._today)), (table.c.day, self._today)
        )
        transaction.execute(today)
        return float(transaction.execute(sa.select(self._now)).scalar_one())

    @override
    def keys(self) -> list[str]:
        keys = sa.select(self._table.c.api_key).where(self._table.c.account == _KEY)
        with self._connect() as connection:
            return list(connection.execute(keys).scalars())

    @override
    def note_estimate(self, key: str, account: str, requests: int) -> None:
        with self._connect() as connection:
            before = self._usage(connection, key).accounts[account]
            current, backfill = estimated_demand(before, requests)
            values = {"current": current, "backfill": backfill}
            connection.execute(self._table.update().where(self._is(key, account)).values(**values))

    @override
    def note_run(self, key: str, account: str, requests: int, outcome: RunOutcome) -> None:
        with self._connect() as connection:
            before = self._usage(connection, key).accounts[account]
            current, backfill = demand_after(before, requests, outcome)
            values: dict[str, Any] = {"current": current, "backfill": backfill, "outcome": outcome}
            if outcome is RunOutcome.COMPLETE:
                values["waiting_since"] = self._now
            if outcome.returns_lease:
                values["ends_at"] = 0.0
            connection.execute(self._table.update().where(self._is(key, account)).values(**values))

    @override
    def exhaust(self, key: str) -> None:
        table = self._table
        used = _today_or_zero(table, self._today)
        changed = (
            table.update()
            .where(self._is(key, _KEY))
            .ordered_values(
                (table.c.used, sa.case((used < table.c.allowed, table.c.allowed), else_=used)),
                (table.c.day, self._today),
            )
        )
        with self._connect() as connection:
            connection.execute(changed)


def _today_or_zero(table: sa.FromClause, today: sa.ColumnElement[int]) -> sa.ColumnElement[int]:
    """Return the requests of a row today: none if it is of an earlier day."""
    return sa.case((table.c.day == today, table.c.used), else_=0)


def _or_zero(number: sa.ColumnElement[int]) -> sa.ColumnElement[int]:
    return sa.case((number > 0, number), else_=0)
