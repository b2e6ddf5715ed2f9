"""Runs the tap's command against a sandbox in a process of its own, and measures the run."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.request import Request, urlopen

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

KEY, TOKEN = "benchmark-key", "benchmark-token"
TAP = (sys.executable, "-m", "tap_constantcontact")
# What is installed is compiled; with this each run would compile it anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


@dataclass
class Measured:
    """One run of a tap.

    Attributes:
        code: Its exit code.
        seconds: Wall time.
        cpu: Processor seconds, user and system.
        peak: Peak memory in MB (10^6 bytes).
        rows: Rows by stream.
        ids: First key field of the rows, by stream.
        keys: All key fields of the rows, by stream.
        state: The last state.
        largest_state: Bytes of the largest state.
        log: What it wrote to stderr.
    """

    code: int = 0
    seconds: float = 0
    cpu: float = 0
    peak: float = 0
    rows: Counter[str] = field(default_factory=Counter)
    ids: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    keys: dict[str, set[tuple[str, ...]]] = field(default_factory=lambda: defaultdict(set))
    largest_state: int = 0
    state: dict[str, Any] = field(default_factory=dict)
    log: str = ""


class Served(Protocol):
    """A sandbox, in another process or in this one."""

    @property
    def url(self) -> str:
        """The address of v2."""

    @property
    def v3_url(self) -> str:
        """The address of v3."""


class Box:
    """A sandbox in another process, driven through its control address."""

    def __init__(self, root: str) -> None:
        """Take the address without a path."""
        self._root = root
        self.url = f"{root}/v2"
        self.v3_url = f"{root}/v3"

    def ask(self, path: str, body: Any = None, method: str | None = None) -> Any:
        """Call a control address; its answer is JSON."""
        data = None if body is None else json.dumps(body).encode()
        request = Request(f"{self._root}/sandbox{path}", data, method=method)  # noqa: S310 - loopback
        request.add_header("Content-Type", "application/json")
        with urlopen(request, timeout=60) as response:  # noqa: S310 - loopback
            return json.load(response)

    def calls(self) -> list[dict[str, Any]]:
        """All requests so far."""
        found: list[dict[str, Any]] = self.ask("/calls")
        return found

    def faults(self, **switches: Any) -> None:
        """Set switches."""
        self.ask("/faults", switches, "PUT")

    def change(self, **changes: int) -> dict[str, list[str]]:
        """Change the account: ids by kind of change."""
        found: dict[str, list[str]] = self.ask("/change", changes, "POST")
        return found


@contextlib.contextmanager
def sandbox(*options: str) -> Iterator[Box]:
    """Serve an account from a process of its own, on a free port."""
    command = [sys.executable, "-m", "sandbox", "--port", "0"]
    with subprocess.Popen(  # noqa: S603 - our own command
        [*command, "--api-key", KEY, "--access-token", TOKEN, *options],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[1],
    ) as process:
        assert process.stdout  # noqa: S101 - tells the type checker
        line = next(line for line in process.stdout if "api_url:" in line)
        try:
            yield Box(line.split("api_url:")[1].strip().removesuffix("/v2"))
        finally:
            process.terminate()


@contextlib.contextmanager
def settings_file(box: Served, **settings: Any) -> Iterator[str]:
    """A config file for the sandbox, in a folder of its own."""
    api = {"api_key": KEY, "api_url": box.url}
    if settings.get("api_version") == "v3":
        api = {"api_url": box.v3_url}
    config = {"access_token": TOKEN, **api, **settings}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "config.json"
        path.write_text(json.dumps(config))
        yield str(path)


def run(
    box: Served,
    *,
    command: Sequence[str] = TAP,
    state: dict[str, Any] | None = None,
    streams: Sequence[str] = (),
    **settings: Any,
) -> Measured:
    """Run a tap to its end."""
    with settings_file(box, **settings) as config:
        folder = Path(config).parent
        options = ["--config", config]
        if state is not None:
            (folder / "state.json").write_text(json.dumps(state))
            options += ["--state", str(folder / "state.json")]
        if streams:
            found = catalog([*command, "--config", config], streams)
            (folder / "catalog.json").write_text(json.dumps(found))
            options += ["--catalog", str(folder / "catalog.json")]
        return _watch([*command, *options], folder / "log")


def catalog(command: Sequence[str], streams: Sequence[str]) -> dict[str, Any]:
    """A tap's catalog with just these streams selected."""
    text = subprocess.run([*command, "--discover"], capture_output=True, check=True).stdout  # noqa: S603
    found: dict[str, Any] = json.loads(text)
    for entry in found["streams"]:
        for each in entry["metadata"]:
            if not each["breadcrumb"]:
                each["metadata"]["selected"] = entry["stream"] in streams
    return found


def most_in_a_second(times: Sequence[float]) -> int:
    """Return the largest number of arrivals in any second; the times are sorted."""
    most = first = 0
    for last, at in enumerate(times):
        while times[first] <= at - 1:
            first += 1
        most = max(most, last - first + 1)
    return most


def _watch(command: list[str], log: Path) -> Measured:
    measured = Measured()
    keys: dict[str, list[str]] = {}
    started = time.monotonic()
    with log.open("w") as stderr:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr)  # noqa: S603
        assert process.stdout  # noqa: S101 - tells the type checker
        for line in process.stdout:
            message = json.loads(line)
            stream = message.get("stream")
            match message["type"]:
                case "SCHEMA":
                    keys[stream] = message["key_properties"]
                case "RECORD":
                    measured.rows[stream] += 1
                    key = tuple(message["record"][name] for name in keys[stream])
                    measured.ids[stream].add(key[0])
                    measured.keys[stream].add(key)
                case "STATE":
                    measured.state = message["value"]
                    size = len(json.dumps(message["value"]))
                    measured.largest_state = max(measured.largest_state, size)
        _, status, used = os.wait4(process.pid, 0)
    measured.code = process.returncode = os.waitstatus_to_exitcode(status)
    measured.seconds = time.monotonic() - started
    measured.cpu = used.ru_utime + used.ru_stime
    measured.peak = used.ru_maxrss * 1024 / 1e6
    measured.log = log.read_text()
    return measured
