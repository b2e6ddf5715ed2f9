"""Events and who has registered for them (docs/api/v3.md §14)."""

from __future__ import annotations

import datetime as dt
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from typing_extensions import override

from tap_constantcontact.child_stream import ChildStream, EmbeddedChildStream, WatermarkedStream
from tap_constantcontact.estimate import pages
from tap_constantcontact.http import envelopes
from tap_constantcontact.http.retries import MissingRecordsError
from tap_constantcontact.parent_stream import FetchLevel, ParentStream
from tap_constantcontact.records import timestamps
from tap_constantcontact.state.ids import fingerprint, short_id
from tap_constantcontact.state.snapshots import Snapshot, Snapshots
from tap_constantcontact.v3.envelopes import paged
from tap_constantcontact.v3.stream import V3Stream

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from singer_sdk.exceptions import FatalAPIError
    from singer_sdk.helpers.types import Context, Record

    from tap_constantcontact.child_stream import ParentTask
    from tap_constantcontact.http.prefetch import RequestForecast
    from tap_constantcontact.state.sync_pass import SyncedUntil, SyncPass

_ENVELOPE = paged("records", cursor="next_cursor", total="total_records")
_TRACK = "default_track"
_SUMS = "event_registration_summary_metrics"
# What a person pays, or whether he comes, moves nothing that the list shows: so often it is read.
_REFRESH_INTERVAL = dt.timedelta(days=7)
# So that runs at the same hour of each day keep to the days.
_TOLERANCE = dt.timedelta(hours=12)


class EventFamilyStream(V3Stream, WatermarkedStream):
    """Events and their parts: due where something of an event has moved."""

    privileges = ("campaign:read",)

    @property
    def snapshots(self) -> Snapshots:
        """Snapshots of events, shared by all streams."""
        state = self.run.bookmarks_of(Events.name).get("snapshots")
        return self.run.cache("events", lambda: Snapshots(state))

    @override
    def is_due(self, parent: Record, synced_until: dt.datetime | None) -> bool:
        if synced_until is None or self.has_moved(parent, synced_until):
            return True
        changed = timestamps.parse_or_none(parent.get("last_update_time"))
        return changed is not None and changed >= self.apply_lookback(synced_until)

    def has_moved(self, event: Record, synced_until: dt.datetime) -> bool:
        """Return whether the list record of an event may have changed since its sync."""
        snapshot = self.snapshots.as_of(event["id"], synced_until)
        return snapshot is None or snapshot.text != _snapshot_text(event)


class Events(EventFamilyStream, ParentStream):
    """Events, list and detail merged.

    The list is in the order of changes, but tells no time of them. So details are read from the
    top, down to the first that has not changed, and of those whose row in the list is another.
    """

    name = "events"
    path = "/events"
    envelope = _ENVELOPE
    primary_keys = ("event_id",)
    page_size = 100
    params: ClassVar[Mapping[str, str]] = {"sort_by": "updated_time", "sort_order": "DESC"}
    parent_key = "event_id"
    id_field = "event_id"

    @override
    def merge_lists(self, lists: Sequence[list[Record]]) -> list[Record]:
        return list({row["id"]: row for rows in lists for row in rows}.values())

    @override
    def state_key(self, parent: Record) -> str:
        return short_id(parent["id"])

    @override
    def required_level(
        self, parent: Record, synced_until: SyncedUntil, unchanged: int
    ) -> FetchLevel:
        is_new = any(to is None or self.has_moved(parent, to) for to in synced_until.values())
        is_sure = is_new or self._is_time(parent)
        return FetchLevel.DETAIL if is_sure or not unchanged else FetchLevel.SKIP

    @override
    def due_streams(self, parent: Record, synced_until: SyncedUntil) -> SyncedUntil:
        return (
            dict(synced_until)
            if self._is_time(parent)
            else super().due_streams(parent, synced_until)
        )

    def _is_time(self, event: Record) -> bool:
        """Return whether a current event was not synced for some time."""
        snapshot = self.snapshots.get(event["id"])
        ends = timestamps.parse_or_none(event.get("end_time"))
        started_at = self.run.session.started_at
        is_over = ends is not None and ends < started_at
        return (
            snapshot is not None
            and not is_over
            and started_at - snapshot.synced_until >= _REFRESH_INTERVAL - _TOLERANCE
        )

    @override
    def is_ordered(self, parent: Record) -> bool:
        return True

    @override
    def has_vanished(self, parent: Record) -> bool:
        return parent["id"] not in self.relisted_ids

    @override
    def on_parent_synced(
        self, sync_pass: SyncPass, position: int, task: ParentTask, synced_until: SyncedUntil
    ) -> None:
        if task.failed:
            self._new_snapshots.put(task.parent["id"], None)
        elif task.due:
            # What some have read of it before in this pass was perhaps less.
            is_same = sync_pass.is_for_all(synced_until)
            snapshot = (
                Snapshot(sync_pass.timestamp, _snapshot_text(task.parent)) if is_same else None
            )
            self._new_snapshots.put(task.parent["id"], snapshot)

    @override
    def extra_state(self, state: dict[str, Any]) -> None:
        state["snapshots"] = self._new_snapshots.dump()

    @cached_property
    def _new_snapshots(self) -> Snapshots:
        return Snapshots(self.snapshots.dump())

    @override
    def preprocess_record(self, row: Record, context: Context | None) -> Record | None:
        return {name: held for name, held in row.items() if name not in {"id", _TRACK}}


