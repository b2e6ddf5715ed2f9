"""Ending a run before it is through, in good order."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class RunStopped(Exception):  # noqa: N818 - no fault, but the end of a run
    """The run ends here on purpose; what was read so far counts, and the next run goes on."""


# Ctrl-C goes to all processes of a terminal, and Meltano sends each a signal on top of it.
_SAME_SIGNAL_SECONDS = 1.0


class Stop:
    """Whether the run is to end, asked where it can end: between calls and between rows.

    Attributes:
        reason: Why it is to end; None while it is not.
    """

    def __init__(self) -> None:
        """Let it run."""
        self.reason: str | None = None
        self._requested_at = 0.0
        self._is_waiting = False

    def request(self, reason: str) -> None:
        """Ask for the end, from a signal handler too.

        Raises:
            RunStopped: At once, if nothing is under way but waiting.
        """
        self.reason = reason
        self._requested_at = time.monotonic()
        if self._is_waiting:
            self.check()

    @property
    def is_insisted_on(self) -> bool:
        """Whether a signal that arrives now is not the first one, sent twice."""
        since = time.monotonic() - self._requested_at
        return bool(self.reason) and since >= _SAME_SIGNAL_SECONDS

    def check(self) -> None:
        """End the run, if that was asked for.

        Raises:
            RunStopped: It was.
        """
        if self.reason:
            raise RunStopped(self.reason)

    @contextlib.contextmanager
    def waiting(self) -> Iterator[None]:
        """A time in which nothing is written and nothing is lost by stopping."""
        self.check()
        before, self._is_waiting = self._is_waiting, True
        try:
            yield
        finally:
            self._is_waiting = before
