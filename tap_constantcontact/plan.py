"""What a run will cost, said before it is made: from a handful of calls and the state."""

from __future__ import annotations

import bisect
import dataclasses
import itertools
import math
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from tap_constantcontact.api import times
from tap_constantcontact.api.pace import seconds_between_calls
from tap_constantcontact.api.session import Session
from tap_constantcontact.client import OptionalAreaStream, RefusedError
from tap_constantcontact.reach import Reach
from tap_constantcontact.streams.account import Account
from tap_constantcontact.streams.activities import Activities
from tap_constantcontact.streams.campaigns import (
    CampaignLinks,
    Campaigns,
    DeletedCampaigns,
    is_tracked,
    sent_date,
)
from tap_constantcontact.streams.contact_reports import ContactReportStream
from tap_constantcontact.streams.contacts import Contacts
from tap_constantcontact.streams.events import EventItemAttributes, EventItems, EventRegistrants
from tap_constantcontact.streams.library import (
    PAGE_SIZES,
    TRASH,
    LibraryFiles,
    LibraryFolders,
    LibraryStream,
    LibraryUsage,
)
from tap_constantcontact.streams.lists import Lists
from tap_constantcontact.streams.tracking import TrackingStream
from tap_constantcontact.walk import PartStream, WalkedStream, WalkingStream

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from singer_sdk.helpers.types import Context, Record

    from tap_constantcontact.client import ConstantContactStream
    from tap_constantcontact.tap import TapConstantContact

#: Calls a key may make a day (API docs: Rate limits).
CALLS_A_DAY = 10_000
_PAGE = 500
# Changes that fit into so many pages are counted, not estimated.
_PAGES_ASKED = 3
# How much further down the next campaign is that is looked at.
_SPREAD = 1.2


@dataclass(frozen=True)
class Cost:
    """What a stream will cost.

    Attributes:
        stream: Its name.
        calls: Calls to the API, if none has to be repeated.
        note: What the figure rests on.
    """

    stream: str
    calls: int
    note: str = ""


@dataclass(frozen=True)
class Plan:
    """What a run will cost.

    Attributes:
        costs: By stream, in the order of the run.
        asked: The calls that it took to find out.
        calls_a_day: How many calls runs may make a day.
        seconds_a_call: How far apart calls are.
        given: What it was made from.
    """

    costs: Sequence[Cost]
    asked: int
    calls_a_day: int
    seconds_a_call: float
    given: str = ""

    @property
    def calls(self) -> int:
        """All calls together."""
        return sum(cost.calls for cost in self.costs)

    @property
    def per_cent(self) -> float:
        """How much of a day's calls they are."""
        return 100 * self.calls / self.calls_a_day

    @property
    def minutes(self) -> int:
        """How long they take at the least."""
        return max(1, round(self.calls * self.seconds_a_call / 60))

    @property
    def days(self) -> int:
        """Over how many days the calls spread."""
        return max(1, math.ceil(self.calls / self.calls_a_day))

    def __str__(self) -> str:
        """A table for a person to read, and what it comes to."""
        rows = [("stream", "calls", "")]
        rows += [(cost.stream, f"{cost.calls:,}", cost.note) for cost in self.costs]
        rows += [("in all", f"{self.calls:,}", "")]
        name, number = (max(len(row[column]) for row in rows) for column in (0, 1))
        lines = [self.given, ""] if self.given else []
        lines += [f"{a:{name}}  {b:>{number}}  {c}".rstrip() for a, b, c in rows]
        at_least = "a minute" if self.minutes == 1 else f"{self.minutes:,} minutes"
        share = f"{self.per_cent:,.1f} % of one day's quota"
        days = share if self.days == 1 else f"The quota of {self.days:,} days"
        lines += [
            "",
            f"{days} at {self.calls_a_day:,} calls a day; {at_least} at this pace.",
            f"To find out took {self.asked:,} calls.",
        ]
        return "\n".join(lines)

    def as_dict(self) -> dict[str, Any]:
        """The same for a program."""
        return {
            "streams": [dataclasses.asdict(cost) for cost in self.costs],
            "calls": self.calls,
            "calls_a_day": self.calls_a_day,
            "per_cent_of_a_day": round(self.per_cent, 2),
            "days": self.days,
            "minutes": self.minutes,
            "asked": self.asked,
            "given": self.given,
        }


