"""Two taps on one key, and more: `python -m benchmarks.sharing`.

Each has a limit of 4 requests per second, which is that of the key.
"""

from __future__ import annotations

import threading
import time

from benchmarks.runner import Box, Measured, run, sandbox

#: Calls a second that the key may make.
_ALLOWED = 4
_REFUSED = 403


def together(box: Box, taps: int) -> list[Measured]:
    """Run several taps at the same time."""
    found: list[Measured] = []

    def one() -> None:
        found.append(run(box, streams=["campaigns", "campaign_opens", "campaign_clicks"]))

    threads = [threading.Thread(target=one) for _ in range(taps)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def shared(taps: int, campaigns: int) -> str:
    """Let taps share a key, and say how that went."""
    sizes = ("--campaigns", str(campaigns), "--recipients", "20", "--contacts", "60")
    with sandbox(*sizes, "--throttle", str(_ALLOWED)) as box:
        began = time.monotonic()
        measured = together(box, taps)
        seconds = time.monotonic() - began
        calls = box.calls()
        refused = sum(call["status"] == _REFUSED for call in calls)
        needed = (len(calls) - refused) / _ALLOWED
        codes = ", ".join(str(each.code) for each in measured)
        return (
            f"{taps} taps, {len(calls) - refused} requests and {refused} throttled: exit codes"
            f" {codes}; {seconds:.1f} s, {seconds / needed:.2f} times the {needed:.1f} s they need"
        )


if __name__ == "__main__":
    for how_many, there_are in ((2, 30), (2, 60), (3, 30)):
        print(shared(how_many, there_are), flush=True)  # noqa: T201
