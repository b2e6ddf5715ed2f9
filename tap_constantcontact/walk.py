"""Walking down a list and reading what hangs on each of its members."""

from __future__ import annotations

import enum
import functools
import logging
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, cast

from singer_sdk.exceptions import FatalAPIError
from singer_sdk.metrics import MetricExclusionFilter
from typing_extensions import override

from tap_constantcontact.http import envelopes, retries
from tap_constantcontact.http.envelopes import InvalidResponseError
from tap_constantcontact.http.error_handler import ResponseAction
from tap_constantcontact.http.prefetch import wait_for
from tap_constantcontact.http.retries import APIError
from tap_constantcontact.once import Once
from tap_constantcontact.plan import Cost
from tap_constantcontact.state.deferrals import Deferrals
from tap_constantcontact.state.id_sketch import IdSketch
from tap_constantcontact.state.sync_pass import SyncPass, reconcile
from tap_constantcontact.stream import ConstantContactStream, peek

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Generator, Iterable, Sequence

    from singer_sdk import Tap
    from singer_sdk.helpers.types import Context, Record

    from tap_constantcontact.http.prefetch import PendingRequest, RequestForecast
    from tap_constantcontact.run import Run
    from tap_constantcontact.state.sync_pass import SyncedUntil


class Need(enum.Enum):
    """What it takes to read what is due of a member."""

    NOTHING = "nothing is due, whatever else is known of it"
    LIST_ROW = "its row in the list is enough"
    DETAIL = "its detail, which costs a call"


@dataclass(frozen=True)
class Visit:
    """What is to be read of a member.

    Attributes:
        member: As the API has it, with its detail where that was needed.
        due: The names of the streams that are due of it, each with the moment up to which its rows
            were read, None for never.
        once: What several streams read of the member.
        failed: The names of the streams whose rows of it could not be read.
    """

    member: Record
    due: SyncedUntil
    once: Once = field(default_factory=Once)
    failed: set[str] = field(default_factory=set)


class WalkedStream(ConstantContactStream):
    """The members of a list, or their parts: streams that keep marks on it instead of a date."""

    keeps_marks = True
    state_partitioning_keys = ()
    #: The member that is being read.
    visit: Visit
    #: Whether a walk is under way: it writes the state itself, once a member.
    is_walking = False

    def covers(self, member: Record) -> bool:
        """Whether the stream may have rows of a member, as its row in the list says."""
        return True

    def is_due(self, member: Record, synced_until: dt.datetime | None) -> bool:
        """Whether the API may have rows that were not read yet.

        Args:
            member: As the API has it; without its detail where that was not needed.
            synced_until: The moment up to which its rows were read; None if they never were.
        """
        raise NotImplementedError

    def end_pass(self, going: SyncPass) -> None:
        """Note that the walk is through."""

    def calls_for(self, visit: Visit) -> int:
        """About how many calls the stream makes for a member that it is due of."""
        return 1

    @property
    def window(self) -> int:
        """Days after it is over in which a member is asked for news; 0 for no limit."""
        return int(self.config["tracking_window_days"])


class _Foreseen(NamedTuple):
    """A member of which it is not decided yet what is due."""

    member: Record
    synced_until: SyncedUntil
    marks: Any
    detail: PendingRequest | None


# Of so many members the detail is asked for before it is known what is due of the first.
_MEMBERS_AHEAD = 16
# As long as so many calls are left for each.
_CALLS_EACH = 50


