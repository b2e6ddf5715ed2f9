"""Parents that need no check in each run.

Watermarks say by position until when parents are synced. Parents that a pass skipped are the
exceptions: few, and with_string_ids by a short id, so that they may move in the list or vanish.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from tap_constantcontact.records import timestamps
from tap_constantcontact.state.ids import SHORT_ID_LENGTH, short_id, short_ids_in

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable

# Further parents are checked in each run, so that the state stays small.
_MAX_ENTRIES = 100


class Deferral(NamedTuple):
    """A parent that passes skip until a date.

    Attributes:
        synced_until: The timestamp until which it is synced.
        next_check_at: The timestamp from which on it is checked again.
    """

    synced_until: dt.datetime
    next_check_at: dt.datetime


class Deferrals:
    """Parents that passes skip until a date, by their short id."""

    def __init__(self, groups: Any = None) -> None:
        """Load what `dump` returned; None for nothing.

        Raises:
            ValueError: If it is something else.
        """
        self._by_short_id: dict[str, Deferral] = {}
        for group in groups or ():
            result = _deferral(group)
            short_ids = group.get("ids")
            if result is None or not isinstance(short_ids, str) or len(short_ids) % SHORT_ID_LENGTH:
                msg = "not a list of deferred parents"
                raise ValueError(msg)
            for each in short_ids_in(short_ids):
                self._by_short_id[each] = result

    def get(self, parent_id: str) -> Deferral | None:
        """Return the deferral of a parent; None if it is checked in each run."""
        return self._by_short_id.get(short_id(parent_id))

    def put(self, parent_id: str, deferral: Deferral | None) -> None:
        """Set the deferral of a parent; None removes it."""
        self._by_short_id.pop(short_id(parent_id), None)
        if deferral and len(self._by_short_id) < _MAX_ENTRIES:
            self._by_short_id[short_id(parent_id)] = deferral

    def retain(self, parents: Iterable[str]) -> None:
        """Drop all but these parents."""
        listed_ids = set(map(short_id, parents))
        self._by_short_id = {
            each: result for each, result in self._by_short_id.items() if each in listed_ids
        }

    def dump(self) -> list[dict[str, str]]:
        """Return the deferrals for the state, grouped by their timestamps."""
        groups: dict[Deferral, str] = {}
        for each, result in self._by_short_id.items():
            groups[result] = groups.get(result, "") + each
        return [
            {
                "synced_until": timestamps.write(result.synced_until),
                "next_check_at": timestamps.write(result.next_check_at),
                "ids": short_ids,
            }
            for result, short_ids in groups.items()
        ]


def _deferral(group: Any) -> Deferral | None:
    if not isinstance(group, dict):
        return None
    both = [timestamps.parse_or_none(group.get(name)) for name in ("synced_until", "next_check_at")]
    return Deferral(both[0], both[1]) if both[0] and both[1] else None
