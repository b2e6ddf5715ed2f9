"""Syncs many Constant Contact accounts with one budget. For Dagster: a partition per account.

The environment names the Meltano project (CONSTANTCONTACT_PROJECT), the loader
(CONSTANTCONTACT_LOADER), and the budget store (TAP_CONSTANTCONTACT_BUDGET_STORE). The pool
`constantcontact` limits the runs at once: `dagster instance concurrency set constantcontact 4`.
"""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import dagster as dg

PROJECT = Path(os.environ.get("CONSTANTCONTACT_PROJECT", "/opt/constantcontact"))
LOADER = os.environ.get("CONSTANTCONTACT_LOADER", "target-postgres")
LABELS = (PROJECT / "accounts.txt").read_text().split()


def budget(*arguments: str) -> Any:
    """Run `constantcontact-budget`, and return its JSON."""
    command = ["constantcontact-budget", *arguments]
    done = subprocess.run(command, cwd=PROJECT, stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout)


def meltano(*arguments: str) -> None:
    """Run Meltano in the project."""
    subprocess.run(["meltano", *arguments], cwd=PROJECT, check=True)


@dg.asset(
    partitions_def=dg.StaticPartitionsDefinition(LABELS),
    pool="constantcontact",
    # An interrupted run resumes. Two first loads at once may both create the schema.
    retry_policy=dg.RetryPolicy(max_retries=2, delay=60),
)
def constantcontact_account(context: dg.AssetExecutionContext) -> None:
    """The tables of one account."""
    label = context.partition_key
    if budget("unknown", label):
        # A new account: its share depends on the requests that it needs.
        meltano("invoke", f"tap-constantcontact--{label}:plan")
        if not any(budget("share", label).values()):
            message = "The budget of today is exhausted. The account is synced tomorrow."
            raise dg.Failure(message, allow_retries=False)
    meltano("run", f"tap-constantcontact--{label}", LOADER)


job = dg.define_asset_job("constantcontact", [constantcontact_account])


@dg.schedule(job=job, cron_schedule="15 5 * * *", execution_timezone="UTC")
def constantcontact_daily(context: dg.ScheduleEvaluationContext) -> list[dg.RunRequest]:
    """Share out the budget of the day, and run new accounts and those that got a share."""
    day = context.scheduled_execution_time
    shares = budget("share", *LABELS)
    unknown = budget("unknown", *LABELS)
    return [
        dg.RunRequest(run_key=f"{day:%Y-%m-%d} {label}", partition_key=label)
        for label in LABELS
        if label in unknown or shares.get(label)
    ]


defs = dg.Definitions(
    assets=[constantcontact_account], jobs=[job], schedules=[constantcontact_daily]
)
