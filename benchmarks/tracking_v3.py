"""Campaigns of v3 in calls, measured: `python -m benchmarks.tracking_v3`.

A first run of 400 campaigns and their six reports, at once and in slices of 300 calls; the next
day's; and contacts that change while they are paged.
"""

from __future__ import annotations

from typing import Any

from benchmarks.running import Box, Measured, run, sandbox

FAMILY = [
    f"campaign_{kind}"
    for kind in ("sends", "opens", "clicks", "bounces", "forwards", "unsubscribes")
]
FAST: dict[str, Any] = {"requests_per_second": 1000, "api_version": "v3"}
SLICE = 300


def backfill() -> str:
    """400 campaigns x 6 kinds, first run in slices of 300 calls."""
    size = ("--contacts", "3000", "--campaigns", "400", "--recipients", "300", "--events", "0")
    with sandbox(*size) as box:
        whole = run(box, streams=FAMILY, **FAST)
        alone = len(box.calls())
        slices = _sliced(box, FAMILY, SLICE)
        calls = len(box.calls()) - alone
        keys = {name: set().union(*(each.keys[name] for each in slices)) for name in FAMILY}
        missing = sum(len(whole.keys[name] - keys[name]) for name in FAMILY)
        rows = sum(map(len, whole.keys.values()))
        seen = len(box.calls())
        box.change(add_tracking=5)
        after = run(box, streams=FAMILY, state=slices[-1].state, **FAST)
        following = len(box.calls()) - seen
    return (
        f"{rows:,} rows, {missing} missing; {alone:,} calls at once, {calls:,} in {len(slices)}"
        f" slices: {calls / alone:.3f} x; largest state {slices[-1].largest_state:,} bytes; the"
        f" next run {following} calls for {sum(after.rows.values()):,} rows"
    )


def _sliced(box: Box, streams: list[str], calls: int) -> list[Measured]:
    found: list[Measured] = []
    while not found or "`max_calls`" in found[-1].log:
        state = found[-1].state if found else None
        found.append(run(box, streams=streams, state=state, max_calls=calls, **FAST))
    return found


def contacts() -> str:
    """20,000 contacts in slices of 10 calls."""
    with sandbox("--contacts", "20000", "--campaigns", "0") as box:
        run(box, streams=["contacts"], **FAST)
        alone = len(box.calls())
        slices = _sliced(box, ["contacts"], 10)
        calls = len(box.calls()) - alone
        arrived = set().union(*(each.ids["contacts"] for each in slices))
    return (
        f"{len(arrived):,} contacts; {alone} calls at once, {calls} in {len(slices)} slices:"
        f" {calls / alone:.3f} x"
    )


if __name__ == "__main__":
    for show in (backfill, contacts):
        print(f"{(show.__doc__ or '').rstrip('.')}:\n    {show()}", flush=True)  # noqa: T201
