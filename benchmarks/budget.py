"""Processes on one budget: `python -m benchmarks.budget [seconds]`.

Eight processes send requests of one key at 4 per second to a sandbox, with a file, PostgreSQL and,
for comparison, without a budget store. The sandbox throttles the fifth request in a second.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import requests

from benchmarks.postgres import postgres_server
from benchmarks.runner import KEY, TOKEN, most_in_a_second
from sandbox import Account, FaultConfig, serve
from tap_constantcontact.budget.budget import Budget, open_store
from tap_constantcontact.http.rate_limiter import RateLimiter

if TYPE_CHECKING:
    from collections.abc import Iterator

_PROCESSES = 8
_PER_SECOND = 4
_THROTTLED = 403


def client(url: str, where: str, ends_at: float) -> None:
    """Send requests until the end, and print how many."""
    limiter = RateLimiter(_PER_SECOND, Budget(open_store(where), "key"))
    sent = 0
    with requests.Session() as session:
        session.headers["Authorization"] = f"Bearer {TOKEN}"
        while time.time() < ends_at:
            limiter.wait()
            session.get(f"{url}/lists", params={"api_key": KEY}, timeout=30)
            sent += 1
    limiter.close()
    print(sent)  # noqa: T201


def together(where: str, seconds: float) -> dict[str, Any]:
    """Let the processes share a budget."""
    with serve(
        Account(contacts=10, campaigns=0),
        FaultConfig(throttle=_PER_SECOND),
        api_key=KEY,
        access_token=TOKEN,
    ) as box:
        # All have started by then.
        ends_at = time.time() + seconds + 3
        command = [sys.executable, "-m", "benchmarks.budget", "--client", box.url, where]
        processes = [
            subprocess.Popen([*command, str(ends_at)], stdout=subprocess.PIPE)  # noqa: S603
            for _ in range(_PROCESSES)
        ]
        counts = [int(each.communicate(timeout=seconds + 60)[0]) for each in processes]
        times = [call.at for call in box.calls]
        statuses = Counter(call.status for call in box.calls)
    return {
        "requests": len(times),
        "per_second": round(len(times) / (times[-1] - times[0]), 2),
        "most_in_a_second": most_in_a_second(times),
        "throttled": statuses[_THROTTLED],
        "per_process": sorted(counts, reverse=True),
    }


@contextlib.contextmanager
def stores() -> Iterator[dict[str, str]]:
    """Yield budget stores by name."""
    with tempfile.TemporaryDirectory() as folder, postgres_server() as server:
        where = f"{server['HOST']}:{server['PORT']}/{server['DATABASE']}"
        yield {
            "file": str(Path(folder) / "budget.json"),
            "PostgreSQL": f"postgresql+psycopg://{server['USER']}@{where}",
            "none": "",
        }


def main(seconds: float) -> None:
    """Print the figures of each store."""
    with stores() as places:
        for name, where in places.items():
            print(name, json.dumps(together(where, seconds)), flush=True)  # noqa: T201


if __name__ == "__main__":
    if sys.argv[1:2] == ["--client"]:
        client(sys.argv[2], sys.argv[3], float(sys.argv[4]))
    else:
        main(float(sys.argv[1]) if sys.argv[1:] else 60.0)
