"""One pass down a long list by several streams: what of it is read, and what is left."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, TypeAlias

from tap_constantcontact.state.marks import moment_of_pass
from tap_constantcontact.state.members import Members
from tap_constantcontact.state.revisits import Revisit

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from tap_constantcontact.state.marks import Marks
    from tap_constantcontact.state.revisits import Revisits

#: When streams, by name, have read the rows of a member; None for never.
ReadTo: TypeAlias = "Mapping[str, dt.datetime | None]"

# A pass that began longer ago, since runs were cut off, is followed by another in the same run.
_STALE = dt.timedelta(hours=1)


class Pass:
    """A pass that began in this run, or in one that was cut off.

    Attributes:
        members: The ids of the list's members, newest first.
        marks: How far each stream has read them.
        moments: When the pass began that each stream is to come to the end of.
        read: The members that were read at all.
        unseen: Those that by their place seem to have been read, and were not.
        revisits: Those that were left out, and when it is their turn.
        visited: Those of which something was due.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - all that a state says of a list
        self,
        members: Sequence[str],
        marks: Mapping[str, Marks],
        began: dt.datetime,
        read: Members,
        unseen: set[str],
        revisits: Revisits,
        keys: Sequence[str] | None = None,
    ) -> None:
        """Begin, or go on.

        Args:
            members: The ids of the list's members, newest first.
            keys: What stands for each of them among those that were read; the ids if not said.
            marks: How far each stream has read them.
            began: When the run began.
            read: The members that were read at all.
            unseen: Those that by their place seem to have been read, and were not.
            revisits: Those that were left out, and when it is their turn.
        """
        began = moment_of_pass(began, [each.last for each in marks.values()])
        self.members = members
        self.keys = members if keys is None else keys
        self.marks = marks
        self.moments = {name: each.unfinished or began for name, each in marks.items()}
        self.read = read
        self.unseen = unseen
        self.revisits = revisits
        self._began = began
        self.visited: set[str] = set()
        self._covered = max((each.end for each in marks.values()), default=0)

    @property
    def moment(self) -> dt.datetime:
        """Up to when all streams have read what they read in this pass."""
        return min(self.moments.values())

    def is_for_all(self, read_to: ReadTo) -> bool:
        """Whether no stream has read a member before in this pass, by who has not yet."""
        return self.marks.keys() <= read_to.keys()

    def unread(self, position: int) -> ReadTo:
        """The streams that have not read a member in this pass, and up to when they have."""
        member = self.members[position]
        if self.keys[position] in self.unseen:
            return dict.fromkeys(self.marks)
        read_to = {name: each.read_to(position) for name, each in self.marks.items()}
        unread = {name: to for name, to in read_to.items() if to != self.moments[name]}
        revisit = self.revisits.get(member)
        if revisit is None:
            return unread
        # By its place it was read up to the last pass, which has left it out.
        return {name: to and min(to, revisit.read_to) for name, to in unread.items()}

    def rests(self, position: int, read_to: ReadTo) -> bool:
        """Whether it is not a member's turn, and no stream has less of it than the others."""
        revisit = self.revisits.get(self.members[position])
        if revisit is None or self._began >= revisit.due:
            return False
        return all(to == revisit.read_to for to in read_to.values())

    def come_back(self, position: int, after: Callable[[dt.datetime], dt.timedelta | None]) -> None:
        """Leave a member that was read out of passes for a while.

        Args:
            position: Its place.
            after: For how long, by when it was read; None for not at all.
        """
        moment = self.moment
        pause = after(moment)
        revisit = None if pause is None else Revisit(moment, moment + pause)
        self.revisits.put(self.members[position], revisit)

    def note_as_read(self, position: int) -> None:
        """Remember that a member was read, unless it was among those covered, and read before."""
        key = self.keys[position]
        if position >= self._covered or key in self.unseen:
            self.read.add(key)
            self.unseen.discard(key)

    def note_as_vanished(self, position: int) -> None:
        """Remember that a member is gone: should it come back, all of it is to be read."""
        key = self.keys[position]
        if position < self._covered and key not in self.unseen:
            self.read.take(Members.token(key))
        self.revisits.put(self.members[position], None)

    def note_failures(self, position: int, read_to: ReadTo) -> None:
        """Keep up to when streams, by name, had read a member that they could not read now."""
        for name, moment in read_to.items():
            self.marks[name].note_failure(position, moment)

    def forget_failures(self, position: int, streams: Iterable[str]) -> None:
        """Note that streams have read all that was due of a member."""
        for name in streams:
            self.marks[name].forget_failure(position)

    def advance(self, position: int, streams: Collection[str]) -> None:
        """Note that streams have read all members down to this one, of which something was due."""
        self.visited.add(self.members[position])
        for name in streams:
            self.marks[name].advance(position, self.moments[name])

    def complete(self, streams: Collection[str]) -> None:
        """Note that streams have read the whole list."""
        for name in streams:
            self.marks[name].complete(self.moments[name])
        self._covered = len(self.members)
        self.revisits.retain(self.members)

    def begin_another(self) -> bool:
        """Go down the list once more if the pass began too long ago to leave it at that."""
        if self._began - min(self.moments.values(), default=self._began) <= _STALE:
            return False
        self.moments = dict.fromkeys(self.marks, self._began)
        return True


def compare(
    known: str | None,
    covered: Sequence[str],
    gone: Callable[[], Collection[str]],
) -> tuple[Members, set[str]] | None:
    """The members that were read, and which of those are not that marks cover.

    A list that is paged by number loses members when others are deleted meanwhile; by their place
    in the next list they would be taken for read.

    Args:
        known: The members that were read, as a state holds them; None if it does not.
        covered: The members that marks cover.
        gone: Asks for those that are no longer listed: only if so many have come and gone that
            there is no telling without.

    Returns:
        None if there is no telling at all.
    """
    if known is None:
        # Of a first run, or of a version that kept no such set: the marks are all there is.
        return Members.of(covered), set()
    read = Members.load(known)
    found = read.difference(covered)
    if found is None:
        others = set(gone()).difference(covered)
        found = read.difference([*covered, *others])
        if found is None:
            return None
        found.surplus.update(map(Members.token, others - found.missing))
    for token in found.surplus:
        read.take(token)
    return read, found.missing.intersection(covered)
