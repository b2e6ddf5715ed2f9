"""Walking down a list and reading what hangs on each of its members."""

from __future__ import annotations

import datetime as dt
import functools
import logging
from typing import TYPE_CHECKING, ClassVar, cast

from singer_sdk.metrics import MetricExclusionFilter
from typing_extensions import override

from tap_constantcontact.api.refusals import Verdict
from tap_constantcontact.client import ConstantContactStream, RefusedError
from tap_constantcontact.members import Members
from tap_constantcontact.reach import Reach

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from singer_sdk.helpers.types import Context, Record

    from tap_constantcontact.tap import TapConstantContact

    #: When a stream has read the rows of a member; None for never.
    ReadTo = Mapping["WalkedStream", dt.datetime | None]
    #: Reads a member's detail; None if it has vanished.
    Detail = Callable[[Record], Record | None]

# A pass that began longer ago, since runs were cut off, is followed by another in the same run.
_STALE = dt.timedelta(hours=1)


class WalkedStream(ConstantContactStream):
    """The members of a list, or their parts: streams that keep a `Reach` instead of a date."""

    keeps_marks = True
    state_partitioning_keys = ()

    def is_due(self, member: Record, read_to: dt.datetime | None) -> bool:
        """Whether the API may have rows that were not read yet.

        Args:
            member: As the API has it; without its detail where that was not needed.
            read_to: The moment up to which its rows were read; None if they never were.
        """
        raise NotImplementedError

    def reach(self, order: Sequence[str]) -> Reach:
        """How far the stream has read a list, by its state.

        A catalog that asks for the full table is heeded: what an earlier pass has read is read
        again, what a pass has read that was cut off is not.
        """
        marks = self.get_context_state(None).get("reach")
        return Reach.unfinished_of(marks, order) if self.is_full_table else Reach(marks, order)

    @property
    def window(self) -> int:
        """Days after it is over in which a member is asked for news; 0 for no limit."""
        return int(self.config["tracking_window_days"])


