"""Campaigns: status, activities, counters (docs/api/v3.md §10, §11)."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple, Self

from typing_extensions import override

from tap_constantcontact.http import envelopes
from tap_constantcontact.records import timestamps
from tap_constantcontact.refresh import Parent
from tap_constantcontact.state.ids import fingerprint
from tap_constantcontact.v3.campaign_metrics import CampaignMetrics
from tap_constantcontact.v3.counters import counts_of, short_activity_id

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable

    from singer_sdk.helpers.types import Record

REMOVED, SCHEDULED, DONE = "removed", "scheduled", "done"
# Only these were not sent. A status that nobody foresaw is taken for one that was.
_UNSENT = frozenset({"draft", SCHEDULED})
# Campaigns that certainly were sent, or are being sent.
_SENT = frozenset({DONE, "executing"})
# The web copy of an email: it has no detail, and no reports.
PERMALINK = "permalink"
PRIMARY, RESEND = "primary_email", "resend"
KNOWN_ROLES = frozenset({PRIMARY, RESEND})
# The type of campaigns that are A/B tests.
_AB_TEST = 57
#: Field of the detail with the activities. The list has it in samples only.
ACTIVITIES = "campaign_activities"


@dataclass(frozen=True)
class Campaign(Parent):
    """A campaign.

    Attributes:
        metrics: The summaries and counters of all campaigns, as far as they were requested.
        detail: Its detail; None if that was not requested.
    """

    metrics: CampaignMetrics = field(default_factory=CampaignMetrics, repr=False)
    detail: Record | None = None

    @override
    def with_detail(self, detail: Record) -> Self:
        # The detail writes the status in another case than the list does.
        return dataclasses.replace(self, record={**detail, **self.record}, detail=detail)

    @property
    def summary(self) -> Record | None:
        """Its summary; None if it was not sent, or if there is no access."""
        return self.metrics.summaries.get(self.id)

    @property
    def status(self) -> str:
        """Its status: in lists in title case, in details in upper case."""
        return str(self.record.get("current_status") or "").lower()

    @property
    def was_sent(self) -> bool:
        """True if it may have been sent, by its summary or its status."""
        return bool(self.summary) or self.status not in {*_UNSENT, REMOVED}

    @property
    def is_certainly_sent(self) -> bool:
        """True if it was sent, and has reports."""
        return (bool(self.summary) or self.status in _SENT) and self.status != REMOVED

    @property
    def is_ab_test(self) -> bool:
        """True if it is an A/B test."""
        return envelopes.count_of(self.record.get("type_code")) == _AB_TEST

    @property
    def last_sent_at(self) -> dt.datetime | None:
        """Its last sending by its summary; None if that is not known."""
        return timestamps.parse_or_none((self.summary or {}).get("last_sent_date"))

    @property
    def sent_date(self) -> dt.datetime | None:
        """Its last sending, or its last edit; None if neither is known."""
        return self.last_sent_at or timestamps.parse_or_none(self.record.get("updated_at"))

    @cached_property
    def counters(self) -> dict[str, int]:
        """Its current counters, by kind."""
        return counts_of(envelopes.fields_of(self.metrics.stats.get(self.id)).get("stats"))

    def counted(self, kind: str) -> int | None:
        """Return a counter: of records if the campaign is in the window, else of people."""
        unique_counts = envelopes.fields_of((self.summary or {}).get("unique_counts"))
        records, people = self.counters.get(kind), envelopes.count_of(unique_counts.get(kind))
        return people if records is None else max(records, people or 0)

    @cached_property
    def edit_hash(self) -> str:
        """A hash of its last edit and its last sending."""
        return fingerprint(f"{self.record.get('updated_at')} {self.last_sent_at}")[:6]

    @property
    def sort_key(self) -> str:
        """Its creation, or its last sending."""
        sent = (self.summary or {}).get("last_sent_date")
        return str(self.record.get("created_at") or sent)

    @cached_property
    def activities(self) -> list[Record]:
        """The activities that its detail names, with their ids as text."""
        rows = envelopes.objects((self.detail or {}).get(ACTIVITIES))
        return list(envelopes.with_string_ids(rows, lambda: None, "campaign_activity_id"))

    @property
    def has_all_activities(self) -> bool:
        """True if its detail names activities, each with its id, and not only the web copy."""
        named = (self.detail or {}).get(ACTIVITIES)
        has_content = any(role_of(activity) != PERMALINK for activity in self.activities)
        return isinstance(named, list) and len(self.activities) == len(named) and has_content

    @cached_property
    def activity_ids(self) -> frozenset[str]:
        """The short ids of its activities."""
        ids = (activity["campaign_activity_id"] for activity in self.activities)
        return frozenset(map(short_activity_id, ids))


def role_of(activity: Record) -> str:
    """The role of an activity in a campaign's detail, in lower case."""
    return str(activity.get("role") or "").strip().lower()


class Availability(NamedTuple):
    """Condition of a stream on campaigns.

    Attributes:
        may_have: Returns whether a campaign may have it. Others are not requested.
        must_have: Returns whether a 404 is an error.
    """

    may_have: Callable[[Campaign], bool]
    must_have: Callable[[Campaign], bool]


def _is_not_removed(campaign: Campaign) -> bool:
    return campaign.status != REMOVED


#: The campaign itself.
ALWAYS = Availability(lambda _: True, _is_not_removed)
#: Content. Nothing is left of that of removed campaigns.
UNTIL_REMOVED = Availability(_is_not_removed, _is_not_removed)
#: Schedules. The API keeps none after the sending.
WHILE_SCHEDULED = Availability(lambda campaign: campaign.status == SCHEDULED, _is_not_removed)
#: Reports.
ONCE_SENT = Availability(
    lambda campaign: campaign.was_sent, lambda campaign: campaign.is_certainly_sent
)
#: A/B tests. Only the detail tells which campaigns have one.
IF_AB_TEST = Availability(
    _is_not_removed, lambda campaign: campaign.is_ab_test and campaign.status != REMOVED
)
