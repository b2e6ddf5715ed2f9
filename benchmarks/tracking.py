"""Tracking inside the day's requests, measured: `python -m benchmarks.tracking`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from benchmarks.runner import Measured, run, sandbox

if TYPE_CHECKING:
    from collections.abc import Callable

FAST: dict[str, Any] = {"requests_per_second": 1000}
FAMILY = (
    "campaigns",
    "campaign_links",
    "campaign_schedules",
    "campaign_sends",
    "campaign_opens",
    "campaign_clicks",
    "campaign_bounces",
    "campaign_forwards",
    "campaign_unsubscribes",
)


def slices() -> str:
    """400 campaigns x 6 reports, first run in slices of 300 requests."""
    sizes = ("--campaigns", "400", "--recipients", "60", "--contacts", "1000")
    with sandbox(*sizes) as box:
        run(box, streams=FAMILY, **FAST)
        whole = len(box.calls())
    with sandbox(*sizes) as box:
        there = box.ask("/counts")
        arrived: dict[str, set[Any]] = {stream: set() for stream in FAMILY}
        state: dict[str, Any] | None = None
        largest = runs = spent = 0
        while True:
            measured = run(box, streams=FAMILY, state=state, max_requests=300, **FAST)
            runs += 1
            for stream in FAMILY:
                arrived[stream] |= measured.keys[stream]
            largest = max(largest, measured.largest_state)
            state = measured.state
            before, spent = spent, len(box.calls())
            if spent - before < 300:  # noqa: PLR2004 - as above
                break
        missing = sum(there[stream] - len(arrived[stream]) for stream in FAMILY)
        return (
            f"{runs} runs; {missing} rows missing; {spent:,} requests, {whole:,} uninterrupted: "
            f"{spent / whole:.3f}; state at most {largest:,} bytes"
        )


def next_day() -> str:
    """400 campaigns, the next day with 5 new rows, all default streams."""
    with sandbox("--campaigns", "400", "--recipients", "60", "--contacts", "1000") as box:
        first = run(box, **FAST)
        before = len(box.calls())
        box.change(add_tracking=5)
        second = run(box, state=first.state, **FAST)
        calls = len(box.calls()) - before
        new = sum(len(second.keys[s] - first.keys[s]) for s in FAMILY[3:])
        there = box.ask("/counts")
        kept = sum(len(second.keys[s] | first.keys[s]) for s in FAMILY[3:])
        missing = sum(there[s] for s in FAMILY[3:]) - kept
        return f"first run {before:,} requests, then {calls}; {new} new rows, {missing} missing"


def growth() -> str:
    """Run time of 500 and of 2,000 campaigns, 1 row a report."""
    took: list[Measured] = []
    for campaigns in (500, 2000):
        with sandbox("--campaigns", str(campaigns), "--recipients", "1") as box:
            took.append(run(box, streams=FAMILY, **FAST))
    small, large = took
    size = len(json.dumps(large.state))
    return (
        f"{small.seconds:.1f} s and {large.seconds:.1f} s: {large.seconds / small.seconds:.2f} x; "
        f"state at most {max(large.largest_state, size):,} bytes"
    )


SHOWN: tuple[Callable[[], str], ...] = (slices, next_day, growth)

if __name__ == "__main__":
    for show in SHOWN:
        print(f"{(show.__doc__ or '').rstrip('.')}:\n    {show()}", flush=True)  # noqa: T201
