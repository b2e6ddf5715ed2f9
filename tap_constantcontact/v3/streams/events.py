"""Events with their tracks and registrations (docs/api/v3.md §14)."""

from __future__ import annotations

import datetime as dt
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from typing_extensions import override

from tap_constantcontact.child_stream import ChildStream, EmbeddedChildStream
from tap_constantcontact.estimate import RecordCount
from tap_constantcontact.http import envelopes
from tap_constantcontact.http.retries import MissingRecordsError
from tap_constantcontact.parent_stream import ParentStream
from tap_constantcontact.records import timestamps
from tap_constantcontact.refresh import FetchLevel, Parent, RefreshPolicy
from tap_constantcontact.state.ids import fingerprint, short_id
from tap_constantcontact.state.snapshots import Snapshot, Snapshots
from tap_constantcontact.v3.envelopes import paged

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from singer_sdk.exceptions import FatalAPIError
    from singer_sdk.helpers.types import Context, Record

    from tap_constantcontact.refresh import ParentTask
    from tap_constantcontact.state.sync_pass import SyncedUntil, SyncPass
    from tap_constantcontact.sync_run import SyncRun

_ENVELOPE = paged("records", cursor="next_cursor", total="total_records")
_TRACK = "default_track"
_PRIVILEGES = ("campaign:read",)
_METRICS = "event_registration_summary_metrics"
# The list shows neither payments nor check-ins, so that current events are synced so often.
_REFRESH_INTERVAL = dt.timedelta(days=7)
# Runs at the same hour of each day keep to the days.
_TOLERANCE = dt.timedelta(hours=12)


def _snapshots(run: SyncRun) -> Snapshots:
    """Return the snapshots of events in the state, shared by all streams."""
    state = run.bookmarks_of("events").get("snapshots")
    return run.cache("event snapshots", lambda: Snapshots.from_state(state))


def _snapshot_text(event: Record) -> str:
    """Return a hash of the fields of an event that change."""
    shown = [event.get(name) for name in ("title", "status", "start_time", "end_time", _METRICS)]
    return fingerprint(str(shown))[:6]


class EventRefresh(RefreshPolicy[Parent]):
    """A stream is due if the event has changed, by its record in the list or its detail."""

    @override
    def is_due(self, parent: Parent, synced_until: dt.datetime | None, run: SyncRun) -> bool:
        if synced_until is None or self.has_changed(parent, synced_until, run):
            return True
        changed = timestamps.parse_or_none(parent.record.get("last_update_time"))
        return changed is not None and changed >= run.period.apply_lookback(synced_until)

    def has_changed(self, event: Parent, synced_until: dt.datetime, run: SyncRun) -> bool:
        """Return whether the list record of an event may have changed since its sync."""
        snapshot = _snapshots(run).as_of(event.id, synced_until)
        return snapshot is None or snapshot.text != _snapshot_text(event.record)