class WalkingStream(WalkedStream):
    """The members of a list, and in their wake all their parts.

    A pass walks down the list. Of each member it reads the detail and the parts that are due, and
    notes how far it has come. A pass that was cut off is continued by the next run before another
    begins.
    """

    #: The key of a member in the rows of its parts.
    member_key: ClassVar[str]
    #: The field that has their ids. Rows of members have them as `id` too, as text.
    id_field: ClassVar[str] = "id"
    #: The lists that name the members.
    lists: ClassVar[Sequence[Context | None]] = (None,)

    def arrange(self, lists: Sequence[list[Record]]) -> list[Record]:
        """Make one list of all `lists`, ids being text: new members at the top."""
        raise NotImplementedError

    def needed(self, member: Record, synced_until: SyncedUntil, idle: int) -> Need:
        """What it takes to find out what is due of a member, and to read that.

        Args:
            member: Its row in the list.
            synced_until: How far the streams have read it that have not done so in this pass.
            idle: Of how many members above, one after the other, nothing was due; only those that
                `say_something` count.
        """
        raise NotImplementedError

    def due(self, member: Record, synced_until: SyncedUntil) -> SyncedUntil:
        """Which streams are due of a member that is known as well as is `needed`."""
        return {
            name: to
            for name, to in synced_until.items()
            if self.family[name].covers(member) and self.family[name].is_due(member, to)
        }

    def says_something(self, member: Record) -> bool:
        """Whether that nothing is due of a member means something for those below."""
        return False

    def pause(self, member: Record, moment: dt.datetime) -> dt.timedelta | None:
        """For how long a member need not be asked again that was read at a moment, if at all."""
        return None

    def is_edited(self, member: Record, synced_until: SyncedUntil) -> bool:
        """Whether its row in the list says that a member is another than when it was read."""
        return False

    def gone_since(self, moment: dt.datetime | None) -> Iterable[str]:
        """The ids of members that are no longer listed, as far as the API names them."""
        return ()

    @functools.cached_property
    def family(self) -> dict[str, WalkedStream]:
        """The streams of the walk that the run wants, by name."""
        streams = cast("list[WalkedStream]", [self, *self.child_streams])
        return {each.name: each for each in streams if each.selected and each.is_open}

    @override
    def generate_child_contexts(
        self, record: Record, context: Context | None
    ) -> Iterable[Context | None]:
        # The SDK would read no parts of members that a stream map leaves out. A map is about the
        # rows of its own stream: what a member's parts are is read, whatever becomes of its row.
        self._sync_children({self.member_key: self.visit.member["id"]})
        return ()

    @override
    def read(self, context: Context | None) -> Iterable[Record]:
        self._walks(is_on=True)
        try:
            yield from self._read_members()
        finally:
            self._walks(is_on=False)

    def _read_members(self) -> Iterable[Record]:
        members = self.listed()
        found = self.pass_over(members)
        yield from self._walk(members, found)
        if not self.is_open:
            return
        self._finish(found)
        if found.start_next_pass():
            # What was a pass of days ago is through. What came in since is read now, too.
            yield from self._walk(members, found)
            self._finish(found)
        self.run.write_state()

    def _walks(self, *, is_on: bool) -> None:
        for each in (self, *self.family.values()):
            each.is_walking = is_on

    def listed(self) -> list[Record]:
        """Ask for the members, new ones at the top."""
        return self.arrange([self._identified(self.request_records(each)) for each in self.lists])

    def _identified(self, rows: Iterable[Record]) -> list[Record]:
        key = self.id_field
        return [{**row, "id": row[key]} for row in self.identified(rows, key)]

    def mark_of(self, member: Record) -> str:
        """What stands for a member in the marks that a state holds."""
        return str(member["id"])

    def key_of(self, member: Record) -> str:
        """What stands for a member in the set of those that were read.

        Where it changes, all of the member is read again.
        """
        return self.mark_of(member)

    def pass_over(self, members: Sequence[Record], *, is_real: bool = True) -> SyncPass:
        """The pass that is due, or that was cut off.

        Args:
            members: The list, newest first.
            is_real: Whether to ask the API where that is needed, and to say what is odd.

        Raises:
            InvalidResponseError: If there is no telling without asking.
        """
        ids = [self.mark_of(member) for member in members]
        keys = [self.key_of(member) for member in members]
        marks = {name: each.marks(ids) for name, each in self.family.items()}
        end = max((each.end for each in marks.values()), default=0)
        before = min((each.last for each in marks.values() if each.last), default=None)
        known = self.run.bookmarks_of(self.name).get("synced_ids")
        ask = (lambda: list(self.gone_since(before))) if is_real else list
        found = reconcile(known, keys[:end], ask)
        if found is None and not is_real:
            msg = "does not tell which members were read"
            raise InvalidResponseError(msg)
        if found is None:
            self.logger.warning("So many have come and gone that all are read again, to be sure.")
            found = IdSketch(), set(keys[:end])
        deferrals = Deferrals(self.run.bookmarks_of(self.name).get("deferred"))
        return SyncPass(ids, marks, self.run.session.started_at, *found, deferrals, keys)

    def _walk(self, members: Sequence[Record], going: SyncPass) -> Iterable[Record]:
        """Go down the list: those with something due, each with its parts in its wake."""
        begun = None
        before = self.run.session.calls
        idle = Counter[Any]()
        for position, member in enumerate(members):
            synced_until = self._unread(going, position, member)
            if not synced_until:
                continue
            begun = position if begun is None else begun
            self.run.progress.set_position(self.name, position, len(members), begun, before)
            visit = self._visit_or_fail(member, synced_until, idle)
            if visit is None:
                going.remove(position)
                continue
            if visit.due:
                for each in self.family.values():
                    each.visit = visit
                self.visit = visit
                yield visit.member
            if not self.is_open:
                return
            going.add_synced(position)
            if visit.due:
                going.advance(position, self._open(synced_until))
            going.keep_failures(position, {name: synced_until[name] for name in visit.failed})
            going.forget_failures(position, self._open(synced_until.keys() - visit.failed))
            self.settle(going, position, visit, synced_until)
            if visit.due or visit.failed:
                self._keep(going)

    def _visit_or_fail(
        self, member: Record, synced_until: SyncedUntil, idle: Counter[Any]
    ) -> Visit | None:
        """Find out what is due of a member; all of it has failed if that cannot be found out."""
        self.run.failures.requested += 1
        try:
            with retries.raise_when_exhausted():
                return self._visit(member, synced_until, idle, self.ask_detail)
        except FatalAPIError as error:
            self.leave_behind(member["id"], error)
            return Visit(member, {}, failed=set(self._open(synced_until)))

    def settle(
        self, going: SyncPass, position: int, visit: Visit, synced_until: SyncedUntil
    ) -> None:
        """Note what is to be known of a member of which all that was due has been read."""
        if visit.due:
            going.defer(position, functools.partial(self.pause, visit.member))

    def _open(self, names: Iterable[str]) -> list[str]:
        """Those of some streams that did not turn out to be closed."""
        return [name for name in names if self.family[name].is_open]

    def _unread(self, going: SyncPass, position: int, member: Record) -> SyncedUntil:
        """The streams that are to read a member in this pass; none if it is left out."""
        synced_until = going.unsynced(position)
        is_left_out = going.is_deferred(position, synced_until) and not self.is_edited(
            member, synced_until
        )
        return {} if is_left_out else synced_until

    def _visit(
        self,
        member: Record,
        synced_until: SyncedUntil,
        idle: Counter[Any],
        detail: Callable[[Record], Record | None],
    ) -> Visit | None:
        """Find out what is due of a member; None if it has vanished."""
        # The order of the list says something only among members read at the same moments.
        need = self.needed(member, synced_until, idle[tuple(synced_until.items())])
        if need is Need.NOTHING:
            return Visit(member, {})
        found = detail(member) if need is Need.DETAIL else member
        return None if found is None else self._decide(member, found, synced_until, idle)

    def _decide(
        self, listed: Record, member: Record, synced_until: SyncedUntil, idle: Counter[Any]
    ) -> Visit:
        """What is due of a member, by its row in the list and by all that was needed of it."""
        due = self.due(member, synced_until)
        if self.says_something(listed):
            marks = tuple(synced_until.items())
            idle[marks] = 0 if due else idle[marks] + 1
        return Visit(member, due)

    def ask_detail(self, member: Record) -> Record | None:
        """Read a member's detail; None if it has vanished."""
        path = self.detail_path(member)
        detail = self.detail(path, member["id"], self.id_field)
        if detail is not None:
            return {**member, **detail, "id": member["id"]}
        if not self.has_vanished(member):
            msg = f"{path} is not found, although it is still listed"
            raise retries.MissingRecordsError(msg)
        return None

    def has_vanished(self, member: Record) -> bool:
        """Whether a member is gone of which there is no detail."""
        return True

    @functools.cached_property
    def ids_listed_again(self) -> frozenset[str]:
        """The ids of the members, requested once more."""
        lists = [self._identified(self.request_records(each)) for each in self.lists]
        return frozenset(member["id"] for members in lists for member in members)

    def detail_path(self, member: Record) -> str:
        """Where a member's detail is."""
        return f"{self.path}/{member['id']}"

    def _finish(self, going: SyncPass) -> None:
        going.complete(self._open(going.watermarks))
        self.run.progress.clear_position()
        for each in self.family.values():
            each.end_pass(going)
        self._keep(going)

    def _keep(self, going: SyncPass) -> None:
        for name, marks in going.watermarks.items():
            self.family[name].keep_marks(marks)
        state = self.get_context_state(None)
        state["synced_ids"] = going.synced_ids.dump()
        state["deferred"] = going.deferrals.dump()
        self.keep(state)
        self.run.write_state()

    def keep(self, state: dict[str, Any]) -> None:
        """Put into the state what else is to be known of the list."""

    # -- reading ahead ----------------------------------------------------------------------

    @override
    def outlook(self) -> RequestForecast:
        if not self.is_asked:
            return
        members = yield from self.listed_ahead()
        yield from self._members_ahead(members, self.pass_over(members, is_real=False))

    def listed_ahead(self) -> Generator[PendingRequest | None, None, list[Record]]:
        """Expect the calls of `listed`, and wait for what they bring."""
        calls = [self.page_ahead(each) for each in self.lists]
        yield from calls
        lists: list[list[Record]] = []
        for call in calls:
            rows = yield from self.rows_ahead(call, None, self.id_field)
            lists.append(self._identified(rows))
        return self.arrange(lists)

    def _members_ahead(self, members: Sequence[Record], going: SyncPass) -> RequestForecast:
        idle = Counter[Any]()
        ahead = deque[_Foreseen]()
        for position, member in enumerate(members):
            synced_until = self._unread(going, position, member)
            if not synced_until:
                continue
            marks = tuple(synced_until.items())
            while True:
                # Nothing may be due of those that are not decided yet.
                undecided = sum(each.marks == marks for each in ahead)
                need = self.needed(member, synced_until, idle[marks])
                is_sure = need is self.needed(member, synced_until, idle[marks] + undecided)
                if is_sure and len(ahead) < self._members_in_sight:
                    break
                yield from self._parts_ahead(ahead.popleft(), idle)
            if need is Need.NOTHING:
                continue
            call = None
            if need is Need.DETAIL:
                call = self.detail_ahead(self.detail_path(member))
                yield call
            ahead.append(_Foreseen(member, synced_until, marks, call))
            while ahead and (ahead[0].detail is None or ahead[0].detail.has_response):
                yield from self._parts_ahead(ahead.popleft(), idle)
        for each in ahead:
            yield from self._parts_ahead(each, idle)

    @property
    def _members_in_sight(self) -> int:
        # A detail that is read long before its turn is wasted if calls run out meanwhile.
        left = self.run.session.requests_left
        return _MEMBERS_AHEAD if left is None else max(1, min(_MEMBERS_AHEAD, left // _CALLS_EACH))

    def _parts_ahead(self, foreseen: _Foreseen, idle: Counter[Any]) -> RequestForecast:
        """What is asked of a member, as soon as its detail says what is due."""
        listed, call = foreseen.member, foreseen.detail
        member = listed
        if call is not None:
            response = yield from wait_for(call)
            if response is None and not call.was_missed:
                return  # It has vanished.
            (detail,) = peek(response, envelopes.of(listed["id"], self.id_field), self.id_field)
            member = {**listed, **detail}
        visit = self._decide(listed, member, foreseen.synced_until, idle)
        for name in visit.due:
            part = self.family[name]
            if isinstance(part, PartStream):
                yield from part.part_outlook(visit)

    # -- what it will cost ------------------------------------------------------------------

    @property
    @override
    def is_asked(self) -> bool:
        return bool(self.family)

    @override
    def costs_of_all(self) -> Iterable[Cost]:
        """Walk like a real walk, but read no parts and hardly a detail."""
        before = self.run.session.calls
        members = self.listed()
        calls = Counter({self.name: self.run.session.calls - before})
        counted = Counter[str]()
        glance = self.glancing(members)

        def detail(member: Record) -> Record:
            calls[self.name] += 1
            return glance(member)

        going = self.pass_over(members)
        is_due = True
        while is_due:
            idle = Counter[Any]()
            for position, member in enumerate(members):
                synced_until = self._unread(going, position, member)
                visit = self._visit(member, synced_until, idle, detail) if synced_until else None
                if visit is None:
                    continue
                for name in visit.due:
                    counted[name] += 1
                    if name != self.name:
                        calls[name] += self.family[name].calls_for(visit)
            going.complete(going.watermarks)
            is_due = going.start_next_pass()
        return [
            Cost(self.name, calls[self.name], f"{len(members):,} listed"),
            *(
                Cost(name, calls[name], f"of {counted[name]:,}")
                for name in self.family
                if name != self.name
            ),
        ]

    def glancing(self, members: Sequence[Record]) -> Callable[[Record], Record]:
        """Makes of a member's row in the list what comes near its detail, with hardly a call."""
        return dict


class PartStream(WalkedStream):
    """Something of one member of a list, read right after it.

    There are as many contexts as members. What the SDK says and writes once a context is said and
    written once a run here.
    """

    def __init__(self, tap: Tap, run: Run) -> None:
        """Keep quiet."""
        super().__init__(tap, run)
        self.logger.setLevel(logging.WARNING)
        self.metrics_logger.addFilter(_without_metrics(self.name))
        self._has_written_schema = False

    @override
    def read(self, context: Context | None) -> Iterable[Record]:
        if self.name not in self.visit.due:
            return
        try:
            with retries.raise_when_exhausted():
                yield from self.read_part(self.part_context(self.visit))
            self.run.failures.note_success(self.name)
        except FatalAPIError as error:
            if self.is_nothing(error):
                self.miss()
                return
            self.leave_behind(self.visit.member["id"], error)
            self.visit.failed.add(self.name)

    def doubt_emptiness(self) -> None:
        """Warn that a part has no records although there must be some; the next run reads it again.

        Counters may be wrong, and what is old may be gone: that is no failure.
        """
        self.logger.warning(
            "%s returned nothing for stream '%s', although there should be records. It is requested"
            " again in the next run.",
            self.requested_path,
            self.name,
        )
        self.visit.failed.add(self.name)

    def is_nothing(self, error: FatalAPIError) -> bool:
        """Whether an error is how the API says that a member has no such part.

        Only the first page of a part can say so.
        """
        is_missing = isinstance(error, APIError) and error.action is ResponseAction.NOT_FOUND
        return is_missing and not self.has_read_pages

    def part_outlook(self, visit: Visit) -> RequestForecast:
        """The calls that the stream is going to make for a member of which it is due."""
        yield self.page_ahead(self.part_context(visit))

    def part_context(self, visit: Visit) -> Context:
        """The context in which the part of a member is asked for."""
        return {self.member_key: visit.member["id"]}

    #: The key of the member in the rows of the part.
    member_key: ClassVar[str]

    def miss(self) -> None:
        """Note that the API knows nothing of this part: for some, that is how it says "none"."""
        self.logger.debug("Nothing there for %s.", self.visit.member["id"])

    def read_part(self, context: Context) -> Iterable[Record]:
        """Read the part of a member for which it is due."""
        return super().read(context)

    @property
    @override
    def is_asked(self) -> bool:
        return False

    @override
    def _write_schema_message(self) -> None:
        # Targets flush at each SCHEMA (github.com/meltano/sdk/issues/1025).
        if not self._has_written_schema:
            self._has_written_schema = True
            super()._write_schema_message()

    @override
    def _write_state_message(self) -> None:
        if not self.is_walking:
            super()._write_state_message()


class HeldPartStream(PartStream):
    """A part that comes in the detail of its member, and costs no call."""

    path = ""

    @override
    def part_outlook(self, visit: Visit) -> RequestForecast:
        return iter(())

    @override
    def calls_for(self, visit: Visit) -> int:
        return 0


@functools.cache
def _without_metrics(stream: str) -> logging.Filter:
    return MetricExclusionFilter(tags={"stream": stream})
