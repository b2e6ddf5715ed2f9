"""How far a long list has been read: a few marks, however long it is.

Reading what hangs on each campaign takes thousands of calls, days of quota on a first run. So a run
remembers how far down the list it has come, and for which moment: down to here it was read as of
now, below that as of the pass before, or not at all. A pass that comes to the end leaves one mark
for everything.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any, Self

from tap_constantcontact.records import times
from tap_constantcontact.state.revisits import token, tokens_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

# A mark names the last few ids above it, so that it holds although one of them gets deleted.
_WITNESSES = 3
# What the API's clock tells, and what a state can.
_CLOCK_STEP, _STATE_STEP = dt.timedelta(seconds=1), dt.timedelta(milliseconds=1)


def moment_of_pass(began: dt.datetime, last: Iterable[dt.datetime | None]) -> dt.datetime:
    """What marks a pass that begins: when the run did, and not before what marks the last one.

    Two passes of the same moment would be taken for one: the second for read where only the first
    has been. As the API's clock tells whole seconds, runs that follow each other within one seem to
    have begun up to a second too early, and in any order.

    Args:
        began: When the run began.
        last: What marks the passes before it.
    """
    for moment in sorted(filter(None, last)):
        if dt.timedelta() <= moment - began < _CLOCK_STEP:
            began = moment + _STATE_STEP
    return began


class Marks:
    """Marks on a list that has its newest members at the top.

    New members come in at the top, where they belong to what was read last: all that hangs on them
    is younger than that. Members may be deleted anywhere.
    """

    def __init__(self, marks: Any, order: Sequence[str], failed: Any = None) -> None:
        """Lay marks on the list of this run.

        Args:
            marks: What `dump` has made of an earlier run's marks; None before the first.
            order: The ids of the list's members, newest first.
            failed: What `dump_failed` has made of the members that failed in an earlier run.
        """
        self._order = order
        self._failed: dict[str, dt.datetime | None] = {
            short_id: times.parse(group.get("synced_until") or "")
            for group in failed or ()
            for short_id in tokens_in(group["ids"])
        }
        self._ends: list[tuple[int, dt.datetime]] = []
        place = {each: number for number, each in enumerate(order, start=1)}
        for mark in marks or ():
            below = mark.get("down_to")
            end = (
                len(order)
                if below is None
                else next((place[each] for each in below if each in place), 0)
            )
            read_to = times.parse(mark["to"])
            if read_to and (below is None or end > self.end):
                self._ends.append((end, read_to))
        self._whole = bool(marks) and marks[-1].get("down_to") is None

    @classmethod
    def unfinished_of(cls, marks: Any, order: Sequence[str], failed: Any = None) -> Self:
        """Only what a pass has read that was cut off; nothing if the last one came to its end."""
        found = cls(marks, order, failed)
        return cls(marks[:1], order, failed) if found.unfinished else cls(None, order)

    @property
    def end(self) -> int:
        """How many members of the list the marks cover."""
        return self._ends[-1][0] if self._ends else 0

    @property
    def last(self) -> dt.datetime | None:
        """The moment of the oldest mark."""
        return self._ends[-1][1] if self._ends else None

    @property
    def unfinished(self) -> dt.datetime | None:
        """The moment of the last pass, if that did not come to the end of the list."""
        is_through = self._whole and len(self._ends) == 1
        return self._ends[0][1] if self._ends and not is_through else None

    def read_to(self, position: int) -> dt.datetime | None:
        """The moment up to which a member was read, the top being 0; None if it never was."""
        if self._failed and (short_id := token(self._order[position])) in self._failed:
            return self._failed[short_id]
        return next((moment for end, moment in self._ends if position < end), None)

    def note_failure(self, position: int, read_to: dt.datetime | None) -> None:
        """Keep the timestamp up to which a member was read: reading it failed in this pass."""
        self._failed[token(self._order[position])] = read_to

    def forget_failure(self, position: int) -> None:
        """Note that nothing is due any more of a member that failed before."""
        if self._failed:
            self._failed.pop(token(self._order[position]), None)

    def advance(self, position: int, moment: dt.datetime) -> None:
        """Note that all members down to this one have been read up to a moment."""
        below = [(end, before) for end, before in self._ends if end > position + 1]
        self._ends = [(position + 1, moment), *below]

    def complete(self, moment: dt.datetime) -> None:
        """Note that the whole list has been read up to a moment."""
        self._ends = [(len(self._order), moment)]
        self._whole = True
        if self._failed:
            listed = set(map(token, self._order))
            self._failed = {key: to for key, to in self._failed.items() if key in listed}

    def dump_failed(self) -> list[dict[str, Any]]:
        """The members that failed, by the timestamp up to which they were read before."""
        groups: dict[dt.datetime | None, str] = {}
        for short_id, read_to in self._failed.items():
            groups[read_to] = groups.get(read_to, "") + short_id
        return [
            {"synced_until": read_to and times.write(read_to), "ids": short_ids}
            for read_to, short_ids in groups.items()
        ]

    def dump(self) -> list[dict[str, Any]]:
        """The marks, as they go into a state."""
        last = len(self._ends) - 1
        return [
            {
                "to": times.write(moment),
                "down_to": None
                if self._whole and number == last
                else list(reversed(self._order[max(0, end - _WITNESSES) : end])),
            }
            for number, (end, moment) in enumerate(self._ends)
        ]