def make_plan(tap: TapConstantContact) -> Plan:
    """Estimate what a run of a tap would cost, with its settings, catalog and state.

    Raises:
        FatalAPIError: The API has refused or failed.
    """
    state = "with the state given" if tap.state.get("bookmarks") else "without a state: a first run"
    catalog = "the catalog given" if tap.input_catalog else "all streams"
    given = f"Plan {state}, for {catalog}."
    # The calls that are made here are few, and not those that `max_calls` is about.
    pace = tap.pace
    costs: list[Cost] = []
    tap.session = Session(tap.credentials, pace, tap.stop)
    try:
        tap.begin()
        if tap.session.calls and not tap.streams[Account.name].selected:
            costs.append(Cost(Account.name, 1, "whose account it is"))
        costs += _Planner(tap).costs()
    finally:
        tap.progress.finish()
    return Plan(
        costs=costs,
        asked=tap.session.calls,
        calls_a_day=min(CALLS_A_DAY, tap.config.get("max_calls") or CALLS_A_DAY),
        seconds_a_call=seconds_between_calls(tap.config["requests_per_second"]),
        given=given,
    )


class _Planner:
    def __init__(self, tap: TapConstantContact) -> None:
        self.tap = tap
        self._closed: set[str] = set()

    def costs(self) -> Iterator[Cost]:
        for each in self.tap.streams.values():
            stream = cast("ConstantContactStream", each)
            if isinstance(stream, PartStream):
                continue
            if not (stream.selected or stream.has_selected_descendents):
                continue
            area = stream.area if isinstance(stream, OptionalAreaStream) else ""
            if area in self._closed:
                yield Cost(stream.name, 0, f"{area} is not open to this token")
                continue
            stream.since = stream.first_change()
            try:
                yield from self._costs_of(stream)
            except RefusedError as error:
                if not isinstance(stream, OptionalAreaStream) or (
                    error.verdict not in stream.refused_by
                ):
                    raise
                self._closed.add(area)
                yield Cost(stream.name, 1, f"{area} is not open to this token")

    def _costs_of(self, stream: ConstantContactStream) -> Iterable[Cost]:
        if isinstance(stream, WalkingStream):
            return _Walk(self, stream).costs()
        found: tuple[int, str] = (1, "")
        if isinstance(stream, Contacts):
            found = self._contacts(stream)
        elif isinstance(stream, Activities):
            found = self._activities(stream)
        elif isinstance(stream, (LibraryUsage, LibraryFolders, LibraryFiles)):
            found = self._library(stream)
        elif isinstance(stream, ContactReportStream):
            found = self._report(stream)
        elif isinstance(stream, DeletedCampaigns):
            rows = list(stream.request_records(None))
            found = _pages(len(rows), stream.page_size or _PAGE), f"{len(rows):,} deleted"
        return [Cost(stream.name, *found)]

    def first(
        self, stream: ConstantContactStream, context: Context | None, pages: int = 1
    ) -> tuple[list[Record], int | None]:
        """Rows of the first pages, and how many pages there are; None if there are more."""
        before = self.tap.session.calls
        most = pages * (stream.page_size or _PAGE)
        stream.context = context
        rows = list(itertools.islice(stream.request_records(context), most))
        return rows, self.tap.session.calls - before if len(rows) < most else None

    # -- contacts ---------------------------------------------------------------------------

    @cached_property
    def _sample(self) -> list[Record]:
        """Some contacts, whatever has become of them."""
        stream = cast("Contacts", self.tap.streams[Contacts.name])
        since, stream.since = stream.since, None
        rows, _ = self.first(stream, {"status": "ALL"})
        stream.since = since
        return rows

    @cached_property
    def _there_are(self) -> int:
        """How many contacts there are: no answer says, but lists count theirs."""
        if len(self._sample) < _PAGE:
            return len(self._sample)
        lists = cast("Lists", self.tap.streams[Lists.name])
        counted = sum(row.get("contact_count") or 0 for row in lists.request_records(None))
        on_lists = sum(len(row.get("lists") or ()) for row in self._sample)
        return round(counted * len(self._sample) / on_lists) if on_lists else len(self._sample)

    def _contacts(self, stream: Contacts) -> tuple[int, str]:
        run = stream.run
        stream.since = run.since
        if run.next_link:
            left = max(0, self._there_are - run.rows)
            return _pages(left), f"about {left:,} left of a run that was cut off"
        if stream.since is None:
            return _pages(self._there_are), f"about {self._there_are:,} contacts"
        rows, pages = self.first(stream, {"status": "ALL"}, _PAGES_ASKED)
        if pages is None:
            share = self._share(lambda row: _is_later(row.get("modified_date"), stream.since))
            pages = max(_PAGES_ASKED + 1, _pages(share * self._there_are))
            note = f"about {share * self._there_are:,.0f} have changed"
        else:
            note = f"{len(rows):,} have changed"
        if not run.is_whole:
            opted_out = self._share(lambda row: row.get("status") == "OPTOUT") * self._there_are
            pages += _pages(opted_out)
            note += f", about {opted_out:,.0f} opted out"
        return pages, note

    def _share(self, is_meant: Callable[[Record], bool]) -> float:
        return sum(map(is_meant, self._sample)) / max(len(self._sample), 1)

    @cached_property
    def _contact_ids(self) -> tuple[list[str], int]:
        """All contacts, and the calls that it takes to list them: few beside one for each."""
        before = self.tap.session.calls
        ids = next(
            each for each in self.tap.streams.values() if isinstance(each, ContactReportStream)
        ).contacts()
        return ids, self.tap.session.calls - before

    def _report(self, stream: ContactReportStream) -> tuple[int, str]:
        ids, listing = self._contact_ids
        reach = Reach(stream.get_context_state(None).get("reach"), ids)
        if reach.unfinished is None and stream.others_are_behind():
            return listing, "another report's pass is to be ended first"
        left = sum(
            reach.unfinished is None or reach.read_to(position) != reach.unfinished
            for position in range(len(ids))
        )
        return listing + left, f"{left:,} contacts"

    # -- small ones -------------------------------------------------------------------------

    def _activities(self, stream: Activities) -> tuple[int, str]:
        jobs = list(stream.fetch(stream.path, stream.envelope))
        failed = sum(bool(job.get("error_count")) for job in jobs)
        return 1 + failed, f"{failed} with errors"

    def _library(self, stream: LibraryStream) -> tuple[int, str]:
        usage = self._usage
        if isinstance(stream, LibraryUsage):
            return 1, ""
        if isinstance(stream, LibraryFolders):
            there_are = usage.get("folder_count") or 0
            return _pages(there_are, stream.page_size or _PAGE), f"{there_are:,} folders"
        there_are = usage.get("file_count") or 0
        in_trash = {"collection": TRASH}
        stream.page_size = PAGE_SIZES[TRASH]
        _, pages = self.first(stream, in_trash, _PAGES_ASKED)
        calls = _pages(there_are, PAGE_SIZES[LibraryFiles.path]) + (pages or _PAGES_ASKED + 1)
        return calls, f"{there_are:,} files"

    @cached_property
    def _usage(self) -> dict[str, Any]:
        usage = cast("LibraryUsage", self.tap.streams[LibraryUsage.name])
        found = next(iter(usage.request_records(None)), {})
        return found.get("usage_summary") or {}


