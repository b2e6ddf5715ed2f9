"""Syncs many Constant Contact accounts with one budget. For Dagster: a partition per account.

The environment names the Meltano project (CONSTANTCONTACT_PROJECT), the loader
(CONSTANTCONTACT_LOADER), and the budget store (TAP_CONSTANTCONTACT_BUDGET_STORE). The pool
`constantcontact` limits the runs at once: `dagster instance concurrency set constantcontact 4`.
"""

import json
import os
import subprocess
from pathlib import Path

import dagster as dg

PROJECT = Path(os.environ.get("CONSTANTCONTACT_PROJECT", "/opt/constantcontact"))
LOADER = os.environ.get("CONSTANTCONTACT_LOADER", "target-postgres")
LABELS = (PROJECT / "accounts.txt").read_text().split()


@dg.asset(partitions_def=dg.StaticPartitionsDefinition(LABELS), pool="constantcontact")
def constantcontact_account(context: dg.AssetExecutionContext) -> None:
    """The tables of one account."""
    plugin = f"tap-constantcontact--{context.partition_key}"
    subprocess.run(["meltano", "run", plugin, LOADER], cwd=PROJECT, check=True)


job = dg.define_asset_job("constantcontact", [constantcontact_account])


@dg.schedule(job=job, cron_schedule="15 5 * * *", execution_timezone="UTC")
def constantcontact_daily() -> list[dg.RunRequest]:
    """Share out the budget of the day, and run the accounts that got a share."""
    command = ["constantcontact-budget", "share", *LABELS]
    done = subprocess.run(command, cwd=PROJECT, stdout=subprocess.PIPE, check=True)
    shares: dict[str, int] = json.loads(done.stdout)
    return [dg.RunRequest(partition_key=label) for label, share in shares.items() if share]


defs = dg.Definitions(
    assets=[constantcontact_account], jobs=[job], schedules=[constantcontact_daily]
)
