"""Runs that end early on purpose: in good order, with one line, and with a summary."""

from __future__ import annotations

import io
import json
import logging
import re
import signal
from typing import TYPE_CHECKING

import pytest
from helpers.runner import Output, command, config, started, sync

from sandbox import FaultConfig
from tap_constantcontact.http.shutdown import ShutdownRequest, SyncStopped
from tap_constantcontact.terminal.logs import ProgressLineFilter
from tap_constantcontact.terminal.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sandbox import Sandbox

    Serving = Callable[..., Sandbox]


@pytest.mark.slow
def test_max_calls_ends_a_run_in_good_order(serving: Serving, tmp_path: Path) -> None:
    box = serving(contacts=300, campaigns=20)

    run = command(tmp_path, config(box, max_requests=40))

    assert run.code == 0, run.log
    assert len(box.calls) == 40
    assert run.output.messages[-1]["type"] == "STATE"
    assert run.output.ids("contacts") == box.account.ids("contacts"), "people come first"
    assert (
        "The run has sent its 40 requests (`max_requests`). The next run resumes from here."
        in run.log
    )
    assert re.search(
        r"Remaining: \d+ of \d+ campaigns, about \d+ requests, less than 1 min", run.log
    )
    assert "unhandled" not in run.log
    assert "Traceback" not in run.log


@pytest.mark.parametrize("requests", [1, 2, 3, 5])
def test_the_smallest_budget_is_kept(serving: Serving, requests: int) -> None:
    box = serving()
    output = sync(box, max_requests=requests)
    assert len(box.calls) == requests
    assert output.messages[-1]["type"] == "STATE"


def test_repeats_count_against_max_calls(serving: Serving) -> None:
    box = serving(contacts=3000, faults=FaultConfig(fail_every=2))
    sync(box, "contacts", max_requests=5)
    assert len(box.calls) == 5


def test_a_budget_that_is_enough_changes_nothing(serving: Serving) -> None:
    box = serving(campaigns=10)
    free = sync(box)
    requests = len(box.calls)
    bounded = sync(box, max_requests=requests)
    assert bounded.counts == free.counts


@pytest.mark.slow
def test_every_run_ends_with_a_summary(serving: Serving, tmp_path: Path) -> None:
    box = serving(contacts=120, campaigns=10)

    run = command(tmp_path, config(box))

    lines = [line.split("| ")[-1] for line in run.log.splitlines()]
    head = next(n for n, line in enumerate(lines) if line.startswith("stream "))
    table = {line.split()[0]: line.split()[1:] for line in lines[head + 1 :]}
    assert lines[head].split() == ["stream", "records", "requests", "seconds", "bookmark"]
    assert table["contacts"][:2] == ["120", "1"]
    assert (
        table["contacts"][3] == run.output.state["bookmarks"]["contacts"]["replication_key_value"]
    )
    assert table["total"][0].replace(",", "") == str(run.output.counts.total())
    assert table["total"][1].replace(",", "") == str(len(box.calls))
    summary = json.loads(lines[-1].removeprefix("SUMMARY: "))
    assert summary["requests"] == len(box.calls)
    assert summary["records"] == run.output.counts.total()
    assert summary["streams"]["contacts"]["records"] == 120
    assert summary["remaining"] == ""


@pytest.mark.slow
def test_a_refused_run_ends_with_a_summary_too(serving: Serving, tmp_path: Path) -> None:
    # With several calls under way, how many are refused is a matter of luck.
    box = serving(faults=FaultConfig(quota=3))
    run = command(tmp_path, config(box, max_parallel_requests=1))
    assert run.code == 75
    assert re.search(r"total +\d+ +4 ", run.log)


@pytest.mark.slow
def test_stdout_is_singer_only(serving: Serving, tmp_path: Path) -> None:
    run = command(tmp_path, config(serving(campaigns=10), max_requests=50))
    assert {m["type"] for m in run.output.messages} == {"SCHEMA", "RECORD", "STATE"}


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_while_a_call_is_under_way_ends_the_run_at_once(
    serving: Serving, tmp_path: Path, how: signal.Signals
) -> None:
    box = serving(contacts=3000)
    with started(tmp_path, config(box)) as process:
        assert process.stdout
        assert process.stderr
        lines = [process.stdout.readline()]
        box.faults.latency = 0.5
        while '"contacts"' not in lines[-1] or '"RECORD"' not in lines[-1]:
            lines.append(process.stdout.readline())
            if len(box.calls) > 3:
                break
        process.send_signal(how)
        lines += list(process.stdout)
        log = process.stderr.read()

    assert process.returncode == 0, log
    assert f"Stopped by {how.name}. The next run resumes from here." in log
    assert "Traceback" not in log
    assert Output([json.loads(line) for line in lines]).messages[-1]["type"] == "STATE"
    box.faults.latency = 0


