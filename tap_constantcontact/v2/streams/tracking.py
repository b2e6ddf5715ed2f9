"""Tracking reports of campaigns: one record per event.

Records have no id. Campaign, contact and timestamp identify them, and the link of a click
(docs/api/v2.md §9).
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from typing_extensions import override

from tap_constantcontact.estimate import RecordCount
from tap_constantcontact.records import timestamps
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


@dataclass(frozen=True)
class ReportCount:
    """Counts the records of a report by the counter in the campaign's detail.

    Attributes:
        kind: The counter.
        of_people: Whether it counts people, who may have several records each.
    """

    kind: str
    of_people: bool = False

    def __call__(self, campaign: Parent) -> RecordCount:
        """Return the count of a campaign."""
        return RecordCount(counter(campaign.record, self.kind) or 0, self.of_people)


class TrackingStream(CampaignChildStream):
    """One report of campaigns: completely in the first sync, then since the last one."""

    page_size = 500
    is_large = True
    refresh: TrackingRefresh = TrackingRefresh()
    counted: ReportCount
    optional_keys: ClassVar[tuple[str, ...]] = ("contact_id",)

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
        return row if timestamps.is_since(row.get(self.replication_key or ""), since) else None

    @property
    def _counter(self) -> int | None:
        """The counter of the report in the current campaign; None if it is missing."""
        return counter(self.task.parent.record, self.counted.kind)

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
            if self.counted.of_people:
                contacts.add(row.get("contact_id"))
            yield row
        count = len(contacts) if self.counted.of_people else received
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
    counted = ReportCount("sends")
    refresh = TrackingRefresh(longest_window=dt.timedelta(days=3))


class CampaignOpens(TrackingStream):
    """Opens of campaigns, one record per open."""

    name = "campaign_opens"
    path = "/emailmarketing/campaigns/{campaign_id}/tracking/opens"
    primary_keys = ("campaign_id", "contact_id", "open_date")
    replication_key = "open_date"
    counted = ReportCount("opens", of_people=True)


class CampaignClicks(TrackingStream):
    """Clicks on links of campaigns, one record per click."""

    name = "campaign_clicks"
    path = "/emailmarketing/campaigns/{campaign_id}/tracking/clicks"
    primary_keys = ("campaign_id", "contact_id", "click_date", "link_id")
    replication_key = "click_date"
    counted = ReportCount("clicks", of_people=True)
    optional_keys = ("contact_id", "link_id")


class CampaignBounces(TrackingStream):
    """Bounces of campaigns, with the reason."""

    name = "campaign_bounces"
    path = "/emailmarketing/campaigns/{campaign_id}/tracking/bounces"
    primary_keys = ("campaign_id", "contact_id", "bounce_date")
    replication_key = "bounce_date"
    counted = ReportCount("bounces")
    refresh = TrackingRefresh(gate="bounces")


class CampaignForwards(TrackingStream):
    """Forwards of campaigns, one record per forward."""

    name = "campaign_forwards"
    path = "/emailmarketing/campaigns/{campaign_id}/tracking/forwards"
    primary_keys = ("campaign_id", "contact_id", "forward_date")
    replication_key = "forward_date"
    counted = ReportCount("forwards")


class CampaignUnsubscribes(TrackingStream):
    """Unsubscribes after campaigns, with the reason."""

    name = "campaign_unsubscribes"
    path = "/emailmarketing/campaigns/{campaign_id}/tracking/unsubscribes"
    primary_keys = ("campaign_id", "contact_id", "unsubscribe_date")
    replication_key = "unsubscribe_date"
    counted = ReportCount("unsubscribes")
    refresh = TrackingRefresh(gate="unsubscribes")
