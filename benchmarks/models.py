"""Models at size and over time: `python -m benchmarks.models`.

An increment over 1,000,000 tracking records against a full refresh, and thirty days of lists that
change, compared with what happened in the sandbox.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from benchmarks.runner import KEY, TAP, TOKEN, settings_file
from sandbox import Account, serve
from sandbox.world.truth import truth

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sandbox import Sandbox

ROOT = Path(__file__).parents[1]
COMMANDS = Path(sys.executable).parent
BY_MAILING = ("constant_contact__activity", "constant_contact__campaign_recipients")
MARTS = "main_constant_contact"
DAYS = 30
MAILINGS = 500
# Of 1,000 recipients, of whom each opens, clicks and so on at most once.
SHARES = {"sends": 1.0, "opens": 0.6, "clicks": 0.2, "bounces": 0.1, "forwards": 0.05}
SHARES |= {"unsubscribes": 0.05}


def dbt(file: Path, *arguments: str) -> float:
    """Run dbt on a DuckDB file and return the seconds that its models took."""
    target = file.parent / "target"
    subprocess.run(  # noqa: S603
        [
            COMMANDS / "dbt",
            "--quiet",
            *arguments,
            "--project-dir",
            ROOT / "transform",
            "--profiles-dir",
            ROOT / "transform" / "profiles" / "duckdb",
            "--target-path",
            target,
            "--log-path",
            file.parent / "logs",
        ],
        env={**os.environ, "DBT_DUCKDB_PATH": str(file), "DO_NOT_TRACK": "1"},
        check=True,
        timeout=600,
    )
    results = json.loads((target / "run_results.json").read_text())["results"]
    return float(sum(each["execution_time"] for each in results))


def tracking_records(file: Path, mailings: Sequence[int], day: int) -> None:
    """Add tracking records to the tables of v3: one mailing is loaded every 20 seconds."""
    with duckdb.connect(str(file)) as db:
        for kind, share in SHARES.items():
            columns = f"""
                select
                    'activity ' || mailing as campaign_activity_id,
                    'campaign ' || mailing as campaign_id,
                    'contact ' || contact as contact_id,
                    timestamptz '2026-01-01 10:00:00+00' + interval 1 hour * mailing
                        + interval 1 minute * (contact % 600) as created_time,
                    'somebody' || contact || '@example.com' as email_address,
                    'link' as url_id,
                    'https://www.example.com' as link_url,
                    1 as row_number,
                    timestamptz '2026-11-01 00:00:00+00' + interval 1 day * {day}
                        + interval 20 second * (mailing % {MAILINGS}) as _sdc_batched_at
                from unnest({list(mailings)}) as mailings (mailing),
                    range({int(1000 * share)}) as contacts (contact)
            """  # noqa: S608 - our own numbers
            table = f"campaign_{kind}"
            db.execute(f"create table if not exists {table} as {columns} limit 0")
            db.execute(f"insert into {table} {columns}")


def contents(file: Path) -> list[Any]:
    """Return the number and a hash of the rows of the models by mailing."""
    query = f"select count(*), bit_xor(hash(each)) from {MARTS}.{{}} as each"  # noqa: S608
    with duckdb.connect(str(file), read_only=True) as db:
        return [db.execute(query.format(name)).fetchone() for name in BY_MAILING]


def increment() -> str:
    """Compare an increment of ten mailings with a full refresh of all."""
    select = ("run", "--select", *BY_MAILING)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "x.duckdb"
        tracking_records(file, range(MAILINGS), 1)
        dbt(file, "run", "--select", "+" + BY_MAILING[1])
        tracking_records(file, range(MAILINGS, MAILINGS + 10), 2)
        dbt(file, *select)
        tracking_records(file, range(MAILINGS + 10, MAILINGS + 20), 3)
        increments = dbt(file, *select)
        after = contents(file)
        full = dbt(file, *select, "--full-refresh")
        equal = contents(file) == after
    return (
        f"{after[0][0]:,} tracking records of {MAILINGS + 20} mailings, of which 10 are"
        f" new: models in {increments:.2f} s against {full:.2f} s of a full refresh,"
        f" {increments / full:.2f} x; {'equal' if equal else 'NOT EQUAL'}"
    )


def load(box: Sandbox, file: Path, state: dict[str, Any] | None) -> dict[str, Any]:
    """Sync v3 into a DuckDB file and return the state."""
    folder = file.parent
    (folder / "target.json").write_text(json.dumps({"path": str(file)}))
    given = ["--state", str(folder / "state.json")] if state else []
    (folder / "state.json").write_text(json.dumps(state))
    with settings_file(box, api_version="v3", requests_per_second=1000) as config:
        tap = subprocess.run(  # noqa: S603
            [*TAP, "--config", config, *given], capture_output=True, check=True, timeout=300
        )
        target = subprocess.run(  # noqa: S603
            [COMMANDS / "target-duckdb-file", "--config", folder / "target.json"],
            input=tap.stdout,
            capture_output=True,
            check=True,
            timeout=300,
        )
    found: dict[str, Any] = json.loads(target.stdout.splitlines()[-1])
    return found


def thirty_days() -> str:
    """Compare the growth of lists over thirty days with what happened."""
    at = datetime(2026, 3, 1, 20, tzinfo=UTC)

    def clock() -> datetime:
        return at

    account = Account(contacts=500, campaigns=2, recipients=20, now=at, clock=clock)
    select = "+constant_contact__list_growth"
    with (
        tempfile.TemporaryDirectory() as folder,
        serve(account, api_key=KEY, access_token=TOKEN) as box,
    ):
        file = Path(folder) / "x.duckdb"
        state = None
        for day in range(DAYS + 1):
            if day:
                at += timedelta(hours=12)
                account.add_contacts(3 + day % 5)
                account.remove_contacts(day % 4)
                at += timedelta(hours=12)
            state = load(box, file, state)
            started = datetime.now(UTC).replace(tzinfo=None)
            dbt(file, "build", "--select", select, "--exclude-resource-type", "test", "unit_test")
            _move_to(file, started, at)
        dbt(file, "run", "--select", "constant_contact__list_growth")
        query = f"""
            select day, list_id, joined, left_list from {MARTS}.constant_contact__list_growth
            where is_observed order by all
        """  # noqa: S608
        with duckdb.connect(str(file), read_only=True) as db:
            found = {
                (day, key): (int(a), int(b)) for day, key, a, b in db.execute(query).fetchall()
            }
    happened = _happened(account)
    same = sum(found.get(key) == counts for key, counts in happened.items())
    joined, left = (sum(each[place] for each in happened.values()) for place in (0, 1))
    return (
        f"{DAYS} days, {joined} joined and {left} left: {same} of {len(happened)} days of lists are"
        f" as it happened, {len(found.keys() - happened.keys())} are made up"
    )


def _move_to(file: Path, started: datetime, at: datetime) -> None:
    """Let the snapshot's changes since then have happened on the sandbox's day."""
    with duckdb.connect(str(file)) as db:
        for column in ("dbt_valid_from", "dbt_valid_to", "dbt_updated_at"):
            db.execute(
                f"update {MARTS}.constant_contact__memberships set {column} = ?"  # noqa: S608
                f" where {column} >= ?",
                [at.replace(tzinfo=None), started],
            )


def _happened(account: Account) -> dict[tuple[Any, str], tuple[int, int]]:
    """Return who joined and left by day and list, without contacts that did both on one day."""
    lists = {each.id: each.v3 for each in account.contact_lists.by_id.values()}
    nets: Counter[tuple[Any, str, str]] = Counter()
    for change in truth(account)["membership_changes"]:
        day = datetime.fromisoformat(change["at"]).date()
        nets[day, lists[change["list_id"]], change["contact_id"]] += change["joined"]
    counts = Counter((day, key, net) for (day, key, _), net in nets.items() if net)
    return {(day, key): (counts[day, key, 1], counts[day, key, -1]) for day, key, _ in counts}


if __name__ == "__main__":
    for part in (increment, thirty_days):
        print(part(), flush=True)  # noqa: T201 - it is what the command is for
