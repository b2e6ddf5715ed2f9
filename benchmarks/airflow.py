"""Accounts on Airflow 3: `python -m benchmarks.airflow [test|local|celery] [accounts]`.

* `test`: `airflow dags test` for a few accounts.
* `local`: scheduler, api-server and dag-processor with LocalExecutor, twenty accounts in a pool.
* `celery`: two workers and Redis. One worker is killed in mid-run, and a second run follows.

Airflow is installed into an environment of its own. Accounts are loaded into PostgreSQL.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import requests

from benchmarks.postgres import free_port
from benchmarks.projects import Accounts, accounts_in_postgres, install, report, search_path

if TYPE_CHECKING:
    from collections.abc import Iterator

_ROOT = Path(__file__).parents[1]
_ORCHESTRATION = _ROOT / "orchestration"
_PACKAGES = (
    "apache-airflow==3.3.2",
    "apache-airflow-providers-celery",
    "apache-airflow-providers-standard",
    "asyncpg",
    "psycopg[binary]",
    "celery<5.7",
    "psycopg2-binary",
    "redis",
)
_DAG = "constantcontact"
_PATIENCE = 1200.0


class Airflow:
    """An Airflow of its own."""

    def __init__(self, folder: Path, root: Path, **settings: str) -> None:
        """Install it.

        Args:
            folder: An empty folder.
            root: The Meltano project.
            settings: Environment variables of all processes.
        """
        self._folder = folder
        self._bin = install(folder, *_PACKAGES)
        port = free_port()
        self._environment = {
            **os.environ,
            "PATH": search_path(self._bin),
            "AIRFLOW_HOME": str(folder / "home"),
            "AIRFLOW__CORE__DAGS_FOLDER": str(_ORCHESTRATION / "airflow" / "dags"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
            "AIRFLOW__API__PORT": str(port),
            "AIRFLOW__API_AUTH__JWT_SECRET": "a-secret-of-this-benchmark-that-is-long-enough",
            "AIRFLOW__SCHEDULER__MIN_FILE_PROCESS_INTERVAL": "30",
            "CONSTANTCONTACT_PROJECT": str(root),
            "MELTANO_PROJECT_ROOT": str(root),
            **settings,
        }
        self._port = port
        self.run("db", "migrate")
        self.run("pools", "set", "constantcontact", "4", "")

    def run(self, *arguments: str) -> str:
        """Run a command of Airflow, and return what it prints."""
        done = subprocess.run(  # noqa: S603
            [self._bin / "airflow", *arguments],
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_PATIENCE,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(done.stdout[-4000:])
        return done.stdout

    @contextlib.contextmanager
    def process(self, *arguments: str, **variables: str) -> Iterator[subprocess.Popen[bytes]]:
        """Run a process of Airflow in the background, in a group of its own."""
        name = "-".join(arguments).replace("/", "_")
        with (self._folder / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(  # noqa: S603
                [self._bin / "airflow", *arguments],
                env=self._environment | variables,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
            try:
                yield process
            finally:
                kill(process)

    @contextlib.contextmanager
    def services(self, *workers: tuple[str, ...]) -> Iterator[list[subprocess.Popen[bytes]]]:
        """Run Airflow's services, and further processes."""
        with contextlib.ExitStack() as stack:
            for name in ("api-server", "dag-processor", "scheduler"):
                stack.enter_context(self.process(name))
            started = [stack.enter_context(self.process(*arguments)) for arguments in workers]
            wait_until(self._is_up, "Airflow is up")
            yield started

    def _is_up(self) -> bool:
        with contextlib.suppress(requests.RequestException):
            url = f"http://127.0.0.1:{self._port}/api/v2/monitor/health"
            health = requests.get(url, timeout=5).json()
            parts = ("scheduler", "dag_processor")
            is_healthy = all(health[part]["status"] == "healthy" for part in parts)
            return is_healthy and _DAG in self.run("dags", "list")
        return False

    def start(self) -> str:
        """Unpause the DAG, which starts the run of the day, and return its name."""
        self.run("dags", "unpause", "--yes", _DAG)
        wait_until(self._states, "the run of the day starts")
        (name,) = self._states()
        return name

    def trigger(self, name: str) -> None:
        """Start a run of the DAG."""
        self.run("dags", "trigger", _DAG, "--run-id", name)

    def _states(self) -> dict[str, str]:
        """Return the states of all runs by name."""
        return {run["run_id"]: run["state"] for run in self._json("dags", "list-runs", _DAG)}

    def wait(self, name: str) -> str:
        """Wait for the end of a run, and return its state."""
        wait_until(lambda: self._states()[name] in {"success", "failed"}, f"the run {name} ends")
        return self._states()[name]

    def tasks(self, name: str) -> Counter[str]:
        """Return the number of tasks of a run by name and state."""
        rows = self._json("tasks", "states-for-dag-run", _DAG, name)
        return Counter(f"{each['task_id']} {each['state']}" for each in rows)

    def _json(self, *arguments: str) -> Any:
        """Return what a command prints as JSON, after its log."""
        text = self.run(*arguments, "--output", "json")
        return json.loads(next(line for line in text.splitlines() if line.startswith(("[{", "[]"))))


