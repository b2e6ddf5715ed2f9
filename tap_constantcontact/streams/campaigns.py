"""E-mail campaigns, what is inside them, and which of their reports are due."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from typing import TYPE_CHECKING, Any, cast

from typing_extensions import override

from tap_constantcontact.api import bodies, times
from tap_constantcontact.client import ConstantContactStream
from tap_constantcontact.walk import PartStream, WalkedStream, WalkingStream

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from singer_sdk.helpers.types import Context, Record

    from tap_constantcontact.walk import Detail, ReadTo

# All that a list row of a campaign has; the rest takes a call per campaign.
_LISTED = frozenset({"id", "name", "status", "modified_date"})
# Only these were not sent, and so have no tracking data (API docs: Campaign tracking). A status
# that nobody foresaw is taken for one that has.
_UNSENT = frozenset({"DRAFT", "SCHEDULED"})
_SENT = "SENT"
_DELETED = "DELETED"
# Sent campaigns are listed by their last run, newest first (API docs: Campaigns collection): if the
# tracking of so many in a row has ended, so has that of those below.
_ENDED_IN_A_ROW = 2


class CampaignFamilyStream(WalkedStream):
    """Campaigns and their parts."""

    def covers(self, campaign: Record) -> bool:  # noqa: ARG002 - others do
        """Whether the stream has rows of campaigns in this one's status."""
        return True

    @override
    def is_due(self, member: Record, read_to: dt.datetime | None) -> bool:
        if not self.covers(member):
            return False
        return self.has_changed(member, read_to) or (
            read_to is None and self.was_sent_since_start(member)
        )

    def has_changed(self, campaign: Record, read_to: dt.datetime | None) -> bool:
        """Whether a campaign was edited since it was read, or since `start_date`."""
        oldest = self.with_lookback(read_to) if read_to else self.start_date
        modified = times.parse_or_none(campaign.get("modified_date"))
        return oldest is None or modified is None or modified >= oldest

    def was_sent_since_start(self, campaign: Record) -> bool:
        """Whether a campaign was sent after `start_date`; true as well if nobody knows."""
        if not is_tracked(campaign):
            return False
        sent = sent_date(campaign)
        return self.start_date is None or sent is None or sent >= self.start_date

    def may_grow(self, campaign: Record, read_to: dt.datetime | None, days: int) -> bool:
        """Whether a sent campaign's window of so many days was still open when it was read."""
        if not is_tracked(campaign) or read_to is None:
            return False
        sent = sent_date(campaign)
        if campaign["status"] != _SENT or not days:
            return True
        return sent is not None and read_to < sent + dt.timedelta(days=days)

    @property
    def needs_detail(self) -> bool:
        """Whether the rows hold anything that only a campaign's detail has."""
        return False

    def needs_last_run(self, read_to: dt.datetime | None) -> bool:  # noqa: ARG002 - others do
        """Whether it takes a campaign's detail to tell if it is due."""
        return False


def is_tracked(campaign: Record) -> bool:
    """Whether a campaign may have tracking data."""
    return campaign["status"] not in _UNSENT


def sent_date(campaign: Record) -> dt.datetime | None:
    """When a campaign was sent last, as its detail says."""
    return times.parse_or_none(campaign.get("last_run_date")) or times.parse_or_none(
        campaign.get("created_date")
    )


class GrowingCampaignStream(CampaignFamilyStream):
    """What the API goes on counting while a campaign's window is open."""

    @override
    def is_due(self, member: Record, read_to: dt.datetime | None) -> bool:
        return super().is_due(member, read_to) or self.may_grow(member, read_to, self.window)


