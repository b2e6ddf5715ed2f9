"""Requests of accounts of three sizes: `python -m benchmarks.quota`."""

from __future__ import annotations

import re
import subprocess

from benchmarks.runner import TAP, run, sandbox, settings_file

SIZES = {
    "small": (2_000, 40, 300),
    "middle": (20_000, 150, 2_000),
    "large": (60_000, 400, 5_000),
}


def planned(log: str) -> int:
    """The sum in a plan."""
    found = re.search(r"^total\s+([\d,]+)", log, re.MULTILINE)
    assert found, log  # noqa: S101 - a benchmark that fails should say so
    return int(found[1].replace(",", ""))


def measure(contacts: int, campaigns: int, recipients: int) -> str:
    """A row of the table: requests planned, of a first run, and of the next one."""
    options = {"contacts": contacts, "campaigns": campaigns, "recipients": recipients}
    words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    with sandbox(*words) as box:
        with settings_file(box, requests_per_second=1000) as config:
            command = [*TAP, "--config", config, "--plan"]
            plan = subprocess.run(command, capture_output=True, check=True, text=True)  # noqa: S603
        asked = len(box.calls())
        first = run(box, requests_per_second=1000)
        after_first = len(box.calls())
        box.change(edit=contacts // 100, add=contacts // 200, add_tracking=recipients // 10)
        run(box, state=first.state, requests_per_second=1000)
        following = len(box.calls()) - after_first
    return (
        f"| {contacts:,} | {campaigns:,} of {recipients:,} | {planned(plan.stdout):,} (for {asked})"
        f" | {after_first - asked:,} | {sum(first.rows.values()):,} | {following:,} |"
    )


if __name__ == "__main__":
    for name, size in SIZES.items():
        print(f"| {name} {measure(*size)}", flush=True)  # noqa: T201
