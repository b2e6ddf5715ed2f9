"""The API's dates, in and out (API docs: Date formats)."""

from __future__ import annotations

import datetime as dt
from typing import Any

_NEVER = frozenset(
    {
        dt.datetime(1970, 1, 1, tzinfo=dt.UTC),
        # The same moment, written in US Eastern time with a wrong `Z`.
        dt.datetime(1969, 12, 31, 19, tzinfo=dt.UTC),
    }
)


def parse(text: str) -> dt.datetime | None:
    """Read a date of the API, or of a setting; one without an offset is UTC.

    Returns:
        The moment in UTC, or None for the ways to write "never".

    Raises:
        ValueError: If the text is no date.
    """
    if not text:
        return None
    try:
        moment = dt.datetime.fromisoformat(text)
        moment = moment.astimezone(dt.UTC) if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
    except OverflowError as error:
        msg = "a date outside the years 1 to 9999"
        raise ValueError(msg) from error
    return None if moment in _NEVER else moment


def parse_or_none(text: Any) -> dt.datetime | None:
    """Read a date of the API where one that cannot be read is as good as none."""
    try:
        return parse(text)
    except (TypeError, ValueError):
        return None


def is_since(text: Any, since: dt.datetime | None) -> bool:
    """Whether a date of the API lies at or after a moment; true as well if either is unknown."""
    if since is None:
        return True
    moment = parse_or_none(text)
    return moment is None or moment >= since


def write(moment: dt.datetime) -> str:
    """Write a moment the one way that every endpoint takes: milliseconds and `Z`."""
    utc = moment.astimezone(dt.UTC).replace(tzinfo=None)
    return utc.isoformat(timespec="milliseconds") + "Z"
