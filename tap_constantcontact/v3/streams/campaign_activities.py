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
from tap_constantcontact.v3.batches import batched
from tap_constantcontact.v3.campaign import (
    DONE,
    IF_AB_TEST,
    KNOWN_ROLES,
    ONCE_SENT,
    PERMALINK,
    PRIMARY,
    REMOVED,
    RESEND,
    WHILE_SCHEDULED,
    Campaign,
    role_of,
)
from tap_constantcontact.v3.counters import with_plain_names
from tap_constantcontact.v3.envelopes import paged
from tap_constantcontact.v3.refresh import (
    CampaignSnapshots,
    WhenCounted,
    WhenEdited,
    WhenLinksChange,
)
from tap_constantcontact.v3.streams.campaigns import Campaigns

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from singer_sdk.helpers.types import Context, Record

    from tap_constantcontact.refresh import ParentTask

CONTENT = ("campaign:read",)
REPORTS = ("ui:campaign:metrics", "campaign:read")
_STATS_BATCH = 10
_SHORTEST_RESEND_DELAY = dt.timedelta(hours=12)


class ActivityChildStream(ChildStream[Campaign]):
    """A child stream of campaigns with one request per activity."""

    parent_stream_type = Campaigns
    parent_key = Campaigns.parent_key
    privileges: ClassVar[tuple[str, ...]] = CONTENT
    refresh: WhenEdited = WhenEdited()
    #: Roles of activities without records of the stream. An unknown role has records.
    lacking_roles: ClassVar[frozenset[str]] = frozenset({PERMALINK})

    def activities(self, campaign: Campaign) -> list[Record]:
        """Return the activities of a campaign that have records of the stream."""
        return [each for each in campaign.activities if role_of(each) not in self.lacking_roles]

    @override
    def child_contexts(self, task: ParentTask[Campaign]) -> Sequence[Context]:
        return [
            {
                self.parent_key: task.parent.id,
                "campaign_activity_id": activity["campaign_activity_id"],
                "role": role_of(activity),
            }
            for activity in self.activities(task.parent)
        ]

    @override
    def fetch_child_records(self) -> Iterable[Record]:
        failed: tuple[FatalAPIError, str] | None = None
        for context in self.child_contexts(self.task):
            try:
                with retries.raise_when_exhausted():
                    yield from self._fetch_activity(context)
            except FatalAPIError as error:
                if not retries.concerns_one_object(error):
                    raise
                # The other activities are read before the campaign counts as failed.
                failed = failed or (error, self.client.requested_url)
                self.client.cancel_prefetch()
        if failed:
            failure, self.client.requested_url = failed
            raise failure
        self._check_detail(self.task.parent)

    def _fetch_activity(self, context: Context) -> Iterable[Record]:
        campaign, role = self.task.parent, context["role"]
        has_records = False
        try:
            for row in self.request_records(context):
                has_records = True
                yield row
        except NotFoundError:
            if self.has_read_pages or self.must_have(campaign, role):
                raise
            self.on_not_found()
        if not has_records and self.is_in_window and self.must_have_records(campaign, role):
            msg = f"{self.client.requested_path} is empty, although the campaign has such records"
            raise MissingRecordsError(msg)

    @property
    def is_in_window(self) -> bool:
        """Return whether the API still keeps the records of the current campaign."""
        period, sent = self.run.period, self.task.parent.sent_date
        return period.window is None or sent is None or sent + period.window > period.started_at

    def must_have_records(self, campaign: Campaign, role: str) -> bool:
        """Return whether an activity must have records."""
        return False

    @override
    def means_no_records(self, error: FatalAPIError) -> bool:
        return False

    def must_have(self, campaign: Campaign, role: str) -> bool:
        """Return whether a 404 for an activity is an error."""
        return self.refresh.must_have(campaign) and role in KNOWN_ROLES

    def _check_detail(self, campaign: Campaign) -> None:
        """Make sure that a detail named the campaign's activities.

        Raises:
            MissingRecordsError: It lacks some of what it must have.
        """
        seen = CampaignSnapshots.of(self.run).counters_of(campaign).activities
        is_complete = campaign.has_all_activities and seen <= campaign.activity_ids
        if campaign.status != REMOVED and not is_complete:
            path = f"{Campaigns.path}/{campaign.id}"
            msg = f"The campaign's detail ({path}) lacks activities, or their ids"
            raise MissingRecordsError(msg)

    @override
    def preprocess_record(self, row: Record, context: Context | None) -> Record | None:
        row[self.parent_key] = (context or {}).get(self.parent_key)
        return row


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
    def fetch_child_records(self) -> Iterable[Record]:
        for activity in self.task.parent.activities:
            if role_of(activity) not in KNOWN_ROLES:
                yield activity
        yield from super().fetch_child_records()


