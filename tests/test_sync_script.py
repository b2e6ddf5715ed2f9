"""`scripts/sync.py` keeps the last state and the exit code of a tap and a target."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "scripts" / "sync.py"

# A target that answers each line with a state, and on a signal reads on to the end of its input.
TARGET = """
import signal, sys
signal.signal(signal.SIGTERM, lambda *_: print("signal", flush=True))
for number, line in enumerate(sys.stdin):
    print('{"line": %d}' % number, flush=True)
"""
# A tap that writes until it gets a signal.
TAP = """
import signal, sys
print("ready", flush=True)
signal.signal(signal.SIGTERM, lambda *_: sys.exit(75))
signal.pause()
"""


def command(state: Path, tap: str, target: str) -> list[str]:
    """Return the command that runs two Python scripts as tap and target."""
    commands = []
    for name, script in ("tap.py", tap), ("target.py", target):
        path = state.with_name(name)
        path.write_text(script)
        commands.append(f"{sys.executable} {path}")
    return [sys.executable, str(SCRIPT), str(state), *commands]


def sync(state: Path, tap: str, target: str) -> int:
    done = subprocess.run(command(state, tap, target), check=False, timeout=60)  # noqa: S603
    return done.returncode


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state.json"


def test_last_state_is_kept_and_given_to_the_next_run(state: Path) -> None:
    assert sync(state, "print(1); print(2)", TARGET) == 0
    assert state.read_text() == '{"line": 1}\n'
    tap = "import json, sys; print(json.dumps(sys.argv[1:]))"
    assert sync(state, tap, "import sys; print(sys.stdin.readline())") == 0
    assert state.read_text() == f'["--state", "{state}"]\n'


def test_run_without_a_state_message_keeps_the_state_before(state: Path) -> None:
    state.write_text('{"line": 7}\n')
    assert sync(state, "import sys; sys.exit(75)", TARGET) == 75
    assert state.read_text() == '{"line": 7}\n'


def test_empty_state_file_is_a_first_run(state: Path) -> None:
    state.write_text("")
    assert sync(state, "import sys; sys.exit(len(sys.argv) - 1)", TARGET) == 0


@pytest.mark.parametrize(
    ("tap", "target", "code"),
    [
        ("import sys; sys.exit(77)", TARGET, 77),
        ("print(1)", "import sys; sys.exit(3)", 3),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", TARGET, 137),
    ],
)
def test_exit_code_is_that_of_the_failed_process(
    state: Path, tap: str, target: str, code: int
) -> None:
    assert sync(state, tap, target) == code


def test_signal_reaches_both_and_the_last_state_is_kept(state: Path) -> None:
    target = TARGET.replace("flush=True))", "file=sys.stderr, flush=True))", 1)
    with subprocess.Popen(  # noqa: S603
        command(state, TAP, target), stderr=subprocess.PIPE, text=True
    ) as process:
        while not state.exists():  # The target has read the tap's first line.
            assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        assert process.stderr
        assert process.stderr.read() == "signal\n"
    assert process.returncode == 75
    assert state.read_text() == '{"line": 0}\n'
