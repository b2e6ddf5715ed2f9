"""What a run will cost, said before it is made: adds up and prints what streams say."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

#: Calls a key may make a day (API docs: Rate limits).
CALLS_A_DAY = 10_000
#: Rows of the largest page that most endpoints allow.
PAGE = 500


@dataclass(frozen=True)
class Cost:
    """What a stream will cost.

    Attributes:
        stream: Its name.
        calls: Calls to the API, if none has to be repeated.
        note: What the figure rests on.
    """

    stream: str
    calls: int
    note: str = ""


class Costing(Protocol):
    """Whatever can say what it will cost."""

    def costs(self) -> Iterable[Cost]:
        """What it will cost, with what depends on it."""


@dataclass(frozen=True)
class Plan:
    """What a run will cost.

    Attributes:
        costs: By stream, in the order of the run.
        asked: The calls that it took to find out.
        calls_a_day: How many calls runs may make a day.
        seconds_per_request: How far apart calls are.
        given: What it was made from.
    """

    costs: Sequence[Cost]
    asked: int
    calls_a_day: int
    seconds_per_request: float
    given: str = ""

    @property
    def calls(self) -> int:
        """All calls together."""
        return sum(cost.calls for cost in self.costs)

    @property
    def per_cent(self) -> float:
        """How much of a day's calls they are."""
        return 100 * self.calls / self.calls_a_day

    @property
    def minutes(self) -> int:
        """How long they take at the least."""
        return max(1, round(self.calls * self.seconds_per_request / 60))

    @property
    def days(self) -> int:
        """Over how many days the calls spread."""
        return max(1, math.ceil(self.calls / self.calls_a_day))

    def __str__(self) -> str:
        """A table for a person to read, and what it comes to."""
        rows = [("stream", "requests", "")]
        rows += [(cost.stream, f"{cost.calls:,}", cost.note) for cost in self.costs]
        rows += [("total", f"{self.calls:,}", "")]
        name, number = (max(len(row[column]) for row in rows) for column in (0, 1))
        lines = [self.given, ""] if self.given else []
        lines += [f"{a:{name}}  {b:>{number}}  {c}".rstrip() for a, b, c in rows]
        at_least = "a minute" if self.minutes == 1 else f"{self.minutes:,} minutes"
        share = f"{self.per_cent:,.1f} % of one day's quota"
        days = share if self.days == 1 else f"The quota of {self.days:,} days"
        lines += [
            "",
            f"{days} at {self.calls_a_day:,} requests per day; {at_least} at this rate.",
            f"Used {self.asked:,} requests to create this estimate.",
        ]
        return "\n".join(lines)

    def as_dict(self) -> dict[str, Any]:
        """The same for a program."""
        return {
            "streams": [
                {"stream": cost.stream, "requests": cost.calls, "note": cost.note}
                for cost in self.costs
            ],
            "requests": self.calls,
            "daily_quota": self.calls_a_day,
            "daily_quota_percent": round(self.per_cent, 2),
            "days": self.days,
            "minutes": self.minutes,
            "requests_used": self.asked,
            "based_on": self.given,
        }


def pages(rows: float, size: int = PAGE) -> int:
    """How many pages hold so many rows; the API has one for none."""
    return max(1, math.ceil(rows / size))
