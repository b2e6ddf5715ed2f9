"""Counters of campaigns (docs/api/v3.md §11).

A report is synced only if its counter has changed.
"""

from __future__ import annotations

import datetime as dt
import math
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from tap_constantcontact.http import envelopes
from tap_constantcontact.state.ids import fingerprint

if TYPE_CHECKING:
    from collections.abc import Mapping

    from singer_sdk.helpers.types import Record

    from tap_constantcontact.state.snapshots import Snapshot

#: Kinds of reports, in the order of their counters in a state.
KINDS = ("sends", "opens", "clicks", "bounces", "forwards", "optouts")
# The counter of each kind: records, not people.
_COUNTED_BY = {
    **{kind: f"em_{kind}" for kind in KINDS},
    "opens": "em_opens_all",
    "clicks": "em_clicks_all",
}
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
# Signs for a counter that is missing, for one that has fallen, for a report that was never
# read, before an age in minutes, and before activities.
_UNKNOWN, _FALLEN, _NEVER = "-", "!", "*"
_AGE, _ACTIVITIES = ":", "~"
_SHORT_ID = 4
_MINUTE = dt.timedelta(minutes=1)


def with_plain_names(row: Record) -> Record:
    """Return stats with the contract's names; the guide shows some counters with dots."""
    stats = row.get("stats")
    return {**row, "stats": _plain_names(stats)} if isinstance(stats, dict) else row


def _plain_names(stats: Mapping[str, Any]) -> dict[str, Any]:
    return {name.replace(".", "_"): value for name, value in stats.items()}


def counts_of(stats: Any) -> dict[str, int]:
    """Return the counters in the stats of a campaign, by kind.

    Missing and invalid ones are left out.

    The guide shows some with dots, and numbers as text (docs/api/v3.md §11, §18).
    """
    by_name = _plain_names(stats) if isinstance(stats, dict) else {}
    counts = {kind: envelopes.count_of(by_name.get(name)) for kind, name in _COUNTED_BY.items()}
    return {kind: count for kind, count in counts.items() if count is not None}


class Counter(NamedTuple):
    """A counter at the last sync of its report.

    Attributes:
        value: The counter; None if it is missing.
        synced_until: The timestamp until which the report is synced; None for never.
        has_fallen: Whether it was ever less than before. Then it is not trusted.
    """

    value: int | None
    synced_until: dt.datetime | None
    has_fallen: bool = False

    def vouches(self, now: int | None, synced_until: dt.datetime) -> bool:
        """Return whether a report has no records that are not synced.

        Args:
            now: The current counter; None if it is missing.
            synced_until: The timestamp until which the stream is synced. It is earlier than the
                counter's own if a target has not kept the stream's bookmark.
        """
        is_known = self.value is not None and self.value == now and not self.has_fallen
        return is_known and (self.synced_until is None or self.synced_until <= synced_until)


class CampaignCounters(NamedTuple):
    """The counters of a campaign at the last sync of its reports.

    Attributes:
        counters: Counters by kind.
        activities: Short ids of the activities whose reports were read; empty if not known.
    """

    counters: Mapping[str, Counter]
    activities: frozenset[str] = frozenset()

    @classmethod
    def of(cls, seen: Snapshot | None) -> Self:
        """Parse what `text` returned; anything else counts as nothing."""
        text, _, ids = (seen.text if seen else "").partition(_ACTIVITIES)
        parts = text.split(".")
        activities = frozenset(
            ids[start : start + _SHORT_ID] for start in range(0, len(ids), _SHORT_ID)
        )
        if seen is None or seen.synced_until is None or len(parts) != len(KINDS):
            return cls({}, activities)
        try:
            pairs = zip(KINDS, parts, strict=True)
            counters = {kind: _read(part, seen.synced_until) for kind, part in pairs if part}
        except (ValueError, OverflowError):
            counters = {}
        return cls(counters, activities)

    def text(self, at: dt.datetime) -> str:
        """Format the counters as a short text, with times relative to a timestamp."""
        counters = (_write(self.counters.get(kind), at) for kind in KINDS)
        return f"{'.'.join(counters)}{_ACTIVITIES}{''.join(sorted(self.activities))}"


def short_activity_id(activity_id: str) -> str:
    """Return the short id of an activity."""
    return fingerprint(activity_id)[:_SHORT_ID]


def _read(part: str, at: dt.datetime) -> Counter:
    text, _, age = part.partition(_AGE)
    has_fallen = text == _FALLEN
    value = None if text in {_FALLEN, _UNKNOWN} else int(text, len(_DIGITS))
    if age == _NEVER:
        return Counter(value, None, has_fallen)
    minutes = int(age, len(_DIGITS)) if age else 0
    return Counter(value, at - minutes * _MINUTE, has_fallen)


def _write(counter: Counter | None, at: dt.datetime) -> str:
    if counter is None:
        return ""
    value, synced_until, has_fallen = counter
    text = _FALLEN if has_fallen else _UNKNOWN if value is None else _written(value)
    if synced_until is None:
        return f"{text}{_AGE}{_NEVER}"
    # Rounded up: reading twice is harmless.
    minutes = max(0, math.ceil((at - synced_until) / _MINUTE))
    return f"{text}{_AGE}{_written(minutes)}" if minutes else text


def _written(number: int) -> str:
    digits = ""
    while number or not digits:
        number, rest = divmod(number, len(_DIGITS))
        digits = _DIGITS[rest] + digits
    return digits
