"""Email campaigns and their child streams (docs/api/v2.md §7)."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, ClassVar

from typing_extensions import override

from tap_constantcontact.child_stream import ChildStream, EmbeddedChildStream
from tap_constantcontact.http import envelopes
from tap_constantcontact.parent_stream import ParentStream
from tap_constantcontact.refresh import FetchLevel, Parent
from tap_constantcontact.stream import ConstantContactStream
from tap_constantcontact.v2.campaign import (
    DELETED,
    SENT,
    CampaignRefresh,
    ScheduleRefresh,
    is_tracked,
    sent_date,
    was_edited,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from singer_sdk.helpers.types import Context, Record

    from tap_constantcontact.state.sync_pass import SyncedUntil

# Fields in the list. Others require the detail.
_LISTED = frozenset({"id", "name", "status", "modified_date"})
# Sent campaigns are listed by their last run, newest first (docs/api/v2.md §7): if the tracking of
# so many in a row has ended, so has that of those below.
_ENDED_IN_A_ROW = 2

# Late opens come ever more rarely: days between two syncs by the age of a campaign.
_INTERVALS = ((dt.timedelta(days=14), 0), (dt.timedelta(days=28), 3))
_LONGEST_INTERVAL = 7
# Runs at the same hour of each day keep to the days.
_TOLERANCE = dt.timedelta(hours=12)


class Campaigns(ParentStream[Parent]):
    """Campaigns, with list and detail merged, and their child streams.

    The order of a pass: campaigns being sent, sent ones from newest to oldest, and unsent ones. Two
    lists are requested: sent campaigns, because only that list is in the order of sending, and all
    campaigns, because other lists lack those with an unknown status (docs/api/v2.md §7
    collection).
    """

    name = "campaigns"
    path = "/emailmarketing/campaigns"
    primary_keys = ("id",)
    replication_key = "modified_date"
    page_size = 50
    parent_key = "campaign_id"
    refresh = CampaignRefresh(is_windowed=True)

    @property
    @override
    def list_params(self) -> Sequence[Mapping[str, str]]:
        return ({"status": SENT}, {"status": "ALL"})

    @override
    def merge_lists(self, lists: Sequence[list[Record]]) -> list[Parent]:
        sent, everything = (
            _by_id(rows, params["status"])
            for rows, params in zip(lists, self.list_params, strict=True)
        )
        # A campaign that was sent between the requests is missing in the list of sent ones.
        others = [row for campaign_id, row in everything.items() if campaign_id not in sent]
        tracked = [row for row in others if is_tracked(row)]
        # Each edit changes their order. Newer ones have higher ids.
        unsent = [row for row in others if not is_tracked(row)]
        unsent.sort(key=lambda row: row["id"].zfill(20), reverse=True)
        return [Parent(row["id"], row) for row in (*tracked, *sent.values(), *unsent)]

    @override
    def detail_path(self, row: Record, context: Context | None = None) -> str:
        # Counters as of now, and not as of last night (docs/api/v2.md §7).
        return f"{super().detail_path(row, context)}?updateSummary=true"

    @override
    def required_level(
        self, parent: Parent, synced_until: SyncedUntil, unchanged: int
    ) -> FetchLevel:
        policies = self._policies_for(parent, synced_until)
        tracked, period = is_tracked(parent.record), self.run.period
        if tracked and unchanged < _ENDED_IN_A_ROW:
            needed = list(policies)
        elif tracked:
            needed = [
                name for name in policies if was_edited(parent.record, synced_until[name], period)
            ]
        else:
            needed = [
                name
                for name, refresh in policies.items()
                if refresh.is_due(parent, synced_until[name], self.run)
            ]
        if not needed:
            return FetchLevel.SKIP
        needs_detail = any(map(self._needs_detail, policies if tracked else needed))
        needs_last_run = tracked and any(
            refresh.needs_last_run(synced_until[name], period) for name, refresh in policies.items()
        )
        return FetchLevel.DETAIL if needs_detail or needs_last_run else FetchLevel.LIST

    def _policies_for(
        self, parent: Parent, synced_until: SyncedUntil
    ) -> dict[str, CampaignRefresh]:
        policies = {name: self.selected_streams[name].refresh for name in synced_until}
        return {
            name: refresh
            for name, refresh in policies.items()
            if isinstance(refresh, CampaignRefresh) and refresh.applies_to(parent)
        }

    def _needs_detail(self, name: str) -> bool:
        if name == self.name:
            return self.selects_fields_outside(_LISTED)
        return isinstance(self.selected_streams[name], EmbeddedChildStream)

    @override
    def recheck_interval(self, parent: Parent, timestamp: dt.datetime) -> dt.timedelta | None:
        sent, window = sent_date(parent.record), self.run.period.window
        if parent.record["status"] != SENT or sent is None:
            return None
        age = timestamp - sent
        if window and age >= window:
            return None  # This was the last time.
        days = next((days for oldest, days in _INTERVALS if age <= oldest), _LONGEST_INTERVAL)
        return dt.timedelta(days=days) - _TOLERANCE if days else None

    @override
    def is_edited(self, parent: Parent, synced_until: SyncedUntil) -> bool:
        return any(was_edited(parent.record, to, self.run.period) for to in synced_until.values())

    @override
    def is_ordered(self, parent: Parent) -> bool:
        return bool(parent.record["status"] == SENT)


class DeletedCampaigns(ConstantContactStream):
    """Deleted campaigns, as long as the API lists them (docs/api/v2.md §7).

    They have no detail any more. A record of `campaigns` with these few fields would overwrite the
    other fields with null.
    """

    name = "deleted_campaigns"
    path = Campaigns.path
    primary_keys = ("id",)
    page_size = 50
    sampled_pages = 10
    params: ClassVar[Mapping[str, str]] = {"status": DELETED}

    @override
    def preprocess_record(self, row: Record, context: Context | None) -> Record | None:
        # All of them say that they are deleted.
        return {name: value for name, value in row.items() if name != "status"}


def _by_id(rows: Iterable[Record], status: str) -> dict[str, Record]:
    result: dict[str, Record] = {}
    for row in rows:
        result.setdefault(row["id"], {**row, "status": row.get("status") or status})
    return result


class CampaignChildStream(ChildStream[Parent]):
    """A child stream of campaigns."""

    parent_stream_type = Campaigns
    parent_key = Campaigns.parent_key
    refresh = CampaignRefresh()


class CampaignLinks(EmbeddedChildStream[Parent]):
    """Links in a campaign with their clicks, which are in its detail."""

    name = "campaign_links"
    primary_keys = ("campaign_id", "url_uid")
    parent_stream_type = Campaigns
    parent_key = Campaigns.parent_key
    refresh = CampaignRefresh(is_windowed=True, is_tracking=True)

    @override
    def fetch_child_records(self) -> Iterable[Record]:
        return envelopes.objects(self.task.parent.record.get("click_through_details"))


class CampaignSchedules(CampaignChildStream):
    """Schedules of campaigns. The API keeps no past ones (docs/api/v2.md §8)."""

    name = "campaign_schedules"
    path = "/emailmarketing/campaigns/{campaign_id}/schedules"
    envelope = envelopes.ARRAY
    primary_keys = ("campaign_id", "id")
    refresh = ScheduleRefresh()


class CampaignPreviews(CampaignChildStream):
    """A campaign as its recipients see it: large, and one request each (docs/api/v2.md §7)."""

    name = "campaign_previews"
    path = "/emailmarketing/campaigns/{campaign_id}/preview"
    envelope = envelopes.ONE
    primary_keys = ("campaign_id",)
