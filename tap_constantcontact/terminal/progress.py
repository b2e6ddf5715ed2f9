"""What a run is doing, and what it has done, for the person who watches it."""

from __future__ import annotations

import shutil
import sys
import time
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Iterable, Sequence
    from typing import TextIO

_SECONDS_BETWEEN_LINES = 30.0
_SECONDS_BETWEEN_LOOKS = 0.2


class Progress:
    """Counts rows, calls and seconds by stream, and shows them while they grow.

    On a terminal one line is written over and over; elsewhere a log line comes every half minute.

    Attributes:
        rows: Rows by stream.
        calls: Attempts by stream, repeats included.
        seconds: Seconds by stream, its calls and the handling of its rows.
        is_live: Whether a person is watching a terminal.
    """

    def __init__(
        self,
        logger: logging.Logger,
        max_calls: int | None,
        seconds_a_call: float = 0.0,
        *,
        terminal: TextIO = sys.stderr,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start with nothing done.

        Args:
            logger: Where the lines go if there is no terminal.
            max_calls: How many calls the run may make; None for no limit.
            seconds_a_call: How far apart calls leave.
            terminal: Where a person may be watching.
            clock: Seconds from any start.
        """
        self.rows: Counter[str] = Counter()
        self.calls: Counter[str] = Counter()
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._left: Callable[[], str] = str
        self._logger = logger
        self._seconds_a_call = seconds_a_call
        self._max_calls = max_calls
        self._terminal = terminal
        self.is_live = terminal.isatty()
        self._clock = clock
        self._marked = self._shown = clock()
        self._stream = ""
        self._is_shown = False

    def calling(self, stream: str) -> None:
        """Note that a stream is about to make a call."""
        now = self._clock()
        self.seconds[self._stream or stream] += now - self._marked
        self._marked, self._stream = now, stream
        self.calls[stream] += 1
        pause = _SECONDS_BETWEEN_LOOKS if self.is_live else _SECONDS_BETWEEN_LINES
        if now - self._shown >= pause:
            self._shown = now
            self._show()

    def expect(
        self, what: str, done: int, there_are: int, begun_at: int, calls_before: int
    ) -> None:
        """Note how far a stream has come through something long.

        Args:
            what: What it goes through, in the plural.
            done: How many of them are through.
            there_are: How many there are in all.
            begun_at: How many were through when this run began with them.
            calls_before: How many calls the run had made then.
        """

        def left() -> str:
            here = done - begun_at
            so_far = f"{done:,} of {there_are:,} {what} are through"
            if not here:
                return so_far
            calls = (self.calls.total() - calls_before) * (there_are - done) / here
            minutes = calls * self._seconds_a_call / 60
            return (
                f"{so_far} ({100 * done // max(there_are, 1)} %), about {calls:,.0f} more calls"
                f" in {minutes:,.0f} min"
            )

        self._left = left

    def arrive(self) -> None:
        """Note that a stream has come to the end of what was expected of it."""
        self._left = str

    @property
    def left(self) -> str:
        """What is done of the stream that is being read, and what is left; empty if unknown."""
        return self._left()

    def _show(self) -> None:
        made = f"{self.calls.total():,}"
        if self._max_calls:
            made += f" of {self._max_calls:,}"
        parts = [f"{self._stream}: {self.rows[self._stream]:,} rows", f"{made} calls", self.left]
        line = "; ".join(part for part in parts if part)
        if self.is_live:
            width = shutil.get_terminal_size().columns
            self._terminal.write(f"\r\x1b[K{line[: width - 1]}")
            self._terminal.flush()
            self._is_shown = True
        else:
            self._logger.info("%s", line)

    def finish(self) -> None:
        """Count the seconds of the last stream, and leave the terminal tidy."""
        now = self._clock()
        self.seconds[self._stream] += now - self._marked
        self._marked = now
        self.clear()

    def clear(self) -> None:
        """Take the live line away, so that something else can be written there."""
        if self._is_shown:
            self._terminal.write("\r\x1b[K")
            self._terminal.flush()
            self._is_shown = False

    def as_dict(self, bookmarks: Iterable[tuple[str, str]]) -> dict[str, Any]:
        """What the run has done, for a program."""
        return {
            "rows": self.rows.total(),
            "calls": self.calls.total(),
            "seconds": round(sum(self.seconds.values()), 1),
            "left": self.left,
            "streams": {
                stream: {
                    "rows": self.rows[stream],
                    "calls": self.calls[stream],
                    "seconds": round(self.seconds[stream], 1),
                    "bookmark": bookmark,
                }
                for stream, bookmark in bookmarks
            },
        }

    def summary(self, bookmarks: Iterable[tuple[str, str]]) -> str:
        """A table of what the run has done.

        Args:
            bookmarks: Streams in the order to show, each with how far it has come.
        """
        lines: list[Sequence[str]] = [("stream", "rows", "calls", "seconds", "bookmark")]
        lines += [
            (
                stream,
                f"{self.rows[stream]:,}",
                f"{self.calls[stream]:,}",
                f"{self.seconds[stream]:,.1f}",
                bookmark,
            )
            for stream, bookmark in bookmarks
        ]
        calls, seconds = f"{self.calls.total():,}", f"{sum(self.seconds.values()):,.1f}"
        lines.append(("in all", f"{self.rows.total():,}", calls, seconds, ""))
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        return "\n".join(
            "  ".join(
                cell.rjust(width) if place in {1, 2, 3} else cell.ljust(width)
                for place, (cell, width) in enumerate(zip(line, widths, strict=True))
            ).rstrip()
            for line in lines
        )
