"""Campaigns, what was written for them, and which of their reports are due (API docs: v3 §10).

A campaign is a hull: name, status, dates. Its activities hold what was written, and are what
reports are about: the mail itself, and resends of it.
"""

from __future__ import annotations

import datetime as dt
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, cast

from typing_extensions import override

from tap_constantcontact.http import bodies
from tap_constantcontact.http.refusals import Verdict
from tap_constantcontact.http.retries import RefusedError
from tap_constantcontact.records import times
from tap_constantcontact.state.known import Known, Seen
from tap_constantcontact.state.owner import fingerprint
from tap_constantcontact.state.revisits import token
from tap_constantcontact.v3.batches import batched
from tap_constantcontact.v3.bodies import paged
from tap_constantcontact.v3.counters import (
    KINDS,
    counts_of,
    read_counts,
    with_plain_names,
    write_counts,
)
from tap_constantcontact.v3.stream import V3Stream
from tap_constantcontact.v3.sums import Sums, sent_at, unique_count
from tap_constantcontact.walk import Need, PartStream, WalkedStream, WalkingStream

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Mapping, Sequence

    from singer_sdk.helpers.types import Context, Record

    from tap_constantcontact.http.ahead import Call, Outlook
    from tap_constantcontact.state.passes import Pass, ReadTo
    from tap_constantcontact.walk import Visit

# Only these were not sent. A status that nobody foresaw is taken for one that was.
_UNSENT = frozenset({"draft", "scheduled"})
_REMOVED = "removed"
# Activities of other roles have no reports.
_MAILED = frozenset({"primary_email", "resend"})
_PRIMARY = frozenset({"primary_email"})
# What the walk knows of a campaign beside its row.
_SUMMARY, _STATS, _ACTIVITIES = "_summary", "_stats", "campaign_activities"
_BESIDE = frozenset({"id", _SUMMARY, _STATS, _ACTIVITIES})


def status_of(campaign: Record) -> str:
    """A campaign's status: in lists in title case, in details in upper case."""
    return str(campaign.get("current_status") or "").lower()


def was_sent(campaign: Record) -> bool:
    """Whether a campaign may have been sent: it is in the summaries, or its status says so."""
    return bool(campaign.get(_SUMMARY)) or status_of(campaign) not in {*_UNSENT, _REMOVED}


def sent_date(campaign: Record) -> dt.datetime | None:
    """When a campaign was sent last, as far as is known."""
    found = sent_at(campaign.get(_SUMMARY))
    return found or times.parse_or_none(campaign.get("updated_at"))


def counts_in(campaign: Record) -> dict[str, int]:
    """What is counted of a campaign by now, by kind."""
    stats = campaign.get(_STATS)
    return counts_of(stats.get("stats")) if stats else {}


def _edit_of(campaign: Record) -> str:
    """What stands for the edit, and the sending, that a campaign has seen last."""
    sent = sent_at(campaign.get(_SUMMARY))
    return fingerprint(f"{campaign.get('updated_at')} {sent}")[:6]


class CampaignFamilyStream(WalkedStream):
    """Campaigns and their parts."""

    #: Whether it takes the summaries and counters of campaigns to tell what is due.
    needs_sums: ClassVar[bool] = False
    #: Whether a campaign's activities are what is asked.
    needs_activities: ClassVar[bool] = True

    @override
    def is_due(self, member: Record, read_to: dt.datetime | None) -> bool:
        return self.has_changed(member, read_to)

    def has_changed(self, campaign: Record, read_to: dt.datetime | None) -> bool:
        """Whether a campaign was edited since it was read, or since `start_date`."""
        if read_to and (seen := self.edits.as_read(campaign["id"], read_to)):
            # The look-back would read it again each time.
            return seen.text != _edit_of(campaign)
        return self.is_since(campaign, self.with_lookback(read_to) if read_to else self.start_date)

    def is_since(self, campaign: Record, moment: dt.datetime | None) -> bool:
        """Whether what the stream reads of a campaign was made after a moment."""
        return times.is_since(campaign.get("updated_at"), moment)

    @property
    def edits(self) -> Known:
        """Of campaigns that were edited lately, which edit was read; all streams share it."""
        state = self.run.bookmarks_of(Campaigns.name).get("edits")
        return self.run.once("edits", lambda: Known(state))

    def was_sent_since(self, campaign: Record, moment: dt.datetime | None) -> bool:
        """Whether a campaign was sent, or sent again, after a moment."""
        sent = sent_date(campaign)
        return was_sent(campaign) and (moment is None or sent is None or sent >= moment)

    @property
    def counters(self) -> Known:
        """The counters of campaigns as of when they were last read; all streams share them."""
        state = self.run.bookmarks_of(Campaigns.name).get("known")
        return self.run.once("counters", lambda: Known(state))

    @cached_property
    def sums(self) -> Sums:
        """Sums over campaigns, as this stream asks for them."""
        return Sums(self)


