"""The counters of campaigns (API docs: v3 §11): a report is read only where its own has moved."""

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

#: The kinds of reports, in the order in which their counters stand in a state.
KINDS = ("sends", "opens", "clicks", "bounces", "forwards", "optouts")
# What the API counts of each: rows, not people.
_COUNTED_BY = {
    **{kind: f"em_{kind}" for kind in KINDS},
    "opens": "em_opens_all",
    "clicks": "em_clicks_all",
}
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
# In place of a counter that says nothing, of one that has fallen, and of the age of one whose
# report was never read; before an age in minutes, and before activities.
_UNKNOWN, _FALLEN, _NEVER = "-", "!", "*"
_AGE, _ACTIVITIES = ":", "~"
_SHORT_ID = 4
_MINUTE = dt.timedelta(minutes=1)


def with_plain_names(row: Record) -> Record:
    """A row of sums with the contract's names; the guide prints some of its counters with dots."""
    stats = row.get("stats")
    return {**row, "stats": _plain_names(stats)} if isinstance(stats, dict) else row


def _plain_names(stats: Mapping[str, Any]) -> dict[str, Any]:
    return {name.replace(".", "_"): value for name, value in stats.items()}


def counts_of(stats: Any) -> dict[str, int]:
    """The counters of a campaign's stats, by kind; those that are missing or no number left out.

    The guide prints some with dots, and numbers as text (API docs: v3 §11, §18).
    """
    by_name = _plain_names(stats) if isinstance(stats, dict) else {}
    counts = {kind: envelopes.count_of(by_name.get(name)) for kind, name in _COUNTED_BY.items()}
    return {kind: count for kind, count in counts.items() if count is not None}


class Counter(NamedTuple):
    """A counter as of the time when its report was read.

    Attributes:
        value: None if it says nothing.
        synced_until: The timestamp up to which the report was read; None for never.
        has_fallen: Whether it was ever less than before: from then on it is not believed.
    """

    value: int | None
    synced_until: dt.datetime | None
    has_fallen: bool = False

    def vouches(self, now: int | None, synced_until: dt.datetime) -> bool:
        """Whether a report has no records that were not read.

        Args:
            now: The counter's current value; None if it cannot be read.
            synced_until: The timestamp up to which the stream has read the report. It is earlier
                than the counter's own if a target has not kept the stream's bookmark.
        """
        is_known = self.value is not None and self.value == now and not self.has_fallen
        return is_known and (self.synced_until is None or self.synced_until <= synced_until)


class CampaignCounters(NamedTuple):
    """What was known of a campaign when its reports were read.

    Attributes:
        counters: By kind.
        activities: The activities whose reports were read, by `short_activity_id`; empty if that
            is not known.
    """

    counters: Mapping[str, Counter]
    activities: frozenset[str] = frozenset()

    @classmethod
    def of(cls, seen: Snapshot | None) -> Self:
        """Read what `text` has written; what is something else is as good as nothing."""
        text, _, ids = (seen.text if seen else "").partition(_ACTIVITIES)
        parts = text.split(".")
        activities = frozenset(
            ids[start : start + _SHORT_ID] for start in range(0, len(ids), _SHORT_ID)
        )
        if seen is None or len(parts) != len(KINDS):
            return cls({}, activities)
        try:
            pairs = zip(KINDS, parts, strict=True)
            counters = {kind: _read(part, seen.synced_until) for kind, part in pairs if part}
        except (ValueError, OverflowError):
            counters = {}
        return cls(counters, activities)

    def text(self, at: dt.datetime) -> str:
        """Write the snapshot as a short text, with times relative to a timestamp."""
        counters = (_write(self.counters.get(kind), at) for kind in KINDS)
        return f"{'.'.join(counters)}{_ACTIVITIES}{''.join(sorted(self.activities))}"


def short_activity_id(activity_id: str) -> str:
    """What stands for an activity in a snapshot of its campaign."""
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
    # Rounded up: what is read twice is harmless.
    minutes = max(0, math.ceil((at - synced_until) / _MINUTE))
    return f"{text}{_AGE}{_written(minutes)}" if minutes else text


def _written(number: int) -> str:
    digits = ""
    while number or not digits:
        number, rest = divmod(number, len(_DIGITS))
        digits = _DIGITS[rest] + digits
    return digits
