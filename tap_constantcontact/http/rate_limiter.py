"""Limit of requests per second."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

# Requests leave evenly but arrive with jitter. Four in 1.04 s are never five in any second.
_MARGIN = 1.04
# When the API throttles, another client uses the key: make room for it at once, then bit by bit.
# Of the values tried with 80 to 400 requests each, these let two clients share a key in the
# least time (benchmarks/sharing.py).
_HALF = 0.5
_SLOWER = 0.9
_FASTER = 0.00125
_SLOWEST = 1 / 16
_NEARLY_ALL = 0.9


def seconds_between_requests(per_second: float) -> float:
    """Return the seconds between requests at a rate."""
    return _MARGIN / per_second


class RateLimiter:
    """Spaces requests evenly over all streams and threads.

    A key may send 4 requests per second (docs/api/v2.md §2.7), and other programs may use
    the same key: even spacing leaves them room, bursts would not. When the API throttles, requests
    leave further apart, and each success brings them a little closer again.
    """

    def __init__(
        self,
        per_second: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Start with the next request free to go.

        Args:
            per_second: Requests per second, over 0; may be a fraction.
            clock: Seconds from any start, never backwards.
            sleep: Waits for a number of seconds.
        """
        self._interval = seconds_between_requests(per_second)
        self._share = 1.0
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._next = clock()

    def delay(self) -> float:
        """Return the seconds until the next request may leave."""
        with self._lock:
            return max(0.0, self._next - self._clock())

    def wait(self) -> None:
        """Wait until the next request may leave, and count it."""
        with self._lock:
            now = self._clock()
            turn = max(now, self._next)
            self._next = turn + self._interval / self._share
            self._share = min(1.0, self._share + _FASTER)
        if turn > now:
            self._sleep(turn - now)

    def slow_down(self) -> None:
        """Reduce the rate: the API has throttled a request."""
        with self._lock:
            factor = _HALF if self._share > _NEARLY_ALL else _SLOWER
            self._share = max(_SLOWEST, self._share * factor)
