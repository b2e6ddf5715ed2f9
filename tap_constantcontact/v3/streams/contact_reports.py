"""Reports per contact: one request for each, and so optional (docs/api/v3.md §13)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from typing_extensions import override

from tap_constantcontact.http import envelopes
from tap_constantcontact.partitioned import PartitionedStream
from tap_constantcontact.records import timestamps
from tap_constantcontact.v3.envelopes import paged
from tap_constantcontact.v3.streams.contacts import Contacts
from tap_constantcontact.v3.streams.outreach import FIVE_YEARS

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping


# All that a contact can be told to have done (docs/api/v3.md §13).
_TYPES = (
    "em_sends,em_opens,em_clicks,em_bounces,em_optouts,em_forwards,"
    "p_contact_open,p_contact_click,p_contact_add,p_contact_update"
)


class ContactReportStream(PartitionedStream):
    """A report on every contact, deleted ones too."""

    privileges: ClassVar[tuple[str, ...]] = ("ui:campaign:metrics", "contacts:read")
    parents_path = Contacts.path
    parents_stream = Contacts.name
    parents_envelope = Contacts.envelope
    parent_id_field = "contact_id"
    parent_field = "contact_id"
    competing_streams: ClassVar[tuple[str, ...]] = (
        "contact_activity",
        "contact_summaries",
        "contact_campaign_summaries",
    )

    @override
    def list_params(self) -> Mapping[str, Any]:
        # As of the run's beginning, so that nothing shifts while it is paged.
        return {"status": "all", "created_before": timestamps.write(self.run.session.started_at)}

    @property
    def _last_five_years(self) -> dict[str, str]:
        started_at = self.run.session.started_at
        return {
            "start": timestamps.write(started_at - FIVE_YEARS),
            "end": timestamps.write(started_at),
        }


class ContactActivity(ContactReportStream):
    """Activities of contacts, without links, devices and bounce codes."""

    name = "contact_activity"
    path = "/reports/contact_reports/{contact_id}/activity_details"
    envelope = paged("tracking_activities")
    primary_keys = (
        "contact_id",
        "campaign_activity_id",
        "tracking_activity_type",
        "created_time",
        "row_number",
    )
    page_size = 100

    @override
    def parent_params(self, since: dt.datetime | None) -> dict[str, Any]:
        return {"tracking_activities_list": _TYPES}


class ContactSummaries(ContactReportStream):
    """Open and click rates of contacts."""

    name = "contact_summaries"
    path = "/reports/contact_reports/{contact_id}/open_and_click_rates"
    envelope = envelopes.ONE
    primary_keys = ("contact_id",)

    @override
    def parent_params(self, since: dt.datetime | None) -> dict[str, Any]:
        return self._last_five_years


class ContactCampaignSummaries(ContactReportStream):
    """Counters of contacts by campaign."""

    name = "contact_campaign_summaries"
    path = "/reports/contact_reports/{contact_id}/activity_summary"
    envelope = paged("campaign_activities")
    primary_keys = ("contact_id", "campaign_activity_id")

    @override
    def parent_params(self, since: dt.datetime | None) -> dict[str, Any]:
        return self._last_five_years


class SmsEngagement(ContactReportStream):
    """Consent history of contacts for text messages."""

    name = "sms_engagement"
    path = "/contacts/sms_engagement_history/{contact_id}"
    envelope = envelopes.ARRAY
    privileges = ("contacts:read",)
    primary_keys = ("sms_channel_history_id",)
    competing_streams = ()