class WalkingStream(WalkedStream):
    """The members of a list, and in their wake all their parts.

    A pass walks down the list. Of each member it reads the detail and the parts that are due, and
    notes how far it has come. A pass that was cut off is continued by the next run before another
    begins.
    """

    #: The key of a member in the rows of its parts.
    member_key: ClassVar[str]
    #: The member that is being read, and the names of the streams that are due of it, each with the
    #: moment up to which its rows were read, None for never.
    current: Record
    due: Mapping[str, dt.datetime | None]
    #: Whether a walk is under way: it writes the state itself, once a member.
    is_walking = False
    #: The members that were read, and those that by their place in the list seem to have been.
    _seen: Members
    _unseen: set[str]

    def listed(self, family: Sequence[WalkedStream]) -> list[Record]:
        """List the members, new ones at the top, with ids that are text.

        Args:
            family: The streams that the run wants.
        """
        raise NotImplementedError

    def visit(self, member: Record, read_to: ReadTo, detail: Detail) -> Record | None:
        """Find out what is `due` of a member; None if nothing is or it has vanished.

        Args:
            member: Its row in the list.
            read_to: How far the streams have read it that have not done so in this pass.
            detail: Reads its detail.
        """
        raise NotImplementedError

    def gone_since(self, moment: dt.datetime | None) -> Iterable[str]:  # noqa: ARG002 - others do
        """The ids of members that are no longer listed, as far as the API names them."""
        return ()

    @property
    def is_closed(self) -> bool:
        """Whether a part turned out to be closed to the account: nothing more can be read."""
        return False

    @property
    def family(self) -> list[WalkedStream]:
        """The streams of the walk that the run wants."""
        streams = cast("list[WalkedStream]", [self, *self.child_streams])
        return [each for each in streams if each.selected]

    @override
    def generate_child_contexts(
        self, record: Record, context: Context | None
    ) -> Iterable[Context | None]:
        # The SDK would read no parts of members that a stream map leaves out. A map is about the
        # rows of its own stream: what a member's parts are is read, whatever becomes of its row.
        if self.due:
            self._sync_children({self.member_key: record["id"]})
        return ()

    @override
    def read(self, context: Context | None) -> Iterable[Record]:
        self.is_walking = True
        family = self.family
        members = self.listed(family)
        reaches = self.reaches(members)
        started, moments = self.moments(reaches)

        yield from self._walk(members, reaches, moments)
        if self.is_closed:
            return
        self._finish(reaches, moments)
        if self.is_stale(moments, started):
            # What was a pass of days ago is through. What came in since is read now, too.
            yield from self._walk(members, reaches, dict.fromkeys(family, started))
            self._finish(reaches, dict.fromkeys(family, started))
        self.is_walking = False
        self.tap.state_writer.write_state(self.tap.state)

    def moments(
        self, reaches: Mapping[WalkedStream, Reach]
    ) -> tuple[dt.datetime, dict[WalkedStream, dt.datetime]]:
        """When the run began, and when the pass did that each stream is to come to the end of."""
        started = self.tap.session.began
        while any(reach.last == started for reach in reaches.values()):
            # An API whose clock stands still must not make this pass seem to be the last one.
            started -= dt.timedelta(milliseconds=1)
        return started, {each: reach.unfinished or started for each, reach in reaches.items()}

    def is_stale(self, moments: Mapping[WalkedStream, dt.datetime], started: dt.datetime) -> bool:
        """Whether a pass that is through began too long ago to leave it at that."""
        return started - min(moments.values()) > _STALE

    def reaches(self, members: Sequence[Record]) -> dict[WalkedStream, Reach]:
        """How far each stream of the family has read these members."""
        ids = [member["id"] for member in members]
        found = {each: each.reach(ids) for each in self.family}
        before = min((reach.last for reach in found.values() if reach.last), default=None)
        self._seen, self._unseen = self._compare(ids[: _covered(found)], before)
        return found

    def _compare(
        self, covered: Sequence[str], before: dt.datetime | None
    ) -> tuple[Members, set[str]]:
        """The members that were read, and which of those are not that the marks cover.

        A list that is paged by number loses members when others are deleted meanwhile; by their
        place in the next list they would be taken for read.
        """
        text = self.get_context_state(None).get("members")
        if text is None:
            # Of a first run, or of a version that kept no such set: the marks are all there is.
            return Members.of(covered), set()
        read = Members.load(text)
        found = read.difference(covered)
        if found is None:
            gone = set(self.gone_since(before)).difference(covered)
            found = read.difference([*covered, *gone])
            if found is not None:
                found.surplus.update(map(Members.token, gone - found.missing))
        if found is None:
            self.logger.warning("So many have come and gone that all are read again, to be sure.")
            return Members(), set(covered)
        for token in found.surplus:
            read.take(token)
        return read, found.missing.intersection(covered)

    def unread(
        self,
        position: int,
        member_id: str,
        reaches: Mapping[WalkedStream, Reach],
        moments: Mapping[WalkedStream, dt.datetime],
    ) -> ReadTo:
        """The streams that have not read a member in the pass of these moments."""
        if member_id in self._unseen:
            return dict.fromkeys(reaches)
        read_to = {each: reach.read_to(position) for each, reach in reaches.items()}
        return {each: to for each, to in read_to.items() if to != moments[each]}

    def note_as_read(self, position: int, member_id: str, covered: int) -> None:
        """Remember that a member was read, unless it was among those covered, and read before."""
        if position >= covered or member_id in self._unseen:
            self._seen.add(member_id)
            self._unseen.discard(member_id)

    def _walk(
        self,
        members: Sequence[Record],
        reaches: Mapping[WalkedStream, Reach],
        moments: Mapping[WalkedStream, dt.datetime],
    ) -> Iterable[Record]:
        """One pass down the list: those with something due, each with its parts in its wake.

        Args:
            members: List rows, newest first.
            reaches: How far each stream has read them.
            moments: When each stream's pass began, in this run or in one that was cut off.
        """
        begun = None
        before = self.tap.session.calls
        covered = _covered(reaches)
        for position, member in enumerate(members):
            read_to = self.unread(position, member["id"], reaches, moments)
            if not read_to:
                continue
            begun = position if begun is None else begun
            self.tap.progress.expect(self.name, position, len(members), begun, before)
            self._has_vanished = False
            found = self.visit(member, read_to, self._detail)
            if found is not None:
                self.current = found
                yield found
                if self.is_closed:
                    return
            if not self._has_vanished:
                self.note_as_read(position, member["id"], covered)
            elif position < covered and member["id"] not in self._unseen:
                # Should it come back, all of it is to be read.
                self._seen.take(Members.token(member["id"]))
            if found is not None:
                for each in read_to:
                    reaches[each].advance(position, moments[each])
                self._keep(reaches)

    _has_vanished = False

    def _detail(self, member: Record) -> Record | None:
        detail = self.detail(self.detail_path(member), member["id"])
        self._has_vanished = detail is None
        return None if detail is None else {**member, **detail, "id": member["id"]}

    def detail_path(self, member: Record) -> str:
        """Where a member's detail is."""
        return f"{self.path}/{member['id']}"

    def _finish(
        self,
        reaches: Mapping[WalkedStream, Reach],
        moments: Mapping[WalkedStream, dt.datetime],
    ) -> None:
        for each, reach in reaches.items():
            reach.complete(moments[each])
        self.tap.progress.arrive()
        self._keep(reaches)

    def _keep(self, reaches: Mapping[WalkedStream, Reach]) -> None:
        for stream, reach in reaches.items():
            stream.get_context_state(None)["reach"] = reach.dump()
        self.get_context_state(None)["members"] = self._seen.dump()
        self.tap.state_writer.write_state(self.tap.state)


