"""Runs a tap into a target, and keeps the last state that the target has written.

    python scripts/sync.py state.json "TAP ..." "TARGET ..."

The state file is read if it is there, and replaced with each state that the target writes: it never
becomes empty. SIGINT and SIGTERM go to both, once, so that the tap stops gracefully and the target
stores what it has received. The exit code is that of the target if it failed, else the tap's.
"""

from __future__ import annotations

import shlex
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType


def start(command: str, *options: str, stdin: int | None = None) -> subprocess.Popen[bytes]:
    """Start a command whose output is read, in a session of its own: Ctrl-C reaches it once."""
    return subprocess.Popen(  # noqa: S603 - the command of the caller
        [*shlex.split(command), *options],
        stdin=stdin,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )


def save(state: Path, line: bytes) -> None:
    """Replace a state file in one step."""
    new = state.with_name(f"{state.name}.new")
    new.write_bytes(line)
    new.replace(state)


def exit_code(process: subprocess.Popen[bytes]) -> int:
    """Return the exit code of a process as a shell does: 128 and the signal that ended it."""
    code = process.wait()
    return code if code >= 0 else 128 - code


def main(state: Path, tap_command: str, target_command: str) -> int:
    """Run the tap into the target.

    Args:
        state: File with the state, which need not exist.
        tap_command: Command of the tap, without `--state`.
        target_command: Command of the target.

    Returns:
        The exit code.
    """
    has_state = state.exists() and state.read_bytes().strip()
    tap = start(tap_command, *(["--state", str(state)] if has_state else []))
    assert tap.stdout  # noqa: S101 - for the type checker
    target = start(target_command, stdin=tap.stdout.fileno())
    assert target.stdout  # noqa: S101
    tap.stdout.close()  # So that the tap notices if the target ends.

    def forward(signum: int, _: FrameType | None) -> None:
        # The target first: it must not end before its signal, with the last line of the tap.
        for process in (target, tap):
            process.send_signal(signum)

    for signum in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signum, forward)
    for line in target.stdout:
        if line.strip():
            save(state, line)
    codes = [exit_code(target), exit_code(tap)]
    return next((code for code in codes if code), 0)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), *sys.argv[2:]))
