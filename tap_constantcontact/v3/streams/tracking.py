"""Tracking reports of campaigns: one record per event (docs/api/v3.md §12).

Records have no id, their timestamps are truncated to the minute, and there is no filter: a report
is read from the top, where the newest records are, down to those of the last sync.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from typing_extensions import override

from tap_constantcontact.estimate import RecordCount
from tap_constantcontact.http import envelopes
from tap_constantcontact.records import timestamps
from tap_constantcontact.v3.counters import short_activity_id
from tap_constantcontact.v3.envelopes import paged
from tap_constantcontact.v3.refresh import CampaignSnapshots, WhenCounted, WhenCountedByRecord
from tap_constantcontact.v3.streams.campaign_activities import REPORTS, ActivityChildStream

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import requests
    from singer_sdk.helpers.types import Context, Record

    from tap_constantcontact.refresh import ParentTask
    from tap_constantcontact.v3.campaign import Campaign

_ENVELOPE = paged("tracking_activities")
_KEY = ("campaign_activity_id", "contact_id", "created_time", "row_number")


@dataclass(frozen=True)
class ReportCount:
    """Counts the records of a report by the counters of its campaign.

    Attributes:
        kind: The counter.
        is_repeatable: Whether a person can repeat the action: metrics of campaigns that have left
            the tracking window count people.
    """

    kind: str
    is_repeatable: bool = False

    def __call__(self, campaign: Campaign) -> RecordCount:
        """Return the count of a campaign."""
        records, count = campaign.counters.get(self.kind), campaign.counted(self.kind) or 0
        if records is None and self.is_repeatable:
            count = round(count * campaign.metrics.records_per_person(self.kind))
        return RecordCount(count)


class TrackingStream(ActivityChildStream):
    """A report with one record per event.

    The first sync reads it completely, later ones down to the last sync, at the start of a minute.
    That minute is read completely, so that identical records get the same numbers each time.
    """

    envelope = _ENVELOPE
    privileges = REPORTS
    primary_keys: ClassVar[tuple[str, ...]] = _KEY
    replication_key = "created_time"
    page_size = 500
    is_large = True
    refresh: WhenCountedByRecord
    counted: ReportCount
    optional_keys: ClassVar[tuple[str, ...]] = ("contact_id",)

    @override
    def child_contexts(self, task: ParentTask[Campaign]) -> Sequence[Context]:
        period = self.run.period
        synced_until = self.refresh.synced_until(task.parent, task.due[self.name], self.run)
        since = None
        if synced_until:
            since = period.apply_lookback(synced_until).replace(second=0, microsecond=0)
        # An activity that the detail did not name before is read completely.
        seen = CampaignSnapshots.of(self.run).counters_of(task.parent).activities
        return [
            {
                **context,
                "since": since
                if not seen or short_activity_id(context["campaign_activity_id"]) in seen
                else None,
            }
            for context in super().child_contexts(task)
        ]

    @override
    def fetch_child_records(self) -> Iterable[Record]:
        self._records_read = self._reports_read = 0
        yield from super().fetch_child_records()
        count = self.task.parent.counters.get(self.refresh.kind)
        if count and not self._records_read and self.is_in_window:
            self.warn_about_missing_records()
        is_complete = self._reports_read == len(self.child_contexts(self.task))
        if count is not None and is_complete:
            self.run.audit.compare(self.name, reported=count, received=self._records_read)

    @override
    def parse_response(self, response: requests.Response) -> Iterable[Record]:
        for row in super().parse_response(response):
            self._records_read += 1
            yield row
        self._reports_read += self.parser.read(response).next_link is None

    # Records of all activities of the current campaign, older ones included, and the number of
    # activities whose reports were read to their end.
    _records_read = 0
    _reports_read = 0

    @override
    def should_stop_pagination(
        self, response: requests.Response, context: Context | None = None
    ) -> bool:
        context = context or self.context
        if not context or context.get("since") is None:
            return False
        rows = self.own_envelope.open(envelopes.decode(response.content)).rows
        created = [timestamps.parse_or_none(row.get("created_time")) for row in rows]
        # Later pages are older only if the order holds.
        valid = [timestamp for timestamp in created if timestamp]
        is_in_order = len(valid) == len(created) and valid == sorted(valid, reverse=True)
        return bool(valid) and is_in_order and valid[-1] < context["since"]

    @override
    def preprocess_record(self, row: Record, context: Context | None) -> Record | None:
        if not timestamps.is_since(row.get("created_time"), (context or {}).get("since")):
            return None
        return super().preprocess_record(row, context)


class CampaignSends(TrackingStream):
    """Sends of campaigns."""

    name = "campaign_sends"
    path = "/reports/email_reports/{campaign_activity_id}/tracking/sends"
    refresh = WhenCountedByRecord(kinds=("sends",))
    counted = ReportCount("sends")


class CampaignOpens(TrackingStream):
    """Opens of campaigns, one record per open."""

    name = "campaign_opens"
    path = "/reports/email_reports/{campaign_activity_id}/tracking/opens"
    refresh = WhenCountedByRecord(kinds=("opens",))
    counted = ReportCount("opens", is_repeatable=True)


class CampaignClicks(TrackingStream):
    """Clicks on links of campaigns, one record per click."""

    name = "campaign_clicks"
    path = "/reports/email_reports/{campaign_activity_id}/tracking/clicks"
    primary_keys = ("campaign_activity_id", "contact_id", "url_id", "created_time", "row_number")
    refresh = WhenCountedByRecord(kinds=("clicks",))
    counted = ReportCount("clicks", is_repeatable=True)
    optional_keys = ("contact_id", "url_id")


class CampaignBounces(TrackingStream):
    """Bounces of campaigns, with the reason."""

    name = "campaign_bounces"
    path = "/reports/email_reports/{campaign_activity_id}/tracking/bounces"
    refresh = WhenCountedByRecord(kinds=("bounces",))
    counted = ReportCount("bounces")


class CampaignForwards(TrackingStream):
    """Forwards of campaigns, one record per forward."""

    name = "campaign_forwards"
    path = "/reports/email_reports/{campaign_activity_id}/tracking/forwards"
    refresh = WhenCountedByRecord(kinds=("forwards",))
    counted = ReportCount("forwards")


class CampaignUnsubscribes(TrackingStream):
    """Unsubscribes after campaigns."""

    name = "campaign_unsubscribes"
    path = "/reports/email_reports/{campaign_activity_id}/tracking/optouts"
    refresh = WhenCountedByRecord(kinds=("optouts",))
    counted = ReportCount("optouts")


def _did_not_open(campaign: Campaign) -> RecordCount:
    sends, opens = (campaign.counted(kind) or 0 for kind in ("sends", "opens"))
    return RecordCount(max(0, sends - opens))


class CampaignDidNotOpens(ActivityChildStream):
    """Contacts that have not opened a campaign. Read completely, because records vanish from it."""

    name = "campaign_did_not_opens"
    path = "/reports/email_reports/{campaign_activity_id}/tracking/didnotopens"
    envelope = _ENVELOPE
    privileges = REPORTS
    primary_keys = ("campaign_activity_id", "contact_id")
    page_size = 500
    refresh = WhenCounted(kinds=("sends", "opens", "bounces"))
    counted = staticmethod(_did_not_open)