class _Walk:
    """A walk that asks the same questions as a real one, but reads no parts and hardly a detail."""

    def __init__(self, planner: _Planner, stream: WalkingStream) -> None:
        self._planner = planner
        self._stream = stream
        self._session = planner.tap.session
        self._calls: Counter[str] = Counter()
        self._members: Counter[str] = Counter()

    def costs(self) -> Iterable[Cost]:
        stream, before = self._stream, self._session.calls
        family = stream.family
        members = stream.listed(family)
        self._calls[stream.name] = self._session.calls - before
        read = (
            _Sampled(self._planner, stream, members)
            if isinstance(stream, Campaigns)
            else _Listed(self._planner, stream)
        )
        reaches = stream.reaches(members)
        started, moments = stream.moments(reaches)
        self._pass(members, reaches, moments, read)
        if stream.is_stale(moments, started):
            for each, reach in reaches.items():
                reach.complete(moments[each])
            self._pass(members, reaches, dict.fromkeys(family, started), read)
        wanted = [each for each in family if each is not stream]
        return [
            Cost(stream.name, self._calls[stream.name], f"{len(members):,} listed"),
            *(
                Cost(each.name, self._calls[each.name], f"of {self._members[each.name]:,}")
                for each in wanted
            ),
        ]

    def _pass(
        self,
        members: Sequence[Record],
        reaches: dict[WalkedStream, Reach],
        moments: dict[WalkedStream, dt.datetime],
        read: _Listed,
    ) -> None:
        def detail(member: Record) -> Record:
            self._calls[self._stream.name] += 1
            return read.detail(member)

        for position, member in enumerate(members):
            read_to = self._stream.unread(position, member["id"], reaches, moments)
            if not read_to:
                continue
            found = self._stream.visit(member, read_to, detail)
            self._stream.note_as_read(position, member["id"], len(members))
            for each in read_to:
                reaches[each].advance(position, moments[each])
            if found is not None:
                for stream in (each for each in read_to if each.name in self._stream.due):
                    self._members[stream.name] += 1
                    if stream is not self._stream:
                        self._calls[stream.name] += read.calls(stream, found, read_to[stream])