class Campaigns(GrowingCampaignStream, WalkingStream):
    """Campaigns, list and detail merged, and in their wake all that belongs to a campaign.

    The walk goes down those being sent, those sent, newest first, and those yet to be sent. Two
    lists are read: of those sent, since only that one is in the order of sending, and of all, since
    a status that nobody foresaw is in no other (API docs: Campaigns collection).
    """

    name = "campaigns"
    path = "/emailmarketing/campaigns"
    primary_keys = ("id",)
    replication_key = "modified_date"
    page_size = 50
    member_key = "campaign_id"

    @override
    def get_url_params(
        self, context: Context | None, next_page_token: str | None
    ) -> dict[str, Any]:
        return dict(context or {})

    @override
    def listed(self, family: Sequence[WalkedStream]) -> list[Record]:
        sent = self._with_status(_SENT)
        # What is sent in between has left the one list and not come into the other.
        others = {each: row for each, row in self._with_status("ALL").items() if each not in sent}
        self._ended: Counter[Any] = Counter()
        tracked = [row for row in others.values() if is_tracked(row)]
        # These change places whenever they are edited. Newer ones have higher ids.
        unsent = [row for row in others.values() if not is_tracked(row)]
        unsent.sort(key=lambda each: each["id"].zfill(20), reverse=True)
        return [*tracked, *sent.values(), *unsent]

    def _with_status(self, status: str) -> dict[str, Record]:
        found: dict[str, Record] = {}
        for row in self.identified(self.request_records({"status": status})):
            found.setdefault(row["id"], {**row, "status": row.get("status") or status})
        return found

    @override
    def gone_since(self, moment: dt.datetime | None) -> Iterable[str]:
        rows = self._with_status(_DELETED).values()
        return [row["id"] for row in rows if moment and self.has_changed(row, moment)]

    @override
    def visit(self, member: Record, read_to: ReadTo, detail: Detail) -> Record | None:
        # The order of the list says something only among campaigns read at the same moments.
        part = tuple(read_to.values())
        tracked = is_tracked(member)
        family = {each: read_to[each] for each in _campaign_streams(read_to) if each.covers(member)}
        if tracked and self._ended[part] < _ENDED_IN_A_ROW:
            wanting = list(family)
        elif tracked:
            wanting = [each for each, to in family.items() if each.has_changed(member, to)]
        else:
            wanting = [each for each, to in family.items() if each.is_due(member, to)]
        if not wanting:
            return None
        needed = (
            any(each.needs_detail or each.needs_last_run(to) for each, to in family.items())
            if tracked
            else any(each.needs_detail for each in wanting)
        )
        found = detail(member) if needed else member
        if found is None:
            return None
        self.due = {each.name: to for each, to in family.items() if each.is_due(found, to)}
        if member["status"] == _SENT:
            self._ended[part] = 0 if self.due else self._ended[part] + 1
        return found if self.due else None

    @property
    @override
    def needs_detail(self) -> bool:
        return self.selects_beyond(_LISTED)


class DeletedCampaigns(ConstantContactStream):
    """Campaigns that were deleted, as long as the API lists them (API docs: Campaigns collection).

    They have no detail any more. A stream of its own, since a row with these few fields would empty
    the others of what was known of the campaign.
    """

    name = "deleted_campaigns"
    path = Campaigns.path
    primary_keys = ("id",)
    page_size = 50

    @override
    def get_url_params(
        self, context: Context | None, next_page_token: str | None
    ) -> dict[str, Any]:
        return {"status": _DELETED}

    @override
    def adapt(self, row: Record, context: Context | None) -> Record | None:
        # All of them say that they are deleted.
        return {name: held for name, held in row.items() if name != "status"}


def _campaign_streams(streams: Iterable[WalkedStream]) -> list[CampaignFamilyStream]:
    return cast("list[CampaignFamilyStream]", list(streams))


class CampaignPartStream(CampaignFamilyStream, PartStream):
    """Something of one campaign."""

    parent_stream_type = Campaigns


class CampaignLinks(CampaignPartStream, GrowingCampaignStream):
    """Links in a campaign with their clicks; they come in its detail and cost no call."""

    name = "campaign_links"
    path = ""
    primary_keys = ("campaign_id", "url_uid")

    @override
    def covers(self, campaign: Record) -> bool:
        return is_tracked(campaign)

    @property
    @override
    def needs_detail(self) -> bool:
        return True

    @override
    def read_part(self, context: Context | None) -> Iterable[Record]:
        return bodies.objects(self.walker.current.get("click_through_details"))


class CampaignSchedules(CampaignPartStream):
    """When a campaign will be sent; past schedules are not kept (API docs: Campaign schedules)."""

    name = "campaign_schedules"
    path = "/emailmarketing/campaigns/{campaign_id}/schedules"
    envelope = bodies.ARRAY
    primary_keys = ("campaign_id", "id")

    @override
    def covers(self, campaign: Record) -> bool:
        return bool(campaign["status"] == "SCHEDULED")

    @override
    def is_due(self, member: Record, read_to: dt.datetime | None) -> bool:
        return self.covers(member)


class CampaignPreviews(CampaignPartStream):
    """A campaign as its recipients see it: large, and a call each (API docs: Campaign preview)."""

    name = "campaign_previews"
    path = "/emailmarketing/campaigns/{campaign_id}/preview"
    envelope = bodies.ONE
    primary_keys = ("campaign_id",)
