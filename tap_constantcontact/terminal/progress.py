"""What a run is doing, and what it has done, for the person who watches it."""

from __future__ import annotations

import os
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
_USUAL_WIDTH = 80


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
            here, open_ones = done - begun_at, there_are - done
            remaining = f"{open_ones:,} of {there_are:,} {what}"
            if not here:
                return remaining
            requests = (self.calls.total() - calls_before) * open_ones / here
            minutes = requests * self._seconds_a_call / 60
            duration = f"{minutes:,.0f} min" if minutes >= 1 else "less than 1 min"
            return f"{remaining}, about {requests:,.0f} requests, {duration}"

        self._left = left

    def arrive(self) -> None:
        """Note that a stream has come to the end of what was expected of it."""
        self._left = str

    @property
    def left(self) -> str:
        """Estimate of what remains of the current stream; empty if unknown."""
        return self._left()

    def _show(self) -> None:
        made = f"{self.calls.total():,}"
        if self._max_calls:
            made += f" of {self._max_calls:,}"
        parts = [
            f"{self.left} remaining" if self.left else "",
            f"{self._stream}: {self.rows[self._stream]:,} records",
            f"{made} requests",
        ]
        line = "; ".join(part for part in parts if part)
        if self.is_live:
            self._terminal.write(f"\r\x1b[K{line[: self.width - 1]}")
            self._terminal.flush()
            self._is_shown = True
        else:
            self._logger.info("%s", line)

    @property
    def width(self) -> int:
        """Columns of the terminal, which need not be that of stdout: stdout is often a pipe."""
        try:
            return os.get_terminal_size(self._terminal.fileno()).columns
        except (OSError, ValueError):
            return _USUAL_WIDTH

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

    @property
    def headline(self) -> str:
        """The totals of the run in one line."""
        return (
            f"{self.rows.total():,} records, {self.calls.total():,} requests,"
            f" {sum(self.seconds.values()):,.1f} seconds."
        )

    def as_dict(self, bookmarks: Iterable[tuple[str, str]]) -> dict[str, Any]:
        """Return the totals of the run and of each stream, for programs."""
        return {
            "records": self.rows.total(),
            "requests": self.calls.total(),
            "seconds": round(sum(self.seconds.values()), 1),
            "remaining": self.left,
            "streams": {
                stream: {
                    "records": self.rows[stream],
                    "requests": self.calls[stream],
                    "seconds": round(self.seconds[stream], 1),
                    "bookmark": bookmark,
                }
                for stream, bookmark in bookmarks
            },
        }

    def summary(self, bookmarks: Iterable[tuple[str, str]]) -> str:
        """Return a table of the run.

        Args:
            bookmarks: Streams in the order of the table, each with its bookmark.
        """
        lines: list[Sequence[str]] = [("stream", "records", "requests", "seconds", "bookmark")]
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
        requests, seconds = f"{self.calls.total():,}", f"{sum(self.seconds.values()):,.1f}"
        lines.append(("total", f"{self.rows.total():,}", requests, seconds, ""))
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        return "\n".join(
            "  ".join(
                cell.rjust(width) if place in {1, 2, 3} else cell.ljust(width)
                for place, (cell, width) in enumerate(zip(line, widths, strict=True))
            ).rstrip()
            for line in lines
        )

    def show_summary(self, bookmarks: Iterable[tuple[str, str]]) -> None:
        """Write the table to the terminal, cut to its width."""
        without_fractions = [(name, text.replace(".000Z", "Z")) for name, text in bookmarks]
        for line in self.summary(without_fractions).splitlines():
            self._terminal.write(f"{line[: self.width]}\n")
        if self.left:
            self._terminal.write(f"Remaining: {self.left}.\n")
        self._terminal.flush()
