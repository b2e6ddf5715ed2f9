"""Keeping to the calls a second that a key is allowed."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

# Calls leave evenly but arrive with jitter. Four calls in 1.04 s are never five in any second.
_MARGIN = 1.04
# When a call is refused for coming too soon, somebody else uses the key: make room at once for one
# such program, then bit by bit. These figures let two share a key in the least time, of those that
# were tried with 80 to 400 calls each (benchmarks/sharing.py).
_HALF = 0.5
_SLOWER = 0.9
_FASTER = 0.00125
_SLOWEST = 1 / 16
_NEARLY_ALL = 0.9


def seconds_between_calls(per_second: float) -> float:
    """How far apart calls leave at a pace."""
    return _MARGIN / per_second


class Pace:
    """Spaces calls evenly, over all streams and threads that share it.

    A key may make 4 calls a second (API docs: Rate limits), and other programs may use the same
    key: even spacing leaves them room where bursts would not. When calls are refused all the same,
    they leave further apart, and with each that is not a little closer again.
    """

    def __init__(
        self,
        per_second: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Start with the next call free to go.

        Args:
            per_second: Calls a second, over 0; may be a fraction.
            clock: Seconds from any start, never backwards.
            sleep: Waits for so many seconds.
        """
        self._interval = seconds_between_calls(per_second)
        self._share = 1.0
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._next = clock()

    def delay(self) -> float:
        """How many seconds it takes until the next call may leave."""
        with self._lock:
            return max(0.0, self._next - self._clock())

    def wait(self) -> None:
        """Return when the next call may leave, and count it as one that does."""
        with self._lock:
            now = self._clock()
            turn = max(now, self._next)
            self._next = turn + self._interval / self._share
            self._share = min(1.0, self._share + _FASTER)
        if turn > now:
            self._sleep(turn - now)

    def slow_down(self) -> None:
        """Take a smaller share: the API has refused a call for coming too soon."""
        with self._lock:
            factor = _HALF if self._share > _NEARLY_ALL else _SLOWER
            self._share = max(_SLOWEST, self._share * factor)
