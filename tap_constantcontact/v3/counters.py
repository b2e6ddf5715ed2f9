"""The counters of campaigns (API docs: v3 §11): a report is read only where its own has moved."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from singer_sdk.helpers.types import Record

#: The kinds of reports, in the order in which their counters stand in a state.
KINDS = ("sends", "opens", "clicks", "bounces", "forwards", "optouts")
# What the API counts of each: rows, not people.
_COUNTED_BY = {
    **{kind: f"em_{kind}" for kind in KINDS},
    "opens": "em_opens_all",
    "clicks": "em_clicks_all",
}
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_UNKNOWN = "-"


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
    found = {}
    for kind, name in _COUNTED_BY.items():
        text = str(by_name.get(name, "")).removesuffix(".0")
        if text.isdecimal():
            found[kind] = int(text)
    return found


def write_counts(counts: Mapping[str, int]) -> str:
    """Counters as a short text."""
    return ".".join(_written(counts.get(kind)) for kind in KINDS)


def read_counts(text: str) -> dict[str, int]:
    """Counters from what `write_counts` has made; none if it is something else."""
    parts = text.split(".")
    if len(parts) != len(KINDS):
        return {}
    try:
        pairs = zip(KINDS, parts, strict=True)
        return {kind: int(part, len(_DIGITS)) for kind, part in pairs if part != _UNKNOWN}
    except ValueError:
        return {}


def _written(number: int | None) -> str:
    if number is None:
        return _UNKNOWN
    digits = ""
    while number or not digits:
        number, rest = divmod(number, len(_DIGITS))
        digits = _DIGITS[rest] + digits
    return digits