def _snapshot_text(event: Record) -> str:
    """Return a hash of the fields of an event that change."""
    shown = [event.get(name) for name in ("title", "status", "start_time", "end_time", _SUMS)]
    return fingerprint(str(shown))[:6]


def registration_count(event: Record) -> int | None:
    """Return the number of registrations in an event's list record; None if it is missing."""
    return envelopes.count_of(envelopes.fields_of(event.get(_SUMS)).get("registration_count"))


class EventChildStream(EventFamilyStream, ChildStream):
    """Something of one event."""

    parent_stream_type = Events
    parent_key = Events.parent_key


def _track_of(event: Record) -> Record | None:
    """The track of an event, with its id as text; None if the event has none.

    Raises:
        MissingRecordsError: There must be one.
    """
    if _TRACK not in event and not registration_count(event):
        return None
    track = envelopes.fields_of(event.get(_TRACK))
    track_id = envelopes.id_of(track.get("track_id"))
    if track_id is None:
        msg = "The event's detail lacks its track, or the track its id"
        raise MissingRecordsError(msg)
    return {**track, "track_id": track_id}


class EventTracks(EmbeddedChildStream, EventChildStream):
    """Tracks of events, embedded in the event's detail."""

    name = "event_tracks"
    primary_keys = ("event_id", "track_id")

    @override
    def fetch_child_records(self, context: Context) -> Iterable[Record]:
        track = _track_of(self.task.parent)
        return [{**track, "event_id": self.task.parent["id"]}] if track else []


class EventRegistrations(EventChildStream):
    """Registrations for events."""

    name = "event_registrations"
    path = "/events/{event_id}/tracks/{track_id}/registrations"
    envelope = _ENVELOPE
    primary_keys = ("event_id", "track_id", "registration_id")
    page_size = 100

    @override
    def fetch_child_records(self, context: Context) -> Iterable[Record]:
        if (result := self._context_of(self.task)) is None:
            return
        has_records = False
        for row in self.request_records(result):
            has_records = True
            yield {**row, **result}
        if not has_records and registration_count(self.task.parent):
            self.warn_about_missing_records()

    @override
    def means_no_records(self, error: FatalAPIError) -> bool:
        return super().means_no_records(error) and registration_count(self.task.parent) == 0

    def _context_of(self, task: ParentTask) -> Context | None:
        track = _track_of(task.parent)
        return {"event_id": task.parent["id"], "track_id": track["track_id"]} if track else None

    @override
    def forecast_child_requests(self, task: ParentTask) -> RequestForecast:
        if (result := self._context_of(task)) is not None:
            yield self.prefetch_page(result)

    @override
    def estimate_child(self, task: ParentTask) -> int:
        return pages(registration_count(task.parent) or 0, self.page_size or 1)
