"""The API's timestamps (docs/api/v2.md §2.4)."""

from __future__ import annotations

import datetime as dt
from typing import Any

_NEVER = frozenset(
    {
        dt.datetime(1970, 1, 1, tzinfo=dt.UTC),
        # The same timestamp, written in US Eastern time with a wrong `Z`.
        dt.datetime(1969, 12, 31, 19, tzinfo=dt.UTC),
    }
)


def parse(text: str) -> dt.datetime | None:
    """Parse a timestamp of the API or of a setting. One without an offset is UTC.

    Returns:
        The timestamp in UTC, or None for the ways to write "never".

    Raises:
        ValueError: If the text is not a timestamp.
    """
    if not text:
        return None
    try:
        timestamp = dt.datetime.fromisoformat(text)
        timestamp = (
            timestamp.astimezone(dt.UTC) if timestamp.tzinfo else timestamp.replace(tzinfo=dt.UTC)
        )
    except OverflowError as error:
        msg = "a timestamp outside the years 1 to 9999"
        raise ValueError(msg) from error
    return None if timestamp in _NEVER else timestamp


def parse_or_none(text: Any) -> dt.datetime | None:
    """Parse a timestamp of the API; None if it is not valid."""
    try:
        return parse(text)
    except (TypeError, ValueError):
        return None


def is_since(text: Any, since: dt.datetime | None) -> bool:
    """Return whether a timestamp of the API is at or after another; true if either is unknown."""
    if since is None:
        return True
    timestamp = parse_or_none(text)
    return timestamp is None or timestamp >= since


def write(timestamp: dt.datetime) -> str:
    """Format a timestamp as every endpoint accepts it: milliseconds and `Z`."""
    utc = timestamp.astimezone(dt.UTC).replace(tzinfo=None)
    return utc.isoformat(timespec="milliseconds") + "Z"
