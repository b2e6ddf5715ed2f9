"""Tracking reports of campaigns: one record per event.

Records have no id. Campaign, contact and timestamp identify them, and the link of a click
(docs/api/v2.md §9).
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any, ClassVar

from typing_extensions import override

from tap_constantcontact.estimate import PAGE, pages
from tap_constantcontact.records import timestamps
from tap_constantcontact.records.conform import NO_VALUE
from tap_constantcontact.state.ids import short_id
from tap_constantcontact.v2.campaign import TrackingRefresh, counter
from tap_constantcontact.v2.streams.campaigns import CampaignChildStream

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from singer_sdk.helpers.types import Context, Record

    from tap_constantcontact.refresh import Parent, ParentTask
    from tap_constantcontact.state.sync_pass import SyncPass

# Further campaigns are synced whether or not their counter has changed, so that a state stays
# small.
_MAX_COUNTERS = 64


class TrackingStream(CampaignChildStream):
    """One report of campaigns: completely in the first sync, then since the last one."""

    page_size = 500
    is_large = True
    refresh: TrackingRefresh = TrackingRefresh()
    #: Whether the campaign's counter counts records, and not people who may have several.
    counts_records: ClassVar[bool] = True

    @override
    def child_contexts(self, task: ParentTask[Parent]) -> Sequence[Context]:
        synced_until = task.due[self.name]
        since = self.run.period.apply_lookback(synced_until) if synced_until else None
        return [{self.parent_key: task.parent.id, "since": since}]

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
            if key in self.api_keys and row.get(key) in {None, ""}:
                row[key] = NO_VALUE
        return row

    @override
    def estimate_context(self, context: Context | None) -> tuple[int, str]:
        count = self._counter or 0
        if self.task.due[self.name] or count <= PAGE // 2:
            return 1, ""
        return pages(
            count if self.counts_records else count * self._records_per_person(context)
        ), ""

    def _records_per_person(self, context: Context | None) -> float:
        def ratio() -> float:
            rows, _ = self.sample_records(context)
            return len(rows) / max(len({row.get("contact_id") for row in rows}), 1)

        return self.run.cache(f"records of {self.name} per person", ratio)

    @property
    def _counter(self) -> int | None:
        """The counter of the report in the current campaign; None if it is missing."""
        return counter(self.task.parent.record, self.name.removeprefix("campaign_"))

    @override
    def fetch_child_records(self) -> Iterable[Record]:
        rows = super().fetch_child_records()
        is_complete = not self.task.due[self.name]
        if is_complete and self._counter is not None:
            rows = self._compared(rows, self._counter)
        yield from rows
        if self.refresh.gate:
            self._keep_counter()

    def _compared(self, rows: Iterable[Record], reported: int) -> Iterable[Record]:
        """Yield the rows of a report, and compare their number with the campaign's counter."""
        received, contacts = 0, set()
        for row in rows:
            received += 1
            if not self.counts_records:
                contacts.add(row.get("contact_id"))
            yield row
        count = received if self.counts_records else len(contacts)
        self.run.audit.compare(self.name, reported=reported, received=count)

    def _keep_counter(self) -> None:
        counters = self.get_context_state(None).setdefault("counters", {})
        campaign = short_id(self.task.parent.id)
        counters.pop(campaign, None)
        if self._counter is not None and len(counters) < _MAX_COUNTERS:
            counters[campaign] = self._counter

    @override
    def on_pass_completed(self, sync_pass: SyncPass) -> None:
        # The counters of other campaigns are not expected to change.
        active = sync_pass.visited.union(
            parent_id for parent_id in sync_pass.parent_ids if parent_id in sync_pass.deferred
        )
        counters = self.get_context_state(None).get("counters") or {}
        for campaign in counters.keys() - set(map(short_id, active)):
            del counters[campaign]


class CampaignSends(TrackingStream):
    """Sends of campaigns. Some days after a sending, no more are expected."""

    name = "campaign_sends"
    path = "/emailmarketing/campaigns/{campaign_id}/tracking/sends"
    primary_keys = ("campaign_id", "contact_id", "send_date")
    replication_key = "send_date"
    refresh = TrackingRefresh(longest_window=dt.timedelta(days=3))


class CampaignOpens(TrackingStream):
    """Opens of campaigns, one record per open."""

    name = "campaign_opens"
    path = "/emailmarketing/campaigns/{campaign_id}/tracking/opens"
    primary_keys = ("campaign_id", "contact_id", "open_date")
    replication_key = "open_date"
    counts_records = False


class CampaignClicks(TrackingStream):
    """Clicks on links of campaigns, one record per click."""

    name = "campaign_clicks"
    path = "/emailmarketing/campaigns/{campaign_id}/tracking/clicks"
    primary_keys = ("campaign_id", "contact_id", "click_date", "link_id")
    replication_key = "click_date"
    counts_records = False


class CampaignBounces(TrackingStream):
    """Bounces of campaigns, with the reason."""

    name = "campaign_bounces"
    path = "/emailmarketing/campaigns/{campaign_id}/tracking/bounces"
    primary_keys = ("campaign_id", "contact_id", "bounce_date")
    replication_key = "bounce_date"
    refresh = TrackingRefresh(gate="bounces")


class CampaignForwards(TrackingStream):
    """Forwards of campaigns, one record per forward."""

    name = "campaign_forwards"
    path = "/emailmarketing/campaigns/{campaign_id}/tracking/forwards"
    primary_keys = ("campaign_id", "contact_id", "forward_date")
    replication_key = "forward_date"


class CampaignUnsubscribes(TrackingStream):
    """Unsubscribes after campaigns, with the reason."""

    name = "campaign_unsubscribes"
    path = "/emailmarketing/campaigns/{campaign_id}/tracking/unsubscribes"
    primary_keys = ("campaign_id", "contact_id", "unsubscribe_date")
    replication_key = "unsubscribe_date"
    refresh = TrackingRefresh(gate="unsubscribes")