class Campaigns(V3Stream, CampaignFamilyStream, WalkingStream):
    """Campaigns, removed ones too, and in their wake all that belongs to them.

    The list is read whole, 500 a call, since no order of it can be relied on. Which reports are
    due is told by summaries and counters, before anything is asked of a campaign.
    """

    name = "campaigns"
    path = "/emails"
    envelope = paged("campaigns")
    privileges = ("campaign:read",)
    primary_keys = ("campaign_id",)
    replication_key = "updated_at"
    page_size = 500
    member_key = "campaign_id"
    id_field = "campaign_id"
    needs_activities = False

    @property
    def _needs_sums(self) -> bool:
        streams = cast("list[CampaignFamilyStream]", list(self.family.values()))
        return self.sums.are_open and any(each.needs_sums for each in streams)

    @override
    def arrange(self, lists: Sequence[list[Record]]) -> list[Record]:
        by_id = {row["id"]: row for rows in lists for row in rows}
        # Pages are numbered, and a campaign that comes in meanwhile shifts them: sorted again.
        return sorted(by_id.values(), key=lambda row: str(row.get("created_at")), reverse=True)

    @override
    def mark_of(self, member: Record) -> str:
        return token(member["id"])

    @override
    def listed(self) -> list[Record]:
        members = super().listed()
        if not self._needs_sums:
            return members
        return _with_sums(members, self.sums.summaries(), self.sums.stats())

    @override
    def listed_ahead(self) -> Generator[Call | None, None, list[Record]]:
        members = yield from super().listed_ahead()
        if not self._needs_sums:
            return members
        found = yield from self.sums.ahead(stats=True)
        return _with_sums(members, *found)

    @override
    def needed(self, member: Record, read_to: ReadTo, idle: int) -> Need:
        due = self.due(member, read_to)
        if not due:
            return Need.NOTHING
        streams = [cast("CampaignFamilyStream", self.family[name]) for name in due]
        return Need.DETAIL if any(s.needs_activities for s in streams) else Need.LIST_ROW

    @override
    def ask_detail(self, member: Record) -> Record | None:
        found = super().ask_detail(member)
        # The detail writes the status in another case than the list does.
        return found and {**found, **member}

    @override
    def adapt(self, row: Record, context: Context | None) -> Record | None:
        return {name: held for name, held in row.items() if name not in _BESIDE}

    # -- counters ---------------------------------------------------------------------------

    @override
    def settle(self, going: Pass, position: int, visit: Visit, read_to: ReadTo) -> None:
        member, moment = visit.member, going.moment
        lately = self.with_lookback(moment)
        is_late = self.is_since(member, lately) or self.was_sent_since(member, lately)
        if visit.due or not is_late:
            # What some have read of it before in this pass was perhaps another edit.
            is_same = is_late and going.is_for_all(read_to)
            self._edits_now.put(member["id"], Seen(moment, _edit_of(member)) if is_same else None)
        if not self._needs_sums or not was_sent(member):
            return
        window, sent = self.sums.window, sent_date(member)
        is_over = window is not None and sent is not None and sent + window <= moment
        counted = None if is_over else self._counted(member, visit, read_to, moment)
        self._counters_now.put(member["id"], counted)

    @override
    def keep(self, state: dict[str, Any]) -> None:
        state["edits"] = self._edits_now.dump()
        if self._needs_sums:
            state["known"] = self._counters_now.dump()

    # What is due is told, here and ahead, by what was known when the run began.
    @cached_property
    def _edits_now(self) -> Known:
        return Known(self.edits.dump())

    @cached_property
    def _counters_now(self) -> Known:
        return Known(self.counters.dump())

    def _counted(
        self, member: Record, visit: Visit, read_to: ReadTo, moment: dt.datetime
    ) -> Seen | None:
        """What is known from now on: the counters, and up to when all reports were read."""
        known = self.counters.get(member["id"])
        counts = read_counts(known.text) if known else {}
        now = counts_in(member)
        moments = [moment]
        refreshed = times.parse_or_none((member.get(_STATS) or {}).get("last_refresh_time"))
        for stream in self._tracking:
            if stream.name not in read_to:
                continue  # Its rows were read before in this pass, and so were its counters.
            if stream.kind in now:
                counts[stream.kind] = now[stream.kind]
            else:
                counts.pop(stream.kind, None)
            if stream.name not in visit.due:
                before = stream.read_to_of(member, read_to[stream.name])
                # What has not moved was not read; the counters vouch for it up to their own time.
                moments += [max(filter(None, (before, refreshed)), default=moment)]
        return Seen(min(moments), write_counts(counts)) if counts else None

    @property
    def _tracking(self) -> list[CountedPartStream]:
        return [each for each in self.family.values() if isinstance(each, CountedPartStream)]

    @override
    def end_pass(self, going: Pass) -> None:
        if self._needs_sums:
            self._counters_now.retain(self.sums.summaries())

    # -- what it will cost ------------------------------------------------------------------

    @override
    def glancing(self, members: Sequence[Record]) -> Callable[[Record], Record]:
        # Most campaigns have one activity that counts.
        activity = {"campaign_activity_id": "one", "role": "primary_email"}
        return lambda member: {**member, _ACTIVITIES: [activity]}


