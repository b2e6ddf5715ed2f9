"""Watermarks on a long list of parents.

Syncing the children of each campaign takes thousands of requests, days of quota on a first run. So
the state records how far down the list a run has come: down to here, parents are synced until now,
below that until the previous pass, or never. A completed pass leaves one watermark for the list.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any, Self

from tap_constantcontact.records import timestamps
from tap_constantcontact.state.ids import short_id
from tap_constantcontact.state.snapshots import Snapshot, Snapshots

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

# A watermark names the last few ids above it, so that it survives the deletion of some.
_ANCHORS = 3
# Precision of the API's clock and of a state.
_CLOCK_STEP, _STATE_STEP = dt.timedelta(seconds=1), dt.timedelta(milliseconds=1)


def pass_timestamp(started_at: dt.datetime, last: Iterable[dt.datetime | None]) -> dt.datetime:
    """Return the timestamp of a new pass: the start of the run, and later than the last pass.

    Two passes with the same timestamp would count as one. The API's clock has whole seconds, so
    runs within one second seem to have started up to a second too early, and in any order.

    Args:
        started_at: The start of the run.
        last: The timestamps of earlier passes.
    """
    for timestamp in sorted(filter(None, last)):
        if dt.timedelta() <= timestamp - started_at < _CLOCK_STEP:
            started_at = timestamp + _STATE_STEP
    return started_at


class Watermarks:
    """Watermarks of one stream on a list with the newest parents first.

    New parents appear at the top, where they belong to the last range: all their children are
    younger. Parents may be deleted anywhere.
    """

    def __init__(self, order: Sequence[str]) -> None:
        """Create watermarks for a first run.

        Args:
            order: Ids of the parents, newest first.
        """
        self._order = order
        self._ranges: list[tuple[int, dt.datetime]] = []
        self._is_complete = False
        #: Parents that could not be synced.
        self.failed = Snapshots(max_entries=None)

    @classmethod
    def from_state(cls, bookmark: Mapping[str, Any], order: Sequence[str]) -> Self:
        """Apply the watermarks of a bookmark to the list of this run.

        Args:
            bookmark: With the keys that `to_state` returned, or without them on a first run.
            order: Ids of the parents, newest first.

        Raises:
            ValueError: They are not valid.
        """
        result = cls(order)
        result.failed = Snapshots.from_state(bookmark.get("failed"), max_entries=None)
        positions = {parent_id: number for number, parent_id in enumerate(order, start=1)}
        try:
            for watermark in bookmark.get("watermarks") or ():
                result._add(watermark, positions)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            msg = "it is not a list of watermarks"
            raise ValueError(msg) from error
        return result

    def _add(self, watermark: Mapping[str, Any], positions: Mapping[str, int]) -> None:
        timestamp, last_ids = timestamps.parse(watermark["synced_until"]), watermark.get("last_ids")
        if timestamp is None or not isinstance(last_ids, (list, type(None))):
            msg = "a watermark is incomplete"
            raise ValueError(msg)
        self._is_complete = last_ids is None
        if last_ids is None:
            end = len(self._order)
        else:
            end = next((positions[each] for each in last_ids if each in positions), 0)
        if last_ids is None or end > self.end:
            self._ranges.append((end, timestamp))

    def keep_unfinished_pass(self) -> None:
        """Forget what completed passes have synced, and their failures."""
        unfinished = self.unfinished
        self._ranges = self._ranges[:1] if unfinished else []
        self._is_complete = False
        if not unfinished:
            self.failed = Snapshots(max_entries=None)

    @property
    def end(self) -> int:
        """Number of parents that the watermarks cover."""
        return self._ranges[-1][0] if self._ranges else 0

    @property
    def last(self) -> dt.datetime | None:
        """The timestamp of the oldest watermark."""
        return self._ranges[-1][1] if self._ranges else None

    @property
    def unfinished(self) -> dt.datetime | None:
        """The timestamp of the last pass if it was interrupted."""
        is_complete = self._is_complete and len(self._ranges) == 1
        return self._ranges[0][1] if self._ranges and not is_complete else None

    def synced_until(self, position: int) -> dt.datetime | None:
        """Return the timestamp until which a parent is synced; None for never.

        The top is position 0.
        """
        if self.failed and (failure := self.failed.get(self._order[position])):
            return failure.synced_until
        return next((timestamp for end, timestamp in self._ranges if position < end), None)

    def keep_failure(self, position: int, synced_until: dt.datetime | None) -> None:
        """Keep the timestamp of a parent that could not be synced in this pass."""
        self.failed.put(self._order[position], Snapshot(synced_until))

    def forget_failure(self, position: int) -> None:
        """Drop the failure of a parent of which nothing is due any more."""
        if self.failed:
            self.failed.put(self._order[position], None)

    def advance(self, position: int, timestamp: dt.datetime) -> None:
        """Advance the watermark to a parent: all parents down to it are synced."""
        below = [(end, before) for end, before in self._ranges if end > position + 1]
        self._ranges = [(position + 1, timestamp), *below]

    def complete(self, timestamp: dt.datetime) -> None:
        """Replace all watermarks by one for the whole list."""
        self._ranges = [(len(self._order), timestamp)]
        self._is_complete = True
        if self.failed:
            self.failed.retain(list(map(short_id, self._order)))

    def to_state(self) -> dict[str, Any]:
        """Return the watermarks, and the failures if there are any, for the state."""
        last = len(self._ranges) - 1
        watermarks = [
            {
                "synced_until": timestamps.write(timestamp),
                "last_ids": None
                if self._is_complete and number == last
                else list(reversed(self._order[max(0, end - _ANCHORS) : end])),
            }
            for number, (end, timestamp) in enumerate(self._ranges)
        ]
        failed = {"failed": self.failed.to_state()} if self.failed else {}
        return {"watermarks": watermarks, **failed}
