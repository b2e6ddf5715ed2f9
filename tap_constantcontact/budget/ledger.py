"""The ledger of a key, and the stores that keep ledgers in memory or in a file."""

from __future__ import annotations

import contextlib
import json
import time
from abc import abstractmethod
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from filelock import Timeout
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
from tap_constantcontact.shared_file import SharedFile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

_LOCK_SECONDS = 60.0


@dataclass
class AccountLedger:
    """Requests of one account on the day of its ledger.

    Attributes:
        used: Number of requests.
        allowed: Number of requests at which its lease is exhausted.
        ends_at: End of the lease, in seconds since 1970.
        current: See `AccountUsage`.
        backfill: See `AccountUsage`.
        waiting_since: See `AccountUsage`.
        outcome: See `AccountUsage`.
    """

    used: int = 0
    allowed: int = 0
    ends_at: float = 0.0
    current: int = 0
    backfill: int | None = None
    waiting_since: float = 0.0
    outcome: str = ""

    def leased(self, now: float) -> int | None:
        """Return the number of requests left of the lease; None if none is open."""
        return max(0, self.allowed - self.used) if self.ends_at > now else None

    def usage(self, now: float) -> AccountUsage:
        """Return the requests of the account."""
        return AccountUsage(
            self.used,
            self.leased(now),
            self.current,
            self.backfill,
            self.waiting_since,
            self.outcome,
        )


