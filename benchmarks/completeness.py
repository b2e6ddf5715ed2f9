"""Nothing is missing, whatever goes wrong: `python -m benchmarks.completeness`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.runner import Box, Measured, run, sandbox

if TYPE_CHECKING:
    from collections.abc import Callable

FAST: dict[str, Any] = {"requests_per_second": 1000}


def contact_pages(box: Box) -> int:
    """Return the number of requests for contacts."""
    return sum(call["path"] == "/v2/contacts" for call in box.calls())


def told(box: Box, measured: Measured) -> str:
    """Say what arrived of what there is."""
    there = box.ask("/counts")["contacts"]
    arrived = len(measured.ids["contacts"])
    return (
        f"exit code {measured.code}; {there:,} contacts in the account, {arrived:,} arrived, "
        f"{there - arrived:,} missing; {contact_pages(box)} requests for contacts"
    )


def hundred_thousand() -> str:
    """100,000 contacts."""
    with sandbox("--contacts", "100000") as box:
        return told(box, run(box, streams=["contacts"], **FAST))


def one_row_too_many() -> str:
    """100,000 contacts, pages of limit + 1."""
    with sandbox("--contacts", "100000", "--extra-row") as box:
        return told(box, run(box, streams=["contacts"], **FAST))


def broken() -> str:
    """Every 7th call fails, every 11th connection drops, 10,000 contacts."""
    with sandbox("--contacts", "10000", "--fail-every", "7", "--drop-every", "11") as box:
        measured = run(box, streams=["contacts"], **FAST)
        return f"{told(box, measured)}; {measured.log.count('Trying again in')} repeats"


def throttled() -> str:
    """Sync 10,000 contacts with a limit of 4 requests per second."""
    with sandbox("--contacts", "10000", "--throttle", "4") as box:
        measured = run(box)
        refused = sum(call["status"] == 403 for call in box.calls())  # noqa: PLR2004 - HTTP
        calls = len(box.calls())
        return (
            f"{told(box, measured)}; {refused} throttled; {calls} requests in"
            f" {measured.seconds:.1f} s"
        )


def changes() -> str:
    """Second run after 7 edits and 3 opt-outs that do not move modified_date."""
    with sandbox("--contacts", "10000") as box:
        first = run(box, streams=["contacts"], **FAST)
        ids = box.change(edit=7, unsubscribe=3)
        changed = set(ids["edit"]) | set(ids["unsubscribe"])
        second = run(box, state=first.state, streams=["contacts"], **FAST)
        arrived = second.ids["contacts"]
        exact = run(box, state=first.state, streams=["contacts"], lookback_hours=0, **FAST)
        alone = exact.ids["contacts"]
        return (
            f"{len(changed)} changed, {len(changed & arrived)} of them arrived, and "
            f"{len(arrived - changed)} more of the 24 hours' overlap; without overlap "
            f"{len(alone & changed)} and {len(alone - changed)} more"
        )


def memory() -> str:
    """Peak memory, 10,000 against 100,000 contacts."""
    peaks = []
    for contacts in (10_000, 100_000):
        with sandbox("--contacts", str(contacts)) as box:
            peaks.append(run(box, streams=["contacts"], **FAST).peak)
    return f"{peaks[0]:.1f} MB and {peaks[1]:.1f} MB: {peaks[1] - peaks[0]:+.1f} MB"


SHOWN: tuple[Callable[[], str], ...] = (
    hundred_thousand,
    one_row_too_many,
    broken,
    throttled,
    changes,
    memory,
)

if __name__ == "__main__":
    for show in SHOWN:
        print(f"{(show.__doc__ or '').rstrip('.')}:\n    {show()}", flush=True)  # noqa: T201