def _with_sums(
    members: list[Record], summaries: Mapping[str, Record], stats: Mapping[str, Record]
) -> list[Record]:
    return [
        {**each, _SUMMARY: summaries.get(each["id"]), _STATS: stats.get(each["id"])}
        for each in members
    ]


class ActivityPartStream(V3Stream, CampaignFamilyStream, PartStream):
    """Something of the activities of one campaign."""

    parent_stream_type = Campaigns
    member_key = Campaigns.member_key
    privileges: ClassVar[tuple[str, ...]] = ("campaign:read",)
    #: Which activities have it.
    roles: ClassVar[frozenset[str]] = _MAILED

    def activities(self, campaign: Record) -> list[str]:
        """The ids of the campaign's activities that have the part."""
        return [
            activity
            for each in bodies.objects(campaign.get(_ACTIVITIES))
            if str(each.get("role")) in self.roles
            and (activity := bodies.id_of(each.get("campaign_activity_id"))) is not None
        ]

    def part_contexts(self, visit: Visit) -> list[Context]:
        """The contexts in which the parts of a campaign are asked for."""
        context = self.part_context(visit)
        return [{**context, "campaign_activity_id": each} for each in self.activities(visit.member)]

    @override
    def read_part(self, context: Context) -> Iterable[Record]:
        for each in self.part_contexts(self.visit):
            try:
                for row in self.request_records(each):
                    yield row if self.shapes_pages else self.of_activity(row, each)
            except RefusedError as error:
                if error.verdict is not Verdict.MISSING:
                    raise
                self.miss()

    def of_activity(self, row: Record, context: Context) -> Record:
        """A row that says whose it is."""
        keys = (self.member_key, "campaign_activity_id")
        return {**row, **{key: context[key] for key in keys}}

    @override
    def part_outlook(self, visit: Visit) -> Outlook:
        for context in self.part_contexts(visit):
            yield self.page_ahead(context)

    @override
    def calls_for(self, visit: Visit) -> int:
        return len(self.activities(visit.member))


class WrittenPartStream(ActivityPartStream):
    """Something of what was written for a campaign; of removed campaigns nothing is left."""

    @override
    def covers(self, member: Record) -> bool:
        return status_of(member) != _REMOVED


class CampaignActivities(WrittenPartStream):
    """What was written for a campaign and its resends."""

    name = "campaign_activities"
    path = "/emails/activities/{campaign_activity_id}"
    envelope = bodies.ONE
    primary_keys = ("campaign_activity_id",)
    params: ClassVar[Mapping[str, str]] = {
        "include": "physical_address_in_footer,permalink_url,html_content,document_properties"
    }


class CampaignSchedules(ActivityPartStream):
    """When a campaign will be sent; once it was, nothing is left of that.

    It changes with the campaign: planning one is an edit.
    """

    name = "campaign_schedules"
    path = "/emails/activities/{campaign_activity_id}/schedules"
    envelope = bodies.ARRAY
    primary_keys = ("campaign_activity_id", "scheduled_date")

    @override
    def covers(self, member: Record) -> bool:
        return status_of(member) == "scheduled"


class SentPartStream(ActivityPartStream):
    """Something that a campaign has once it was sent, and that changes when it is sent again."""

    needs_sums = True

    @override
    def covers(self, member: Record) -> bool:
        return was_sent(member)

    @override
    def is_since(self, campaign: Record, moment: dt.datetime | None) -> bool:
        return super().is_since(campaign, moment) or self.was_sent_since(campaign, moment)


class CampaignSendHistory(SentPartStream):
    """The sendings of a campaign and its resends."""

    name = "campaign_send_history"
    path = "/emails/activities/{campaign_activity_id}/send_history"
    envelope = bodies.ARRAY
    primary_keys = ("campaign_activity_id", "send_id")


class CampaignResends(SentPartStream):
    """Resends to those who did not open a campaign."""

    name = "campaign_resends"
    path = "/emails/activities/{campaign_activity_id}/non_opener_resends"
    envelope = bodies.ARRAY
    primary_keys = ("campaign_activity_id", "resend_request_id")
    roles = _PRIMARY