def test_signals_that_arrive_together_are_one(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    stop = ShutdownRequest()
    assert not stop.is_forced
    stop.request("enough")
    now[0] += 0.5
    assert not stop.is_forced
    now[0] += 0.6
    assert stop.is_forced


def test_a_stop_waits_for_the_end_of_a_message() -> None:
    stop = ShutdownRequest()
    stop.request("enough")  # While something is written: nothing happens yet.
    with pytest.raises(SyncStopped, match="enough"):
        stop.check()


def test_a_stop_ends_a_wait_at_once() -> None:
    stop = ShutdownRequest()
    with stop.waiting(), stop.waiting():
        pass
    with stop.waiting(), pytest.raises(SyncStopped, match="enough"):
        stop.request("enough")


# -- progress -------------------------------------------------------------------------------


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_is_a_log_line_now_and_then(caplog: pytest.LogCaptureFixture) -> None:
    now = [0.0]
    logger = logging.getLogger("progress")
    progress = Progress(logger, 100, 0.26, terminal=io.StringIO(), clock=lambda: now[0])
    for _ in range(60):
        now[0] += 1
        progress.records["contacts"] += 500
        progress.on_request("contacts")
    progress.set_position("campaigns", 10, 40, 0, 0)
    now[0] += 31
    progress.on_request("contacts")

    said = [record.getMessage() for record in caplog.records]
    estimate = "30 of 40 campaigns, about 183 requests, less than 1 min"
    assert said == [
        "contacts: 15,000 records; 30 of 100 requests",
        "contacts: 30,000 records; 60 of 100 requests",
        f"{estimate} remaining; contacts: 30,000 records; 61 of 100 requests",
    ]


def test_progress_is_one_live_line_on_a_terminal(caplog: pytest.LogCaptureFixture) -> None:
    now, terminal = [0.0], Terminal()
    progress = Progress(logging.getLogger(), None, terminal=terminal, clock=lambda: now[0])
    for _ in range(3):
        now[0] += 1
        progress.on_request("lists")
    progress.finish()

    assert terminal.getvalue().count("\r") == 4
    assert "\n" not in terminal.getvalue()
    assert "lists: 0 records; 3 requests" in terminal.getvalue()
    assert caplog.records == []


def test_the_live_line_fits_and_makes_way_for_log_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Progress, "width", 40)
    now, terminal = [0.0], Terminal()
    progress = Progress(logging.getLogger(), None, terminal=terminal, clock=lambda: now[0])
    progress.set_position("campaigns with a long name", 10, 40, 0, 0)
    now[0] += 1
    progress.on_request("campaign_unsubscribes")
    handler = logging.StreamHandler(terminal)
    handler.addFilter(ProgressLineFilter(progress.clear))
    handler.handle(logging.makeLogRecord({"msg": "said"}))
    handler.handle(logging.makeLogRecord({"msg": "again"}))

    live, said, *_ = terminal.getvalue().split("\r\x1b[K")[1:]
    assert len(live) == 39
    assert said == "said\nagain\n"


@pytest.mark.slow
def test_a_wrong_key_is_one_line_and_no_table(serving: Serving, tmp_path: Path) -> None:
    run = command(tmp_path, config(serving()) | {"api_key": "another-key"})
    assert run.code == 77
    assert run.log.count("| ERROR") == 1
    assert "bookmark" not in run.log
    assert "SUMMARY" not in run.log
    assert "requests" not in run.log


def test_seconds_go_to_the_stream_that_took_them() -> None:
    now = [0.0]
    progress = Progress(logging.getLogger(), None, terminal=io.StringIO(), clock=lambda: now[0])
    for stream, seconds in [("lists", 1), ("contacts", 2), ("contacts", 3), ("lists", 4)]:
        progress.on_request(stream)
        now[0] += seconds
    progress.finish()
    assert progress.seconds == {"lists": 5, "contacts": 5}
    assert progress.requests == {"lists": 2, "contacts": 2}
