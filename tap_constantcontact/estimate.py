"""Estimate of the requests of a run."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tap_constantcontact import text_table

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Largest page size of most endpoints.
PAGE = 500


@dataclass(frozen=True)
class RecordCount:
    """The number of records of a parent, as the API counts them.

    Attributes:
        number: The number.
        of_people: Whether it counts people, who may have several records each.
    """

    number: int
    of_people: bool = False


@dataclass(frozen=True)
class StreamEstimate:
    """The estimate for one stream.

    Attributes:
        stream: Its name.
        requests: Number of requests without retries.
        note: Basis of the estimate.
    """

    stream: str
    requests: int
    note: str = ""


@dataclass(frozen=True)
class SyncEstimate:
    """The estimate for a run.

    Attributes:
        estimates: By stream, in the order of the run.
        requests_used: Requests that the estimate cost.
        daily_quota: Requests per day.
        seconds_per_request: Seconds between requests.
        based_on: State and catalog of the estimate.
    """

    estimates: Sequence[StreamEstimate]
    requests_used: int
    daily_quota: int
    seconds_per_request: float
    based_on: str = ""

    @property
    def requests(self) -> int:
        """Number of requests of all streams."""
        return sum(estimate.requests for estimate in self.estimates)

    @property
    def daily_quota_percent(self) -> float:
        """Share of the daily quota in percent."""
        return 100 * self.requests / self.daily_quota

    @property
    def minutes(self) -> int:
        """Shortest duration in minutes."""
        return max(1, round(self.requests * self.seconds_per_request / 60))

    @property
    def days(self) -> int:
        """Number of days that the requests need."""
        return max(1, math.ceil(self.requests / self.daily_quota))

    def __str__(self) -> str:
        """Return a table for people."""
        rows = [("stream", "requests", "")]
        rows += [
            (estimate.stream, f"{estimate.requests:,}", estimate.note)
            for estimate in self.estimates
        ]
        rows += [("total", f"{self.requests:,}", "")]
        lines = [self.based_on, ""] if self.based_on else []
        lines += text_table.lines_of(rows, numbers=(1,))
        at_least = "a minute" if self.minutes == 1 else f"{self.minutes:,} minutes"
        share = f"{self.daily_quota_percent:,.1f} % of one day's quota"
        days = share if self.days == 1 else f"The quota of {self.days:,} days"
        lines += [
            "",
            f"{days} at {self.daily_quota:,} requests per day; {at_least} at this rate.",
            f"Used {self.requests_used:,} requests to create this estimate.",
        ]
        return "\n".join(lines)

    def as_dict(self) -> dict[str, Any]:
        """Return the estimate for programs."""
        return {
            "streams": [
                {"stream": estimate.stream, "requests": estimate.requests, "note": estimate.note}
                for estimate in self.estimates
            ],
            "requests": self.requests,
            "daily_quota": self.daily_quota,
            "daily_quota_percent": round(self.daily_quota_percent, 2),
            "days": self.days,
            "minutes": self.minutes,
            "requests_used": self.requests_used,
            "based_on": self.based_on,
        }


def pages(rows: float, size: int = PAGE) -> int:
    """Return the number of pages for a number of records; an empty list has one."""
    return max(1, math.ceil(rows / size))
