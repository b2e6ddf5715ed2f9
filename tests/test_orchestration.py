"""Many accounts from one schedule."""

from __future__ import annotations

import json
import os
import runpy
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from helpers.runner import KEY, environment
from helpers.warehouses import ROOT, DuckDB, counts

from benchmarks.projects import project
from sandbox import Account, FaultConfig, serve_accounts
from tap_constantcontact.budget.store import FileStore
from tap_constantcontact.state.ids import fingerprint

ORCHESTRATION = ROOT / "orchestration"
STREAMS = ("contacts", "lists", "campaign_sends", "campaign_opens")


@pytest.mark.slow
def test_cron_syncs_all_accounts_with_one_budget(tmp_path: Path) -> None:
    worlds = {
        "one": Account(seed=1, contacts=20, campaigns=2, events=0, files=2),
        "two": Account(seed=2, contacts=30, campaigns=2, events=0, files=2),
    }
    warehouse = DuckDB(tmp_path)
    store = tmp_path / "budget.json"
    with serve_accounts(worlds, FaultConfig(quota=1000), api_key=KEY) as boxes:
        root = project(
            tmp_path,
            [*worlds, "gone"],
            MELTANO_ENVIRONMENT="prod",
            TAP_CONSTANTCONTACT_API_KEY=KEY,
            TAP_CONSTANTCONTACT_API_URL=boxes["one"].url,
            TAP_CONSTANTCONTACT_BUDGET_STORE=str(store),
            TAP_CONSTANTCONTACT_REQUESTS_PER_DAY="1000",
            TAP_CONSTANTCONTACT_REQUESTS_PER_SECOND="100",
            **warehouse.variables,
        )
        commands = Path(sys.executable).parent
        done = subprocess.run(  # noqa: S603
            [ORCHESTRATION / "cron" / "sync.sh", root, "target-duckdb-file"],
            env=environment(PATH=os.pathsep.join([str(commands), os.environ["PATH"]])),
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
    assert done.returncode == 0, done.stderr
    sent = sum(len(box.calls) for box in boxes.values())
    usage = FileStore(store).ledger(fingerprint(KEY))
    assert usage.used == sent
    assert {label: each.outcome for label, each in usage.accounts.items()} == {
        "one": "complete",
        "two": "complete",
        "gone": "login required",
    }
    assert "login required" in done.stdout
    assert counts(warehouse, STREAMS) == {
        stream: sum(len(world.ids(stream)) for world in worlds.values()) for stream in STREAMS
    }


def test_plugins_inherit_from_the_tap() -> None:
    made: Any = runpy.run_path(str(ORCHESTRATION / "plugins.py"))["plugins"](["acme"])
    assert json.loads(json.dumps(made)) == (
        "plugins:\n  extractors:\n  - name: tap-constantcontact--acme\n"
        "    inherit_from: tap-constantcontact\n    config:\n      account_label: acme\n"
    )


class Failure(Exception):  # noqa: N818 - the name of Dagster's
    def __init__(self, description: str, *, allow_retries: bool) -> None:
        assert not allow_retries
        super().__init__(description)


@pytest.fixture
def dagster(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """The definitions for Dagster, without Dagster, and the commands that they run."""

    options: dict[str, Any] = {}

    def decorator(**given: Any) -> Any:
        options.update(given)
        return lambda function: function

    fake: Any = ModuleType("dagster")
    fake.asset = fake.schedule = decorator
    fake.AssetExecutionContext = fake.ScheduleEvaluationContext = object
    fake.RunRequest = fake.RetryPolicy = SimpleNamespace
    fake.Failure = Failure
    fake.StaticPartitionsDefinition = fake.define_asset_job = lambda *_: None
    fake.Definitions = SimpleNamespace
    monkeypatch.setitem(sys.modules, "dagster", fake)
    (tmp_path / "accounts.txt").write_text("current\nidle\nnew\n")
    monkeypatch.setenv("CONSTANTCONTACT_PROJECT", str(tmp_path))
    commands: list[str] = []
    budget = {
        "share current idle new": {"current": 40, "idle": 0},
        "unknown current idle new": ["new"],
        "unknown new": ["new"],
        "unknown current": [],
        "share new": {"new": 30},
    }

    def run(command: list[str], **_: Any) -> SimpleNamespace:
        commands.append(" ".join(command))
        program, *arguments = command
        answer = budget[" ".join(arguments)] if program == "constantcontact-budget" else None
        return SimpleNamespace(stdout=json.dumps(answer).encode())

    monkeypatch.setattr(subprocess, "run", run)
    made = runpy.run_path(str(ORCHESTRATION / "dagster" / "definitions.py"))
    return SimpleNamespace(**made, commands=commands, shares=budget, options=options)


def test_dagster_schedule_requests_new_accounts_and_those_with_a_share(dagster: Any) -> None:
    at = datetime(2026, 12, 1, 5, 15, tzinfo=UTC)
    requested = dagster.constantcontact_daily(SimpleNamespace(scheduled_execution_time=at))
    assert [(each.partition_key, each.run_key) for each in requested] == [
        ("current", "2026-12-01 current"),
        ("new", "2026-12-01 new"),
    ]


def test_dagster_estimates_a_new_account_before_its_first_sync(dagster: Any) -> None:
    for label in ("current", "new"):
        dagster.constantcontact_account(SimpleNamespace(partition_key=label))
    assert [line for line in dagster.commands if line.startswith("meltano")] == [
        "meltano run tap-constantcontact--current target-postgres",
        "meltano invoke tap-constantcontact--new:plan",
        "meltano run tap-constantcontact--new target-postgres",
    ]


def test_dagster_fails_a_new_account_without_a_share(dagster: Any) -> None:
    dagster.shares["share new"] = {"new": 0}
    with pytest.raises(Failure, match="The budget of today is exhausted"):
        dagster.constantcontact_account(SimpleNamespace(partition_key="new"))
    assert not any("meltano run" in line for line in dagster.commands)


def test_dagster_retries_an_account(dagster: Any) -> None:
    assert dagster.options["retry_policy"].max_retries == 2
