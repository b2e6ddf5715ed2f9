"""Third-party checkers of Singer output accept the tap's."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from helpers.runner import command, config

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox import Sandbox

    Serving = Callable[..., Sandbox]

pytestmark = pytest.mark.slow

UV = str(Path(__file__).parents[1] / "scripts" / "uv")


def check(folder: Path, tool: str, *arguments: str, stdin: str = "") -> str:
    """Run a pinned checker in an environment of its own: they need libraries of long ago."""
    package = {"singer-check-tap": "singer-tools==0.4.1", "target-stitch": "target-stitch==4.0.3"}
    done = subprocess.run(  # noqa: S603
        [UV, "tool", "run", "--quiet", "--from", package[tool], tool, *arguments],
        input=stdin,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


@pytest.fixture
def output(serving: Serving, tmp_path: Path) -> str:
    run = command(tmp_path, config(serving(contacts=300)))
    assert run.code == 0, run.log
    return run.stdout


def test_singer_check_tap_accepts_a_run(output: str, tmp_path: Path) -> None:
    said = check(tmp_path, "singer-check-tap", stdin=output)
    assert "The output is valid" in said


def test_singer_check_tap_accepts_the_next_run(serving: Serving, tmp_path: Path) -> None:
    settings = config(serving(contacts=300))
    first = command(tmp_path, settings)
    (tmp_path / "state.json").write_text(json.dumps(first.output.state))
    again = command(tmp_path, settings, "--state", str(tmp_path / "state.json"))
    assert again.code == 0, again.log

    # Its own way to run a tap prints before the thread that reads the output has ended.
    said = check(tmp_path, "singer-check-tap", stdin=again.stdout)

    assert "The output is valid" in said


def test_target_stitch_accepts_a_run(output: str, tmp_path: Path) -> None:
    check(tmp_path, "target-stitch", "-n", stdin=output)