def _covered(reaches: Mapping[WalkedStream, Reach]) -> int:
    return max((reach.end for reach in reaches.values()), default=0)


class PartStream(WalkedStream):
    """Something of one member of a list, read right after it.

    There are as many contexts as members. What the SDK says and writes once a context is said and
    written once a run here.
    """

    def __init__(self, tap: TapConstantContact) -> None:
        """Keep quiet."""
        super().__init__(tap)
        self.logger.setLevel(logging.WARNING)
        self.metrics_logger.addFilter(_without_metrics(self.name))
        self._has_written_schema = False

    @functools.cached_property
    def walker(self) -> WalkingStream:
        """The stream that walks down the list."""
        return next(
            each
            for each in self.tap.streams.values()
            if isinstance(each, WalkingStream) and type(each) is self.parent_stream_type
        )

    @override
    def read(self, context: Context | None) -> Iterable[Record]:
        if self.name in self.walker.due:
            try:
                yield from self.read_part(context)
            except RefusedError as error:
                if error.verdict is not Verdict.MISSING:
                    raise
                self.miss()

    def miss(self) -> None:
        """Note that the API knows nothing of this part: for some, that is how it says "none"."""
        self.logger.debug("Nothing there for %s.", self.walker.current["id"])

    def read_part(self, context: Context | None) -> Iterable[Record]:
        """Read the part of a member for which it is due."""
        return super().read(context)

    @override
    def _write_schema_message(self) -> None:
        # Targets flush at each SCHEMA (github.com/meltano/sdk/issues/1025).
        if not self._has_written_schema:
            self._has_written_schema = True
            super()._write_schema_message()

    @override
    def _write_state_message(self) -> None:
        if not self.walker.is_walking:
            super()._write_state_message()


@functools.cache
def _without_metrics(stream: str) -> logging.Filter:
    return MetricExclusionFilter(tags={"stream": stream})