class CampaignSchedules(ActivityChildStream):
    """Schedules of campaigns. The API keeps none after the sending.

    Scheduling a campaign counts as an edit of it.
    """

    name = "campaign_schedules"
    path = "/emails/activities/{campaign_activity_id}/schedules"
    envelope = envelopes.ARRAY
    primary_keys = ("campaign_activity_id", "scheduled_date")
    refresh = WhenEdited(WHILE_SCHEDULED, needs_summaries=False)

    @override
    def must_have_records(self, campaign: Campaign, role: str) -> bool:
        return role == PRIMARY


class CampaignSendHistory(ActivityChildStream):
    """Send history of campaigns and their resends."""

    name = "campaign_send_history"
    path = "/emails/activities/{campaign_activity_id}/send_history"
    envelope = envelopes.ARRAY
    primary_keys = ("campaign_activity_id", "send_id")
    refresh = WhenEdited(ONCE_SENT)

    @override
    def must_have_records(self, campaign: Campaign, role: str) -> bool:
        return role == PRIMARY and campaign.status == DONE

    @override
    def fetch_child_records(self) -> Iterable[Record]:
        run_dates = []
        for row in super().fetch_child_records():
            run_dates.append(timestamps.parse_or_none(row.get("run_date")))
            yield row
        campaign = self.task.parent
        sent = campaign.last_sent_at
        latest = max(filter(None, run_dates), default=None)
        is_behind = sent and (latest is None or latest + _SHORTEST_RESEND_DELAY / 2 < sent)
        if sent and is_behind and self.is_in_window and campaign.status != REMOVED:
            msg = f"The history lacks the sending of {timestamps.write(sent)}"
            raise MissingRecordsError(msg)


class CampaignResends(ActivityChildStream):
    """Resends to contacts who did not open a campaign."""

    name = "campaign_resends"
    path = "/emails/activities/{campaign_activity_id}/non_opener_resends"
    envelope = envelopes.ARRAY
    primary_keys = ("campaign_activity_id", "resend_request_id")
    refresh = WhenEdited(ONCE_SENT)
    lacking_roles = frozenset({PERMALINK, RESEND})

    @override
    def must_have_records(self, campaign: Campaign, role: str) -> bool:
        return any(role_of(activity) == RESEND for activity in campaign.activities)


class CampaignAbTests(ActivityChildStream):
    """A/B tests of subject lines. A campaign without one returns 404."""

    name = "campaign_ab_tests"
    path = "/emails/activities/{campaign_activity_id}/abtest"
    envelope = envelopes.ONE
    primary_keys = ("campaign_activity_id",)
    refresh = WhenEdited(IF_AB_TEST)
    lacking_roles = frozenset({PERMALINK, RESEND})


class CampaignPreviews(ActivityChildStream):
    """Previews of campaigns as recipients see them: large, one request each."""

    name = "campaign_previews"
    path = "/emails/activities/{campaign_activity_id}/previews"
    envelope = envelopes.ONE
    primary_keys = ("campaign_activity_id",)


class CampaignLinks(ActivityChildStream):
    """Links of campaigns with their clicks, including links without clicks."""

    name = "campaign_links"
    path = "/reports/email_reports/{campaign_activity_id}/links"
    envelope = paged("link_click_counts")
    privileges = REPORTS
    primary_keys = ("campaign_activity_id", "url_id", "link_tag")
    optional_keys = ("link_tag",)
    params: ClassVar[Mapping[str, str]] = {"no_clicks": "true"}
    refresh = WhenLinksChange()


class CampaignActivityStats(ActivityChildStream):
    """Counters of each activity, if any counter of the campaign has changed."""

    name = "campaign_activity_stats"
    path = "/reports/stats/email_campaign_activities/{campaign_activity_ids}"
    envelope = paged("results")
    privileges = REPORTS
    primary_keys = ("campaign_activity_id",)
    refresh = WhenCounted()

    @override
    def child_contexts(self, task: ParentTask[Campaign]) -> Sequence[Context]:
        ids = [activity["campaign_activity_id"] for activity in self.activities(task.parent)]
        return [
            {
                self.parent_key: task.parent.id,
                "campaign_activity_ids": ",".join(batch),
                "role": PRIMARY,
            }
            for batch in batched(ids, _STATS_BATCH)
        ]

    @override
    def fetch_child_records(self) -> Iterable[Record]:
        returned_ids = set()
        for row in super().fetch_child_records():
            returned_ids.add(envelopes.id_of(row.get("campaign_activity_id")))
            yield row
        campaign = self.task.parent
        for activity in self.activities(campaign):
            activity_id, role = activity["campaign_activity_id"], role_of(activity)
            # A resend may not have been sent yet.
            is_needed = role == PRIMARY and self.must_have(campaign, role)
            if is_needed and activity_id not in returned_ids:
                msg = f"The API has no counters for activity {activity_id}"
                raise MissingRecordsError(msg)

    @override
    def preprocess_record(self, row: Record, context: Context | None) -> Record | None:
        return with_plain_names(row)
