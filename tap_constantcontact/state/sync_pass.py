"""A pass of several streams over a long list of parents: what is synced, and what remains."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, TypeAlias

from tap_constantcontact.state.id_set import IdSet
from tap_constantcontact.state.ids import short_id
from tap_constantcontact.state.snapshots import Snapshot, Snapshots
from tap_constantcontact.state.watermarks import pass_timestamp

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
    from typing import Any

    from tap_constantcontact.state.watermarks import Watermarks

#: The timestamps until which streams, by name, have synced a parent; None for never.
SyncedUntil: TypeAlias = "Mapping[str, dt.datetime | None]"

# A pass that started longer ago, in an interrupted run, is followed by another in the same run.
_STALE_PASS = dt.timedelta(hours=1)


class SyncPass:
    """A pass that started in this run, or in an interrupted one.

    Attributes:
        parent_ids: Ids of the parents in watermarks, newest first.
        watermarks: The watermarks of each stream.
        pass_timestamps: The timestamps of the passes that the streams complete.
        synced_parents: The parents that were synced at all.
        missed: Parents that a watermark covers although they were not synced.
        deferred: Parents that passes skip until a date.
        visited: Parents with a child that was due.
    """

    def __init__(
        self,
        parents: Sequence[tuple[str, str]],
        watermarks: Mapping[str, Watermarks],
        started_at: dt.datetime,
        bookmark: Mapping[str, Any],
    ) -> None:
        """Start or resume a pass.

        Args:
            parents: The id of each parent in watermarks, newest first, and its id in
                `synced_parents`: a parent whose second id changes is synced completely.
            watermarks: The watermarks of each stream.
            started_at: The start of the run.
            bookmark: The bookmark of the parent stream.

        Raises:
            ValueError: The bookmark is not valid.
        """
        started_at = pass_timestamp(
            started_at, [watermark.last for watermark in watermarks.values()]
        )
        self.parent_ids = [parent_id for parent_id, _ in parents]
        self._set_ids = [set_id for _, set_id in parents]
        self.watermarks = watermarks
        self.pass_timestamps = {
            name: each.unfinished or started_at for name, each in watermarks.items()
        }
        self.deferred = Snapshots.from_state(bookmark.get("deferred"))
        self.visited: set[str] = set()
        self._started_at = started_at
        end = max((watermark.end for watermark in watermarks.values()), default=0)
        covered = self._set_ids[:end]
        if (saved := bookmark.get("synced_parents")) is None:
            # A first run, or an older version: the watermarks are all there is.
            self.missed = set[str]()
        else:
            synced = IdSet.from_state(saved)
            self.missed = {set_id for set_id in covered if set_id not in synced}
        self.synced_parents = IdSet(set_id for set_id in covered if set_id not in self.missed)

    @property
    def timestamp(self) -> dt.datetime:
        """The timestamp until which all streams sync the parents in this pass."""
        return min(self.pass_timestamps.values())

    def is_for_all(self, synced_until: SyncedUntil) -> bool:
        """Return whether no stream has synced a parent yet in this pass."""
        return self.watermarks.keys() <= synced_until.keys()

    def unsynced(self, position: int) -> SyncedUntil:
        """Return the streams that have not synced a parent in this pass, with their timestamps."""
        if self._set_ids[position] in self.missed:
            return dict.fromkeys(self.watermarks)
        synced_until = {name: each.synced_until(position) for name, each in self.watermarks.items()}
        unsynced = {
            name: to for name, to in synced_until.items() if to != self.pass_timestamps[name]
        }
        deferral = self.deferred.get(self.parent_ids[position])
        if deferral is None or deferral.synced_until is None:
            return unsynced
        # The watermark of the last pass covers it, although that pass skipped it.
        return {name: to and min(to, deferral.synced_until) for name, to in unsynced.items()}

    def is_deferred(self, position: int, synced_until: SyncedUntil) -> bool:
        """Return whether a parent is deferred, and no stream is behind the others."""
        deferral = self.deferred.get(self.parent_ids[position])
        next_check_at = deferral and deferral.next_check_at
        if deferral is None or next_check_at is None or self._started_at >= next_check_at:
            return False
        return all(to == deferral.synced_until for to in synced_until.values())

    def defer(self, position: int, after: Callable[[dt.datetime], dt.timedelta | None]) -> None:
        """Skip a synced parent in the passes until a date.

        Args:
            position: Its position in the list.
            after: Returns the interval, by the timestamp of the sync; None for each pass.
        """
        interval = after(self.timestamp)
        next_check_at = interval and self.timestamp + interval
        snapshot = Snapshot(self.timestamp, next_check_at=next_check_at) if next_check_at else None
        self.deferred.put(self.parent_ids[position], snapshot)

    def add_synced(self, position: int) -> None:
        """Add a parent to the synced ones."""
        self.synced_parents.add(self._set_ids[position])
        self.missed.discard(self._set_ids[position])

    def remove(self, position: int) -> None:
        """Remove a parent that has vanished. Should it return, it is synced completely."""
        self.synced_parents.discard(self._set_ids[position])
        self.deferred.put(self.parent_ids[position], None)

    def keep_failures(self, position: int, synced_until: SyncedUntil) -> None:
        """Keep the timestamps of streams that could not sync a parent."""
        for name, timestamp in synced_until.items():
            self.watermarks[name].keep_failure(position, timestamp)

    def forget_failures(self, position: int, streams: Iterable[str]) -> None:
        """Drop the failures of streams that have synced a parent."""
        for name in streams:
            self.watermarks[name].forget_failure(position)

    def advance(self, position: int, streams: Collection[str]) -> None:
        """Advance the watermarks of streams to a parent with a child that was due."""
        self.visited.add(self.parent_ids[position])
        for name in streams:
            self.watermarks[name].advance(position, self.pass_timestamps[name])

    def complete(self, streams: Collection[str]) -> None:
        """Complete the pass for streams that have synced the whole list."""
        for name in streams:
            self.watermarks[name].complete(self.pass_timestamps[name])
        self.deferred.retain(list(map(short_id, self.parent_ids)))

    def start_next_pass(self) -> bool:
        """Start another pass if this one started too long ago; return whether it did."""
        if (
            self._started_at - min(self.pass_timestamps.values(), default=self._started_at)
            <= _STALE_PASS
        ):
            return False
        self.pass_timestamps = dict.fromkeys(self.watermarks, self._started_at)
        return True
