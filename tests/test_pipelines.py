"""The Meltano project: pipelines into real warehouses, counted against the account."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import duckdb
import psycopg
import pytest
from singer import KEY, TOKEN, environment, selected_by_default
from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox import Sandbox

    Serving = Callable[..., Sandbox]

ROOT = Path(__file__).parents[1]


class Project:
    """A copy of the Meltano project, with a state of its own."""

    def __init__(self, folder: Path, **variables: str) -> None:
        self.folder = folder
        self._variables = variables
        shutil.copy(ROOT / "meltano.yml", folder)
        (folder / "output").mkdir()

    def run(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        commands = Path(sys.executable).parent
        path = os.pathsep.join([str(commands), os.environ["PATH"]])
        return subprocess.run(  # noqa: S603
            [commands / "meltano", "--environment=prod", *arguments],
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=300,
            env=environment(PATH=path, **{**self._variables, **variables}),
        )

    def meltano(self, *arguments: str, **variables: str) -> str:
        done = self.run(*arguments, **variables)
        assert done.returncode == 0, done.stdout
        return done.stdout


class Warehouse(Protocol):
    """Where a target puts rows."""

    target: str
    variables: dict[str, str]

    def query(self, sql: str) -> list[tuple[Any, ...]]: ...


class DuckDB(Warehouse):
    target = "target-duckdb-file"

    def __init__(self, folder: Path) -> None:
        self._path = str(folder / "warehouse.duckdb")
        self.variables = {"TARGET_DUCKDB_FILE_PATH": self._path}

    @override
    def query(self, sql: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(self._path, read_only=True) as db:
            return db.execute(sql).fetchall()


class Postgres(Warehouse):
    target = "target-postgres"

    def __init__(self, server: dict[str, str], schema: str) -> None:
        self._server = server
        self._schema = schema
        self.variables = {f"TARGET_POSTGRES_{name}": value for name, value in server.items()}
        self.variables["TARGET_POSTGRES_DEFAULT_TARGET_SCHEMA"] = schema

    @override
    def query(self, sql: str) -> list[tuple[Any, ...]]:
        names = {"DATABASE": "dbname"}
        where = " ".join(f"{names.get(k, k).lower()}={v}" for k, v in self._server.items())
        options = f"-c search_path={self._schema} -c timezone=UTC"
        with psycopg.connect(where, options=options) as db:
            return db.execute(sql.encode()).fetchall()


@pytest.fixture(params=["duckdb", "postgres"])
def warehouse(request: pytest.FixtureRequest, tmp_path: Path) -> Warehouse:
    if request.param == "duckdb":
        return DuckDB(tmp_path)
    return Postgres(request.getfixturevalue("postgres"), tmp_path.name)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(
        tmp_path,
        TAP_CONSTANTCONTACT_API_KEY=KEY,
        TAP_CONSTANTCONTACT_ACCESS_TOKEN=TOKEN,
        TAP_CONSTANTCONTACT_REQUESTS_PER_SECOND="1000",
    )


def test_the_warehouse_holds_the_account_after_one_run_and_after_two(
    serving: Serving, project: Project, warehouse: Warehouse
) -> None:
    box = serving(contacts=700, activities=20)
    variables = {"TAP_CONSTANTCONTACT_API_URL": box.url, **warehouse.variables}
    run = ["run", "tap-constantcontact", warehouse.target]

    project.meltano(*run, **variables)
    assert counts(warehouse) == truth_of(box)
    before = statuses(warehouse)

    changed = {
        *box.account.edit_contacts(7),
        *box.account.add_contacts(4),
        *box.account.remove_contacts(2),
        *box.account.unsubscribe(3),
    }
    project.meltano(*run, **variables)

    assert counts(warehouse) == truth_of(box)
    after = statuses(warehouse)
    truth = {each: box.account.contact(each) for each in box.account.ids("contacts")}
    assert {each: status for each, (status, _) in after.items()} == {
        each: contact["status"] for each, contact in truth.items()
    }
    moved = {each for each in after if after[each] != before.get(each)}
    assert moved <= changed, "nothing else has changed"


def counts(warehouse: Warehouse) -> dict[str, int]:
    return {
        stream: warehouse.query(f"select count(*) from {stream}")[0][0]  # noqa: S608
        for stream in selected_by_default()
    }


def truth_of(box: Sandbox) -> dict[str, int]:
    found = box.account.counts()
    return {stream: found[stream] for stream in selected_by_default()}


def statuses(warehouse: Warehouse) -> dict[str, tuple[str, Any]]:
    found = warehouse.query("select id, status, modified_date from contacts")
    return {each: (status, modified) for each, status, modified in found}


def test_times_in_the_warehouse_are_the_accounts(
    serving: Serving, project: Project, warehouse: Warehouse
) -> None:
    box = serving(contacts=5)
    project.meltano(
        "run",
        "tap-constantcontact",
        warehouse.target,
        **warehouse.variables,
        TAP_CONSTANTCONTACT_API_URL=box.url,
        TAP_CONSTANTCONTACT__SELECT='["contacts.*"]',
        TZ="America/New_York",
    )

    # As text: target-postgres stores UTC without its zone.
    shown = "strftime(modified_date at time zone 'UTC', '%Y-%m-%dT%H:%M:%S')"
    if isinstance(warehouse, Postgres):
        shown = "to_char(modified_date, 'YYYY-MM-DD\"T\"HH24:MI:SS')"
    stored = dict(warehouse.query(f"select id, {shown} from contacts"))  # noqa: S608

    assert stored == {
        each: box.account.contact(each)["modified_date"][:19]
        for each in box.account.ids("contacts")
    }


def test_json_lines_take_the_rows(serving: Serving, project: Project) -> None:
    box = serving(contacts=40)

    project.meltano(
        "run", "tap-constantcontact", "target-jsonl", TAP_CONSTANTCONTACT_API_URL=box.url
    )

    for stream, rows in truth_of(box).items():
        path = project.folder / "output" / f"{stream}.jsonl"
        assert (len(path.read_text().splitlines()) if path.exists() else 0) == rows


def test_config_test_works_and_fails_fast(serving: Serving, project: Project) -> None:
    box = serving(contacts=40)
    ask = ["config", "test", "tap-constantcontact"]

    project.meltano(*ask, TAP_CONSTANTCONTACT_API_URL=box.url)
    calls = len(box.calls)
    failed = project.run(
        *ask,
        TAP_CONSTANTCONTACT_API_URL=box.url,
        TAP_CONSTANTCONTACT_API_KEY="another-key",
    )

    assert calls <= 3
    assert len(box.calls) == calls + 1
    assert failed.returncode == 1
    assert "another-key" not in failed.stdout


def test_the_job_and_its_schedule_are_there(project: Project) -> None:
    assert "constantcontact-to-duckdb" in project.meltano("job", "list")
    assert "constantcontact-daily" in project.meltano("schedule", "list")
