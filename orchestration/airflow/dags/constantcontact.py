"""Syncs many Constant Contact accounts with one budget. For Airflow 3.

The environment of the workers names the Meltano project (CONSTANTCONTACT_PROJECT, with
`accounts.txt` and a plugin per account), the loader (CONSTANTCONTACT_LOADER), and the budget store
(TAP_CONSTANTCONTACT_BUDGET_STORE). Tasks use Meltano's commands and never Airflow's database.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import subprocess
from pathlib import Path
from typing import Any

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG, task
from airflow.sdk.exceptions import AirflowException

PROJECT = os.environ.get("CONSTANTCONTACT_PROJECT", "/opt/constantcontact")
LOADER = os.environ.get("CONSTANTCONTACT_LOADER", "target-postgres")
MODELS = os.environ.get("CONSTANTCONTACT_MODELS", "")
# Runs at once. Create the pool with so many slots: `airflow pools set constantcontact 4 ''`.
POOL = os.environ.get("CONSTANTCONTACT_POOL", "constantcontact")
SYNC = f'meltano run "tap-constantcontact--$ACCOUNT" {LOADER}'


def budget(*arguments: str) -> Any:
    """Run `constantcontact-budget`, and return its JSON."""
    done = subprocess.run(
        ["constantcontact-budget", *arguments], cwd=PROJECT, stdout=subprocess.PIPE, check=True
    )
    return json.loads(done.stdout)


def labels() -> list[str]:
    """Return the labels of all accounts."""
    return (Path(PROJECT) / "accounts.txt").read_text().split()


def granted(*options: str) -> list[dict[str, str]]:
    """Share out the budget, and return an environment per account with a share."""
    shares = budget("share", *options, *labels())
    return for_each([label for label, requests in shares.items() if requests])


def for_each(accounts: list[str]) -> list[dict[str, str]]:
    """Return an environment per account, for mapped tasks."""
    return [{"ACCOUNT": label} for label in accounts]


def meltano(task_id: str, command: str, environments: Any, **options: Any) -> Any:
    """Return a task that runs a command for each account."""
    return BashOperator.partial(
        task_id=task_id,
        bash_command=command,
        cwd=PROJECT,
        append_env=True,
        pool=POOL,
        map_index_template="{{ task.env['ACCOUNT'] }}",
        **options,
    ).expand(env=environments)


with DAG(
    "constantcontact",
    schedule="@daily",
    start_date=dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
    catchup=False,
    max_active_runs=1,
    doc_md=__doc__,
) as dag:

    @task
    def unknown_accounts() -> list[dict[str, str]]:
        """List accounts whose demand nobody has estimated."""
        return for_each(budget("unknown", *labels()))

    @task(trigger_rule="all_done")
    def share() -> list[dict[str, str]]:
        """Lease the budget of today: current data for all accounts first, then backfills."""
        return granted()

    @task(trigger_rule="all_done")
    def share_the_rest() -> list[dict[str, str]]:
        """Lease what the first round has not used to accounts without a complete run today."""
        return granted("--rest")

    @task(trigger_rule="all_done")
    def report() -> None:
        """Log requests and age of each account, and fail if a person has to do something."""
        usages = budget("show", "--json")
        (Path(PROJECT) / "budget.json").write_text(json.dumps(usages))
        problems = []
        for usage in usages:
            print(f"{usage['used']:,} of {usage['limit']:,} requests today")  # noqa: T201
            for label, account in usage["accounts"].items():
                print(label, account)  # noqa: T201
                if account["outcome"] in {"failed", "login required"}:
                    problems.append(f"{label}: {account['outcome']}")
        if problems:
            raise AirflowException("; ".join(problems))

    planned = meltano(
        "plan", 'meltano invoke "tap-constantcontact--$ACCOUNT:plan"', unknown_accounts()
    )
    shared = share()
    # A retry gets what is left of the lease.
    synced = meltano("sync", SYNC, shared, retries=2, retry_delay=dt.timedelta(minutes=1))
    shared_rest = share_the_rest()
    synced_rest = meltano("sync_the_rest", SYNC, shared_rest)
    models = BashOperator(
        task_id="models",
        bash_command=f"meltano invoke {MODELS}" if MODELS else "true",
        cwd=PROJECT,
        append_env=True,
        trigger_rule="all_done",
    )
    planned >> shared
    synced >> shared_rest
    synced_rest >> models >> report()
