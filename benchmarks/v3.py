"""v3 in requests and rows, measured: `python -m benchmarks.v3`.

A first run of 400 campaigns and their six reports, at once and in slices of 300 requests; the next
day's; contacts in slices, and contacts that change while they are paged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.runner import KEY, TOKEN, Box, Measured, run, sandbox
from sandbox import Account, serve

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.http import Call

FAMILY = [
    f"campaign_{kind}"
    for kind in ("sends", "opens", "clicks", "bounces", "forwards", "unsubscribes")
]
FAST: dict[str, Any] = {"requests_per_second": 1000, "api_version": "v3"}
SLICE = 300


def backfill() -> str:
    """400 campaigns x 6 kinds, first run in slices of 300 requests."""
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
        f"{rows:,} rows, {missing} missing; {alone:,} requests at once, {calls:,} in {len(slices)}"
        f" slices: {calls / alone:.3f} x; largest state {slices[-1].largest_state:,} bytes; the"
        f" next run {following} requests for {sum(after.rows.values()):,} rows"
    )


def _sliced(box: Box, streams: list[str], calls: int) -> list[Measured]:
    found: list[Measured] = []
    while not found or "`max_requests`" in found[-1].log:
        state = found[-1].state if found else None
        found.append(run(box, streams=streams, state=state, max_requests=calls, **FAST))
    return found


def contacts() -> str:
    """20,000 contacts in slices of 10 requests."""
    with sandbox("--contacts", "20000", "--campaigns", "0") as box:
        run(box, streams=["contacts"], **FAST)
        alone = len(box.calls())
        slices = _sliced(box, ["contacts"], 10)
        calls = len(box.calls()) - alone
        arrived = set().union(*(each.ids["contacts"] for each in slices))
    return (
        f"{len(arrived):,} contacts; {alone} requests at once, {calls} in {len(slices)} slices:"
        f" {calls / alone:.3f} x"
    )


def moving() -> str:
    """100,000 contacts, 1,500 edits, 300 deletions and 200 arrivals while they are paged."""
    account = Account(contacts=100_000, campaigns=0)
    pages = 0

    def happen(call: Call, _: Callable[[], Any]) -> None:
        nonlocal pages
        if call.path == "/v3/contacts" and pages < 100:  # noqa: PLR2004 - half of its pages
            pages += 1
            account.edit_contacts(15)
            account.remove_contacts(3)
            account.add_contacts(2)

    with serve(account, api_key=KEY, access_token=TOKEN) as box:
        box.interfere = happen
        first = run(box, streams=["contacts"], **FAST)
        alone = len(box.calls)
        box.interfere = None
        again = run(box, streams=["contacts"], state=first.state, **FAST)
        missing = account.v3_ids("contacts") - first.ids["contacts"] - again.ids["contacts"]
        return (
            f"{first.rows['contacts']:,} rows in {alone} requests, {again.rows['contacts']:,} in"
            f" {len(box.calls) - alone}; {len(missing)} of {len(account.v3_ids('contacts')):,}"
            " missing"
        )


if __name__ == "__main__":
    for show in (backfill, contacts, moving):
        print(f"{(show.__doc__ or '').rstrip('.')}:\n    {show()}", flush=True)  # noqa: T201
