"""Progress and summary of a run."""

from __future__ import annotations

import os
import sys
import time
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

from tap_constantcontact import text_table

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Iterable, Sequence
    from typing import TextIO

_SECONDS_BETWEEN_LINES = 30.0
_SECONDS_BETWEEN_UPDATES = 0.2
_USUAL_WIDTH = 80


class Progress:
    """Counts records, requests and seconds by stream, and shows them during the run.

    On a terminal it updates one line. Elsewhere it logs a line every half minute.

    Attributes:
        records: Records by stream.
        requests: Attempts by stream, retries included.
        seconds: Seconds by stream, for its requests and records.
        is_live: Whether stderr is a terminal.
    """

    def __init__(
        self,
        logger: logging.Logger,
        max_requests: int | None,
        seconds_per_request: float = 0.0,
        *,
        terminal: TextIO = sys.stderr,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start with zero.

        Args:
            logger: Logs the lines if there is no terminal.
            max_requests: Maximum number of requests of the run; None for no limit.
            seconds_per_request: Seconds between requests.
            terminal: The stream that may be a terminal.
            clock: Seconds from any start.
        """
        self.records: Counter[str] = Counter()
        self.requests: Counter[str] = Counter()
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._remaining: Callable[[], str] = str
        self._logger = logger
        self._seconds_per_request = seconds_per_request
        self._max_requests = max_requests
        self._terminal = terminal
        self.is_live = terminal.isatty()
        self._clock = clock
        self._counted_until = self._shown = clock()
        self._stream = ""
        self._is_shown = False

    def on_request(self, stream: str) -> None:
        """Count a request of a stream."""
        now = self._clock()
        self.seconds[self._stream or stream] += now - self._counted_until
        self._counted_until, self._stream = now, stream
        self.requests[stream] += 1
        pause = _SECONDS_BETWEEN_UPDATES if self.is_live else _SECONDS_BETWEEN_LINES
        if now - self._shown >= pause:
            self._shown = now
            self._show()

    def set_position(
        self, what: str, done: int, total: int, done_before: int, calls_before: int
    ) -> None:
        """Set the position of a stream in a long list.

        Args:
            what: Name of the list's items, in the plural.
            done: Number of items that are done.
            total: Number of items.
            done_before: Number of items that were done before this run.
            calls_before: Number of requests that the run had sent before the first item.
        """

        def remaining() -> str:
            here, open_ones = done - done_before, total - done
            remaining = f"{open_ones:,} of {total:,} {what}"
            if not here:
                return remaining
            requests = (self.requests.total() - calls_before) * open_ones / here
            minutes = requests * self._seconds_per_request / 60
            duration = f"{minutes:,.0f} min" if minutes >= 1 else "less than 1 min"
            return f"{remaining}, about {requests:,.0f} requests, {duration}"

        self._remaining = remaining

    def clear_position(self) -> None:
        """Clear the position at the end of the list."""
        self._remaining = str

    @property
    def remaining(self) -> str:
        """Estimate of what remains of the current stream; empty if unknown."""
        return self._remaining()

    def _show(self) -> None:
        made = f"{self.requests.total():,}"
        if self._max_requests:
            made += f" of {self._max_requests:,}"
        parts = [
            f"{self.remaining} remaining" if self.remaining else "",
            f"{self._stream}: {self.records[self._stream]:,} records",
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
        """Columns of this terminal. Stdout, which others measure, is often a pipe."""
        try:
            return os.get_terminal_size(self._terminal.fileno()).columns
        except (OSError, ValueError):
            return _USUAL_WIDTH

    def finish(self) -> None:
        """Count the seconds of the last stream, and clear the live line."""
        now = self._clock()
        self.seconds[self._stream] += now - self._counted_until
        self._counted_until = now
        self.clear()

    def clear(self) -> None:
        """Clear the live line."""
        if self._is_shown:
            self._terminal.write("\r\x1b[K")
            self._terminal.flush()
            self._is_shown = False

    @property
    def headline(self) -> str:
        """The totals of the run in one line."""
        return (
            f"{self.records.total():,} records, {self.requests.total():,} requests,"
            f" {sum(self.seconds.values()):,.1f} seconds."
        )

    def as_dict(self, bookmarks: Iterable[tuple[str, str]]) -> dict[str, Any]:
        """Return the totals of the run and of each stream, for programs."""
        return {
            "records": self.records.total(),
            "requests": self.requests.total(),
            "seconds": round(sum(self.seconds.values()), 1),
            "remaining": self.remaining,
            "streams": {
                stream: {
                    "records": self.records[stream],
                    "requests": self.requests[stream],
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
                f"{self.records[stream]:,}",
                f"{self.requests[stream]:,}",
                f"{self.seconds[stream]:,.1f}",
                bookmark,
            )
            for stream, bookmark in bookmarks
        ]
        requests, seconds = f"{self.requests.total():,}", f"{sum(self.seconds.values()):,.1f}"
        lines.append(("total", f"{self.records.total():,}", requests, seconds, ""))
        return "\n".join(text_table.lines_of(lines, numbers=(1, 2, 3)))

    def show_summary(self, bookmarks: Iterable[tuple[str, str]]) -> None:
        """Write the table to the terminal, cut to its width."""
        without_fractions = [(name, text.replace(".000Z", "Z")) for name, text in bookmarks]
        for line in self.summary(without_fractions).splitlines():
            self._terminal.write(f"{line[: self.width]}\n")
        if self.remaining:
            self._terminal.write(f"Remaining: {self.remaining}.\n")
        self._terminal.flush()