def kill(process: subprocess.Popen[bytes]) -> None:
    """End a process with all its children at once."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(30)


def wait_until(condition: Any, what: str) -> None:
    """Wait until something is so.

    Raises:
        TimeoutError: It is not so in time.
    """
    ends_at = time.monotonic() + _PATIENCE
    while not condition():
        if time.monotonic() > ends_at:
            raise TimeoutError(what)
        time.sleep(2)


def celery(url: str) -> dict[str, str]:
    """Return the settings for Celery workers."""
    port = os.environ.get("REDIS_PORT", "")
    if not port:
        return {}
    return {
        "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"postgresql+psycopg2://{url}",
        "AIRFLOW__CELERY__BROKER_URL": f"redis://127.0.0.1:{port}/0",
        "AIRFLOW__CELERY__RESULT_BACKEND": f"db+postgresql://{url}",
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "60",
    }


@contextlib.contextmanager
def setup(number: int) -> Iterator[tuple[Accounts, Airflow]]:
    """Yield accounts and an Airflow that syncs them."""
    with accounts_in_postgres(number) as accounts, tempfile.TemporaryDirectory() as folder:
        server = accounts.database.rpartition("/")[0]
        # Meltano and Airflow have a table of the same name.
        with psycopg.connect(f"postgresql://{accounts.database}", autocommit=True) as db:
            db.execute("create database airflow")
        yield (
            accounts,
            Airflow(
                Path(folder), accounts.root, **accounts.settings, **celery(f"{server}/airflow")
            ),
        )


def dags_test(number: int) -> None:
    """Run `airflow dags test`."""
    with setup(number) as (accounts, airflow):
        began = time.monotonic()
        airflow.run("dags", "test", _DAG)
        report("test", seconds=round(time.monotonic() - began, 1), **accounts.figures())


def local(number: int) -> None:
    """Run the DAG with a real scheduler and LocalExecutor."""
    with setup(number) as (accounts, airflow), airflow.services():
        began = time.monotonic()
        name = airflow.start()
        state = airflow.wait(name)
        seconds = round(time.monotonic() - began, 1)
        tasks = airflow.tasks(name)
        report("local", state=state, seconds=seconds, tasks=tasks, **accounts.figures())


def with_celery(number: int) -> None:
    """Run the DAG with two Celery workers, of which one is killed in mid-run."""
    port = free_port()
    os.environ["REDIS_PORT"] = str(port)
    redis = shutil.which("redis-server")
    if not redis:
        sys.exit("redis-server is not installed.")
    server = subprocess.Popen(  # noqa: S603
        [redis, "--port", str(port), "--save", ""], stdout=subprocess.DEVNULL
    )
    workers = [("celery", "worker", "--concurrency", "2", "-H", f"w{n}") for n in (1, 2)]
    try:
        with setup(number) as (accounts, airflow), airflow.services(*workers) as started:
            name = airflow.start()
            wait_until(lambda: accounts.complete() >= number // 3, "a third is synced")
            kill(started[0])
            state = airflow.wait(name)
            report("celery, first run", state=state, **accounts.figures())
            airflow.trigger("second")
            state = airflow.wait("second")
            report("celery, second run", state=state, **accounts.figures())
    finally:
        server.kill()


if __name__ == "__main__":
    parts = {"test": (dags_test, 3), "local": (local, 20), "celery": (with_celery, 20)}
    chosen, default = parts[sys.argv[1] if sys.argv[1:] else "test"]
    chosen(int(sys.argv[2]) if sys.argv[2:] else default)
