"""Campaigns as the API returns them: status, activities, counters (docs/api/v3.md §10)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from tap_constantcontact.http import envelopes
from tap_constantcontact.records import timestamps
from tap_constantcontact.state.ids import fingerprint
from tap_constantcontact.v3.campaign_metrics import sent_at
from tap_constantcontact.v3.counters import counts_of, short_activity_id

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Mapping

    from singer_sdk.helpers.types import Record

# Only these were not sent. A status that nobody foresaw is taken for one that was.
_UNSENT = frozenset({"draft", "scheduled"})
REMOVED = "removed"
# The web copy of an email: it has no detail, and no reports.
PERMALINK = "permalink"
PRIMARY, RESEND = "primary_email", "resend"
KNOWN_ROLES = frozenset({PRIMARY, RESEND})
# Campaigns that certainly were sent, or are being sent.
DONE = "done"
_SENT = frozenset({DONE, "executing"})
# The type of campaigns that are A/B tests.
_AB_TEST = 57
# What is known of a campaign beside the fields of its list and detail.
SUMMARY, STATS, ACTIVITIES = "_summary", "_stats", "campaign_activities"
EDIT = "_edit"
INTERNAL_FIELDS = frozenset({"id", SUMMARY, STATS, EDIT, ACTIVITIES})


def status_of(campaign: Record) -> str:
    """A campaign's status: in lists in title case, in details in upper case."""
    return str(campaign.get("current_status") or "").lower()


def was_sent(campaign: Record) -> bool:
    """Return whether a campaign may have been sent, by its summary or its status."""
    return bool(campaign.get(SUMMARY)) or status_of(campaign) not in {*_UNSENT, REMOVED}


def sent_date(campaign: Record) -> dt.datetime | None:
    """Return the last sending of a campaign, as far as known."""
    result = sent_at(campaign.get(SUMMARY))
    return result or timestamps.parse_or_none(campaign.get("updated_at"))


def counters_in(campaign: Record) -> dict[str, int]:
    """Return the current counters of a campaign, by kind."""
    return counts_of(envelopes.fields_of(campaign.get(STATS)).get("stats"))


def edit_hash(campaign: Record) -> str:
    """Return a hash of the last edit and the last sending of a campaign."""
    sent = sent_at(campaign.get(SUMMARY))
    return fingerprint(f"{campaign.get('updated_at')} {sent}")[:6]


def role_of(activity: Record) -> str:
    """The role of an activity in a campaign's detail, in lower case."""
    return str(activity.get("role") or "").strip().lower()


def order_of(campaign: Record) -> str:
    """Return the sort key of a campaign: its creation, or its last sending."""
    summary = envelopes.fields_of(campaign.get(SUMMARY))
    return str(campaign.get("created_at") or summary.get("last_sent_date"))


def with_metrics(
    parents: list[Record], summaries: Mapping[str, Record], stats: Mapping[str, Record]
) -> list[Record]:
    """Return campaigns with their summaries, counters and edit hashes."""
    rows = (
        {**parent, SUMMARY: summaries.get(parent["id"]), STATS: stats.get(parent["id"])}
        for parent in parents
    )
    return [{**row, EDIT: edit_hash(row)} for row in rows]


def activities_in(campaign: Record) -> list[Record]:
    """The activities that a campaign's detail names, with their ids as text."""
    return list(
        envelopes.with_string_ids(
            envelopes.objects(campaign.get(ACTIVITIES)), lambda: None, "campaign_activity_id"
        )
    )


def activity_ids_in(campaign: Record) -> frozenset[str]:
    """Return the short ids of the activities in a campaign's detail."""
    ids = (activity["campaign_activity_id"] for activity in activities_in(campaign))
    return frozenset(map(short_activity_id, ids))


class Availability(NamedTuple):
    """Condition of a stream on campaigns.

    Attributes:
        may_have: Returns whether a campaign may have it. Others are not requested.
        must_have: Returns whether a 404 is an error.
    """

    may_have: Callable[[Record], bool]
    must_have: Callable[[Record], bool]


def _is_not_removed(campaign: Record) -> bool:
    return status_of(campaign) != REMOVED


def _is_scheduled(campaign: Record) -> bool:
    return status_of(campaign) == "scheduled"


def _is_certainly_sent(campaign: Record) -> bool:
    is_sent = bool(campaign.get(SUMMARY)) or status_of(campaign) in _SENT
    return is_sent and _is_not_removed(campaign)


def _is_ab_test(campaign: Record) -> bool:
    is_test = envelopes.count_of(campaign.get("type_code")) == _AB_TEST
    return is_test and _is_not_removed(campaign)


#: Content. Nothing is left of that of removed campaigns.
UNTIL_REMOVED = Availability(_is_not_removed, _is_not_removed)
#: Schedules. The API keeps none after the sending.
WHILE_SCHEDULED = Availability(_is_scheduled, _is_not_removed)
#: Reports.
ONCE_SENT = Availability(was_sent, _is_certainly_sent)
#: A/B tests. Only the detail tells which campaigns have one.
IF_AB_TEST = Availability(_is_not_removed, _is_ab_test)
