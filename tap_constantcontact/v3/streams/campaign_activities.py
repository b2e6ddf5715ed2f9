"""Child streams of campaigns, requested per activity (docs/api/v3.md §10).

The activities of a campaign contain the content and have the reports: the mail itself, and resends
of it.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, ClassVar

from singer_sdk.exceptions import FatalAPIError
from typing_extensions import override

from tap_constantcontact.child_stream import ChildStream
from tap_constantcontact.http import envelopes, retries
from tap_constantcontact.http.retries import MissingRecordsError, NotFoundError
from tap_constantcontact.records import timestamps
from tap_constantcontact.stream import NO_VALUE
from tap_constantcontact.v3.batches import batched
from tap_constantcontact.v3.campaign import (
    ACTIVITIES,
    DONE,
    EDIT,
    IF_AB_TEST,
    KNOWN_ROLES,
    ONCE_SENT,
    PERMALINK,
    PRIMARY,
    REMOVED,
    RESEND,
    SUMMARY,
    UNTIL_REMOVED,
    WHILE_SCHEDULED,
    Availability,
    activities_in,
    activity_ids_in,
    counters_in,
    role_of,
    sent_date,
    status_of,
)
from tap_constantcontact.v3.campaign_metrics import sent_at, unique_count
from tap_constantcontact.v3.counters import KINDS, with_plain_names
from tap_constantcontact.v3.envelopes import paged
from tap_constantcontact.v3.stream import V3Stream
from tap_constantcontact.v3.streams.campaigns import CampaignBaseStream, Campaigns

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from singer_sdk.helpers.types import Context, Record

    from tap_constantcontact.child_stream import ParentTask
    from tap_constantcontact.http.prefetch import RequestForecast

_STATS_BATCH = 10
_SHORTEST_RESEND_DELAY = dt.timedelta(hours=12)


class ActivityChildStream(V3Stream, CampaignBaseStream, ChildStream):
    """A child stream of campaigns with one request per activity."""

    parent_stream_type = Campaigns
    parent_key = Campaigns.parent_key
    privileges: ClassVar[tuple[str, ...]] = ("campaign:read",)
    #: Campaigns that have records of the stream.
    availability: ClassVar[Availability] = UNTIL_REMOVED
    needs_summaries = True
    #: Roles of activities without records of the stream. An unknown role has records.
    lacking_roles: ClassVar[frozenset[str]] = frozenset({PERMALINK})

    def activities(self, campaign: Record) -> list[Record]:
        """Return the activities of a campaign that have records of the stream."""
        result = activities_in(campaign)
        return [activity for activity in result if role_of(activity) not in self.lacking_roles]

    def child_contexts(self, task: ParentTask) -> list[Context]:
        """Return the contexts for a campaign: one per request."""
        context = self.child_context(task)
        return [
            {
                **context,
                "campaign_activity_id": activity["campaign_activity_id"],
                "role": role_of(activity),
            }
            for activity in self.activities(task.parent)
        ]

    @override
    def fetch_child_records(self, context: Context) -> Iterable[Record]:
        failed: tuple[FatalAPIError, str] | None = None
        for child_context in self.child_contexts(self.task):
            try:
                with retries.raise_when_exhausted():
                    yield from self._read_activity(child_context)
            except FatalAPIError as error:
                if not retries.concerns_one_object(error):
                    raise
                # The other activities are read before the campaign counts as failed.
                failed = failed or (error, self._requested_url)
                self.cancel_prefetch()
        if failed:
            failure, self._requested_url = failed
            raise failure
        self._check_detail(self.task.parent)

    def _read_activity(self, context: Context) -> Iterable[Record]:
        campaign, role = self.task.parent, context["role"]
        has_records = False
        try:
            for row in self.request_records(context):
                has_records = True
                yield row if self.conforms_pages else self.of_activity(row, context)
        except NotFoundError:
            if self.has_read_pages or self.must_have(campaign, role):
                raise
            self.on_not_found()
        if not has_records and self.is_in_window and self.must_have_records(campaign, role):
            msg = f"{self.requested_path} is empty, although the campaign has such records"
            raise MissingRecordsError(msg)

    @property
    def is_in_window(self) -> bool:
        """Return whether the API still keeps the records of the current campaign."""
        window, sent = self.metrics.window, sent_date(self.task.parent)
        return window is None or sent is None or sent + window > self.run.session.started_at

    def must_have_records(self, campaign: Record, role: str) -> bool:
        """Return whether an activity must have records."""
        return False

    @override
    def applies_to(self, parent: Record) -> bool:
        return self.availability.may_have(parent)

    @override
    def means_no_records(self, error: FatalAPIError) -> bool:
        return False

    def must_have(self, campaign: Record, role: str) -> bool:
        """Return whether a 404 for an activity is an error."""
        return role in KNOWN_ROLES and self.availability.must_have(campaign)

    def _check_detail(self, campaign: Record) -> None:
        """Make sure that a detail named the campaign's activities.

        Raises:
            MissingRecordsError: It lacks some of what it must have.
        """
        if status_of(campaign) == REMOVED:
            return
        named = campaign.get(ACTIVITIES)
        is_full = isinstance(named, list) and len(activities_in(campaign)) == len(named)
        has_content = any(role_of(activity) != PERMALINK for activity in activities_in(campaign))
        is_as_before = self.snapshot(campaign).activities <= activity_ids_in(campaign)
        if not (is_full and has_content and is_as_before):
            path = f"{Campaigns.path}/{campaign['id']}"
            msg = f"The campaign's detail ({path}) lacks activities, or their ids"
            raise MissingRecordsError(msg)

    def of_activity(self, row: Record, context: Context) -> Record:
        """Return a record with the ids of its campaign and activity."""
        keys = (self.parent_key, "campaign_activity_id")
        return {**row, **{key: context[key] for key in keys}}

    @override
    def forecast_child_requests(self, task: ParentTask) -> RequestForecast:
        for context in self.child_contexts(task):
            yield self.prefetch_page(context)

    @override
    def estimate_child(self, task: ParentTask) -> int:
        return len(self.activities(task.parent))


class CampaignActivities(ActivityChildStream):
    """Activities of campaigns: the content of the email and of its resends.

    A permalink has no detail; its record is what the detail of the campaign contains.
    """

    name = "campaign_activities"
    path = "/emails/activities/{campaign_activity_id}"
    envelope = envelopes.ONE
    primary_keys = ("campaign_activity_id",)
    params: ClassVar[Mapping[str, str]] = {
        "include": "physical_address_in_footer,permalink_url,html_content,document_properties"
    }

    @override
    def fetch_child_records(self, context: Context) -> Iterable[Record]:
        for activity in activities_in(self.task.parent):
            if role_of(activity) not in KNOWN_ROLES:
                yield {**activity, **context}
        yield from super().fetch_child_records(context)


class CampaignSchedules(ActivityChildStream):
    """Schedules of campaigns. The API keeps none after the sending.

    Scheduling a campaign counts as an edit of it.
    """

    name = "campaign_schedules"
    path = "/emails/activities/{campaign_activity_id}/schedules"
    envelope = envelopes.ARRAY
    primary_keys = ("campaign_activity_id", "scheduled_date")

    availability = WHILE_SCHEDULED
    needs_summaries = False

    @override
    def must_have_records(self, campaign: Record, role: str) -> bool:
        return role == PRIMARY


class CampaignSendHistory(ActivityChildStream):
    """Send history of campaigns and their resends."""

    name = "campaign_send_history"
    path = "/emails/activities/{campaign_activity_id}/send_history"
    envelope = envelopes.ARRAY
    primary_keys = ("campaign_activity_id", "send_id")
    availability = ONCE_SENT

    @override
    def must_have_records(self, campaign: Record, role: str) -> bool:
        return role == PRIMARY and status_of(campaign) == DONE

    @override
    def fetch_child_records(self, context: Context) -> Iterable[Record]:
        run_dates = []
        for row in super().fetch_child_records(context):
            run_dates.append(timestamps.parse_or_none(row.get("run_date")))
            yield row
        campaign = self.task.parent
        sent = sent_at(campaign.get(SUMMARY))
        latest = max(filter(None, run_dates), default=None)
        is_behind = sent and (latest is None or latest + _SHORTEST_RESEND_DELAY / 2 < sent)
        if sent and is_behind and self.is_in_window and status_of(campaign) != REMOVED:
            msg = f"The history lacks the sending of {timestamps.write(sent)}"
            raise MissingRecordsError(msg)


class CampaignResends(ActivityChildStream):
    """Resends to contacts who did not open a campaign."""

    name = "campaign_resends"
    path = "/emails/activities/{campaign_activity_id}/non_opener_resends"
    envelope = envelopes.ARRAY
    primary_keys = ("campaign_activity_id", "resend_request_id")
    availability = ONCE_SENT
    lacking_roles = frozenset({PERMALINK, RESEND})

    @override
    def must_have_records(self, campaign: Record, role: str) -> bool:
        return any(role_of(activity) == RESEND for activity in activities_in(campaign))


class CampaignAbTests(ActivityChildStream):
    """A/B tests of subject lines. A campaign without one returns 404."""

    name = "campaign_ab_tests"
    path = "/emails/activities/{campaign_activity_id}/abtest"
    envelope = envelopes.ONE
    primary_keys = ("campaign_activity_id",)
    availability = IF_AB_TEST
    lacking_roles = frozenset({PERMALINK, RESEND})


class CampaignPreviews(ActivityChildStream):
    """Previews of campaigns as recipients see them: large, one request each."""

    name = "campaign_previews"
    path = "/emails/activities/{campaign_activity_id}/previews"
    envelope = envelopes.ONE
    primary_keys = ("campaign_activity_id",)


class MetricsChildStream(ActivityChildStream):
    """A report, which changes as long as recipients act."""

    availability = ONCE_SENT
    needs_stats = True
    privileges: ClassVar[tuple[str, ...]] = ("ui:campaign:metrics", "campaign:read")
    #: Kinds of reports whose counters show that the report has changed.
    kinds: ClassVar[tuple[str, ...]] = KINDS

    @override
    def is_due(self, parent: Record, synced_until: dt.datetime | None) -> bool:
        if synced_until is None:
            return self.is_wanted(parent) and self.may_have(parent)
        window, sent = self.metrics.window, sent_date(parent)
        if window is not None and sent is not None and sent + window <= self.run.session.started_at:
            # Once more, whatever is counted: counters are late.
            synced_until = self.synced_until(parent, synced_until)
            return synced_until is None or synced_until < sent + window
        snapshots, now = self.snapshot(parent).counters, counters_in(parent)
        return not all(
            kind in snapshots and snapshots[kind].vouches(now.get(kind), synced_until)
            for kind in self.kinds
        )

    def is_wanted(self, campaign: Record) -> bool:
        """Return whether a first run syncs a campaign's report."""
        return self.was_sent_since(campaign, self.start_date)

    def may_have(self, campaign: Record) -> bool:
        """Return whether a report may have records: any counter is not zero, or missing."""
        return any(self._counted(campaign, kind) != 0 for kind in self.kinds)

    def synced_until(
        self, campaign: Record, synced_until: dt.datetime | None
    ) -> dt.datetime | None:
        """Return the timestamp until which a report is synced; None for never."""
        return synced_until

    @override
    def must_have(self, campaign: Record, role: str) -> bool:
        is_counted = any(self._counted(campaign, kind) for kind in self.kinds)
        return is_counted or super().must_have(campaign, role)

    def _counted(self, campaign: Record, kind: str) -> int | None:
        """Return a counter: of records if the campaign is in the window, else of people."""
        rows, people = counters_in(campaign).get(kind), unique_count(campaign.get(SUMMARY), kind)
        return people if rows is None else max(rows, people or 0)


