"""Limit of requests per second."""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections import deque
from typing import TYPE_CHECKING

from tap_constantcontact.budget.budget import Budget
from tap_constantcontact.budget.ledger import BudgetExhaustedError
from tap_constantcontact.budget.store import BudgetStoreError, MemoryStore

if TYPE_CHECKING:
    from collections.abc import Callable

# Requests leave evenly but arrive with jitter. Four in 1.04 s are never five in any second.
_MARGIN = 1.04
# A request that leaves later than this after its slot could arrive as the fifth in a second.
_MAX_LATENESS = (_MARGIN - 1) / 2
_MAX_LATE_SLOTS = 8
# When the API throttles, another client uses the key: make room for it at once, then bit by bit.
# Of the values tried with 80 to 400 requests each, these let two clients share a key in the
# least time (benchmarks/sharing.py).
_HALF = 0.5
_SLOWER = 0.9
_FASTER = 0.00125
_SLOWEST = 1 / 16
_NEARLY_ALL = 0.9
# Where a round trip to the store takes longer than a slot, several slots are reserved at a time.
_ROUND_TRIPS_PER_BLOCK = 3
_MAX_BLOCK_SECONDS = 4.0
# The next reservation may take longer to return than the last one.
_LEAD = 1.5


def seconds_between_requests(per_second: float) -> float:
    """Return the seconds between requests at a rate."""
    return _MARGIN / per_second


class RateLimiter:
    """Spaces requests evenly over all streams, threads and, with a budget store, processes.

    A key may send 4 requests per second (docs/api/v2.md §2.7), and other programs may use
    the same key: even spacing leaves them room, bursts would not. When the API throttles, requests
    leave further apart, and each success brings them a little closer again.
    """

    def __init__(
        self,
        per_second: float,
        budget: Budget | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Start with the next request free to go.

        Args:
            per_second: Requests per second, over 0; may be a fraction.
            budget: Source of slots; None for one that no other run uses.
            clock: Seconds from any start, never backwards.
            sleep: Waits for a number of seconds.
        """
        self.budget = budget or Budget(MemoryStore(clock))
        self._interval = seconds_between_requests(per_second)
        self._share = 1.0
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._next = clock()
        self._slots: deque[float] = deque()
        self._unused = 0
        self._block = 1
        self._lead = 0.0

    def delay(self) -> float:
        """Return the seconds for which no request may leave. Other processes may extend them."""
        with self._lock:
            return max(0.0, (self._slots[0] if self._slots else self._next) - self._clock())

    def wait(self) -> None:
        """Wait until the next request may leave, and count it.

        Raises:
            BudgetExhaustedError: The budget has no request left.
            BudgetStoreError: The budget store cannot be used.
        """
        with self._lock:
            for _ in range(_MAX_LATE_SLOTS):
                if self._is_in_time(self._next_slot()):
                    break
                self._unused += 1
            else:
                self._unused -= 1  # A machine that is always late has to use a late slot.
            self._share = min(1.0, self._share + _FASTER)

    def _is_in_time(self, slot: float) -> bool:
        """Wait for a slot; return whether it can still be used."""
        seconds = slot - self._clock()
        if seconds > 0:
            self._sleep(seconds)
        return self._clock() <= slot + _MAX_LATENESS

    def _next_slot(self) -> float:
        if not self._slots:
            try:
                self._reserve(self._block)
            except BudgetExhaustedError:
                if self._block == 1:
                    raise
                self._reserve(1)
        return self._slots.popleft()

    def _reserve(self, count: int) -> None:
        spacing = self._interval / self._share
        self.budget.open()
        asked_at = self._clock()
        reserved = self.budget.reserve(spacing, count, self._unused, self._lead)
        self._unused = 0
        self._lead = min(_LEAD * reserved.delay, spacing)
        now = self._clock()
        first = now + reserved.wait
        self._slots.extend(first + number * spacing for number in range(count))
        self._next = first + count * spacing
        is_far = now - asked_at > spacing
        seconds = min(_ROUND_TRIPS_PER_BLOCK * (now - asked_at), _MAX_BLOCK_SECONDS)
        self._block = math.ceil(seconds / spacing) if is_far else 1

    def exhaust(self) -> None:
        """Leave no request for today: the API has rejected one.

        Raises:
            BudgetStoreError: The budget store cannot be used.
        """
        self._slots.clear()
        self._unused = 0
        self.budget.exhaust()

    def close(self) -> None:
        """Return unused slots, and release the budget store."""
        self.return_unused()
        self.budget.close()

    def return_unused(self) -> None:
        """Return slots that were reserved and not used."""
        unused, self._unused = self._unused + len(self._slots), 0
        self._slots.clear()
        if unused:
            with contextlib.suppress(BudgetExhaustedError, BudgetStoreError):
                self.budget.reserve(self._interval, 0, unused)

    def slow_down(self) -> None:
        """Reduce the rate: the API has throttled a request."""
        with self._lock:
            factor = _HALF if self._share > _NEARLY_ALL else _SLOWER
            self._share = max(_SLOWEST, self._share * factor)
