"""SIGINT and SIGTERM to `meltano run` and to a pipe: what is stored, and what the next run repeats.

`python -m benchmarks.signals [runs]`: ten runs by default for each signal and each way, some 25
minutes. Ctrl-C in a terminal reaches all processes of the run, a supervisor's signal the first.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from benchmarks.runner import KEY, TOKEN, sandbox

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.runner import Box

PROJECT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent
SIZES = ("--contacts=2000", "--campaigns=40")
RATE = 8
LONGEST = 44.0
#: The loader stores every 30 seconds.
STORED_SECONDS = 30.0
PIPELINE = ("tap-constantcontact", "target-duckdb-file")


class Pipeline:
    """A pipeline in a folder of its own."""

    def __init__(self, folder: Path, box: Box) -> None:
        """Take the folder, which is emptied, and what serves the account."""
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        self.folder = folder
        shutil.copy(PROJECT / "meltano.yml", folder)
        (folder / "target.json").write_text('{"path": "output/constantcontact.duckdb"}')
        self._box = box

    def command(self) -> list[str]:
        """Return the command that runs it."""
        raise NotImplementedError

    def start(self, rate: int) -> subprocess.Popen[bytes]:
        """Start it in a session of its own."""
        settings = {
            "API_KEY": KEY,
            "ACCESS_TOKEN": TOKEN,
            "API_URL": self._box.url,
            "REQUESTS_PER_SECOND": str(rate),
        }
        return subprocess.Popen(  # noqa: S603 - our own command
            self.command(),
            cwd=self.folder,
            env={
                **os.environ,
                "PATH": f"{BIN}:/usr/bin:/bin",
                **{f"TAP_CONSTANTCONTACT_{name}": value for name, value in settings.items()},
            },
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def rows(self) -> dict[str, int]:
        """Return the rows of each table."""
        file = self.folder / "output" / "constantcontact.duckdb"
        if not file.exists():
            return {}
        with duckdb.connect(file, read_only=True) as db:
            names = [name for (name,) in db.execute("show tables").fetchall()]
            return {n: db.execute(f'select count(*) from "{n}"').fetchall()[0][0] for n in names}  # noqa: S608


class MeltanoRun(Pipeline):
    """`meltano run`."""

    def command(self) -> list[str]:
        """Return the command."""
        return ["meltano", "--environment=prod", "run", *PIPELINE]


class Pipe(Pipeline):
    """`scripts/sync.py`."""

    def command(self) -> list[str]:
        """Return the command."""
        tap, target = f"{PIPELINE[0]} --config=ENV", f"{PIPELINE[1]} --config=target.json"
        return [sys.executable, str(PROJECT / "scripts" / "sync.py"), "state.json", tap, target]


def interrupted(box: Box, pipeline: Pipeline, signum: int, seconds: float) -> tuple[int, int, int]:
    """Interrupt a run, then let the next one end.

    Returns:
        Requests of the interrupted run, those of its last 30 seconds, and those of the next run.
    """
    before = len(box.calls())
    process = pipeline.start(RATE)
    while len(box.calls()) == before:
        time.sleep(0.1)
    time.sleep(seconds)
    made_by_then = len(box.calls()) - before
    if signum == signal.SIGINT:
        os.killpg(process.pid, signum)
    else:
        process.send_signal(signum)
    process.wait()
    made = len(box.calls()) - before
    unsaved = min(made, round(STORED_SECONDS * RATE) + made - made_by_then)
    assert pipeline.start(1000).wait() == 0  # noqa: S101
    return made, unsaved, len(box.calls()) - before - made


def main(arguments: Sequence[str]) -> int:
    """Interrupt runs and print what came of it.

    Returns:
        1 if a row is missing or more was repeated than the last 30 seconds.
    """
    count = int(arguments[0]) if arguments else 10
    code = 0
    with tempfile.TemporaryDirectory() as folder, sandbox(*SIZES) as box:
        whole = Pipe(Path(folder) / "whole", box)
        assert whole.start(1000).wait() == 0  # noqa: S101
        expected, requests = whole.rows(), len(box.calls())
        for kind in (MeltanoRun, Pipe):
            for signum in (signal.SIGTERM, signal.SIGINT):
                for number in range(count):
                    pipeline = kind(Path(folder) / "run", box)
                    seconds = LONGEST * (number + 1) / count
                    made, unsaved, then = interrupted(box, pipeline, signum, seconds)
                    is_complete = pipeline.rows() == expected
                    repeated = made + then - requests
                    is_fine = is_complete and repeated <= unsaved
                    code = code or int(not is_fine)
                    print(  # noqa: T201
                        f"{kind.__name__:10} {signal.Signals(signum).name} after {seconds:4.1f} s:"
                        f" {made:3} requests, {repeated:3} repeated (at most {unsaved});"
                        f" {'all rows' if is_complete else 'ROWS MISSING'}",
                        flush=True,
                    )
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
