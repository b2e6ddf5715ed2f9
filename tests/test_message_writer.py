"""Messages on their way out: whole lines, whatever stdout is."""

from __future__ import annotations

import io
import json
import os
import subprocess
import threading
from typing import TYPE_CHECKING

import pytest
from helpers.runner import COMMAND, Output, config, environment, started
from hypothesis import given
from hypothesis import strategies as st
from typing_extensions import override

from tap_constantcontact.records.message_writer import write_whole

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sandbox import Sandbox

    Serving = Callable[..., Sandbox]


class Sips(io.RawIOBase):
    """Takes a part at a time, as an unbuffered stdout on a full pipe does."""

    def __init__(self, sips: list[int]) -> None:
        self.taken = bytearray()
        self._sips = sips

    @override
    def write(self, data: object) -> int:
        view = memoryview(data)  # type: ignore[arg-type]
        taken = min(len(view), self._sips.pop(0) if self._sips else len(view))
        self.taken += view[:taken]
        return taken


@given(st.binary(max_size=200), st.lists(st.integers(1, 50), max_size=30))
def test_all_is_written_however_little_is_taken_at_once(data: bytes, sips: list[int]) -> None:
    stream = Sips(sips)
    write_whole(stream, data)  # type: ignore[arg-type]
    assert stream.taken == data


@pytest.mark.parametrize("is_buffered", [True, False])
def test_a_pipe_that_does_not_wait_gets_all_of_it(*, is_buffered: bool) -> None:
    data = os.urandom(300_000)
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    found = bytearray()

    def read() -> None:
        with os.fdopen(reading, "rb") as pipe:
            while part := pipe.read(10_000):
                found.extend(part)

    thread = threading.Thread(target=read)
    thread.start()
    with os.fdopen(writing, "wb", buffering=-1 if is_buffered else 0) as stream:
        write_whole(stream, data)
        if is_buffered:
            os.set_blocking(writing, True)
    thread.join()
    assert bytes(found) == data


def settings(folder: Path, box: Sandbox) -> list[str]:
    (folder / "config.json").write_text(json.dumps(config(box)))
    return [*COMMAND, "--config", str(folder / "config.json")]


@pytest.mark.slow
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_slow_reader_gets_whole_lines_and_all_rows(
    serving: Serving, tmp_path: Path, unbuffered: str
) -> None:
    box = serving(contacts=2500)
    with started(tmp_path, config(box), PYTHONUNBUFFERED=unbuffered) as process:
        assert process.stdout
        # The pipe fills up before anything is read.
        box.wait_for_calls(4)
        lines = process.stdout.read().splitlines()
    assert process.returncode == 0
    assert Output([json.loads(line) for line in lines]).ids("contacts") == box.account.ids(
        "contacts"
    )


@pytest.mark.slow
def test_sigterm_while_the_pipe_is_full_cuts_no_line(serving: Serving, tmp_path: Path) -> None:
    box = serving(contacts=2500)
    with started(tmp_path, config(box), PYTHONUNBUFFERED="1") as process:
        assert process.stdout
        box.wait_for_calls(4)
        process.terminate()
        lines = process.stdout.read().splitlines()
    output = Output([json.loads(line) for line in lines])
    assert process.returncode == 0
    assert output.messages[-1]["type"] == "STATE"


@pytest.mark.slow
def test_a_target_that_died_is_one_line(serving: Serving, tmp_path: Path) -> None:
    box = serving(contacts=2500)
    with started(tmp_path, config(box)) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.readline()
        process.stdout.close()
        log = process.stderr.read()
    assert process.returncode == 1
    assert log.count("| ERROR") == 1
    assert "The target ended before the tap" in log
    assert "Traceback" not in log
    assert "Exception ignored" not in log


@pytest.mark.slow
def test_a_full_disk_is_one_line(serving: Serving, tmp_path: Path) -> None:
    with open("/dev/full", "wb") as full:  # noqa: PTH123
        done = subprocess.run(  # noqa: S603
            settings(tmp_path, serving(contacts=5)),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            env=environment(),
            timeout=60,
        )
    assert done.returncode == 1
    assert "The records cannot be written: No space left on device." in done.stderr
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