@dataclass
class Ledger:
    """The next free slot and the requests of the day of one key.

    Attributes:
        limit: Requests per day; None for no limit.
        day: Days since 1970, of `used`.
        used: Number of requests.
        next_at: The next free slot, in seconds since 1970.
        accounts: Requests by label of the account.
    """

    limit: int | None = DAILY_QUOTA
    day: int = 0
    used: int = 0
    next_at: float = 0.0
    accounts: dict[str, AccountLedger] = field(default_factory=dict)

    def begin_day(self, now: float) -> None:
        """Start from zero if the day of the ledger is over."""
        today = int(now // DAY_SECONDS)
        if self.day != today:
            self.day, self.used = today, 0
            for account in self.accounts.values():
                account.used, account.ends_at = 0, 0.0

    def account(self, label: str, now: float) -> AccountLedger:
        """Return the ledger of an account, which waits from now on if it is new."""
        return self.accounts.setdefault(label, AccountLedger(waiting_since=now))

    def usage(self, now: float) -> Usage:
        """Return the requests of the day."""
        accounts = {label: each.usage(now) for label, each in self.accounts.items() if label}
        return Usage(self.used, self.limit, accounts)

    def reserve(self, request: SlotRequest, now: float) -> Slots | None:
        """Reserve the next free slots; None if the requests are not left."""
        account = self.account(request.account, now)
        if request.has_lease and account.leased(now) is None:
            return None
        left = self._leased(account, now) if request.has_lease else self.usage(now).left
        if left is not None and request.requests > max(0, left):
            return None
        self.used = max(0, self.used + request.requests)
        account.used = max(0, account.used + request.requests)
        is_queue = now <= self.next_at <= now + MAX_QUEUED_SLOTS * request.spacing
        first = self.next_at if is_queue else now
        self.next_at = first + request.spacing * request.count
        return Slots(first - now, self._leased(account, now) if request.has_lease else None)

    def _leased(self, account: AccountLedger, now: float) -> int | None:
        leased = account.leased(now)
        if leased is None or self.limit is None:
            return leased
        return min(leased, self.limit - self.used)

    def lease(self, shares: Mapping[str, int], ends_at: float, now: float) -> None:
        """Reserve requests for accounts.

        Raises:
            BudgetExhaustedError: The requests are not left.
        """
        accounts = {label: self.account(label, now) for label in shares}
        returned = sum(account.leased(now) or 0 for account in accounts.values())
        left = self.usage(now).left
        if left is not None and sum(shares.values()) > left + returned:
            raise BudgetExhaustedError
        for label, share in shares.items():
            account = accounts[label]
            account.allowed, account.ends_at = account.used + share, ends_at


def end_of_lease(now: float, seconds: float) -> float:
    """Return the end of a lease: that of the day at the latest."""
    return min(now + seconds, (now // DAY_SECONDS + 1) * DAY_SECONDS)


class LedgerStore(BudgetStore):
    """A store of whole ledgers, which are read and written under a lock."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        """Create a store.

        Args:
            clock: Seconds since 1970.
        """
        self._clock = clock

    @abstractmethod
    def ledgers(self) -> contextlib.AbstractContextManager[dict[str, Ledger]]:
        """Hold the lock, and keep changes of the ledgers.

        Raises:
            BudgetStoreError: They cannot be read or written.
        """

    @contextlib.contextmanager
    def _ledger(self, key: str) -> Iterator[tuple[Ledger, float]]:
        with self.ledgers() as ledgers:
            ledger = ledgers.setdefault(key, Ledger())
            now = self._clock()
            ledger.begin_day(now)
            yield ledger, now

    @override
    def open(self, key: str, account: str, limit: int | None) -> Usage:
        with self._ledger(key) as (ledger, now):
            if limit is not None:
                ledger.limit = limit
            ledger.account(account, now)
            return ledger.usage(now)

    @override
    def reserve(self, key: str, request: SlotRequest) -> Slots | None:
        with self._ledger(key) as (ledger, now):
            return ledger.reserve(request, now)

    @override
    def usage(self, key: str) -> Usage:
        with self._ledger(key) as (ledger, now):
            return ledger.usage(now)

    @override
    def lease(self, key: str, shares: Mapping[str, int], seconds: float) -> None:
        with self._ledger(key) as (ledger, now):
            ledger.lease(shares, end_of_lease(now, seconds), now)

    @override
    def keys(self) -> list[str]:
        with self.ledgers() as ledgers:
            return list(ledgers)

    @override
    def note_estimate(self, key: str, account: str, requests: int) -> None:
        with self._ledger(key) as (ledger, now):
            kept = ledger.account(account, now)
            kept.current, kept.backfill = estimated_demand(kept.usage(now), requests)

    @override
    def note_run(self, key: str, account: str, requests: int, outcome: RunOutcome) -> None:
        with self._ledger(key) as (ledger, now):
            kept = ledger.account(account, now)
            kept.current, kept.backfill = demand_after(kept.usage(now), requests, outcome)
            kept.outcome = outcome
            if outcome is RunOutcome.COMPLETE:
                kept.waiting_since = now
            if outcome.returns_lease:
                kept.ends_at = 0.0

    @override
    def exhaust(self, key: str) -> None:
        with self._ledger(key) as (ledger, _):
            if ledger.limit is not None:
                ledger.used = max(ledger.used, ledger.limit)


class MemoryStore(LedgerStore):
    """The store of a run that shares its key with nobody. The API alone limits its day."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        """Create an empty store.

        Args:
            clock: Seconds from any start.
        """
        super().__init__(clock)
        self._kept: dict[str, Ledger] = {}

    @override
    @contextlib.contextmanager
    def ledgers(self) -> Iterator[dict[str, Ledger]]:
        yield self._kept

    @override
    def open(self, key: str, account: str, limit: int | None) -> Usage:
        self._kept.setdefault(key, Ledger()).limit = limit
        return super().open(key, account, limit)


class FileStore(LedgerStore):
    """A JSON file, for several processes of one machine."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        """Create a store, without reading its file.

        Args:
            path: Path of the file, which need not exist.
            clock: Seconds since 1970.
        """
        super().__init__(clock)
        self._file = SharedFile(path)

    @override
    @contextlib.contextmanager
    def ledgers(self) -> Iterator[dict[str, Ledger]]:
        try:
            with self._file.locked(_LOCK_SECONDS):
                ledgers = self._read()
                yield ledgers
                self._file.replace(_format(ledgers))
        except Timeout:
            msg = f"Another run holds the lock of the budget store {self._file.path}."
            raise BudgetStoreError(msg) from None
        except OSError as error:
            msg = (
                f"The budget store {self._file.path} cannot be used:"
                f" {error.strerror or type(error).__name__}. Use another one with the setting"
                " `budget_store`."
            )
            raise BudgetStoreError(msg) from None

    def _read(self) -> dict[str, Ledger]:
        try:
            return _parse(self._file.read())
        except (ValueError, TypeError, KeyError, AttributeError):
            msg = (
                f"The budget store {self._file.path} contains something else than a budget. Use"
                " another file with the setting `budget_store`, or delete this one."
            )
            raise BudgetStoreError(msg) from None


def _format(ledgers: Mapping[str, Ledger]) -> str:
    return json.dumps({"version": 1, "keys": {key: asdict(each) for key, each in ledgers.items()}})


def _parse(text: str | None) -> dict[str, Ledger]:
    if text is None:
        return {}
    return {key: _ledger_of(kept) for key, kept in json.loads(text)["keys"].items()}


def _ledger_of(kept: dict[str, Any]) -> Ledger:
    accounts = {label: AccountLedger(**each) for label, each in kept.pop("accounts").items()}
    return Ledger(**kept, accounts=accounts)
