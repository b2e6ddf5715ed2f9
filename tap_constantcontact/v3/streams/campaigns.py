"""Campaigns (docs/api/v3.md §10).

A campaign has a name, a status and dates. Its activities contain the content and have the reports:
the mail itself, and resends of it.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from singer_sdk.exceptions import FatalAPIError
from typing_extensions import override

from tap_constantcontact.parent_stream import ParentStream
from tap_constantcontact.refresh import FetchLevel
from tap_constantcontact.state.ids import short_id
from tap_constantcontact.state.snapshots import Snapshot, Snapshots
from tap_constantcontact.v3.campaign import ACTIVITIES, ALWAYS, PRIMARY, REMOVED, Campaign
from tap_constantcontact.v3.campaign_metrics import PRIVILEGE, request_metrics
from tap_constantcontact.v3.counters import CampaignCounters
from tap_constantcontact.v3.envelopes import paged
from tap_constantcontact.v3.refresh import (
    CampaignSnapshots,
    WhenCountedByRecord,
    WhenEdited,
    was_edited_since,
)

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Sequence

    from singer_sdk.helpers.types import Context, Record

    from tap_constantcontact.list_requests import ListRequests
    from tap_constantcontact.refresh import ParentTask
    from tap_constantcontact.state.sync_pass import SyncedUntil, SyncPass
    from tap_constantcontact.v3.campaign_metrics import CampaignMetrics


class Campaigns(ParentStream[Campaign]):
    """Campaigns, including removed ones, and their child streams.

    The list is requested completely, 500 per request, since its order is not reliable. Which
    reports are due follows from summaries and counters, without a request per campaign.
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
    refresh = WhenEdited(ALWAYS, needs_summaries=False)
    # Most campaigns have one activity with reports.
    typical_detail: ClassVar[Record] = {
        ACTIVITIES: [{"campaign_activity_id": "one", "role": PRIMARY}]
    }

    @property
    def _policies(self) -> Iterable[WhenEdited]:
        streams = self.selected_streams.values()
        return (each.refresh for each in streams if isinstance(each.refresh, WhenEdited))

    @property
    def _may_read_metrics(self) -> bool:
        return PRIVILEGE not in self.run.missing_privileges

    @property
    def _needs_stats(self) -> bool:
        return self._may_read_metrics and any(refresh.needs_stats for refresh in self._policies)

    @property
    def _needs_summaries(self) -> bool:
        is_needed = any(refresh.needs_summaries for refresh in self._policies)
        return self._needs_stats or (self._may_read_metrics and is_needed)

    # -- the list ------------------------------------------------------------------------------

    @override
    def list_parents(self) -> ListRequests[list[Campaign]]:
        campaigns = yield from super().list_parents()
        if not self._needs_summaries:
            return campaigns
        metrics = yield from request_metrics(self.run.period, with_stats=self._needs_stats)
        for path, error in metrics.failed.items():
            self._warn_of_missing(path, error)
        return self._with_metrics(campaigns, metrics)

    def _warn_of_missing(self, path: str, error: Exception) -> None:
        def warn() -> None:
            self.logger.warning(
                "Stream '%s' continues without data that cannot be read (path: %s). Reports are"
                " synced whether or not they have changed. %s",
                self.name,
                path,
                error,
            )

        # A forecast knows only that the response is not available.
        if isinstance(error, FatalAPIError):
            self.run.cache(f"warning about {path}", warn)

    @override
    def merge_lists(self, lists: Sequence[list[Record]]) -> list[Campaign]:
        by_id = {row[self.id_field]: row for rows in lists for row in rows}
        return _sorted(Campaign(campaign_id, row) for campaign_id, row in by_id.items())

    def _with_metrics(self, campaigns: list[Campaign], metrics: CampaignMetrics) -> list[Campaign]:
        """Return the campaigns with summaries and counters, also those that only summaries name."""
        records = {campaign.id: campaign.record for campaign in campaigns}
        for campaign_id in metrics.summaries:
            records.setdefault(campaign_id, {self.id_field: campaign_id})
        return _sorted(
            Campaign(campaign_id, record, metrics) for campaign_id, record in records.items()
        )

    @override
    def state_key(self, parent: Campaign) -> str:
        return short_id(parent.id)

    @override
    def set_key(self, parent: Campaign) -> str:
        # Once it shows that a campaign was sent, all of it is synced: reports may be older than the
        # run in which it still looked like a draft.
        return self.state_key(parent) if parent.was_sent else f"{self.state_key(parent)}-"

    @override
    def has_vanished(self, parent: Campaign) -> bool:
        # Removed campaigns stay in the list.
        return parent.status == REMOVED or parent.id not in self.relisted_ids

    @override
    def preprocess_record(self, row: Record, context: Context | None) -> Record | None:
        # The activities have a stream of their own.
        return {name: value for name, value in row.items() if name != ACTIVITIES}

    # -- decisions -----------------------------------------------------------------------------

    @override
    def required_level(
        self, parent: Campaign, synced_until: SyncedUntil, unchanged: int
    ) -> FetchLevel:
        due = self.due_streams(parent, synced_until)
        if not due:
            return FetchLevel.SKIP
        needs_detail = due.keys() != {self.name} or "current_status" not in parent.record
        return FetchLevel.DETAIL if needs_detail else FetchLevel.LIST

    @override
    def due_streams(self, parent: Campaign, synced_until: SyncedUntil) -> SyncedUntil:
        due = dict(super().due_streams(parent, synced_until))
        seen = CampaignSnapshots.of(self.run).counters_of(parent).activities
        if not seen or seen >= parent.activity_ids:
            return due
        # The detail names an activity that it did not name before.
        return due | {
            stream.name: synced_until[stream.name]
            for stream in self.children
            if stream.name in synced_until and stream.refresh.applies_to(parent)
        }

    # -- state ---------------------------------------------------------------------------------

    @override
    def on_parent_synced(
        self,
        sync_pass: SyncPass,
        position: int,
        task: ParentTask[Campaign],
        synced_until: SyncedUntil,
    ) -> None:
        campaign, timestamp, period = task.parent, sync_pass.timestamp, self.run.period
        is_recent = was_edited_since(campaign, period.apply_lookback(timestamp))
        if task.failed:
            self._edit_hashes.put(campaign.id, None)
        elif task.due or not is_recent:
            # What some streams have synced of it before in this pass was perhaps another edit.
            is_same = is_recent and sync_pass.is_for_all(synced_until)
            snapshot = Snapshot(timestamp, campaign.edit_hash) if is_same else None
            self._edit_hashes.put(campaign.id, snapshot)
        if not self._needs_stats or not campaign.was_sent:
            return
        window, sent = period.window, campaign.sent_date
        is_over = window is not None and sent is not None and sent + window <= timestamp
        snapshot = None
        if task.failed or not is_over:
            counters = self._counters_after(task, synced_until, timestamp)
            snapshot = Snapshot(timestamp, counters.text(timestamp))
        self._counters.put(campaign.id, snapshot)

    @override
    def on_pass_completed(self, sync_pass: SyncPass) -> None:
        if self._needs_stats:
            self._counters.retain(sync_pass.parent_ids)

    @override
    def extra_state(self, state: dict[str, Any]) -> None:
        state["edit_hashes"] = self._edit_hashes.to_state()
        if self._needs_stats:
            state["snapshots"] = self._counters.to_state()

    # Decisions, in sync and forecast, use what was known when the run started.
    @cached_property
    def _edit_hashes(self) -> Snapshots:
        return CampaignSnapshots.of(self.run).edit_hashes.copy()

    @cached_property
    def _counters(self) -> Snapshots:
        return CampaignSnapshots.of(self.run).counters.copy()

    def _counters_after(
        self, task: ParentTask[Campaign], synced_until: SyncedUntil, timestamp: dt.datetime
    ) -> CampaignCounters:
        """Return the counters of a campaign after its sync."""
        campaign = task.parent
        before = CampaignSnapshots.of(self.run).counters_of(campaign)
        counters = dict(before.counters)
        for stream in self.children:
            # Other streams have synced it before in this pass.
            if stream.name in synced_until and isinstance(stream.refresh, WhenCountedByRecord):
                counters |= stream.refresh.counter_after(
                    task, stream.name, synced_until[stream.name], self.run, timestamp
                )
        named = campaign.activity_ids
        if campaign.detail is None:
            named = before.activities
        elif task.failed and before.activities:
            # New activities stay new, and those that are gone will be new if they return.
            named &= before.activities
        return CampaignCounters(counters, named)


def _sorted(campaigns: Iterable[Campaign]) -> list[Campaign]:
    # Pages are numbered, and a campaign that is created meanwhile shifts them: sorted again.
    return sorted(campaigns, key=lambda campaign: campaign.sort_key, reverse=True)
