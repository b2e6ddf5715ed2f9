"""Meltano projects of several accounts, for tests and benchmarks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg

from benchmarks.postgres import postgres_server
from benchmarks.runner import KEY, most_in_a_second
from sandbox import Account, FaultConfig, Sandbox, serve_accounts
from tap_constantcontact.budget.budget import open_store
from tap_constantcontact.budget.ledger import RunOutcome
from tap_constantcontact.state.ids import fingerprint

if TYPE_CHECKING:
    from collections.abc import Iterator

_ROOT = Path(__file__).parents[1]
_STREAMS = ("contacts", "lists", "campaign_sends", "campaign_opens")


def project(folder: Path, labels: list[str], **settings: str) -> Path:
    """Create a Meltano project with a plugin per account, whose tokens are the labels."""
    text = (_ROOT / "meltano.yml").read_text()
    (folder / "meltano.yml").write_text(f"include_paths: [./accounts.meltano.yml]\n{text}")
    (folder / "accounts.txt").write_text("\n".join(labels) + "\n")
    plugins = subprocess.run(  # noqa: S603
        [sys.executable, _ROOT / "orchestration" / "plugins.py", folder / "accounts.txt"],
        stdout=subprocess.PIPE,
        check=True,
    )
    (folder / "accounts.meltano.yml").write_bytes(plugins.stdout)
    variables = [f"{name}={value}" for name, value in settings.items()]
    for label in labels:
        name = label.upper().replace("-", "_")
        variables.append(f"TAP_CONSTANTCONTACT__{name}_ACCESS_TOKEN={label}")
    (folder / ".env").write_text("\n".join(variables) + "\n")
    return folder


def install(folder: Path, *packages: str) -> Path:
    """Install packages into an environment of their own, and return the folder of its commands."""
    uv, commands = str(_ROOT / "scripts" / "uv"), folder / "venv" / "bin"
    for command in (
        [uv, "venv", "--quiet", str(folder / "venv")],
        [uv, "pip", "install", "--quiet", "--python", str(commands / "python"), *packages],
    ):
        subprocess.run(command, check=True)  # noqa: S603
    return commands


def search_path(commands: Path) -> str:
    """Return a PATH with the commands of the project, and others."""
    return os.pathsep.join([str(Path(sys.executable).parent), str(commands), os.environ["PATH"]])


class Accounts:
    """Accounts of one key, and a Meltano project that loads them into PostgreSQL.

    Attributes:
        root: The Meltano project.
        settings: Environment variables of its commands.
        database: Address of the database, without a scheme.
    """

    def __init__(self, folder: Path, boxes: dict[str, Sandbox], server: dict[str, str]) -> None:
        """Create the project.

        Args:
            folder: An empty folder.
            boxes: The accounts, by label.
            server: The PostgreSQL server.
        """
        self._boxes = boxes
        host = f"{server['USER']}@{server['HOST']}:{server['PORT']}"
        self.database = f"{host}/{server['DATABASE']}"
        self._store = f"postgresql+psycopg://{self.database}"
        self.settings = {
            "MELTANO_ENVIRONMENT": "prod",
            # The state of accounts is in the database too: workers may be on several machines.
            "MELTANO_DATABASE_URI": self._store,
            "TAP_CONSTANTCONTACT_API_KEY": KEY,
            "TAP_CONSTANTCONTACT_API_URL": next(iter(boxes.values())).url,
            "TAP_CONSTANTCONTACT_BUDGET_STORE": self._store,
            **{f"TARGET_POSTGRES_{name}": value for name, value in server.items()},
        }
        self.root = folder / "project"
        self.root.mkdir()
        project(self.root, list(boxes), **self.settings)
        for command in (["state", "list"], ["install", "loader", "target-postgres"]):
            subprocess.run(  # noqa: S603
                [Path(sys.executable).with_name("meltano"), *command],
                cwd=self.root,
                env=os.environ | self.settings | {"UV_SYSTEM_CERTS": "1"},
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                check=True,
            )

    def complete(self) -> int:
        """Return the number of accounts with a complete run."""
        with closing(open_store(self._store)) as store:
            accounts = store.ledger(fingerprint(KEY)).accounts.values()
        return sum(each.outcome == RunOutcome.COMPLETE for each in accounts)

    def figures(self) -> dict[str, Any]:
        """Return the figures of the accounts."""
        calls = sorted(call.at for box in self._boxes.values() for call in box.calls)
        with closing(open_store(self._store)) as store:
            ledger = store.ledger(fingerprint(KEY))
        with psycopg.connect(f"postgresql://{self.database}") as db:
            loaded = {
                stream: db.execute(
                    f"select count(*) from constantcontact.{stream}".encode()  # noqa: S608
                ).fetchall()[0][0]
                for stream in _STREAMS
            }
        expected = {
            stream: sum(len(box.account.ids(stream)) for box in self._boxes.values())
            for stream in _STREAMS
        }
        return {
            "outcomes": Counter(each.outcome for each in ledger.accounts.values()),
            "requests": len(calls),
            "budget_used": ledger.used,
            "most_in_a_second": most_in_a_second(calls),
            "seconds_of_requests": round(calls[-1] - calls[0], 1),
            "missing": {k: expected[k] - loaded[k] for k in expected if expected[k] != loaded[k]},
        }


@contextmanager
def accounts_in_postgres(number: int) -> Iterator[Accounts]:
    """Yield accounts with all that their syncs need."""
    worlds = {
        f"account{seed}": Account(seed=seed, contacts=20, campaigns=3, events=0, files=2)
        for seed in range(number)
    }
    with (
        tempfile.TemporaryDirectory() as folder,
        serve_accounts(worlds, FaultConfig(throttle=4), api_key=KEY) as boxes,
        postgres_server() as server,
    ):
        yield Accounts(Path(folder), boxes, server)


def report(part: str, **figures: Any) -> None:
    """Print figures."""
    print(part, json.dumps(figures), flush=True)  # noqa: T201
