"""Accounts on Dagster: `python -m benchmarks.dagster [accounts]`.

The daemon runs the schedule, which is set to every minute for this and stopped after its first
tick. Dagster is installed into an environment of its own. Accounts are loaded into PostgreSQL.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.projects import Accounts, accounts_in_postgres, install, report, search_path

_DEFINITIONS = Path(__file__).parents[1] / "orchestration" / "dagster" / "definitions.py"
_SCHEDULE = "constantcontact_daily"
_PATIENCE = 1200.0
_INSTANCE = """
concurrency:
  pools:
    default_limit: 4
  runs:
    max_concurrent_runs: 6
telemetry:
  enabled: false
"""


class Dagster:
    """A Dagster of its own."""

    def __init__(self, folder: Path, accounts: Accounts) -> None:
        """Install it.

        Args:
            folder: An empty folder.
            accounts: The accounts that it syncs.
        """
        self._bin = install(folder, "dagster")
        self._folder = folder
        self._log = folder / "daemon.log"
        self._workspace = ["-w", str(folder / "workspace.yaml")]
        (folder / "dagster.yaml").write_text(_INSTANCE)
        (folder / "definitions.py").write_text(
            _DEFINITIONS.read_text().replace("15 5 * * *", "* * * * *")
        )
        (folder / "workspace.yaml").write_text(
            f"load_from:\n- python_file: {folder / 'definitions.py'}\n"
        )
        self._environment = {
            **os.environ,
            **accounts.settings,
            "PATH": search_path(self._bin),
            "DAGSTER_HOME": str(folder),
            "CONSTANTCONTACT_PROJECT": str(accounts.root),
            "UV_SYSTEM_CERTS": "1",
        }

    def run(self, *arguments: str) -> None:
        """Run a command of Dagster."""
        subprocess.run(  # noqa: S603
            [self._bin / "dagster", *arguments],
            env=self._environment,
            cwd=self._folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=True,
        )

    def sync(self, accounts: Accounts, number: int) -> None:
        """Run the daemon until the schedule has synced all accounts."""
        self.run("schedule", "start", _SCHEDULE, *self._workspace)
        with self._log.open("w") as log:
            daemon = subprocess.Popen(  # noqa: S603
                [self._bin / "dagster-daemon", "run", *self._workspace],
                env=self._environment,
                cwd=self._folder,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            self._wait(accounts, number)
        finally:
            daemon.send_signal(signal.SIGINT)
            daemon.wait(60)
            # Its code servers run on for a while, and write into the folder.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(daemon.pid, signal.SIGKILL)

    def _wait(self, accounts: Accounts, number: int) -> None:
        until = time.monotonic() + _PATIENCE
        is_scheduled = True
        while accounts.complete() < number:
            if is_scheduled and "Completed scheduled launch" in self._log.read_text():
                self.run("schedule", "stop", _SCHEDULE, *self._workspace)
                is_scheduled = False
            if time.monotonic() > until:
                raise RuntimeError(self._log.read_text()[-4000:])
            time.sleep(2)


def main(number: int) -> None:
    """Sync accounts for the first time, and print the figures."""
    with accounts_in_postgres(number) as accounts, tempfile.TemporaryDirectory() as folder:
        dagster = Dagster(Path(folder), accounts)
        began = time.monotonic()
        dagster.sync(accounts, number)
        report("dagster", seconds=round(time.monotonic() - began, 1), **accounts.figures())


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 6)
