"""Graceful shutdown."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class SyncStopped(Exception):  # noqa: N818 - no fault, but the end of a run
    """Ends a run early on purpose. Everything read so far counts, and the next run resumes."""


# Ctrl-C goes to all processes of a terminal, and Meltano sends each a signal on top of it.
_SAME_SIGNAL_SECONDS = 1.0


class ShutdownRequest:
    """A request to end the run, checked between requests and between records.

    Attributes:
        reason: Why the run ends; None while it continues.
    """

    def __init__(self) -> None:
        """Start without a request."""
        self.reason: str | None = None
        self._requested_at = 0.0
        self._is_waiting = False

    def request(self, reason: str) -> None:
        """Request the end of the run, also from a signal handler.

        Raises:
            SyncStopped: At once, if the run is only waiting.
        """
        self.reason = reason
        self._requested_at = time.monotonic()
        if self._is_waiting:
            self.check()

    @property
    def is_forced(self) -> bool:
        """True if another signal should end the run at once: not the first one, delivered twice."""
        since = time.monotonic() - self._requested_at
        return bool(self.reason) and since >= _SAME_SIGNAL_SECONDS

    def check(self) -> None:
        """End the run if that was requested.

        Raises:
            SyncStopped: It was.
        """
        if self.reason:
            raise SyncStopped(self.reason)

    @contextlib.contextmanager
    def waiting(self) -> Iterator[None]:
        """Mark a time in which a stop loses nothing."""
        self.check()
        before, self._is_waiting = self._is_waiting, True
        try:
            yield
        finally:
            self._is_waiting = before
