"""Campaigns and their child streams (docs/api/v3.md §10).

A campaign has a name, a status and dates. Its activities contain the content and have the reports:
the mail itself, and resends of it.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, cast

from typing_extensions import override

from tap_constantcontact.child_stream import WatermarkedStream
from tap_constantcontact.parent_stream import FetchLevel, ParentStream
from tap_constantcontact.records import timestamps
from tap_constantcontact.state.ids import short_id
from tap_constantcontact.state.snapshots import Snapshot, Snapshots
from tap_constantcontact.v3.campaign_metrics import CampaignMetrics
from tap_constantcontact.v3.counters import (
    CampaignCounters,
    Counter,
)
from tap_constantcontact.v3.envelopes import paged
from tap_constantcontact.v3.stream import V3Stream

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Generator, Mapping, Sequence

    from singer_sdk.helpers.types import Context, Record

    from tap_constantcontact.child_stream import ParentTask
    from tap_constantcontact.http.prefetch import PendingRequest
    from tap_constantcontact.state.sync_pass import SyncedUntil, SyncPass
from tap_constantcontact.v3.campaign import (
    ACTIVITIES,
    EDIT,
    INTERNAL_FIELDS,
    REMOVED,
    SUMMARY,
    activity_ids_in,
    order_of,
    sent_date,
    status_of,
    was_sent,
    with_metrics,
)


class CampaignBaseStream(WatermarkedStream):
    """Campaigns and their parts."""

    #: Whether it takes the summaries of campaigns to tell what is due.
    needs_summaries: ClassVar[bool] = False
    #: Whether it takes their counters besides.
    needs_stats: ClassVar[bool] = False
    #: Whether a campaign's activities are what is asked.
    needs_activities: ClassVar[bool] = True

    @override
    def is_due(self, parent: Record, synced_until: dt.datetime | None) -> bool:
        return self.has_changed(parent, synced_until)

    def has_changed(self, campaign: Record, synced_until: dt.datetime | None) -> bool:
        """Return whether a campaign was edited since its sync, or since `start_date`."""
        if synced_until and (seen := self.edit_hashes.as_of(campaign["id"], synced_until)):
            # The look-back would read it again each time.
            return bool(seen.text != campaign[EDIT])
        return self.is_since(
            campaign, self.apply_lookback(synced_until) if synced_until else self.start_date
        )

    def is_since(self, campaign: Record, timestamp: dt.datetime | None) -> bool:
        """Return whether a campaign was edited, sent or resent after a timestamp.

        A resend need not move `updated_at`.
        """
        is_edited = timestamps.is_since(campaign.get("updated_at"), timestamp)
        return is_edited or self.was_sent_since(campaign, timestamp)

    @property
    def edit_hashes(self) -> Snapshots:
        """Of campaigns that were edited lately, which edit was read; all streams share it."""
        state = self.run.bookmarks_of(Campaigns.name).get("edit_hashes")
        return self.run.cache("edits", lambda: Snapshots(state))

    def was_sent_since(self, campaign: Record, timestamp: dt.datetime | None) -> bool:
        """Return whether a campaign was sent or resent after a timestamp."""
        sent = sent_date(campaign)
        return was_sent(campaign) and (timestamp is None or sent is None or sent >= timestamp)

    @property
    def snapshots(self) -> Snapshots:
        """Snapshots of campaigns, shared by all streams."""
        state = self.run.bookmarks_of(Campaigns.name).get("snapshots")
        return self.run.cache("counters", lambda: Snapshots(state))

    def snapshot(self, campaign: Record) -> CampaignCounters:
        """Return the counters of a campaign at its last sync."""
        return CampaignCounters.of(self.snapshots.get(campaign["id"]))

    def counter_after(
        self, task: ParentTask, synced_until: dt.datetime | None, at: dt.datetime
    ) -> Mapping[str, Counter]:
        """Return the counter of the stream's report after a sync, by kind; none by default.

        Args:
            task: The task.
            synced_until: Timestamp until which the report was synced before.
            at: Timestamp of this sync.
        """
        return {}

    @cached_property
    def metrics(self) -> CampaignMetrics:
        """Sums over campaigns, as this stream asks for them."""
        return CampaignMetrics(self)


class Campaigns(V3Stream, CampaignBaseStream, ParentStream):
    """Campaigns, including removed ones, and their child streams.

    The list is read whole, 500 a call, since no order of it can be relied on. Which reports are
    due follows from summaries and counters, without a request per campaign.
    """

    name = "campaigns"
    path = "/emails"
    envelope = paged("campaigns")
    privileges = ("campaign:read",)
    primary_keys = ("campaign_id",)
    replication_key = "updated_at"
    page_size = 500
    parent_key = "campaign_id"
    id_field = "campaign_id"
    needs_activities = False

    def _needs(self, what: str) -> bool:
        return self.metrics.are_open and any(
            getattr(stream, what) for stream in self._campaign_streams
        )

    @property
    def _needs_summaries(self) -> bool:
        return self._needs("needs_summaries") or self._needs_stats

    @property
    def _needs_stats(self) -> bool:
        return self._needs("needs_stats")

    @override
    def merge_lists(self, lists: Sequence[list[Record]]) -> list[Record]:
        by_id = {row["id"]: row for rows in lists for row in rows}
        # Pages are numbered, and a campaign that comes in meanwhile shifts them: sorted again.
        return sorted(by_id.values(), key=order_of, reverse=True)

    @override
    def state_key(self, parent: Record) -> str:
        return short_id(parent["id"])

    @override
    def sketch_key(self, parent: Record) -> str:
        # Once it shows that a campaign was sent, all of it is read: reports may be older than the
        # run in which it still looked like a draft.
        return self.state_key(parent) if was_sent(parent) else f"{self.state_key(parent)}-"

    @override
    def list_parents(self) -> list[Record]:
        parents = super().list_parents()
        if not self._needs_summaries:
            return with_metrics(parents, {}, {})
        stats = self.metrics.known_stats() if self._needs_stats else {}
        return self._united(parents, self.metrics.known_summaries(), stats)

    @override
    def prefetch_parents(self) -> Generator[PendingRequest | None, None, list[Record]]:
        parents = yield from super().prefetch_parents()
        if not self._needs_summaries:
            return with_metrics(parents, {}, {})
        summaries, stats = yield from self.metrics.ahead(stats=self._needs_stats)
        return self._united(parents, summaries, stats)

    def _united(
        self, parents: list[Record], summaries: Mapping[str, Record], stats: Mapping[str, Record]
    ) -> list[Record]:
        """The campaigns that the list names, and those that only the summaries name."""
        listed_ids = {parent["id"] for parent in parents}
        unlisted = [
            {"id": each, self.id_field: each, SUMMARY: summary}
            for each, summary in summaries.items()
            if each not in listed_ids
        ]
        return with_metrics(self.merge_lists([parents, unlisted]), summaries, stats)

    @override
    def has_vanished(self, parent: Record) -> bool:
        # Removed campaigns stay in the list.
        return status_of(parent) == REMOVED or parent["id"] not in self.relisted_ids

    @override
    def required_level(
        self, parent: Record, synced_until: SyncedUntil, unchanged: int
    ) -> FetchLevel:
        due = self.due_streams(parent, synced_until)
        if not due:
            return FetchLevel.SKIP
        streams = [stream for stream in self._campaign_streams if stream.name in due]
        is_deep = any(s.needs_activities for s in streams) or "current_status" not in parent
        return FetchLevel.DETAIL if is_deep else FetchLevel.LIST

    @override
    def due_streams(self, parent: Record, synced_until: SyncedUntil) -> SyncedUntil:
        due = dict(super().due_streams(parent, synced_until))
        known = self.snapshot(parent).activities
        if not known or known >= activity_ids_in(parent):
            return due
        # The detail names an activity that it did not name before.
        return due | {
            stream.name: synced_until[stream.name]
            for stream in self._campaign_streams
            if stream.name in synced_until and stream.needs_activities and stream.applies_to(parent)
        }

    @override
    def fetch_parent_detail(self, parent: Record) -> Record | None:
        result = super().fetch_parent_detail(parent)
        # The detail writes the status in another case than the list does.
        return result and {**result, **parent, ACTIVITIES: result.get(ACTIVITIES)}

    @override
    def preprocess_record(self, row: Record, context: Context | None) -> Record | None:
        return {name: held for name, held in row.items() if name not in INTERNAL_FIELDS}

    # -- counters ---------------------------------------------------------------------------

    @override
    def on_parent_synced(
        self, sync_pass: SyncPass, position: int, task: ParentTask, synced_until: SyncedUntil
    ) -> None:
        parent, timestamp = task.parent, sync_pass.timestamp
        lately = self.apply_lookback(timestamp)
        was_missed = self.is_since(parent, lately)
        if task.failed:
            self._new_edit_hashes.put(parent["id"], None)
        elif task.due or not was_missed:
            # What some have read of it before in this pass was perhaps another edit.
            is_same = was_missed and sync_pass.is_for_all(synced_until)
            self._new_edit_hashes.put(
                parent["id"], Snapshot(timestamp, parent[EDIT]) if is_same else None
            )
        if not self._needs_stats or not was_sent(parent):
            return
        window, sent = self.metrics.window, sent_date(parent)
        is_over = window is not None and sent is not None and sent + window <= timestamp
        snapshot = None
        if task.failed or not is_over:
            snapshot = self._snapshot_of(task, synced_until, timestamp).text(timestamp)
        self._new_snapshots.put(
            parent["id"], None if snapshot is None else Snapshot(timestamp, snapshot)
        )

    @override
    def extra_state(self, state: dict[str, Any]) -> None:
        state["edit_hashes"] = self._new_edit_hashes.dump()
        if self._needs_stats:
            state["snapshots"] = self._new_snapshots.dump()

    # What is due is told, here and ahead, by what was known when the run began.
    @cached_property
    def _new_edit_hashes(self) -> Snapshots:
        return Snapshots(self.edit_hashes.dump())

    @cached_property
    def _new_snapshots(self) -> Snapshots:
        return Snapshots(self.snapshots.dump())

    def _snapshot_of(
        self, task: ParentTask, synced_until: SyncedUntil, timestamp: dt.datetime
    ) -> CampaignCounters:
        """Return the counters of a campaign after its sync."""
        before = self.snapshot(task.parent)
        counters = dict(before.counters)
        for stream in self._campaign_streams:
            # The others have read it before in this pass.
            if stream.name in synced_until:
                counters |= stream.counter_after(task, synced_until[stream.name], timestamp)
        named = activity_ids_in(task.parent)
        if ACTIVITIES not in task.parent:
            named = before.activities
        elif task.failed and before.activities:
            # Those that are new stay new, and those that are gone will be new if they come back.
            named &= before.activities
        return CampaignCounters(counters, named)

    @property
    def _campaign_streams(self) -> list[CampaignBaseStream]:
        return cast("list[CampaignBaseStream]", list(self.selected_streams.values()))

    @override
    def on_pass_completed(self, sync_pass: SyncPass) -> None:
        if self._needs_stats:
            self._new_snapshots.retain(sync_pass.parent_ids)

    # -- what it will cost ------------------------------------------------------------------

    @override
    def approximate_details(self, parents: Sequence[Record]) -> Callable[[Record], Record]:
        # Most campaigns have one activity that counts.
        activity = {"campaign_activity_id": "one", "role": "primary_email"}
        return lambda parent: {**parent, ACTIVITIES: [activity]}
