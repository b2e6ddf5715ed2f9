"""The dbt package builds in both warehouses from tables of both APIs, with the right figures."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from helpers.runner import environment
from helpers.warehouses import DuckDB, Warehouse
from test_pipelines import Pipeline

from tap_constantcontact.settings import VERSIONS

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox import Sandbox

    Serving = Callable[..., Sandbox]

PROJECT = Path(__file__).parents[1] / "transform"
KINDS = ("sends", "opens", "clicks", "bounces", "forwards", "unsubscribes")
DBT = str(Path(sys.executable).with_name("dbt"))

pytestmark = pytest.mark.slow


class Transform:
    """The dbt project on a warehouse."""

    def __init__(self, warehouse: Warehouse, folder: Path) -> None:
        self._warehouse = warehouse
        self._folder = folder
        self._kind = "duckdb" if isinstance(warehouse, DuckDB) else "postgres"
        settings = warehouse.settings
        self.schema = settings.get("default_target_schema", "main")
        self._variables = {
            "DBT_DUCKDB_PATH": str(settings.get("path")),
            "DBT_POSTGRES_HOST": str(settings.get("host")),
            "DBT_POSTGRES_PORT": str(settings.get("port")),
            "DBT_POSTGRES_USER": str(settings.get("user")),
            "DBT_POSTGRES_PASSWORD": str(settings.get("password")),
            "DBT_POSTGRES_DBNAME": str(settings.get("database")),
            "DBT_POSTGRES_SCHEMA": self.schema,
        }

    def build(self, sources: list[dict[str, str]] | None = None, **variables: Any) -> str:
        """Build and test all models, and return the log."""
        variables = {"constant_contact__schema": self.schema, **variables}
        if sources:
            variables["constant_contact__sources"] = sources
        run = subprocess.run(  # noqa: S603
            [
                DBT,
                "--no-use-colors",
                "--warn-error-options",
                '{"error": ["Deprecations"]}',
                "build",
                "--project-dir",
                PROJECT,
                "--profiles-dir",
                PROJECT / "profiles" / self._kind,
                "--target-path",
                self._folder / "target",
                "--log-path",
                self._folder / "logs",
                "--vars",
                json.dumps(variables),
            ],
            env=environment(PATH=os.environ["PATH"], DO_NOT_TRACK="1", **self._variables),
            capture_output=True,
            text=True,
            check=False,
            timeout=200,
        )
        assert run.returncode == 0, run.stdout
        return run.stdout

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Query a mart, which `{}` precedes with its schema."""
        return self._warehouse.query(
            sql.format(f"{self.schema}_constant_contact.constant_contact_")
        )


def activity_of(box: Sandbox, version: str) -> dict[str, int]:
    """Return the number of records of each tracking report."""
    ids = box.account.ids if version == "v2" else box.account.v3_ids
    return {kind.rstrip("s"): len(ids(f"campaign_{kind}")) for kind in KINDS}


@pytest.mark.parametrize("version", VERSIONS)
def test_marts_count_what_happened(
    serving: Serving, tmp_path: Path, warehouse: Warehouse, version: str
) -> None:
    box = serving(contacts=120, campaigns=10, recipients=40, events=1, activities=2)
    box.account.resend_campaigns(1)
    Pipeline(box, tmp_path, warehouse, version).run()
    transform = Transform(warehouse, tmp_path)

    transform.build()

    counts = dict(
        transform.query("select activity_type, count(*) from {}_activity group by activity_type")
    )
    assert counts == activity_of(box, version)
    ids = box.account.ids if version == "v2" else box.account.v3_ids
    for mart in ("campaigns", "contacts", "lists"):
        ((found,),) = transform.query(f"select count(*) from {{}}_{mart}")  # noqa: S608
        # Lists of text messages are no lists of mails.
        text_lists = version == "v3" and mart == "lists"
        assert found == len(ids(mart)) - text_lists, mart
    assert {*transform.query("select distinct verdict from {}_reconciliation")} == {("equal",)}
    members = transform.query("select list_id, contacts, reported_contacts from {}_lists")
    assert members
    assert [row for row in members if row[1] != row[2]] == []


def test_tables_that_are_missing_give_empty_models(serving: Serving, tmp_path: Path) -> None:
    warehouse = DuckDB(tmp_path)
    box = serving(contacts=20, campaigns=2)
    Pipeline(box, tmp_path, warehouse, "v3").run()
    with duckdb.connect(warehouse.settings["path"]) as db:
        for (table,) in db.execute("select table_name from duckdb_tables()").fetchall():
            if table != "lists":
                db.execute(f"drop table {table}")
    transform = Transform(warehouse, tmp_path)

    transform.build()

    assert transform.query("select count(*) from {}_activity") == [(0,)]
    assert transform.query("select count(*) from {}_lists")[0][0] > 0


def test_accounts_side_by_side_keep_their_records(serving: Serving, tmp_path: Path) -> None:
    warehouse = DuckDB(tmp_path)
    schemas = {"v2": "agency_one", "v3": "agency_two"}
    for version, schema in schemas.items():
        warehouse.settings = {"path": warehouse.settings["path"], "schema": schema}
        (tmp_path / version).mkdir()
        Pipeline(serving(contacts=30, campaigns=3), tmp_path / version, warehouse, version).run()
    transform = Transform(warehouse, tmp_path)

    transform.build([{"schema": schema} for schema in schemas.values()])

    found = transform.query(
        "select source_relation, api_version, count(*) from {}_campaigns group by 1, 2 order by 1"
    )
    assert [row[:2] for row in found] == [("agency_one", "v2"), ("agency_two", "v3")]


def test_records_that_are_missing_are_named(serving: Serving, tmp_path: Path) -> None:
    warehouse = DuckDB(tmp_path)
    box = serving(contacts=60, campaigns=6, recipients=30)
    Pipeline(box, tmp_path, warehouse, "v3").run()
    with duckdb.connect(warehouse.settings["path"]) as db:
        ((campaign,),) = db.execute("select min(campaign_id) from campaign_sends").fetchall()
        db.execute(
            "delete from campaign_sends where campaign_id = ? and contact_id in"
            " (select min(contact_id) from campaign_sends where campaign_id = ?)",
            [campaign, campaign],
        )
    transform = Transform(warehouse, tmp_path)

    log = transform.build()

    short = transform.query(
        "select campaign_id, metric, difference from {}_reconciliation where verdict = 'short'"
    )
    assert short == [(campaign, "sends", -1)]
    assert "WARN 1 is_complete_constant_contact__reconciliation" in log