class CampaignLinks(MetricsChildStream):
    """Links of campaigns with their clicks, including links without clicks."""

    name = "campaign_links"
    path = "/reports/email_reports/{campaign_activity_id}/links"
    envelope = paged("link_click_counts")
    primary_keys = ("campaign_activity_id", "url_id", "link_tag")
    kinds = ("clicks",)
    params: ClassVar[Mapping[str, str]] = {"no_clicks": "true"}

    @override
    def is_due(self, parent: Record, synced_until: dt.datetime | None) -> bool:
        if synced_until is None:
            return self.was_sent_since(parent, self.start_date)
        # What was sent again has links that nobody has clicked yet.
        seen = self.edit_hashes.as_of(parent["id"], synced_until)
        is_known = seen is not None and seen.text == parent[EDIT]
        is_new = not is_known and self.was_sent_since(parent, self.apply_lookback(synced_until))
        return is_new or super().is_due(parent, synced_until)

    @override
    def preprocess_record(self, row: Record, context: Context | None) -> Record | None:
        # A key has no nulls.
        return {**row, "link_tag": row.get("link_tag") or NO_VALUE}


class CampaignActivityStats(MetricsChildStream):
    """Counters of each activity, if any counter of the campaign has changed."""

    name = "campaign_activity_stats"
    path = "/reports/stats/email_campaign_activities/{campaign_activity_ids}"
    envelope = paged("results")
    primary_keys = ("campaign_activity_id",)

    @override
    def child_contexts(self, task: ParentTask) -> list[Context]:
        context = self.child_context(task)
        ids = [activity["campaign_activity_id"] for activity in self.activities(task.parent)]
        return [
            {**context, "campaign_activity_ids": ",".join(batch), "role": PRIMARY}
            for batch in batched(ids, _STATS_BATCH)
        ]

    @override
    def fetch_child_records(self, context: Context) -> Iterable[Record]:
        answered = set()
        for row in super().fetch_child_records(context):
            answered.add(envelopes.id_of(row.get("campaign_activity_id")))
            yield row
        campaign = self.task.parent
        for activity in self.activities(campaign):
            activity_id, role = activity["campaign_activity_id"], role_of(activity)
            # A resend may not have been sent yet.
            is_due = role == PRIMARY and self.must_have(campaign, role)
            if is_due and activity_id not in answered:
                msg = f"The API has no counters for activity {activity_id}"
                raise MissingRecordsError(msg)

    @override
    def of_activity(self, row: Record, context: Context) -> Record:
        return with_plain_names(row)

    @override
    def get_url(self, context: Context | None) -> str:
        ids = context["campaign_activity_ids"] if context else ""
        return f"{self.url_base}{self.path.replace('{campaign_activity_ids}', ids)}"

    @override
    def estimate_child(self, task: ParentTask) -> int:
        return 1
