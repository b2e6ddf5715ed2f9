"""Runs that are cut off, and the runs after them."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING, Any

import pytest
from helpers.runner import Output, command, config, started, sync

from sandbox import FaultConfig

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sandbox import Sandbox

    Serving = Callable[..., Sandbox]


pytestmark = pytest.mark.slow


def cut_off(folder: Path, box: Sandbox, after: int, how: signal.Signals) -> tuple[int, Output]:
    """Start the command and stop it once it has written so many lines."""
    with started(folder, config(box)) as process:
        assert process.stdout
        lines = [process.stdout.readline() for _ in range(after)]
        process.send_signal(how)
        # A killed run's last line may be half a line.
        lines += [line for line in process.stdout if line.endswith("\n")]
    return process.returncode, Output([json.loads(line) for line in lines])


def go_on(folder: Path, box: Sandbox, state: dict[str, Any] | None) -> Output:
    options = []
    if state is not None:
        (folder / "state.json").write_text(json.dumps(state))
        options = ["--state", str(folder / "state.json")]
    run = command(folder, config(box), *options)
    assert run.code == 0, run.log
    return run.output


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("after", [1, 20, 1500])
def test_nothing_is_missing_after_a_signal(
    serving: Serving, tmp_path: Path, how: signal.Signals, after: int
) -> None:
    box = serving(contacts=3000, faults=FaultConfig(latency=0.05))

    code, first = cut_off(tmp_path, box, after, how)
    box.faults.latency = 0
    second = sync(box, state=first.states[-1] if first.states else None)

    assert code == (-signal.SIGKILL if how is signal.SIGKILL else 0)
    assert len(first.rows("contacts")) < 3000, "it was cut off"
    assert first.ids("contacts") | second.ids("contacts") == box.account.ids("contacts")
    assert second.counts.keys() - box.account.counts().keys() == {"sync_audit"}
    if how is not signal.SIGKILL:
        assert first.messages[-1]["type"] == "STATE"


def test_change_before_an_interrupted_run_arrives(serving: Serving, tmp_path: Path) -> None:
    box = serving(contacts=3000)
    state = go_on(tmp_path, box, None).state
    changed = set(box.account.edit_contacts(1200))
    box.faults.quota = len(box.calls) + 5

    (tmp_path / "state.json").write_text(json.dumps(state))
    run = command(tmp_path, config(box), "--state", str(tmp_path / "state.json"))
    box.faults.quota = None
    second = go_on(tmp_path, box, run.output.state)

    assert run.code == 75
    assert not changed <= run.output.ids("contacts"), "it was cut off"
    assert changed <= run.output.ids("contacts") | second.ids("contacts")


def test_a_stream_that_was_through_starts_at_its_new_bookmark(
    serving: Serving, tmp_path: Path
) -> None:
    box = serving(contacts=700, activities=30, faults=FaultConfig(quota=6))

    run = command(tmp_path, config(box, max_parallel_requests=1))

    bookmarks = run.output.state["bookmarks"]
    assert run.code == 75
    assert bookmarks["contacts"]["replication_key_value"], "through before the quota was"
    assert "replication_key_value" not in bookmarks["activities"]