class CampaignAbTests(WrittenPartStream):
    """Tests of two subjects; where there was none, the API knows no such thing."""

    name = "campaign_ab_tests"
    path = "/emails/activities/{campaign_activity_id}/abtest"
    envelope = bodies.ONE
    primary_keys = ("campaign_activity_id",)
    roles = _PRIMARY


class CampaignPreviews(WrittenPartStream):
    """A campaign as its recipients see it: large, and a call each."""

    name = "campaign_previews"
    path = "/emails/activities/{campaign_activity_id}/previews"
    envelope = bodies.ONE
    primary_keys = ("campaign_activity_id",)


class MovingPartStream(SentPartStream):
    """Something that goes on changing for as long as recipients do anything."""

    privileges: ClassVar[tuple[str, ...]] = ("ui:campaign:metrics", "campaign:read")
    #: The kinds of reports whose counters say that it has changed.
    kinds: ClassVar[tuple[str, ...]] = KINDS

    @override
    def is_due(self, member: Record, read_to: dt.datetime | None) -> bool:
        if read_to is None:
            is_wanted = self.was_sent_since(member, self.start_date)
            return is_wanted and any(self._counted(member, kind) != 0 for kind in self.kinds)
        window, sent = self.sums.window, sent_date(member)
        if window is not None and sent is not None and sent + window <= self.run.session.began:
            # Once more, whatever is counted: counters are late.
            return self.read_to_of(member, read_to) < sent + window
        known, now = self.counters.as_read(member["id"], read_to), counts_in(member)
        if known is None or not now:
            return True
        before = read_counts(known.text)
        return any(now.get(kind) != before.get(kind) for kind in self.kinds)

    def read_to_of(self, campaign: Record, read_to: dt.datetime | None) -> dt.datetime:
        """Up to when a campaign was read: by the marks, or earlier if it was left out since."""
        known = self.counters.get(campaign["id"])
        moments = [each for each in (read_to, known and known.read_to) if each]
        return min(moments, default=dt.datetime.min.replace(tzinfo=dt.UTC))

    def _counted(self, campaign: Record, kind: str) -> int | None:
        """What is counted of a kind: rows if the campaign is in the window, else people."""
        return counts_in(campaign).get(kind, unique_count(campaign.get(_SUMMARY), kind))


class CountedPartStream(MovingPartStream):
    """Something of which the API counts each row."""

    #: Which counter that is.
    kind: ClassVar[str]

    @property
    @override
    def kinds(self) -> tuple[str, ...]:  # type: ignore[override]  # one for each
        return (self.kind,)


class CampaignLinks(MovingPartStream):
    """Links in a campaign, with how many clicked them; those that nobody did, too."""

    name = "campaign_links"
    path = "/reports/email_reports/{campaign_activity_id}/links"
    envelope = paged("link_click_counts")
    primary_keys = ("campaign_activity_id", "url_id", "link_tag")
    kinds = ("clicks",)
    params: ClassVar[Mapping[str, str]] = {"no_clicks": "true"}

    @override
    def is_due(self, member: Record, read_to: dt.datetime | None) -> bool:
        if read_to is None:
            return self.was_sent_since(member, self.start_date)
        # What was sent again has links that nobody has clicked yet.
        seen = self.edits.as_read(member["id"], read_to)
        is_known = seen is not None and seen.text == _edit_of(member)
        is_new = not is_known and self.was_sent_since(member, self.with_lookback(read_to))
        return is_new or super().is_due(member, read_to)

    @override
    def adapt(self, row: Record, context: Context | None) -> Record | None:
        # A key has no nulls.
        return {**row, "link_tag": row.get("link_tag") or ""}


class CampaignActivityStats(MovingPartStream):
    """All counters of each activity, where any of the campaign's has moved."""

    name = "campaign_activity_stats"
    path = "/reports/stats/email_campaign_activities/{campaign_activity_ids}"
    envelope = paged("results")
    primary_keys = ("campaign_activity_id",)

    @override
    def part_contexts(self, visit: Visit) -> list[Context]:
        ids, context = self.activities(visit.member), self.part_context(visit)
        return [
            {**context, "campaign_activity_ids": ",".join(batch)}
            for batch in batched(ids, _STATS_BATCH)
        ]

    @override
    def of_activity(self, row: Record, context: Context) -> Record:
        return with_plain_names(row)

    @override
    def get_url(self, context: Context | None) -> str:
        ids = context["campaign_activity_ids"] if context else ""
        return f"{self.url_base}{self.path.replace('{campaign_activity_ids}', ids)}"

    @override
    def calls_for(self, visit: Visit) -> int:
        return 1


_STATS_BATCH = 10
