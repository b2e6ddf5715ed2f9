"""Reports per contact: one request for each, and so optional."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from typing_extensions import override

from tap_constantcontact.http import envelopes
from tap_constantcontact.partitioned import PartitionedStream
from tap_constantcontact.records import timestamps
from tap_constantcontact.v2.envelopes import PAGED
from tap_constantcontact.v2.streams.contacts import Contacts

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping

    from singer_sdk.helpers.types import Context, Record


_DATES = {
    "EMAIL_SEND": "send_date",
    "EMAIL_OPEN": "open_date",
    "EMAIL_CLICK": "click_date",
    "EMAIL_BOUNCE": "bounce_date",
    "EMAIL_FORWARD": "forward_date",
    "EMAIL_UNSUBSCRIBE": "unsubscribe_date",
}


class ContactReportStream(PartitionedStream):
    """A report on every contact."""

    parents_path = Contacts.path
    parents_stream = Contacts.name
    parents_envelope = PAGED
    parent_id_field = "id"
    parent_field = "contact_id"
    competing_streams = ("contact_activity", "contact_summaries", "contact_campaign_summaries")

    @override
    def list_params(self) -> Mapping[str, Any]:
        return {"status": "ALL"}

    @override
    def parent_params(self, since: dt.datetime | None) -> dict[str, Any]:
        return {"created_since": timestamps.write(since)} if since else {}


class ContactActivity(ContactReportStream):
    """Activities of contacts over all campaigns (docs/api/v2.md §10)."""

    name = "contact_activity"
    path = "/contacts/{contact_id}/tracking"
    primary_keys = ("contact_id", "activity_type", "campaign_id", "occurred_at", "link_id")
    # Only clicks have a link.
    optional_keys = ("campaign_id", "link_id")
    replication_key = "occurred_at"
    page_size = 500

    @override
    def preprocess_record(self, row: Record, context: Context | None) -> Record | None:
        happened = row.get(_DATES.get(str(row.get("activity_type")), ""))
        if not timestamps.is_since(happened, context["since"] if context else None):
            return None
        return {**row, "occurred_at": happened}


class ContactSummaries(ContactReportStream):
    """Counters of contacts (docs/api/v2.md §10)."""

    name = "contact_summaries"
    path = "/contacts/{contact_id}/tracking/reports/summary"
    envelope = envelopes.ONE
    primary_keys = ("contact_id",)


class ContactCampaignSummaries(ContactReportStream):
    """The same by campaign, without sends (docs/api/v2.md §10)."""

    name = "contact_campaign_summaries"
    path = "/contacts/{contact_id}/tracking/reports/summaryByCampaign"
    envelope = envelopes.ARRAY
    primary_keys = ("contact_id", "campaign_id")
