"""Running the tap and reading what it says."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
from click.testing import CliRunner
from typing_extensions import override

from tap_constantcontact import settings
from tap_constantcontact.state.state_writer import CleanStateWriter
from tap_constantcontact.tap import TapConstantContact

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from pathlib import Path

KEY = "sandbox-api-key"
TOKEN = "sandbox-access-token"  # noqa: S105


class Server(Protocol):
    """Whatever answers as the APIs."""

    url: str
    v3_url: str


@dataclass
class Output:
    """What a run wrote to stdout."""

    messages: list[dict[str, Any]] = field(default_factory=list)

    def rows(self, stream: str) -> list[dict[str, Any]]:
        return [
            m["record"] for m in self.messages if m["type"] == "RECORD" and m["stream"] == stream
        ]

    def ids(self, stream: str) -> set[str]:
        return {row["id"] for row in self.rows(stream)}

    @property
    def counts(self) -> Counter[str]:
        return Counter(m["stream"] for m in self.messages if m["type"] == "RECORD")

    @property
    def states(self) -> list[dict[str, Any]]:
        return [m["value"] for m in self.messages if m["type"] == "STATE"]

    @property
    def state(self) -> dict[str, Any]:
        return self.states[-1]


class Collector(CleanStateWriter):
    """Keeps the messages, each as it was when written."""

    def __init__(self) -> None:
        super().__init__()
        self.output = Output()

    @override
    def write_message(self, message: Any) -> None:
        super().write_message(message)
        self.flush()

    @override
    def write_lines(self, lines: bytearray) -> None:
        self.output.messages += map(msgspec.json.decode, lines.splitlines())


def config(box: Server, version: str = "v2", **settings: Any) -> dict[str, Any]:
    is_v2 = version == "v2"
    api = {"api_key": KEY} if is_v2 else {"api_version": version}
    url = box.url if is_v2 else box.v3_url
    usual = {"access_token": TOKEN, "api_url": url, "requests_per_second": 1000}
    return {**api, **usual, **settings}


def everything(version: str = "v2") -> TapConstantContact:
    """A tap with all streams there are, that knows no account."""
    names = list(settings.OPTIONAL_STREAMS[version])
    given = {"api_version": version, "optional_streams": names}
    return TapConstantContact(config=given, validate_config=False)


@cache
def _catalog_text(version: str) -> str:
    # Made once: it would be half of what most tests take.
    return json.dumps(everything(version).catalog_dict)


def catalog(*streams: str, full_table: Collection[str] = (), version: str = "v2") -> dict[str, Any]:
    """The catalog with just these streams selected, all fields of them."""
    found: dict[str, Any] = json.loads(_catalog_text(version))
    for entry in found["streams"]:
        for each in entry["metadata"]:
            if not each["breadcrumb"]:
                each["metadata"]["selected"] = entry["stream"] in streams
                if entry["stream"] in full_table:
                    each["metadata"]["forced-replication-method"] = "FULL_TABLE"
                    entry["replication_method"] = "FULL_TABLE"
    return found


def sync(
    box: Server,
    *streams: str,
    state: dict[str, Any] | None = None,
    into: Collector | None = None,
    full_table: Collection[str] = (),
    version: str = "v2",
    **options: Any,
) -> Output:
    """Run the tap in this process; `into` keeps what was written when the run raises."""
    writer = into or Collector()
    named = optional(streams, version)
    chosen = catalog(*streams, full_table=full_table, version=version) if streams else None
    tap = TapConstantContact(
        config=config(box, version, **{"optional_streams": named, **options}),
        catalog=chosen,
        state=state,
        message_writer=writer,
    )
    tap.sync_all()
    return writer.output


def a_week_later(state: dict[str, Any] | None) -> dict[str, Any] | None:
    """A state by which it is the turn again of campaigns that are asked ever more rarely."""
    if not state or "campaigns" not in state["bookmarks"]:
        return state
    found: dict[str, Any] = json.loads(json.dumps(state))
    for group in found["bookmarks"]["campaigns"].get("deferred", ()):
        group["next_check_at"] = "2000-01-01T00:00:00.000Z"
    return found


def optional(streams: Iterable[str], version: str = "v2") -> list[str]:
    """Those of these streams that must be asked for by name."""
    return [each for each in streams if each in settings.OPTIONAL_STREAMS[version]]


@dataclass
class Run:
    """A finished run of the command."""

    code: int
    stdout: str
    log: str

    @property
    def output(self) -> Output:
        return Output([json.loads(line) for line in self.stdout.splitlines()])


COMMAND = [sys.executable, "-m", "tap_constantcontact"]


def selected_by_default(version: str = "v2") -> set[str]:
    """The streams that a run without a catalog requests."""
    tap = TapConstantContact(config={"api_version": version}, validate_config=False)
    return set(tap.streams) - {"sync_audit"}


def environment(**variables: str) -> dict[str, str]:
    """This process's environment without any settings of the tap."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("TAP_CONSTANTCONTACT_")}
    return {**kept, **variables}


def started(
    folder: Path, settings: dict[str, Any], *options: str, **variables: str
) -> subprocess.Popen[str]:
    """Start the command, with both its outputs to be read."""
    (folder / "config.json").write_text(json.dumps(settings))
    return subprocess.Popen(  # noqa: S603
        [*COMMAND, "--config", str(folder / "config.json"), *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(**variables),
    )


class _Log(logging.Handler):
    """Keeps what is logged, in the form that the command gives it."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(logging.Formatter("%(asctime)s | %(levelname)-8s | %(message)s"))
        self.lines: list[str] = []

    @override
    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


def typed(folder: Path, settings: dict[str, Any] | None, *options: str, **variables: str) -> Run:
    """Run the command to its end in this process: what it does, without its start."""
    arguments = list(options)
    if settings is not None:
        (folder / "config.json").write_text(json.dumps(settings))
        arguments = ["--config", str(folder / "config.json"), *arguments]
    log = _Log()
    logging.getLogger().addHandler(log)
    try:
        tap = TapConstantContact.get_singer_command()
        done = CliRunner(env=dict(variables)).invoke(tap, arguments)
    finally:
        logging.getLogger().removeHandler(log)
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return Run(done.exit_code, done.stdout, "\n".join(log.lines))


def command(folder: Path, settings: dict[str, Any] | None, *options: str, **variables: str) -> Run:
    """Run the command to its end."""
    arguments = list(options)
    if settings is not None:
        (folder / "config.json").write_text(json.dumps(settings))
        arguments = ["--config", str(folder / "config.json"), *arguments]
    done = subprocess.run(  # noqa: S603
        [*COMMAND, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        cwd=folder,
        env=environment(**variables),
    )
    return Run(done.returncode, done.stdout, done.stderr)
