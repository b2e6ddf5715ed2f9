"""Faults of both APIs: limits, failures, damaged responses."""

from collections import Counter, deque
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from typing import Final, Literal, TypeAlias

from sandbox.http import Call, Reply
from sandbox.state import State

HTML: Final = "text/html; charset=utf-8"

Limit: TypeAlias = Literal["throttle", "quota"]


class Limits:
    """The rate limit and the daily quota of a key."""

    def __init__(self, state: State) -> None:
        """Start without requests."""
        self._state = state
        self._arrivals: deque[float] = deque()
        self._day: date | None = None

    def exceeded(self, at: float) -> Limit | None:
        """Count a request, and return the limit that it exceeds, if any."""
        state, faults = self._state, self._state.faults
        arrivals = self._arrivals
        while arrivals and arrivals[0] <= at - 1:
            arrivals.popleft()
        arrivals.append(at)
        if self._day != (today := datetime.now(UTC).date()):
            self._day = today
            state.calls_today = 0
        state.calls_today += 1
        if faults.throttle is not None and len(arrivals) > faults.throttle:
            state.throttled += 1
            return "throttle"
        if faults.quota is not None and state.calls_today > faults.quota:
            return "quota"
        return None


class FaultInjector:
    """Injects the configured faults, each kind in turn."""

    def __init__(self, state: State, failures: Sequence[Reply]) -> None:
        """Start without faults.

        Args:
            state: State of the sandbox.
            failures: Failures of requests, in turn.
        """
        self._state = state
        self._failures = failures
        self._passed: Counter[str] = Counter()
        self._failed = 0
        self._spoils = 0

    def due(self, kind: str, every: int | None) -> bool:
        """Return whether this request meets a kind of fault."""
        if every is None:
            return False
        self._passed[kind] += 1
        return self._passed[kind] % every == 0

    def befall(self, call: Call, answer: Callable[[], Reply]) -> Reply:
        """Respond to a request, unless a fault or a test interferes."""
        if failure := self._failure():
            return failure
        interfere = self._state.interfere
        return self._spoilt((interfere and interfere(call, answer)) or answer())

    def _failure(self) -> Reply | None:
        """Return the failure of this request, if it is its turn."""
        if not self.due("fail", self._state.faults.fail_every):
            return None
        self._failed += 1
        return self._failures[(self._failed - 1) % len(self._failures)]

    def _spoilt(self, reply: Reply) -> Reply:
        """Damage a response, if it is its turn."""
        if self.due("garbage", self._state.faults.garbage_every):
            self._spoils += 1
            if self._spoils % 2:
                return reply._replace(body=reply.body[: len(reply.body) // 2])
            return reply._replace(body=b"<html><body>Please stand by.</body></html>")
        if self.due("drop", self._state.faults.drop_every):
            return reply._replace(cut=True)
        return reply
