"""Activities on landing pages (docs/api/v3.md §13)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from singer_sdk.exceptions import FatalAPIError
from typing_extensions import override

from tap_constantcontact.http import retries
from tap_constantcontact.stream import ConstantContactStream
from tap_constantcontact.v3.envelopes import paged

if TYPE_CHECKING:
    from collections.abc import Iterable

    from singer_sdk.helpers.types import Context, Record

_REPORTS = (
    "p_contact_opens",
    "p_unique_contact_clicks",
    "p_unique_contact_updates",
    "p_unique_contact_adds",
    "p_unique_contact_sms_optins",
)


class LandingPageEvents(ConstantContactStream):
    """Opens, clicks, updates and sign-ups of the landing pages that the settings name.

    No call lists landing pages. All opens are read, so those of each contact once are left out.
    """

    name = "landing_page_events"
    path = "/reports/landing_pages/campaign_details/{campaign_activity_id}/{report}"
    envelope = paged("tracking_activities")
    privileges = ("ui:campaign:metrics",)
    primary_keys = (
        "campaign_activity_id",
        "contact_id",
        "tracking_activity_type",
        "url_id",
        "created_time",
        "row_number",
    )
    optional_keys = ("url_id",)
    page_size = 500
    context_label = "reports, with at least one request each"
    state_partitioning_keys = ()
    reports: ClassVar[tuple[str, ...]] = _REPORTS

    @property
    @override
    def partitions(self) -> list[dict[str, str]]:
        """Each report of each page."""
        pages = dict.fromkeys(map(str, self.config.get("landing_page_ids") or ()))
        return [
            {"campaign_activity_id": page, "report": report}
            for page in pages
            for report in self.reports
        ]

    @override
    def fetch_records(self, context: Context | None) -> Iterable[Record]:
        page = context["campaign_activity_id"] if context else ""
        try:
            with retries.raise_when_exhausted():
                yield from super().fetch_records(context)
        except FatalAPIError as error:
            self.skip_object(page, error)
