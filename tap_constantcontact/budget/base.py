"""The interface of a budget store, and the budget of one run."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING

from singer_sdk.exceptions import FatalAPIError

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Requests that a key may send per day (docs/api/v2.md §2.7, docs/api/v3.md §5).
DAILY_QUOTA = 10_000
#: The day of the API begins at 00:00 UTC (docs/api/v3.md §5).
DAY_SECONDS = 86_400
#: Slots further away than this number are not a queue of requests, but a clock that was turned
#: back.
MAX_QUEUED_SLOTS = 1_000
# The first run says little about the next one.
_CURRENT_AFTER_BACKFILL = 50


class RunOutcome(StrEnum):
    """Outcome of a run."""

    #: All streams are synced.
    COMPLETE = "complete"
    #: It ended early, by a signal or because its requests were exhausted.
    INTERRUPTED = "interrupted"
    #: It ended with an error.
    FAILED = "failed"
    #: The API rejected the credentials: a person has to log in.
    LOGIN_REQUIRED = "login required"

    @property
    def returns_lease(self) -> bool:
        """True if a retry on the same day would be of no use."""
        return self in {RunOutcome.COMPLETE, RunOutcome.LOGIN_REQUIRED}


class BudgetStoreError(FatalAPIError):
    """The budget store cannot be used."""


class BudgetExhaustedError(Exception):
    """No request is left today."""


class LeaseEndedError(BudgetExhaustedError):
    """No request is left of the lease of a run, or the lease has ended."""


@dataclass(frozen=True)
class SlotRequest:
    """A request for the next free slots.

    Attributes:
        account: Label of the account; empty without.
        spacing: Seconds between two slots.
        count: Number of slots.
        unused: Number of slots that were reserved before, and not used.
        has_lease: Whether the account uses its lease. Others use what no lease reserves.
    """

    account: str
    spacing: float
    count: int = 1
    unused: int = 0
    has_lease: bool = False

    @property
    def requests(self) -> int:
        """Number of requests that it adds to those of the day."""
        return self.count - self.unused


@dataclass(frozen=True)
class Slots:
    """Reserved slots.

    Attributes:
        wait: Seconds until the first one.
        left: Number of requests left of the lease; None without one.
    """

    wait: float
    left: int | None


@dataclass(frozen=True)
class AccountUsage:
    """The requests of an account.

    Attributes:
        used: Number of requests today.
        leased: Number of requests left of its lease; None if it has no open lease.
        current: Number of requests of its last complete run.
        backfill: Number of requests left of its first sync: 0 after a complete run, None if it is
            not estimated.
        waiting_since: End of its last complete run, or its first use of the store; in seconds since
            1970.
        outcome: How its last run ended; empty if there was none.
    """

    used: int = 0
    leased: int | None = None
    current: int = 0
    backfill: int | None = None
    waiting_since: float = 0.0
    outcome: str = ""


@dataclass(frozen=True)
class Usage:
    """The requests of a key today.

    Attributes:
        used: Number of requests.
        limit: Number of requests that the key may send per day; None for no limit.
        accounts: Requests by label of the account.
    """

    used: int = 0
    limit: int | None = DAILY_QUOTA
    accounts: Mapping[str, AccountUsage] = field(default_factory=dict)

    @property
    def reserved(self) -> int:
        """Number of requests that leases reserve."""
        return sum(each.leased or 0 for each in self.accounts.values())

    @property
    def left(self) -> int | None:
        """Number of requests that are neither used nor reserved; None for no limit."""
        return None if self.limit is None else max(0, self.limit - self.used - self.reserved)


def estimated_demand(before: AccountUsage, requests: int) -> tuple[int, int | None]:
    """Return the demand of an account after an estimate: `current` and `backfill` of its usage."""
    return (requests, 0) if before.backfill == 0 else (before.current, requests)


def demand_after(
    before: AccountUsage, requests: int, outcome: RunOutcome
) -> tuple[int, int | None]:
    """Return the demand of an account after a run: `current` and `backfill` of its usage.

    Args:
        before: The usage before the run.
        requests: Number of requests of the run.
        outcome: How it ended.
    """
    if outcome is RunOutcome.COMPLETE:
        was_first = before.backfill != 0
        return (min(requests, _CURRENT_AFTER_BACKFILL) if was_first else requests), 0
    if before.backfill == 0:
        is_short = outcome is RunOutcome.INTERRUPTED
        return (max(before.current, 2 * requests) if is_short else before.current), 0
    if before.backfill is None:
        return before.current, None
    return before.current, max(1, before.backfill - requests)


class BudgetStore(ABC):
    """Stores the next free slot and the requests of the day of each key.

    A key is an API key or an OAuth application: the API limits the requests of all accounts that
    share it (docs/api/v3.md §5).
    """

    @abstractmethod
    def open(self, key: str, account: str, limit: int | None) -> Usage:
        """Prepare the store for an account, and return the usage of the key.

        Args:
            key: Hash of the key.
            account: Label of the account; empty without.
            limit: Requests per day; None to keep the limit of the store.

        Raises:
            BudgetStoreError: The store cannot be used.
        """

    @abstractmethod
    def reserve(self, key: str, request: SlotRequest) -> Slots | None:
        """Reserve the next free slots; None if the requests are not left.

        Raises:
            BudgetStoreError: The store cannot be used.
        """

    @abstractmethod
    def usage(self, key: str) -> Usage:
        """Return the requests of a key today.

        Raises:
            BudgetStoreError: The store cannot be used.
        """

    @abstractmethod
    def lease(self, key: str, shares: Mapping[str, int], seconds: float) -> None:
        """Reserve requests of today for accounts, in place of the leases that they have.

        Args:
            key: Hash of the key.
            shares: Number of requests by label of the account.
            seconds: Duration of the leases. They end with the day in any case.

        Raises:
            BudgetExhaustedError: The requests are not left.
            BudgetStoreError: The store cannot be used.
        """

    @abstractmethod
    def keys(self) -> list[str]:
        """Return the hashes of all keys.

        Raises:
            BudgetStoreError: The store cannot be used.
        """

    @abstractmethod
    def note_estimate(self, key: str, account: str, requests: int) -> None:
        """Store the number of requests that the next run of an account needs.

        Raises:
            BudgetStoreError: The store cannot be used.
        """

    @abstractmethod
    def note_run(self, key: str, account: str, requests: int, outcome: RunOutcome) -> None:
        """Store the result of a run. A complete one returns its lease.

        Args:
            key: Hash of the key.
            account: Label of the account.
            requests: Number of requests of the run.
            outcome: How it ended.

        Raises:
            BudgetStoreError: The store cannot be used.
        """

    @abstractmethod
    def exhaust(self, key: str) -> None:
        """Leave no request for today: the API has rejected one.

        Raises:
            BudgetStoreError: The store cannot be used.
        """

    def close(self) -> None:
        """Release connections. The store may be used again."""
        return


class Budget:
    """The budget of one run."""

    def __init__(
        self, store: BudgetStore, key: str = "", account: str = "", limit: int | None = None
    ) -> None:
        """Create a budget, without opening the store.

        Args:
            store: Shared with the other runs of the key.
            key: Hash of the key.
            account: Label of the account; empty without.
            limit: Requests per day of the key; None to keep the limit of the store.
        """
        self._store = store
        self._key = key
        self._account = account
        self._limit = limit
        self._left: int | None = None

    @cached_property
    def _has_lease(self) -> bool:
        usage = self._store.open(self._key, self._account, self._limit)
        self._left = usage.accounts.get(self._account, AccountUsage()).leased
        return self._left is not None

    def open(self) -> None:
        """Open the store, if it is not open: the first connection may take its time.

        Raises:
            BudgetStoreError: The store cannot be used.
        """
        _ = self._has_lease

    @property
    def left(self) -> int | None:
        """Number of requests left of the lease; None without a lease."""
        return self._left if self._has_lease else None

    def reserve(self, spacing: float, count: int = 1, unused: int = 0) -> float:
        """Reserve slots, and return the seconds until the first one.

        Args:
            spacing: Seconds between two slots.
            count: Number of slots.
            unused: Number of slots that were reserved before, and not used.

        Raises:
            LeaseEndedError: The run has used its lease.
            BudgetExhaustedError: The key has used its requests of the day.
            BudgetStoreError: The store cannot be used.
        """
        request = SlotRequest(self._account, spacing, count, unused, self._has_lease)
        slots = self._store.reserve(self._key, request)
        if slots is None:
            raise LeaseEndedError if self._has_lease else BudgetExhaustedError
        self._left = slots.left
        return slots.wait

    def exhaust(self) -> None:
        """Leave no request for today: the API has rejected one.

        Raises:
            BudgetStoreError: The store cannot be used.
        """
        self._store.exhaust(self._key)

    def note_estimate(self, requests: int) -> None:
        """Store the number of requests that the next run of the account needs.

        Raises:
            BudgetStoreError: The store cannot be used.
        """
        if self._account:
            self.open()
            self._store.note_estimate(self._key, self._account, requests)

    def note_run(self, requests: int, outcome: RunOutcome) -> None:
        """Store the result of the run. A complete one returns its lease.

        Raises:
            BudgetStoreError: The store cannot be used.
        """
        if self._account:
            self.open()
            self._store.note_run(self._key, self._account, requests, outcome)

    def close(self) -> None:
        """Release connections."""
        self._store.close()
