"""Timestamps, and the formats of the API.

Inside the sandbox, a timestamp is a whole number of milliseconds since 1970 in UTC: it compares
fast and takes little room. It becomes text when it is served.
"""

import re
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

SECOND: Final = 1000
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR
WEEK: Final = 7 * DAY
YEAR: Final = 365 * DAY

NEVER: Final = "1969-12-31T19:00:00.000Z"
"""A common form of "never": the epoch in US Eastern time, with a `Z` that is wrong."""

EPOCH: Final = "1970-01-01T00:00:00.000Z"
"""Dates of the library's system folders."""

_FULL_TIMESTAMP: Final = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)",
)
_EASTERN: Final = ZoneInfo("America/New_York")


def millis(timestamp: datetime) -> int:
    """Convert a datetime to milliseconds since 1970; one without a zone is taken as UTC."""
    if timestamp.tzinfo is None:
        timestamp = timestamp.replace(tzinfo=UTC)
    return int(timestamp.timestamp()) * SECOND + timestamp.microsecond // 1000


def whole_second(timestamp: int) -> int:
    """Truncate to seconds, as the API does for later years."""
    return timestamp - timestamp % SECOND


def text(timestamp: int) -> str:
    """Return a timestamp as the API writes it: `2013-03-11T20:37:28.000Z`."""
    seconds, rest = divmod(timestamp, SECOND)
    return f"{datetime.fromtimestamp(seconds, UTC).isoformat()[:19]}.{rest:03d}Z"


def eastern(timestamp: int) -> str:
    """Return a timestamp as the library writes it, with the offset of US Eastern time."""
    local = datetime.fromtimestamp(timestamp // SECOND, _EASTERN).isoformat()
    return f"{local[:19]}.{timestamp % SECOND:03d}{local[19:]}"


def read(value: str) -> int:
    """Read a time that came as a query parameter.

    Args:
        value: A full ISO 8601 timestamp with a zone.

    Returns:
        Milliseconds since 1970.

    Raises:
        ValueError: Anything else, a bare date included, as in the API.
    """
    if not _FULL_TIMESTAMP.fullmatch(value):
        msg = "not a full ISO 8601 timestamp"
        raise ValueError(msg)
    return millis(datetime.fromisoformat(value))
