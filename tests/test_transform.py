"""The dbt package builds in both warehouses from tables of both APIs, with the right figures."""

from __future__ import annotations

import datetime as dt
import json
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

import duckdb
import pytest
import yaml
from constantcontact_report.__main__ import main as write_report
from helpers.report import BROWSER, Page, seen_by_browser
from helpers.runner import environment, selected_by_default
from helpers.warehouses import DuckDB, Warehouse, counts
from test_pipelines import Pipeline

from sandbox.world.truth import truth
from tap_constantcontact.settings import VERSIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sandbox import Sandbox

    Serving = Callable[..., Sandbox]

PROJECT = Path(__file__).parents[1] / "transform"
QUESTIONS = PROJECT.parent / "docs" / "questions.md"
KINDS = ("sends", "opens", "clicks", "bounces", "forwards", "unsubscribes")
# Columns that are the same for the same account in v2 and v3. Times of v3 have minutes only.
SAME_IN_BOTH = {
    "mailings": "subject, sends, delivered, opens, unique_opens, clicks, unique_clicks, bounces,"
    " hard_bounces, forwards, unsubscribes",
    "contacts": "email_address, status, opens, clicks, bounces, sends_90_days, lists_count",
    "links": "url, clicks, unique_clicks, position",
    "lists": "name, contacts, active_contacts, mailings",
}
REPORTS = {f"campaign_{kind}" for kind in KINDS}
DBT = str(Path(sys.executable).with_name("dbt"))

pytestmark = pytest.mark.slow


class Transform:
    """The dbt project on a warehouse."""

    def __init__(self, warehouse: Warehouse, folder: Path) -> None:
        self._warehouse = warehouse
        self._folder = folder
        self._kind = "duckdb" if isinstance(warehouse, DuckDB) else "postgres"
        settings = warehouse.settings
        self.location = str(settings.get("path"))
        if self._kind == "postgres":
            self.location = (
                "postgresql://{user}:{password}@/{database}?host={host}&port={port}".format(
                    **{key: quote(str(value), safe="") for key, value in settings.items()}
                )
            )
        self.schema = settings.get("default_target_schema", "main")
        self.marts = f"{self.schema}_constant_contact"
        self._variables = {
            "DBT_DUCKDB_PATH": str(settings.get("path")),
            "DBT_POSTGRES_HOST": str(settings.get("host")),
            "DBT_POSTGRES_PORT": str(settings.get("port")),
            "DBT_POSTGRES_USER": str(settings.get("user")),
            "DBT_POSTGRES_PASSWORD": str(settings.get("password")),
            "DBT_POSTGRES_DBNAME": str(settings.get("database")),
            "DBT_POSTGRES_SCHEMA": self.schema,
        }

    def build(
        self,
        sources: list[dict[str, str]] | None = None,
        select: Sequence[str] = (),
        *,
        full_refresh: bool = False,
        unit_tests: bool = False,
        **rules: Any,
    ) -> str:
        """Build and test the models, or some of them, and return the log."""
        variables: dict[str, Any] = {
            "constant_contact__sources": sources or [],
            **{f"constant_contact__{name}": value for name, value in rules.items()},
        }
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
                *(("--full-refresh",) if full_refresh else ()),
                *(() if unit_tests else ("--exclude-resource-type", "unit_test")),
                *(("--indirect-selection", "cautious", "--select", *select) if select else ()),
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
        return self._warehouse.query(sql.format(f"{self.marts}.constant_contact_"))


def load(box: Sandbox, folder: Path, warehouse: Warehouse, schemas: dict[str, str]) -> None:
    """Load an account through each version of the API into a schema of its own."""
    settings = dict(warehouse.settings)
    option = "schema" if isinstance(warehouse, DuckDB) else "default_target_schema"
    for version, schema in schemas.items():
        warehouse.settings = {**settings, option: schema}
        (folder / version).mkdir()
        Pipeline(box, folder / version, warehouse, version).run()
    warehouse.settings = settings


