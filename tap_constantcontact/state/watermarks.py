"""Watermarks on a long list of parents.

Syncing the children of each campaign takes thousands of requests, days of quota on a first run. So
the state records how far down the list a run has come: down to here, parents are synced until now,
below that until the previous pass, or never. A completed pass leaves one watermark for the list.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any, Self

from tap_constantcontact.records import timestamps
from tap_constantcontact.state.ids import short_id, short_ids_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

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

    def __init__(self, watermarks: Any, order: Sequence[str], failed: Any = None) -> None:
        """Apply watermarks to the list of this run.

        Args:
            watermarks: As `dump` returns them; None on a first run.
            order: Ids of the parents, newest first.
            failed: Parents that failed in an earlier run, as `dump_failed` returns them.
        """
        self._order = order
        self._failed: dict[str, dt.datetime | None] = {
            key: timestamps.parse(group.get("synced_until") or "")
            for group in failed or ()
            for key in short_ids_in(group["ids"])
        }
        self._ranges: list[tuple[int, dt.datetime]] = []
        place = {each: number for number, each in enumerate(order, start=1)}
        for watermark in watermarks or ():
            below = watermark.get("last_ids")
            end = (
                len(order)
                if below is None
                else next((place[each] for each in below if each in place), 0)
            )
            synced_until = timestamps.parse(watermark["synced_until"])
            if synced_until and (below is None or end > self.end):
                self._ranges.append((end, synced_until))
        self._whole = bool(watermarks) and watermarks[-1].get("last_ids") is None

    @classmethod
    def of_unfinished_pass(cls, watermarks: Any, order: Sequence[str], failed: Any = None) -> Self:
        """Return the watermarks of an interrupted pass; none if the last one was completed."""
        result = cls(watermarks, order, failed)
        return cls(watermarks[:1], order, failed) if result.unfinished else cls(None, order)

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
        is_complete = self._whole and len(self._ranges) == 1
        return self._ranges[0][1] if self._ranges and not is_complete else None

    def synced_until(self, position: int) -> dt.datetime | None:
        """Return the timestamp until which a parent is synced; None for never.

        The top is position 0.
        """
        if self._failed and (key := short_id(self._order[position])) in self._failed:
            return self._failed[key]
        return next((timestamp for end, timestamp in self._ranges if position < end), None)

    def keep_failure(self, position: int, synced_until: dt.datetime | None) -> None:
        """Keep the timestamp of a parent that could not be synced in this pass."""
        self._failed[short_id(self._order[position])] = synced_until

    def forget_failure(self, position: int) -> None:
        """Drop the failure of a parent of which nothing is due any more."""
        if self._failed:
            self._failed.pop(short_id(self._order[position]), None)

    def advance(self, position: int, timestamp: dt.datetime) -> None:
        """Advance the watermark to a parent: all parents down to it are synced."""
        below = [(end, before) for end, before in self._ranges if end > position + 1]
        self._ranges = [(position + 1, timestamp), *below]

    def complete(self, timestamp: dt.datetime) -> None:
        """Replace all watermarks by one for the whole list."""
        self._ranges = [(len(self._order), timestamp)]
        self._whole = True
        if self._failed:
            listed = set(map(short_id, self._order))
            self._failed = {key: to for key, to in self._failed.items() if key in listed}

    def dump_failed(self) -> list[dict[str, Any]]:
        """Return the failed parents, grouped by the timestamp until which they are synced."""
        groups: dict[dt.datetime | None, str] = {}
        for key, synced_until in self._failed.items():
            groups[synced_until] = groups.get(synced_until, "") + key
        return [
            {"synced_until": synced_until and timestamps.write(synced_until), "ids": short_ids}
            for synced_until, short_ids in groups.items()
        ]

    def dump(self) -> list[dict[str, Any]]:
        """Return the watermarks for the state."""
        last = len(self._ranges) - 1
        return [
            {
                "synced_until": timestamps.write(timestamp),
                "last_ids": None
                if self._whole and number == last
                else list(reversed(self._order[max(0, end - _ANCHORS) : end])),
            }
            for number, (end, timestamp) in enumerate(self._ranges)
        ]