class _Listed:
    """What hangs on a member, as far as the list tells."""

    def __init__(self, planner: _Planner, stream: WalkingStream) -> None:
        self._planner = planner
        self._stream = stream
        self._due_shares: dict[WalkedStream, float] = {}

    def detail(self, member: Record) -> Record:
        return member

    def calls(self, stream: WalkedStream, member: Record, read_to: dt.datetime | None) -> int:
        if isinstance(stream, EventItemAttributes):
            return 0 if EventItems.name in self._stream.due else 1
        if not isinstance(stream, EventRegistrants):
            return 1
        there_are = member.get("total_registered_count") or 0
        since = stream.since_of(read_to)
        if since and stream not in self._due_shares:
            stream.since = since
            context = {"event_id": member["id"]}
            rows, _ = self._planner.first(stream, context)
            changed = sum(_is_later(row.get("updated_date"), since) for row in rows)
            self._due_shares[stream] = changed / max(len(rows), 1)
        share = self._due_shares[stream] if since else 1
        return _pages(there_are) + round(share * there_are)


class _Sampled(_Listed):
    """Campaigns, of which some are looked at: the list names neither dates nor sizes.

    Those looked at lie close together among the newest and further apart the older they are, as
    what a run does to campaigns changes with their age. Those between two lie between them.
    """

    def __init__(self, planner: _Planner, stream: Campaigns, members: Sequence[Record]) -> None:
        super().__init__(planner, stream)
        self._tracked = [each for each in members if is_tracked(each)]
        self._place = {each["id"]: place for place, each in enumerate(self._tracked)}
        self._looked_at: dict[int, Record] = {}
        self._stops = sorted({*_stops(len(self._tracked))})
        self._repeats: dict[str, float] = {}

    def detail(self, member: Record) -> Record:
        place = self._place.get(member["id"])
        if place is None:
            return member
        newer, older = self._beside(place)
        sent = [sent_date(self._look(each)) for each in (newer, older)]
        if newer == older or None in sent:
            return {**self._look(newer), **member}
        begin, end = cast("list[dt.datetime]", sent)
        moment = begin + (end - begin) * ((place - newer) / (older - newer))
        return {**member, "last_run_date": times.write(moment)}

    def calls(self, stream: WalkedStream, member: Record, read_to: dt.datetime | None) -> int:
        if isinstance(stream, CampaignLinks):
            return 0
        if not isinstance(stream, TrackingStream) or read_to:
            return 1
        beside = self._beside(self._place[member["id"]])
        return round(sum(self._pages(stream, self._look(each)) for each in beside) / len(beside))

    def _beside(self, place: int) -> tuple[int, int]:
        """The places nearest to one that are looked at."""
        after = bisect.bisect_left(self._stops, place)
        older = self._stops[after]
        return (older, older) if older == place else (self._stops[after - 1], older)

    def _look(self, place: int) -> Record:
        if place not in self._looked_at:
            member = self._tracked[place]
            found = self._stream.detail(self._stream.detail_path(member), member["id"])
            self._looked_at[place] = {**member, **(found or {})}
        return self._looked_at[place]

    def _pages(self, stream: TrackingStream, campaign: Record) -> int:
        kind = stream.name.removeprefix("campaign_")
        counted = (campaign.get("tracking_summary") or {}).get(kind) or 0
        if counted <= _PAGE // 2:
            return 1
        if kind in {"opens", "clicks"} and kind not in self._repeats:
            # People are counted, but each time that they do it is a row.
            stream.since = None
            context = {"campaign_id": campaign["id"]}
            rows, _ = self._planner.first(stream, context)
            people = len({row.get("contact_id") for row in rows})
            self._repeats[kind] = len(rows) / max(people, 1)
        return _pages(counted * self._repeats.get(kind, 1))


def _stops(there_are: int) -> Iterator[int]:
    place = 0
    while place < there_are:
        yield place
        place = max(place + 1, round(place * _SPREAD))
    if there_are:
        yield there_are - 1


def _pages(rows: float, size: int = _PAGE) -> int:
    """How many pages hold so many rows; the API has one for none."""
    return max(1, math.ceil(rows / size))


def _is_later(text: str | None, since: dt.datetime | None) -> bool:
    moment = times.parse_or_none(text)
    return since is None or moment is None or moment >= since