def check_counts(transform: Transform, box: Sandbox, version: str) -> None:
    """Compare the marts of one version with the account and with the API's own counters."""
    ids = box.account.ids if version == "v2" else box.account.v3_ids
    where = f"where api_version = '{version}'"
    by_kind = dict(
        transform.query(
            f"select activity_type, count(*) from {{}}_activity {where} group by activity_type"  # noqa: S608
        )
    )
    assert by_kind == {kind.rstrip("s"): len(ids(f"campaign_{kind}")) for kind in KINDS}
    for mart in ("campaigns", "contacts", "lists"):
        ((found,),) = transform.query(f"select count(*) from {{}}_{mart} {where}")  # noqa: S608
        # Lists of text messages are no lists of mails.
        text_lists = version == "v3" and mart == "lists"
        assert found == len(ids(mart)) - text_lists, mart
    verdicts = transform.query(f"select distinct verdict from {{}}_reconciliation {where}")  # noqa: S608
    assert verdicts == [("equal",)]
    lists = transform.query(f"select list_id, contacts, reported_contacts from {{}}_lists {where}")  # noqa: S608
    assert lists
    assert [row for row in lists if row[1] != row[2]] == []
    ((active, counted),) = transform.query(
        f"select (select count(*) from {{0}}_contacts {where} and status = 'active'),"  # noqa: S608
        f" (select sum(net) from {{0}}_contacts_daily {where})"
    )
    assert active == counted


def check_windows(transform: Transform, version: str) -> None:
    """Compare local times, and counts of the last days, with the records they come from."""
    where = f"where api_version = '{version}'"
    zone = ZoneInfo("US/Eastern")
    activity = transform.query(
        f"select activity_type, occurred_at, occurred_local from {{}}_activity {where}"  # noqa: S608
    )
    for _, at, local in activity:
        assert local == at.replace(tzinfo=dt.UTC).astimezone(zone).replace(tzinfo=None)
    newest = max(at for _, at, _ in activity)
    for days in (30, 90, 365):
        since = newest - dt.timedelta(days)
        recent = Counter(kind for kind, at, _ in activity if at > since)
        columns = ", ".join(f"sum({kind}s_{days}_days)" for kind in ("send", "open", "click"))
        (found,) = transform.query(f"select {columns} from {{}}_contacts {where}")  # noqa: S608
        assert found == (recent["send"], recent["open"], recent["click"])
    ((bounces, hard, soft),) = transform.query(
        f"select sum(bounces), sum(hard_bounces), sum(soft_bounces) from {{}}_mailings {where}"  # noqa: S608
    )
    assert bounces == hard + soft
    assert hard > 0 < soft


def machines_found(
    transform: Transform, box: Sandbox, version: str, report: str
) -> tuple[float, float]:
    """Return precision and recall of the rule for actions of machines."""
    mailing, contact = (
        ("campaign", "id") if version == "v2" else ("campaign_activity_id", "contact_id")
    )
    actual = {
        (action[mailing], action[contact])
        for action in truth(box.account)["by_machine"]
        if action["report"] == report
    }
    kind = report.removesuffix("s")
    marked = set(
        transform.query(
            "select distinct mailing_id, contact_id from {}_activity where is_likely_machine"  # noqa: S608
            f" and activity_type = '{kind}' and api_version = '{version}'"
        )
    )
    assert actual
    found = len(actual & marked)
    return found / max(len(marked), 1), found / len(actual)


def check_report(transform: Transform, source: str, folder: Path) -> None:
    """Write the report of an account and compare it with the marts."""
    output = folder / "report.html"
    options = ["--source", source, "--output", str(output)]
    assert write_report([transform.location, "--schema", transform.marts, *options]) == 0
    page = Page(output.read_text())
    assert page.loads == []
    assert page.headings == ["h1", *["h2"] * 10]
    where = f"where source_relation = '{source}'"
    bands = transform.query(
        "select engagement_band, cast(count(*) as varchar) from {}_contacts"  # noqa: S608
        f" {where} group by engagement_band"
    )
    assert {tuple(row) for row in page.tables["bands"][1:]} == set(bands)
    assert {f"contacts: {contacts}; band: {band}" for band, contacts in bands} == {
        "; ".join(sorted(mark.split("; "), reverse=True)) for mark in page.marks["bands"]
    }
    ((mailings,),) = transform.query(
        f"select count(*) from {{}}_mailings {where} and first_sent_at is not null"  # noqa: S608
    )
    assert len(page.tables["mailings"]) - 1 == mailings
    ((sends,),) = transform.query(f"select sum(sends) from {{}}_mailings {where}")  # noqa: S608
    assert f"Counted {sends:,} of {sends:,} sends and " in page.text
    assert "No figure is short." in page.text
    assert "@example" not in page.text
    if BROWSER:
        for width in (1200, 500):
            seen = seen_by_browser(output, width)
            assert seen["charts"] == len(page.marks) >= 7
            assert seen["lowest"] > 50
            assert not seen["overflow"]


