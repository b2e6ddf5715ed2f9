"""E-mail campaigns, what is inside them, and which of their reports are due."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any, cast

from typing_extensions import override

from tap_constantcontact.child_stream import ChildStream, EmbeddedChildStream, WatermarkedStream
from tap_constantcontact.estimate import pages
from tap_constantcontact.http import envelopes
from tap_constantcontact.parent_stream import FetchLevel, ParentStream
from tap_constantcontact.records import timestamps
from tap_constantcontact.stream import ConstantContactStream
from tap_constantcontact.v2.estimate import CampaignInterpolator, sent_date

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from singer_sdk.helpers.types import Context, Record

    from tap_constantcontact.state.sync_pass import SyncedUntil

# All that a list row of a campaign has; the rest takes a call per campaign.
_LISTED = frozenset({"id", "name", "status", "modified_date"})
# Only these were not sent, and so have no tracking data (docs/api/v2.md §9). An unknown status is
# taken for a sent one.
_UNSENT = frozenset({"DRAFT", "SCHEDULED"})
_SENT = "SENT"
_DELETED = "DELETED"
# Sent campaigns are listed by their last run, newest first (docs/api/v2.md §7): if the tracking of
# so many in a row has ended, so has that of those below.
_ENDED_IN_A_ROW = 2

# Late opens come ever more rarely: days between two reads by the age of a campaign.
_PAUSES = ((dt.timedelta(days=14), 0), (dt.timedelta(days=28), 3))
_LONGEST_PAUSE = 7
# So that runs at the same hour of each day keep to the days.
_TOLERANCE = dt.timedelta(hours=12)


class CampaignBaseStream(WatermarkedStream):
    """Campaigns and their parts."""

    @override
    def is_due(self, parent: Record, synced_until: dt.datetime | None) -> bool:
        return self.has_changed(parent, synced_until) or (
            synced_until is None and self.was_sent_since_start(parent)
        )

    def has_changed(self, campaign: Record, synced_until: dt.datetime | None) -> bool:
        """Return whether a campaign was edited since its sync, or since `start_date`."""
        oldest = self.apply_lookback(synced_until) if synced_until else self.start_date
        return timestamps.is_since(campaign.get("modified_date"), oldest)

    def was_sent_since_start(self, campaign: Record) -> bool:
        """Return whether a campaign was sent after `start_date`; true if that is unknown."""
        if not is_tracked(campaign):
            return False
        sent = sent_date(campaign)
        return self.start_date is None or sent is None or sent >= self.start_date

    def may_have_changed(
        self, campaign: Record, synced_until: dt.datetime | None, days: int
    ) -> bool:
        """Return whether a campaign was still in its window at its last sync."""
        if not is_tracked(campaign) or synced_until is None:
            return False
        sent = sent_date(campaign)
        if campaign["status"] != _SENT or not days:
            return True
        return sent is not None and synced_until < sent + dt.timedelta(days=days)

    @property
    def needs_detail(self) -> bool:
        """True if the catalog selects fields that only a campaign's detail has."""
        return False

    def needs_last_run(self, synced_until: dt.datetime | None) -> bool:
        """True if the decision whether the stream is due requires the detail."""
        return False


def is_tracked(campaign: Record) -> bool:
    """Return whether a campaign may have tracking records."""
    return campaign["status"] not in _UNSENT


class WindowedCampaignStream(CampaignBaseStream):
    """A child that may change as long as a campaign is in the tracking window."""

    @override
    def is_due(self, parent: Record, synced_until: dt.datetime | None) -> bool:
        return super().is_due(parent, synced_until) or self.may_have_changed(
            parent, synced_until, self.window
        )


