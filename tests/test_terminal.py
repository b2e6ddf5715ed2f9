"""Output for a person at a terminal, for a plain log and for a program that reads JSON logs."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import struct
import subprocess
import termios
from typing import TYPE_CHECKING, Any

import pytest
from helpers.runner import COMMAND, KEY, TOKEN, command, config, environment

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sandbox import Sandbox

    Serving = Callable[..., Sandbox]

pytestmark = pytest.mark.slow


def run_at_terminal(folder: Path, settings: dict[str, Any], columns: int) -> str:
    """Run the tap with stderr on a terminal and stdout in a pipe; return what it shows."""
    (folder / "config.json").write_text(json.dumps(settings))
    terminal, stderr = pty.openpty()
    fcntl.ioctl(stderr, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    with subprocess.Popen(  # noqa: S603 - our own command
        [*COMMAND, "--config", str(folder / "config.json")],
        stdout=subprocess.DEVNULL,
        stderr=stderr,
        env=environment(),
    ) as process:
        os.close(stderr)
        shown = b""
        while chunk := _read(terminal):
            shown += chunk
    os.close(terminal)
    assert process.returncode == 0, shown
    return shown.decode()


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # On Linux, the other end is closed.
        return b""


@pytest.mark.parametrize("columns", [80, 132])
def test_summary_on_a_terminal_is_a_table_that_fits(
    serving: Serving, tmp_path: Path, columns: int
) -> None:
    shown = run_at_terminal(tmp_path, config(serving(contacts=120, campaigns=8)), columns)
    lines = shown.split("\r\x1b[K")[-1].splitlines()

    head = next(n for n, line in enumerate(lines) if line.startswith("stream "))
    table = lines[head:]
    assert table[0].split() == ["stream", "records", "requests", "seconds", "bookmark"]
    assert table[-1].startswith("total ")
    assert max(map(len, table)) <= 80
    assert "SUMMARY" not in shown


def test_live_line_has_the_width_of_its_terminal(serving: Serving, tmp_path: Path) -> None:
    box = serving(campaigns=8)
    box.faults.latency = 0.1
    shown = run_at_terminal(tmp_path, config(box), 200)
    live = [part.split("\r\n")[0] for part in shown.split("\r\x1b[K") if "remaining;" in part]
    assert max(map(len, live)) > 80, "the line is not cut at 80 columns"
    assert all(line.endswith(" requests") for line in live)
    assert all(line[0].isdecimal() for line in live), "the estimate comes first"


def test_json_logs_have_one_summary_field_and_no_table(serving: Serving, tmp_path: Path) -> None:
    logging = {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {"()": "singer_sdk.logging.StructuredFormatter"}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
        "root": {"level": "INFO", "handlers": ["stderr"]},
    }
    (tmp_path / "logging.json").write_text(json.dumps(logging))
    box = serving(contacts=120)

    run = command(tmp_path, config(box), SINGER_SDK_LOG_CONFIG=str(tmp_path / "logging.json"))

    lines = [json.loads(line) for line in run.log.splitlines()]
    (summary,) = [line["extra"]["summary"] for line in lines if "summary" in line["extra"]]
    assert summary["records"] == run.output.counts.total()
    assert summary["requests"] == len(box.calls)
    assert lines[-1]["message"].startswith(f"{summary['records']:,} records, ")
    assert not any(line["message"].startswith(("stream ", "total ")) for line in lines)


def test_help_describes_the_command(tmp_path: Path) -> None:
    run = command(tmp_path, None, "--help")
    assert "Read a Constant Contact account and write it to stdout" in run.stdout
    assert "Execute the Singer" not in run.stdout


def test_read_only_disk_gives_no_warning(tmp_path: Path) -> None:
    script = (
        "import tap_constantcontact, warnings;"
        "warnings.warn('[Errno 30] Read-only file system.  joblib will operate in serial mode')"
    )
    done = subprocess.run(  # noqa: S603
        [COMMAND[0], "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stderr == ""


# -- the environment ------------------------------------------------------------------------


def test_environment_overrides_the_env_file_of_the_current_folder(
    serving: Serving, tmp_path: Path
) -> None:
    box = serving()
    (tmp_path / ".env").write_text(
        f"TAP_CONSTANTCONTACT_API_KEY={KEY}\n"
        f"TAP_CONSTANTCONTACT_ACCESS_TOKEN={TOKEN}\n"
        "TAP_CONSTANTCONTACT_API_URL=http://127.0.0.1:1\n"
        "TAP_CONSTANTCONTACT_MAX_REQUESTS=3\n"
    )
    run = command(tmp_path, None, "--config=ENV", TAP_CONSTANTCONTACT_API_URL=box.url)
    assert run.code == 0, run.log
    assert len(box.calls) == 3


def test_env_file_of_another_folder_is_ignored(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(f"TAP_CONSTANTCONTACT_API_KEY={KEY}\n")
    folder = tmp_path / "below"
    folder.mkdir()
    run = command(folder, None, "--config=ENV")
    assert run.code == 78
    assert "is missing" in run.log


@pytest.mark.parametrize(
    ("variables", "advice"),
    [
        ({}, "Log in: tap-constantcontact --login"),
        ({"MELTANO_EXTRACTOR_NAME": "tap-cc-north"}, "Log in: meltano invoke tap-cc-north:login"),
    ],
)
def test_advice_names_the_command_that_exists(
    tmp_path: Path, variables: dict[str, str], advice: str
) -> None:
    settings = {"client_id": "north", "token_store": str(tmp_path / "tokens.json")}
    run = command(tmp_path, settings, "--status", **variables)
    assert run.code == 77
    assert advice in run.log


def test_login_shows_no_lines_about_the_environment(tmp_path: Path) -> None:
    run = command(
        tmp_path,
        None,
        "--login",
        "--config=ENV",
        TAP_CONSTANTCONTACT_CLIENT_ID="north",
        TAP_CONSTANTCONTACT_TOKEN_STORE=str(tmp_path / "tokens.json"),
        TAP_CONSTANTCONTACT_AUTH_URL="http://127.0.0.1:1",
    )
    assert "Parsing" not in run.log
    assert len(run.log.splitlines()) == 1, run.log
