"""The ledger of a key: its next free slot, and the requests of its day and of its accounts."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Requests that a key may send per day (docs/api/v2.md §2.7, docs/api/v3.md §5).
DAILY_QUOTA = 10_000
#: The day of the API begins at 00:00 UTC (docs/api/v3.md §5).
DAY_SECONDS = 86_400
# Slots further away than this number are not a queue of requests, but a clock that was turned back.
_MAX_QUEUED_SLOTS = 1_000
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
        lead: Seconds before the first slot, which pass before the reservation is known.
        has_lease: Whether the account uses its lease. Others use what no lease reserves.
    """

    account: str
    spacing: float
    count: int = 1
    unused: int = 0
    lead: float = 0.0
    has_lease: bool = False

    @property
    def requests(self) -> int:
        """Number of requests that it adds to those of the day."""
        return self.count - self.unused


@dataclass(frozen=True)
class Slots:
    """Reserved slots.

    Attributes:
        wait: Seconds until the first one; negative if it has passed.
        left: Number of requests left of the lease; None without one.
        delay: Seconds between the reservation and its return.
    """

    wait: float
    left: int | None = None
    delay: float = 0.0


@dataclass
class AccountLedger:
    """The requests of one account.

    Attributes:
        used: Number of requests today.
        allowed: Number of requests at which its lease is exhausted; None if it has no open lease.
        ends_at: End of the lease, in seconds since 1970.
        current: Number of requests of its last complete run.
        backfill: Number of requests left of its first sync: 0 after a complete run, None if it is
            not estimated.
        waiting_since: End of its last complete run, or its first use of the store; in seconds since
            1970.
        outcome: How its last run ended; empty if there was none.
    """

    used: int = 0
    allowed: int | None = None
    ends_at: float = 0.0
    current: int = 0
    backfill: int | None = None
    waiting_since: float = 0.0
    outcome: str = ""

    @property
    def leased(self) -> int | None:
        """Number of requests left of its lease; None if it has no open lease."""
        return None if self.allowed is None else max(0, self.allowed - self.used)

    def note_estimate(self, requests: int) -> None:
        """Keep the number of requests that the next run needs."""
        if self.backfill == 0:
            self.current = requests
        else:
            self.backfill = requests

    def note_run(self, requests: int, outcome: RunOutcome, now: float) -> None:
        """Keep the result of a run, and the demand of the next one."""
        if outcome is RunOutcome.COMPLETE:
            was_first = self.backfill != 0
            self.current = min(requests, _CURRENT_AFTER_BACKFILL) if was_first else requests
            self.backfill = 0
            self.waiting_since = now
        elif self.backfill:
            self.backfill = max(1, self.backfill - requests)
        elif self.backfill == 0 and outcome is RunOutcome.INTERRUPTED:
            self.current = max(self.current, 2 * requests)
        self.outcome = outcome
        if outcome.returns_lease:
            self.allowed = None


@dataclass
class Ledger:
    """The next free slot and the requests of the day of one key.

    Attributes:
        limit: Number of requests that the key may send per day; None for no limit.
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

    @classmethod
    def from_dict(cls, kept: Mapping[str, Any]) -> Self:
        """Load what `to_dict` returned.

        Raises:
            ValueError: It is something else.
        """
        try:
            accounts = {
                label: AccountLedger(**each)
                for label, each in kept["accounts"].items()
                if label  # Development versions kept runs without a label, too.
            }
            return cls(**{**kept, "accounts": accounts})
        except (TypeError, KeyError, AttributeError) as error:
            msg = "it is not a ledger"
            raise ValueError(msg) from error

    def to_dict(self) -> dict[str, Any]:
        """Return the ledger for a store."""
        return asdict(self)

    @property
    def reserved(self) -> int:
        """Number of requests that leases reserve."""
        return sum(each.leased or 0 for each in self.accounts.values())

    @property
    def left(self) -> int | None:
        """Number of requests that are neither used nor reserved; None for no limit."""
        return None if self.limit is None else max(0, self.limit - self.used - self.reserved)

    def begin(self, now: float) -> None:
        """Start from zero if the day of the ledger is over, and end leases that are over."""
        today = int(now // DAY_SECONDS)
        is_new_day = self.day != today
        if is_new_day:
            self.day, self.used = today, 0
        for account in self.accounts.values():
            if is_new_day:
                account.used = 0
            if is_new_day or account.ends_at <= now:
                account.allowed = None

    def account(self, label: str, now: float) -> AccountLedger:
        """Return the ledger of an account, which waits from now on if it is new."""
        new = AccountLedger(waiting_since=now)
        return self.accounts.setdefault(label, new) if label else new

    def reserve(self, request: SlotRequest, now: float) -> Slots | None:
        """Reserve the next free slots; None if the requests are not left."""
        account = self.account(request.account, now)
        if request.has_lease and account.leased is None:
            return None
        left = self._leased(account) if request.has_lease else self.left
        if left is not None and request.requests > max(0, left):
            return None
        self.used = max(0, self.used + request.requests)
        account.used = max(0, account.used + request.requests)
        is_queue = now <= self.next_at <= now + _MAX_QUEUED_SLOTS * request.spacing
        first = max(self.next_at if is_queue else now, now + request.lead)
        self.next_at = first + request.spacing * request.count
        return Slots(first - now, self._leased(account) if request.has_lease else None)

    def _leased(self, account: AccountLedger) -> int | None:
        if account.leased is None or self.limit is None:
            return account.leased
        return min(account.leased, self.limit - self.used)

    def lease(self, shares: Mapping[str, int], seconds: float, now: float) -> None:
        """Reserve requests for accounts, in place of the leases that they have.

        Args:
            shares: Number of requests by label of the account.
            seconds: Duration of the leases. They end with the day in any case.
            now: Seconds since 1970.

        Raises:
            BudgetExhaustedError: The requests are not left.
        """
        accounts = {label: self.account(label, now) for label in shares}
        returned = sum(account.leased or 0 for account in accounts.values())
        if self.left is not None and sum(shares.values()) > self.left + returned:
            raise BudgetExhaustedError
        for label, share in shares.items():
            account = accounts[label]
            account.allowed = account.used + share
            account.ends_at = min(now + seconds, (self.day + 1) * DAY_SECONDS)
        self.begin(now)

    def exhaust(self) -> None:
        """Leave no request for today."""
        if self.limit is not None:
            self.used = max(self.used, self.limit)