class Campaigns(WindowedCampaignStream, ParentStream):
    """Campaigns, with list and detail merged, and their child streams.

    The order of a pass: campaigns being sent, sent ones from newest to oldest, and unsent ones. Two
    lists are read: sent campaigns, because only that list is in the order of sending, and all
    campaigns, because other lists lack those with an unknown status (docs/api/v2.md §7
    collection).
    """

    name = "campaigns"
    path = "/emailmarketing/campaigns"
    primary_keys = ("id",)
    replication_key = "modified_date"
    page_size = 50
    parent_key = "campaign_id"
    # Counters as of now, and not of the last nightly reckoning (docs/api/v2.md §7).
    detail_params = {"updateSummary": "true"}  # noqa: RUF012 - never changed
    list_contexts = ({"status": _SENT}, {"status": "ALL"})

    @override
    def get_url_params(
        self, context: Context | None, next_page_token: str | None
    ) -> dict[str, Any]:
        return dict(context or {})

    @override
    def merge_lists(self, lists: Sequence[list[Record]]) -> list[Record]:
        sent, everything = (
            _by_id(rows, str(each["status"]))
            for rows, each in zip(lists, self.list_contexts, strict=True)
        )
        # What is sent in between has left the one list and not come into the other.
        others = [row for each, row in everything.items() if each not in sent]
        tracked = [row for row in others if is_tracked(row)]
        # These change places whenever they are edited. Newer ones have higher ids.
        unsent = [row for row in others if not is_tracked(row)]
        unsent.sort(key=lambda each: each["id"].zfill(20), reverse=True)
        return [*tracked, *sent.values(), *unsent]

    @override
    def deleted_since(self, timestamp: dt.datetime | None) -> Iterable[str]:
        rows = self.with_string_ids(self.request_records({"status": _DELETED}))
        return [row["id"] for row in rows if timestamp and self.has_changed(row, timestamp)]

    @override
    def required_level(
        self, parent: Record, synced_until: SyncedUntil, unchanged: int
    ) -> FetchLevel:
        result = (
            (cast("CampaignBaseStream", self.selected_streams[n]), to)
            for n, to in synced_until.items()
        )
        selected_streams = {each: to for each, to in result if each.applies_to(parent)}
        tracked = is_tracked(parent)
        if tracked and unchanged < _ENDED_IN_A_ROW:
            wanting = list(selected_streams)
        elif tracked:
            wanting = [
                each for each, to in selected_streams.items() if each.has_changed(parent, to)
            ]
        else:
            wanting = [each for each, to in selected_streams.items() if each.is_due(parent, to)]
        if not wanting:
            return FetchLevel.SKIP
        if tracked:
            is_deep = any(
                s.needs_detail or s.needs_last_run(to) for s, to in selected_streams.items()
            )
        else:
            is_deep = any(each.needs_detail for each in wanting)
        return FetchLevel.DETAIL if is_deep else FetchLevel.LIST

    @override
    def recheck_interval(self, parent: Record, timestamp: dt.datetime) -> dt.timedelta | None:
        sent = sent_date(parent)
        if parent["status"] != _SENT or sent is None:
            return None
        age = timestamp - sent
        if self.window and age >= dt.timedelta(days=self.window):
            return None  # This was the last time.
        days = next((days for oldest, days in _PAUSES if age <= oldest), _LONGEST_PAUSE)
        return dt.timedelta(days=days) - _TOLERANCE if days else None

    @override
    def is_edited(self, parent: Record, synced_until: SyncedUntil) -> bool:
        return any(self.has_changed(parent, to) for to in synced_until.values())

    @override
    def is_ordered(self, parent: Record) -> bool:
        return bool(parent["status"] == _SENT)

    @override
    def approximate_details(self, parents: Sequence[Record]) -> Callable[[Record], Record]:
        return CampaignInterpolator(
            [m for m in parents if is_tracked(m)], self.fetch_parent_detail
        ).approximate

    @property
    @override
    def needs_detail(self) -> bool:
        return self.selects_fields_outside(_LISTED)


class DeletedCampaigns(ConstantContactStream):
    """Campaigns that were deleted, as long as the API lists them (docs/api/v2.md.

    Campaigns collection).

    They have no detail any more. A stream of its own, since a row with these few fields would empty
    the others of what was known of the campaign.
    """

    name = "deleted_campaigns"
    path = Campaigns.path
    primary_keys = ("id",)
    page_size = 50

    @override
    def get_url_params(
        self, context: Context | None, next_page_token: str | None
    ) -> dict[str, Any]:
        return {"status": _DELETED}

    @override
    def estimate(self) -> tuple[int, str]:
        there_are = len(list(self.request_records(None)))
        return pages(there_are, self.page_size), f"{there_are:,} deleted"

    @override
    def preprocess_record(self, row: Record, context: Context | None) -> Record | None:
        # All of them say that they are deleted.
        return {name: held for name, held in row.items() if name != "status"}


def _by_id(rows: Iterable[Record], status: str) -> dict[str, Record]:
    result: dict[str, Record] = {}
    for row in rows:
        result.setdefault(row["id"], {**row, "status": row.get("status") or status})
    return result


class CampaignChildStream(CampaignBaseStream, ChildStream):
    """Something of one campaign."""

    parent_stream_type = Campaigns
    parent_key = Campaigns.parent_key


class CampaignLinks(EmbeddedChildStream, CampaignChildStream, WindowedCampaignStream):
    """Links in a campaign with their clicks; they come in its detail and cost no call."""

    name = "campaign_links"
    primary_keys = ("campaign_id", "url_uid")

    @override
    def applies_to(self, parent: Record) -> bool:
        return is_tracked(parent)

    @property
    @override
    def needs_detail(self) -> bool:
        return True

    @override
    def fetch_child_records(self, context: Context) -> Iterable[Record]:
        return envelopes.objects(self.task.parent.get("click_through_details"))


class CampaignSchedules(CampaignChildStream):
    """Schedules of campaigns. The API keeps no past ones (docs/api/v2.md §8)."""

    name = "campaign_schedules"
    path = "/emailmarketing/campaigns/{campaign_id}/schedules"
    envelope = envelopes.ARRAY
    primary_keys = ("campaign_id", "id")

    @override
    def applies_to(self, parent: Record) -> bool:
        return bool(parent["status"] == "SCHEDULED")

    @override
    def is_due(self, parent: Record, synced_until: dt.datetime | None) -> bool:
        return True


class CampaignPreviews(CampaignChildStream):
    """A campaign as its recipients see it: large, and a call each (docs/api/v2.md.

    Campaign preview).
    """

    name = "campaign_previews"
    path = "/emailmarketing/campaigns/{campaign_id}/preview"
    envelope = envelopes.ONE
    primary_keys = ("campaign_id",)