class Events(ParentStream[Parent]):
    """Events, with list and detail merged.

    The list is in the order of changes, but has no timestamps of them. So details are requested
    from the top, down to the first event that has not changed, and of events whose record in the
    list has changed.
    """

    name = "events"
    path = "/events"
    envelope = _ENVELOPE
    privileges = _PRIVILEGES
    primary_keys = ("event_id",)
    page_size = 100
    params: ClassVar[Mapping[str, str]] = {"sort_by": "updated_time", "sort_order": "DESC"}
    parent_key = "event_id"
    id_field = "event_id"
    refresh = EventRefresh()
    typical_detail: ClassVar[Record] = {_TRACK: {"track_id": "one"}}

    @override
    def merge_lists(self, lists: Sequence[list[Record]]) -> list[Parent]:
        by_id = {row[self.id_field]: row for rows in lists for row in rows}
        return [Parent(event_id, row) for event_id, row in by_id.items()]

    @override
    def state_key(self, parent: Parent) -> str:
        return short_id(parent.id)

    @override
    def required_level(
        self, parent: Parent, synced_until: SyncedUntil, unchanged: int
    ) -> FetchLevel:
        is_changed = any(
            to is None or self.refresh.has_changed(parent, to, self.run)
            for to in synced_until.values()
        )
        is_needed = is_changed or self._is_time(parent) or not unchanged
        return FetchLevel.DETAIL if is_needed else FetchLevel.SKIP

    @override
    def due_streams(self, parent: Parent, synced_until: SyncedUntil) -> SyncedUntil:
        if self._is_time(parent):
            return dict(synced_until)
        return super().due_streams(parent, synced_until)

    def _is_time(self, event: Parent) -> bool:
        """Return whether a current event was not synced for some time."""
        snapshot = _snapshots(self.run).get(event.id)
        end = timestamps.parse_or_none(event.record.get("end_time"))
        started_at = self.run.session.started_at
        is_over = end is not None and end < started_at
        return (
            snapshot is not None
            and snapshot.synced_until is not None
            and not is_over
            and started_at - snapshot.synced_until >= _REFRESH_INTERVAL - _TOLERANCE
        )

    @override
    def is_ordered(self, parent: Parent) -> bool:
        return True

    @override
    def has_vanished(self, parent: Parent) -> bool:
        return parent.id not in self.relisted_ids

    @override
    def on_parent_synced(
        self,
        sync_pass: SyncPass,
        position: int,
        task: ParentTask[Parent],
        synced_until: SyncedUntil,
    ) -> None:
        if task.failed:
            self._new_snapshots.put(task.parent.id, None)
        elif task.due:
            # What some streams have synced of it before in this pass was perhaps less.
            is_same = sync_pass.is_for_all(synced_until)
            text = _snapshot_text(task.parent.record)
            snapshot = Snapshot(sync_pass.timestamp, text) if is_same else None
            self._new_snapshots.put(task.parent.id, snapshot)

    @override
    def extra_state(self, state: dict[str, Any]) -> None:
        state["snapshots"] = self._new_snapshots.to_state()

    @cached_property
    def _new_snapshots(self) -> Snapshots:
        return _snapshots(self.run).copy()

    @override
    def preprocess_record(self, row: Record, context: Context | None) -> Record | None:
        return {name: value for name, value in row.items() if name != _TRACK}


def registration_count(event: Parent) -> int | None:
    """Return the number of registrations in an event's list record; None if it is missing."""
    metrics = envelopes.fields_of(event.record.get(_METRICS))
    return envelopes.count_of(metrics.get("registration_count"))


def _track_of(event: Parent) -> Record | None:
    """The track of an event, with its id as text; None if the event has none.

    Raises:
        MissingRecordsError: There must be one.
    """
    if _TRACK not in event.record and not registration_count(event):
        return None
    track = envelopes.fields_of(event.record.get(_TRACK))
    track_id = envelopes.id_of(track.get("track_id"))
    if track_id is None:
        msg = "The event's detail lacks its track, or the track its id"
        raise MissingRecordsError(msg)
    return {**track, "track_id": track_id}


class EventTracks(EmbeddedChildStream[Parent]):
    """Tracks of events, embedded in the event's detail."""

    name = "event_tracks"
    privileges = _PRIVILEGES
    primary_keys = ("event_id", "track_id")
    parent_stream_type = Events
    parent_key = Events.parent_key
    refresh = EventRefresh()

    @override
    def fetch_child_records(self) -> Iterable[Record]:
        track = _track_of(self.task.parent)
        return [track] if track else []


def _registrations_of(event: Parent) -> RecordCount:
    return RecordCount(registration_count(event) or 0)


class EventRegistrations(ChildStream[Parent]):
    """Registrations for events."""

    name = "event_registrations"
    path = "/events/{event_id}/tracks/{track_id}/registrations"
    envelope = _ENVELOPE
    privileges = _PRIVILEGES
    primary_keys = ("event_id", "track_id", "registration_id")
    page_size = 100
    parent_stream_type = Events
    parent_key = Events.parent_key
    refresh = EventRefresh()
    counted = staticmethod(_registrations_of)

    @override
    def child_contexts(self, task: ParentTask[Parent]) -> Sequence[Context]:
        track = _track_of(task.parent)
        return [{"event_id": task.parent.id, "track_id": track["track_id"]}] if track else []

    @override
    def fetch_child_records(self) -> Iterable[Record]:
        has_records = False
        for row in super().fetch_child_records():
            has_records = True
            yield row
        has_track = _track_of(self.task.parent) is not None
        if has_track and not has_records and registration_count(self.task.parent):
            self.warn_about_missing_records()

    @override
    def means_no_records(self, error: FatalAPIError) -> bool:
        return super().means_no_records(error) and registration_count(self.task.parent) == 0