def check_missing_record(transform: Transform, schemas: dict[str, str]) -> None:
    """Delete a record of one account and see it named, and only there."""
    sends = f"{schemas['v3']}.campaign_sends"
    with duckdb.connect(transform.location) as db:
        ((campaign,),) = db.execute(f"select min(campaign_id) from {sends}").fetchall()  # noqa: S608
        db.execute(
            f"delete from {sends} where campaign_id = ? and contact_id in"  # noqa: S608
            f" (select min(contact_id) from {sends} where campaign_id = ?)",
            [campaign, campaign],
        )
    models = [f"constant_contact__{name}" for name in ("activity", "reconciliation", "campaigns")]

    log = transform.build(
        [{"schema": schema} for schema in schemas.values()], models, full_refresh=True
    )

    short = transform.query(
        "select source_relation, campaign_id, metric, difference from {}_reconciliation"
        " where verdict = 'short'"
    )
    assert short == [(schemas["v3"], campaign, "sends", -1)]
    incomplete = "select source_relation, campaign_id from {}_campaigns where not is_complete"
    assert transform.query(incomplete) == [(schemas["v3"], campaign)]
    assert "WARN 1 is_complete_constant_contact__reconciliation" in log


def check_documented(transform: Transform) -> None:
    """Compare the columns of the models with their descriptions."""
    described = {
        each["name"]: {column["name"] for column in each["columns"]}
        for kind in ("models", "snapshots")
        for path in (PROJECT / kind).rglob("_*.yml")
        for each in yaml.safe_load(path.read_text()).get(kind, [])
    }
    query = (
        "select table_name, column_name from information_schema.columns"
        " where table_name like '%constant_contact__%'"
    )
    found: dict[str, set[str]] = {}
    for model, column in transform.query(query):
        found.setdefault(model, set()).add(column)
    # Custom fields are columns, too.
    found["constant_contact__contacts_custom"] &= described["constant_contact__contacts_custom"]
    assert found == described


def check_freshness(transform: Transform) -> None:
    """Each stream was synced completely, in one run, and no record is missing."""
    query = (
        "select api_version, stream, last_outcome, last_verdict, runs, complete_runs,"
        " current_until = last_run_at from {}_freshness"
    )
    found = {row[:2]: row[2:] for row in transform.query(query)}
    assert found.keys() == {
        (version, stream) for version in VERSIONS for stream in selected_by_default(version)
    }
    for key, (outcome, verdict, *runs) in found.items():
        assert (outcome, *runs) == ("complete", 1, 1, True), key
        is_checked = key[1] in REPORTS or key == ("v3", "contacts")
        assert verdict == ("match" if is_checked else "unchecked"), key


def test_marts_count_what_happened(serving: Serving, tmp_path: Path, warehouse: Warehouse) -> None:
    box = serving(contacts=120, campaigns=10, recipients=40, events=1, activities=2, resends=2)
    transform = Transform(warehouse, tmp_path)
    schemas = {version: f"{transform.schema}_{version}" for version in VERSIONS}
    load(box, tmp_path, warehouse, schemas)

    transform.build(
        [{"schema": schema} for schema in schemas.values()],
        unit_tests=isinstance(warehouse, DuckDB),
    )

    for version in VERSIONS:
        check_counts(transform, box, version)
        check_windows(transform, version)
        for report, least in (("opens", 0.95), ("clicks", 0.3)):
            # Scans of mailings with one or two links look like a person's clicks.
            precision, recall = machines_found(transform, box, version, report)
            assert precision >= 0.9, report
            assert recall >= least, report
    for mart, columns in SAME_IN_BOTH.items():
        v2, v3 = (
            {
                row
                for row in transform.query(
                    f"select {columns} from {{}}_{mart} where api_version = '{version}'"  # noqa: S608
                )
                if row[0] is not None
            }
            for version in VERSIONS
        )
        assert v2, mart
        assert v2 == v3, mart
    check_freshness(transform)
    for schema in schemas.values():
        check_report(transform, schema, tmp_path)
    questions = re.findall(r"```sql\n(.*?);\n```", QUESTIONS.read_text(), re.DOTALL)
    assert len(questions) == 20
    for question in questions:
        assert transform.query(question.replace("constant_contact__", "{0}_")), question
    if isinstance(warehouse, DuckDB):
        check_documented(transform)
        check_missing_record(transform, schemas)


