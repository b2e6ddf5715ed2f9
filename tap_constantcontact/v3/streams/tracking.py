"""Tracking reports of campaigns: one record per event (docs/api/v3.md §12).

Rows have no id, their times are cut to the minute, and there is no filter: a report is read from
the top, where the newest rows are, down to what was read before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from typing_extensions import override

from tap_constantcontact.estimate import pages
from tap_constantcontact.http import envelopes
from tap_constantcontact.records import timestamps
from tap_constantcontact.stream import NO_VALUE
from tap_constantcontact.v3.campaign import counters_in
from tap_constantcontact.v3.counters import Counter, short_activity_id
from tap_constantcontact.v3.duplicates import NumberedStream
from tap_constantcontact.v3.envelopes import paged
from tap_constantcontact.v3.streams.campaign_activities import MetricsChildStream

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable

    import requests
    from singer_sdk.helpers.types import Context, Record

    from tap_constantcontact.child_stream import ParentTask

_ENVELOPE = paged("tracking_activities")
_KEY = ("campaign_activity_id", "contact_id", "created_time", "row_number")


class TrackingStream(NumberedStream, MetricsChildStream):
    """One kind of report: whole the first time, and then down to what was read before.

    The mark falls on the edge of a minute, and that minute is read whole, so that rows which are
    the same in all else get the same numbers each time.
    """

    envelope = _ENVELOPE
    primary_keys: ClassVar[tuple[str, ...]] = _KEY
    replication_key = "created_time"
    page_size = 500
    conforms_pages = True
    #: Whether a person can repeat the action: metrics of old campaigns count people.
    is_repeatable: ClassVar[bool] = False

    @property
    def kind(self) -> str:
        """The kind of report, whose counter counts each record."""
        return self.kinds[0]

    @override
    def synced_until(
        self, campaign: Record, synced_until: dt.datetime | None
    ) -> dt.datetime | None:
        # The watermark's, or an earlier one.
        counter = self.snapshot(campaign).counters.get(self.kind)
        if counter is None or synced_until is None:
            return synced_until
        return counter.synced_until and min(counter.synced_until, synced_until)

    @override
    def counter_after(
        self, task: ParentTask, synced_until: dt.datetime | None, at: dt.datetime
    ) -> dict[str, Counter]:
        # What was not read keeps its older timestamp: the next read goes back to it.
        before = self.snapshot(task.parent).counters.get(self.kind)
        count = counters_in(task.parent).get(self.kind)
        if self.name in task.failed:
            after = Counter(None, self.synced_until(task.parent, synced_until))
        elif self.name not in task.due:
            # Nothing is counted, or it was sent before `start_date`.
            is_wanted = self.is_wanted(task.parent)
            after = before or Counter(count, None if is_wanted else at)
        else:
            last = before.value if before else None
            has_fallen = last is not None and count is not None and count < last
            has_fallen = has_fallen or (before is not None and before.has_fallen)
            after = Counter(count, at, has_fallen)
        return {self.kind: after}

    @override
    def child_contexts(self, task: ParentTask) -> list[Context]:
        synced_until = self.synced_until(task.parent, task.due[self.name])
        since = None
        if synced_until:
            since = self.apply_lookback(synced_until).replace(second=0, microsecond=0)
        # An activity that the detail did not name before is read whole.
        known = self.snapshot(task.parent).activities
        return [
            {
                **child_context,
                "since": since
                if not known or short_activity_id(child_context["campaign_activity_id"]) in known
                else None,
            }
            for child_context in super().child_contexts(task)
        ]

    @override
    def fetch_child_records(self, context: Context) -> Iterable[Record]:
        self._records_read = 0
        yield from super().fetch_child_records(context)
        count = counters_in(self.task.parent).get(self.kind)
        if count and not self._records_read and self.is_in_window:
            self.warn_about_missing_records()

    @override
    def parse_response(self, response: requests.Response) -> Iterable[Record]:
        self._records_read += len(self.pages.read(response).rows)
        return super().parse_response(response)

    #: Records of all activities of the campaign that is being read, older ones included.
    _records_read = 0

    @override
    def should_stop_pagination(
        self, response: requests.Response, context: Context | None = None
    ) -> bool:
        context = context or self.context
        if not context or context.get("since") is None:
            return False
        rows = self.own_envelope.open(envelopes.decode(response.content)).rows
        result = [timestamps.parse_or_none(row.get("created_time")) for row in rows]
        # Only of an order that holds can be told what comes on later pages.
        known = [each for each in result if each]
        is_in_order = len(known) == len(result) and known == sorted(known, reverse=True)
        return bool(known) and is_in_order and known[-1] < context["since"]

    @override
    def preprocess_record(self, row: Record, context: Context | None) -> Record | None:
        context = context or {}
        if not timestamps.is_since(row.get("created_time"), context.get("since")):
            return None
        for key in ("contact_id", "url_id"):
            # A key has no nulls, and a row that lacks a part of it is a row all the same.
            if key in self.primary_keys and row.get(key) in {None, ""}:
                row[key] = NO_VALUE
        row["campaign_id"] = context.get("campaign_id")
        return self._numbers.numbered(row)

    @override
    def estimate_child(self, task: ParentTask) -> int:
        if task.due[self.name]:
            return len(self.activities(task.parent))
        return pages(self._rows_expected(task.parent))

    def _rows_expected(self, campaign: Record) -> float:
        in_all = counters_in(campaign).get(self.kind)
        if in_all is not None:
            return in_all
        return (self._counted(campaign, self.kind) or 0) * self._rows_a_person()

    def _rows_a_person(self) -> float:
        if not self.is_repeatable:
            return 1.0

        def share() -> float:
            people, rows = 0, 0
            for row in self.metrics.known_stats().values():
                stats = envelopes.fields_of(row.get("stats"))
                people += envelopes.count_of(stats.get(f"em_{self.kind}")) or 0
                rows += envelopes.count_of(stats.get(f"em_{self.kind}_all")) or 0
            return rows / people if people else 1.0

        return self.run.cache(f"rows of {self.kind} a person", share)


class CampaignSends(TrackingStream):
    """Sends of campaigns."""

    name = "campaign_sends"
    path = "/reports/email_reports/{campaign_activity_id}/tracking/sends"
    kinds = ("sends",)


class CampaignOpens(TrackingStream):
    """Opens of campaigns, one record per open."""

    name = "campaign_opens"
    path = "/reports/email_reports/{campaign_activity_id}/tracking/opens"
    kinds = ("opens",)
    is_repeatable = True


class CampaignClicks(TrackingStream):
    """Clicks on links of campaigns, one record per click."""

    name = "campaign_clicks"
    path = "/reports/email_reports/{campaign_activity_id}/tracking/clicks"
    primary_keys = ("campaign_activity_id", "contact_id", "url_id", "created_time", "row_number")
    kinds = ("clicks",)
    is_repeatable = True


class CampaignBounces(TrackingStream):
    """Bounces of campaigns, with the reason."""

    name = "campaign_bounces"
    path = "/reports/email_reports/{campaign_activity_id}/tracking/bounces"
    kinds = ("bounces",)


class CampaignForwards(TrackingStream):
    """Forwards of campaigns, one record per forward."""

    name = "campaign_forwards"
    path = "/reports/email_reports/{campaign_activity_id}/tracking/forwards"
    kinds = ("forwards",)


class CampaignUnsubscribes(TrackingStream):
    """Unsubscribes after campaigns."""

    name = "campaign_unsubscribes"
    path = "/reports/email_reports/{campaign_activity_id}/tracking/optouts"
    kinds = ("optouts",)


class CampaignDidNotOpens(MetricsChildStream):
    """Contacts that have not opened a campaign. Read completely, because records vanish from it."""

    name = "campaign_did_not_opens"
    path = "/reports/email_reports/{campaign_activity_id}/tracking/didnotopens"
    envelope = _ENVELOPE
    primary_keys = ("campaign_activity_id", "contact_id")
    page_size = 500
    kinds: ClassVar[tuple[str, ...]] = ("sends", "opens", "bounces")

    @override
    def estimate_child(self, task: ParentTask) -> int:
        counted = self._counted(task.parent, "sends") or 0
        opened = self._counted(task.parent, "opens") or 0
        return pages(max(0, counted - opened))
