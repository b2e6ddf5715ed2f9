"""Many accounts from one schedule."""

from __future__ import annotations

import json
import os
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from helpers.runner import KEY, environment
from helpers.warehouses import ROOT, DuckDB, counts

from benchmarks.projects import project
from sandbox import Account, FaultConfig, serve_accounts
from tap_constantcontact.budget.ledger import FileStore
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
    usage = FileStore(store).usage(fingerprint(KEY))
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
