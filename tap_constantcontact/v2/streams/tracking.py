"""Tracking reports of campaigns: one record per event.

Records have no id. Campaign, contact and timestamp identify them, and the link of a click
(docs/api/v2.md §9).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from typing_extensions import override

from tap_constantcontact.estimate import PAGE, pages
from tap_constantcontact.http import envelopes
from tap_constantcontact.records import timestamps
from tap_constantcontact.state.ids import short_id
from tap_constantcontact.stream import NO_VALUE
from tap_constantcontact.v2.streams.campaigns import CampaignChildStream, is_tracked

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable

    from singer_sdk.helpers.types import Context, Record

    from tap_constantcontact.child_stream import ParentTask
    from tap_constantcontact.state.sync_pass import SyncPass


class TrackingStream(CampaignChildStream):
    """One report of one campaign, whole the first time and then from where it was read to."""

    page_size = 500
    conforms_pages = True

    @override
    def applies_to(self, parent: Record) -> bool:
        return is_tracked(parent)

    @override
    def is_due(self, parent: Record, synced_until: dt.datetime | None) -> bool:
        if synced_until is None:
            return self.was_sent_since_start(parent)
        return self.may_have_changed(parent, synced_until, self.window)

    @override
    def needs_last_run(self, synced_until: dt.datetime | None) -> bool:
        return bool(self.window) if synced_until else self.start_date is not None

    @override
    def child_context(self, task: ParentTask) -> Context:
        synced_until = task.due[self.name]
        since = self.apply_lookback(synced_until) if synced_until else None
        return {**super().child_context(task), "since": since}

    @override
    def get_url_params(
        self, context: Context | None, next_page_token: str | None
    ) -> dict[str, Any]:
        since = context and context["since"]
        return {"created_since": timestamps.write(since)} if since else {}

    @override
    def preprocess_record(self, row: Record, context: Context | None) -> Record | None:
        since = context["since"] if context else None
        if not timestamps.is_since(row.get(self.replication_key or ""), since):
            return None
        # A key has no nulls, and a row that lacks a part of it is a row all the same.
        for key in ("contact_id", "link_id"):
            if key in self.primary_keys and row.get(key) in {None, ""}:
                row[key] = NO_VALUE
        return row

    @override
    def estimate_child(self, task: ParentTask) -> int:
        counted = _counter(task.parent, self.name) or 0
        if task.due[self.name] or counted <= PAGE // 2:
            return 1
        return pages(counted if self.counts_rows else counted * self._rows_a_person(task))

    #: Whether the campaign's counter counts rows, and not people who may have several.
    counts_rows: ClassVar[bool] = True

    def _rows_a_person(self, task: ParentTask) -> float:
        def ask() -> float:
            rows, _ = self.sample_records({**self.child_context(task), "since": None})
            return len(rows) / max(len({row.get("contact_id") for row in rows}), 1)

        return self.run.cache(f"rows of {self.name} a person", ask)


class CampaignSends(TrackingStream):
    """Sends of campaigns. Some days after a sending, no more are expected."""

    name = "campaign_sends"
    path = "/emailmarketing/campaigns/{campaign_id}/tracking/sends"
    primary_keys = ("campaign_id", "contact_id", "send_date")
    replication_key = "send_date"

    @property
    @override
    def window(self) -> int:
        return min(super().window or _DAYS_OF_SENDING, _DAYS_OF_SENDING)


_DAYS_OF_SENDING = 3
# Others are simply read, so that a state stays small.
_MOST_COUNTERS = 64


def _counter(campaign: Record, stream: str) -> int | None:
    """Return the counter of a report in a campaign's detail; None if it is missing."""
    summary = envelopes.fields_of(campaign.get("tracking_summary"))
    return envelopes.count_of(summary.get(stream.removeprefix("campaign_")))


class CampaignOpens(TrackingStream):
    """Opens of campaigns, one record per open."""

    name = "campaign_opens"
    path = "/emailmarketing/campaigns/{campaign_id}/tracking/opens"
    primary_keys = ("campaign_id", "contact_id", "open_date")
    replication_key = "open_date"
    counts_rows = False


class CampaignClicks(TrackingStream):
    """Clicks on links of campaigns, one record per click."""

    name = "campaign_clicks"
    path = "/emailmarketing/campaigns/{campaign_id}/tracking/clicks"
    primary_keys = ("campaign_id", "contact_id", "click_date", "link_id")
    replication_key = "click_date"
    counts_rows = False


class CounterGatedStream(TrackingStream):
    """A report whose rows the campaign's detail counts, each: it is read where that has moved.

    The counter that belongs to the rows read is kept by campaign.
    """

    @override
    def is_due(self, parent: Record, synced_until: dt.datetime | None) -> bool:
        return super().is_due(parent, synced_until) and not self._is_unmoved(parent, synced_until)

    def _is_unmoved(self, campaign: Record, synced_until: dt.datetime | None) -> bool:
        counted = _counter(campaign, self.name)
        if counted is None:
            return False
        counters = self.run.bookmarks_of(self.name).get("counters") or {}
        return bool(counted == (counters.get(short_id(campaign["id"]), 0) if synced_until else 0))

    @override
    def fetch_child_records(self, context: Context) -> Iterable[Record]:
        yield from super().fetch_child_records(context)
        counted = _counter(self.task.parent, self.name)
        counters = self.get_context_state(None).setdefault("counters", {})
        campaign = short_id(self.task.parent["id"])
        counters.pop(campaign, None)
        if counted is not None and len(counters) < _MOST_COUNTERS:
            counters[campaign] = counted

    @override
    def on_pass_completed(self, sync_pass: SyncPass) -> None:
        # Of others no news is expected any more.
        lively = sync_pass.visited.union(
            parent_id for parent_id in sync_pass.parent_ids if sync_pass.deferrals.get(parent_id)
        )
        counters = self.get_context_state(None).get("counters") or {}
        for campaign in counters.keys() - set(map(short_id, lively)):
            del counters[campaign]


class CampaignBounces(CounterGatedStream):
    """Bounces of campaigns, with the reason."""

    name = "campaign_bounces"
    path = "/emailmarketing/campaigns/{campaign_id}/tracking/bounces"
    primary_keys = ("campaign_id", "contact_id", "bounce_date")
    replication_key = "bounce_date"


class CampaignForwards(TrackingStream):
    """Forwards of campaigns, one record per forward."""

    name = "campaign_forwards"
    path = "/emailmarketing/campaigns/{campaign_id}/tracking/forwards"
    primary_keys = ("campaign_id", "contact_id", "forward_date")
    replication_key = "forward_date"


class CampaignUnsubscribes(CounterGatedStream):
    """Unsubscribes after campaigns, with the reason."""

    name = "campaign_unsubscribes"
    path = "/emailmarketing/campaigns/{campaign_id}/tracking/unsubscribes"
    primary_keys = ("campaign_id", "contact_id", "unsubscribe_date")
    replication_key = "unsubscribe_date"
