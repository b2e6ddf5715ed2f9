"""A pass of several streams over a long list of parents: what is synced, and what remains."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, TypeAlias

from tap_constantcontact.state.deferrals import Deferral
from tap_constantcontact.state.id_sketch import IdSketch
from tap_constantcontact.state.watermarks import pass_timestamp

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from tap_constantcontact.state.deferrals import Deferrals
    from tap_constantcontact.state.watermarks import Watermarks

#: The timestamps until which streams, by name, have synced a parent; None for never.
SyncedUntil: TypeAlias = "Mapping[str, dt.datetime | None]"

# A pass that started longer ago, in an interrupted run, is followed by another in the same run.
_STALE_PASS = dt.timedelta(hours=1)


class SyncPass:
    """A pass that started in this run, or in an interrupted one.

    Attributes:
        parent_ids: Ids of the parents, newest first.
        sketch_keys: What identifies the parents in `synced_ids`.
        watermarks: The watermarks of each stream.
        pass_timestamps: The timestamps of the passes that the streams complete.
        synced_ids: The parents that were synced at all.
        missed: Parents that a watermark covers although they were not synced.
        deferrals: Parents that passes skip until a date.
        visited: Parents with a child that was due.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - all that a state says of a list
        self,
        parent_ids: Sequence[str],
        watermarks: Mapping[str, Watermarks],
        started_at: dt.datetime,
        synced_ids: IdSketch,
        missed: set[str],
        deferrals: Deferrals,
        sketch_keys: Sequence[str] | None = None,
    ) -> None:
        """Start or resume a pass.

        Args:
            parent_ids: Ids of the parents, newest first.
            watermarks: The watermarks of each stream.
            started_at: The start of the run.
            synced_ids: The parents that were synced at all.
            missed: Parents that a watermark covers although they were not synced.
            deferrals: Parents that passes skip until a date.
            sketch_keys: What identifies the parents in `synced_ids`; their ids by default.
        """
        started_at = pass_timestamp(
            started_at, [watermark.last for watermark in watermarks.values()]
        )
        self.parent_ids = parent_ids
        self.sketch_keys = parent_ids if sketch_keys is None else sketch_keys
        self.watermarks = watermarks
        self.pass_timestamps = {
            name: each.unfinished or started_at for name, each in watermarks.items()
        }
        self.synced_ids = synced_ids
        self.missed = missed
        self.deferrals = deferrals
        self._started_at = started_at
        self.visited: set[str] = set()
        self._covered = max((watermark.end for watermark in watermarks.values()), default=0)

    @property
    def timestamp(self) -> dt.datetime:
        """The timestamp until which all streams sync the parents in this pass."""
        return min(self.pass_timestamps.values())

    def is_for_all(self, synced_until: SyncedUntil) -> bool:
        """Return whether no stream has synced a parent yet in this pass."""
        return self.watermarks.keys() <= synced_until.keys()

    def unsynced(self, position: int) -> SyncedUntil:
        """Return the streams that have not synced a parent in this pass, with their timestamps."""
        parent_id = self.parent_ids[position]
        if self.sketch_keys[position] in self.missed:
            return dict.fromkeys(self.watermarks)
        synced_until = {name: each.synced_until(position) for name, each in self.watermarks.items()}
        unsynced = {
            name: to for name, to in synced_until.items() if to != self.pass_timestamps[name]
        }
        deferral = self.deferrals.get(parent_id)
        if deferral is None:
            return unsynced
        # The watermark of the last pass covers it, although that pass skipped it.
        return {name: to and min(to, deferral.synced_until) for name, to in unsynced.items()}

    def is_deferred(self, position: int, synced_until: SyncedUntil) -> bool:
        """Return whether a parent is deferred, and no stream is behind the others."""
        deferral = self.deferrals.get(self.parent_ids[position])
        if deferral is None or self._started_at >= deferral.next_check_at:
            return False
        return all(to == deferral.synced_until for to in synced_until.values())

    def defer(self, position: int, after: Callable[[dt.datetime], dt.timedelta | None]) -> None:
        """Skip a synced parent in the passes until a date.

        Args:
            position: Its position in the list.
            after: Returns the interval, by the timestamp of the sync; None for each pass.
        """
        timestamp = self.timestamp
        pause = after(timestamp)
        deferral = None if pause is None else Deferral(timestamp, timestamp + pause)
        self.deferrals.put(self.parent_ids[position], deferral)

    def add_synced(self, position: int) -> None:
        """Add a parent to the synced ids, unless it is among them."""
        key = self.sketch_keys[position]
        if position >= self._covered or key in self.missed:
            self.synced_ids.add(key)
            self.missed.discard(key)

    def remove(self, position: int) -> None:
        """Remove a parent that has vanished. Should it return, it is synced completely."""
        key = self.sketch_keys[position]
        if position < self._covered and key not in self.missed:
            self.synced_ids.remove(IdSketch.short_id(key))
        self.deferrals.put(self.parent_ids[position], None)

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
        self._covered = len(self.parent_ids)
        self.deferrals.retain(self.parent_ids)

    def start_next_pass(self) -> bool:
        """Start another pass if this one started too long ago; return whether it did."""
        if (
            self._started_at - min(self.pass_timestamps.values(), default=self._started_at)
            <= _STALE_PASS
        ):
            return False
        self.pass_timestamps = dict.fromkeys(self.watermarks, self._started_at)
        return True


def reconcile(
    saved: str | None,
    covered: Sequence[str],
    gone: Callable[[], Collection[str]],
) -> tuple[IdSketch, set[str]] | None:
    """Return the synced ids, and the parents among the covered ones that are not in them.

    A list with page numbers loses parents when others are deleted meanwhile. By their position in
    the next list they would count as synced.

    Args:
        saved: The synced ids as in the state; None if it has none.
        covered: The parents that watermarks cover.
        gone: Requests the ids that are no longer listed, only if the difference is too large.

    Returns:
        None if the difference is too large in any case.
    """
    if saved is None:
        # A first run, or an older version: the watermarks are all there is.
        return IdSketch.of(covered), set()
    synced_ids = IdSketch.load(saved)
    result = synced_ids.difference(covered)
    if result is None:
        others = set(gone()).difference(covered)
        result = synced_ids.difference([*covered, *others])
        if result is None:
            return None
        result.surplus.update(map(IdSketch.short_id, others - result.missing))
    for short_id in result.surplus:
        synced_ids.remove(short_id)
    return synced_ids, result.missing.intersection(covered)
