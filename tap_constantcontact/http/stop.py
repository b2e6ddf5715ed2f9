"""Ending a run before it is through, in good order."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class RunStopped(Exception):  # noqa: N818 - no fault, but the end of a run
    """The run ends here on purpose; what was read so far counts, and the next run goes on."""


class Stop:
    """Whether the run is to end, asked where it can end: between calls and between rows.

    Attributes:
        reason: Why it is to end; None while it is not.
    """

    def __init__(self) -> None:
        """Let it run."""
        self.reason: str | None = None
        self._is_waiting = False

    def request(self, reason: str) -> None:
        """Ask for the end, from a signal handler too.

        Raises:
            RunStopped: At once, if nothing is under way but waiting.
        """
        self.reason = reason
        if self._is_waiting:
            self.check()

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
