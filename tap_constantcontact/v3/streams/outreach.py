"""Automations, social profiles and text messages (docs/api/v3.md §13, §14)."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from typing_extensions import override

from tap_constantcontact.http import envelopes
from tap_constantcontact.records import timestamps
from tap_constantcontact.stream import ConstantContactStream
from tap_constantcontact.v3.detail_on_change import DetailOnChangeStream
from tap_constantcontact.v3.envelopes import paged

if TYPE_CHECKING:
    from singer_sdk.helpers.types import Context

#: Reports reach no further back where no date is given.
FIVE_YEARS = dt.timedelta(days=5 * 365)


class Automations(DetailOnChangeStream):
    """Paths that contacts go along by themselves; their steps take a call where one was edited."""

    name = "automations"
    path = "/automations/workflows"
    envelope = paged("flow_summaries")
    privileges = ("customer-journey:read",)
    primary_keys = ("id",)
    replication_key = "update_date"
    listed = (
        "id", "name", "description", "status", "active_state", "draft_state", "template_id",
        "created_by_id", "created_date", "promoted_by_id", "promoted_date", "update_date",
        "structured_tags",
    )  # fmt: skip


class SocialProfiles(ConstantContactStream):
    """Profiles in social networks that are connected to the account."""

    name = "social_profiles"
    path = "/social/profiles"
    envelope = envelopes.ARRAY
    privileges = ("campaign:read",)
    primary_keys = ("profile_id",)


class SmsSummaries(ConstantContactStream):
    """Summaries of text message campaigns. Their counters keep changing, so all are read."""

    name = "sms_summaries"
    path = "/reports/summary_reports/sms_campaign_summaries"
    envelope = paged("bulk_sms_campaign_summaries")
    privileges = ("ui:campaign:metrics",)
    primary_keys = ("campaign_id",)
    page_size = 50
    sampled_pages = 1

    @override
    def get_url_params(
        self, context: Context | None, next_page_token: str | None
    ) -> dict[str, str]:
        return {
            "start_at": timestamps.write(
                self.run.period.start_date or self.run.session.started_at - FIVE_YEARS
            )
        }