def test_accounts_with_labels_share_tables(
    serving: Serving, tmp_path: Path, warehouse: Warehouse
) -> None:
    boxes = {
        label: serving(seed=seed, contacts=contacts, campaigns=2, events=0, files=2)
        for label, seed, contacts in (("one", 1, 20), ("two", 2, 30))
    }
    streams = ("lists", "contacts", "campaigns", "campaign_sends", "campaign_opens")
    expected = {
        stream: sum(len(box.account.ids(stream)) for box in boxes.values()) for stream in streams
    }
    assert boxes["one"].account.ids("lists") & boxes["two"].account.ids("lists")
    for _ in range(2):
        for label, box in boxes.items():
            Pipeline(box, tmp_path, warehouse, account_label=label).run()
        assert counts(warehouse, streams) == expected, "a rerun changes nothing"
    transform = Transform(warehouse, tmp_path)
    transform.build(
        select=["+constant_contact__contacts", "stg_constant_contact__lists"],
        time_zone="Asia/Tokyo",
        contact_columns=[{"name": "cell_phone", "alias": "mobile"}],
    )
    schema = transform.schema
    query = f"select * from {schema}_stg_constant_contact.stg_constant_contact__lists"  # noqa: S608
    assert Counter(row[0] for row in transform.query(query)) == {
        f"{schema}/{label}": len(box.account.ids("lists")) for label, box in boxes.items()
    }
    local = "select distinct extract(hour from occurred_local - occurred_at) from {}_activity"
    assert transform.query(local) == [(9,)]
    assert transform.query("select count(mobile) from {}_contacts")[0][0] > 0


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


def test_increments_follow_lists_and_mailings(serving: Serving, tmp_path: Path) -> None:
    warehouse = DuckDB(tmp_path)
    box = serving(contacts=80, campaigns=4, recipients=30)
    pipeline = Pipeline(box, tmp_path, warehouse, "v3")
    transform = Transform(warehouse, tmp_path)
    by_mailing = ("constant_contact__activity", "constant_contact__campaign_recipients")
    models = ("+constant_contact__list_growth", "+constant_contact__lists", f"+{by_mailing[1]}")
    pipeline.run()
    with duckdb.connect(warehouse.settings["path"]) as db:
        for kind in KINDS:
            db.execute(
                f"update campaign_{kind} set _sdc_batched_at = _sdc_batched_at - interval 2 day"  # noqa: S608
            )
    transform.build(select=models)
    members = "select list_id, contact_id from {}_contact_lists"
    before = set(transform.query(members))
    box.account.add_contacts(9)
    box.account.remove_contacts(4)
    box.account.add_tracking(40)
    pipeline.run()

    transform.build(select=models)

    after = set(transform.query(members))
    observed = transform.query(
        "select sum(joined), sum(left_list) from {}_list_growth where is_observed"
    )
    assert observed == [(len(after - before), len(before - after))]
    assert after - before
    assert before - after
    sizes = transform.query("select list_id, arg_max(contacts, day) from {}_list_growth group by 1")
    counted = transform.query("select list_id, contacts from {}_lists where contacts > 0")
    assert dict(sizes) == dict(counted)

    queries = [
        "select * from {}_activity order by all",
        "select * from {}_campaign_recipients order by all",
    ]
    increments = [transform.query(query) for query in queries]
    transform.build(select=by_mailing, full_refresh=True)
    assert [transform.query(query) for query in queries] == increments
    assert len(increments[0]) == sum(len(box.account.v3_ids(f"campaign_{kind}")) for kind in KINDS)
