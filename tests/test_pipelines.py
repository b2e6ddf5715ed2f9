"""The Meltano project: pipelines into real warehouses, counted against the account."""

from __future__ import annotations

import datetime as dt
import json
import random
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from helpers.runner import (
    COMMAND,
    a_week_later,
    config,
    environment,
    everything,
    selected_by_default,
)
from helpers.warehouses import ROOT, Postgres, counts, executable

from sandbox import timestamps
from tap_constantcontact.settings import OPTIONAL_STREAMS, VERSIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from helpers.warehouses import Project, Warehouse

    from sandbox import Sandbox

    Serving = Callable[..., Sandbox]

pytestmark = pytest.mark.slow

BY_DEFAULT = selected_by_default()
# A machine whose clock is not in UTC; target-postgres has to be told (README).
HERE = environment(TZ="America/New_York", PGTZ="UTC")


@pytest.mark.parametrize("version", VERSIONS)
def test_the_warehouse_holds_the_account_after_one_run_and_after_two(
    serving: Serving, tmp_path: Path, warehouse: Warehouse, version: str
) -> None:
    """All streams, the optional ones too, on a machine whose clock is not in UTC."""
    ago = dt.timedelta(hours=2)

    def clock() -> dt.datetime:
        return dt.datetime.now(dt.UTC) - ago

    box = serving(contacts=70, activities=20, campaigns=12, events=3, now=clock(), clock=clock)
    box.account.resend_campaigns(1)
    # Some reports are asked for up to when the run began, which by the API's clock is before now.
    ago = dt.timedelta()
    source = tmp_path / "ids.csv"
    source.write_text(
        "kind,id\n" + "".join(f"contact,{each}\n" for each in box.account.ids("contacts"))
    )
    streams = [name for name in everything(version).streams if name not in {"id_map", "sync_audit"}]
    pipeline = Pipeline(
        box,
        tmp_path,
        warehouse,
        version,
        requests_per_second=1000,
        optional_streams=OPTIONAL_STREAMS[version],
        landing_page_ids=[box.account.v3_events.page.uuid],
        id_map_file=str(source),
    )

    pipeline.run()
    arrived = counts(warehouse, streams)
    assert arrived == truth_of(box, streams, version)
    assert min(arrived.values()) > 0
    before = people(warehouse, version)

    changed = {
        *box.account.edit_contacts(7),
        *box.account.add_contacts(4),
        *box.account.remove_contacts(2),
        *box.account.unsubscribe(3),
    }
    pipeline.run()

    by_default = selected_by_default(version)
    assert counts(warehouse, by_default) == truth_of(box, by_default, version)
    after = people(warehouse, version)
    assert after == truth_of_people(box, version)
    uuids = {box.account.contacts.by_id[each].uuid for each in changed}
    moved = {each for each in after if after[each] != before.get(each)}
    assert moved <= (changed if version == "v2" else uuids), "nothing else has changed"


def truth_of_people(box: Sandbox, version: str) -> dict[str, tuple[str, str]]:
    """Of each contact how it stands, and when it was changed, to the second."""
    if version == "v2":
        documents = map(box.account.contact, box.account.ids("contacts"))
        return {each["id"]: (each["status"], each["modified_date"][:19]) for each in documents}
    found = {}
    for row in box.account.contacts.rows:
        day = timestamps.text(row.modified)
        found[row.uuid] = (day[:10] if row.status == "REMOVED" else "", day[:19])
    for text in box.account.outreach.contacts.values():
        found[text.uuid] = ("", timestamps.text(text.modified)[:19])
    return found


def people(warehouse: Warehouse, version: str) -> dict[str, tuple[str, str]]:
    """The same in the warehouse."""
    key, status, date = (
        ("id", "status", "modified_date")
        if version == "v2"
        else ("contact_id", "coalesce(cast(deleted_at as varchar), '')", "updated_at")
    )
    # As text: target-postgres stores UTC without its zone.
    shown = f"strftime({date} at time zone 'UTC', '%Y-%m-%dT%H:%M:%S')"
    if isinstance(warehouse, Postgres):
        shown = f"to_char({date}, 'YYYY-MM-DD\"T\"HH24:MI:SS')"
    rows = warehouse.query(f"select {key}, left({status}, 30), {shown} from contacts")  # noqa: S608
    return {each: (str(said), when) for each, said, when in rows}


def truth_of(box: Sandbox, streams: Iterable[str], version: str = "v2") -> dict[str, int]:
    found = box.account.counts() if version == "v2" else box.account.v3_counts()
    return {stream: found[stream] for stream in streams}


class JsonLines:
    """A folder of files, one a stream."""

    target = "target-jsonl"

    def __init__(self, folder: Path) -> None:
        self.settings = {"destination_path": str(folder), "do_timestamp_file": False}
        self.variables: dict[str, str] = {}

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        raise NotImplementedError


def test_json_lines_take_the_rows(serving: Serving, tmp_path: Path) -> None:
    box = serving(contacts=40)

    Pipeline(box, tmp_path, JsonLines(tmp_path)).run()

    for stream, rows in truth_of(box, BY_DEFAULT).items():
        path = tmp_path / f"{stream}.jsonl"
        assert (len(path.read_text().splitlines()) if path.exists() else 0) == rows


def test_config_test_fails_fast(serving: Serving, project: Project) -> None:
    """That it works, the README's commands show."""
    box = serving(contacts=40)

    failed = project.run(
        "config",
        "test",
        "tap-constantcontact",
        TAP_CONSTANTCONTACT_API_URL=box.url,
        TAP_CONSTANTCONTACT_API_KEY="another-key",
    )

    assert len(box.calls) == 1
    assert failed.returncode == 1
    assert "another-key" not in failed.stdout


def test_jobs_have_schedules() -> None:
    project = yaml.safe_load((ROOT / "meltano.yml").read_text())
    load = "tap-constantcontact target-duckdb-file"
    assert {job["name"]: job["tasks"] for job in project["jobs"]} == {
        "constantcontact-to-duckdb": [load],
        "constantcontact-to-report": [f"{load} dbt-duckdb:build constantcontact-report:write"],
    }
    assert [schedule["job"] for schedule in project["schedules"]] == [
        job["name"] for job in project["jobs"]
    ]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_pipeline_that_is_killed_loses_nothing(
    serving: Serving, tmp_path: Path, warehouse: Warehouse, kills: int, version: str
) -> None:
    """Moments follow from the calls that were seen; `python -m benchmarks.kills` tries many."""
    if not kills:
        pytest.skip("PostgreSQL's share is with the benchmark")
    box = serving(contacts=1200, campaigns=14, events=2)
    dice = random.Random(warehouse.target)  # noqa: S311 - which moments is of no matter
    pipeline = Pipeline(box, tmp_path, warehouse, version)

    for number in range(kills):
        # The whole machine goes down at times, at others just the tap.
        killed = pipeline.run(kill_after=dice.randrange(1, 30), target_too=number % 4 == 3)
        assert killed, "the run was still under way"
        box.account.add_tracking(2)
        box.account.edit_contacts(2)
    # What came in after the pass had begun that is now continued is for the next. And campaigns
    # that rest have their turn.
    for _ in range(2):
        pipeline.state = a_week_later(pipeline.state)
        assert not pipeline.run()

    streams = selected_by_default(version)
    if version == "v3":
        streams.discard("campaign_resends")  # Nothing was sent again.
    assert counts(warehouse, streams) == truth_of(box, streams, version)


class Pipeline:
    """A tap and a target, one piped into the other, with the state that the target has sealed."""

    def __init__(
        self,
        box: Sandbox,
        folder: Path,
        warehouse: Warehouse,
        version: str = "v2",
        **settings: Any,
    ) -> None:
        self._box = box
        self._folder = folder
        given = config(box, version, **{"requests_per_second": 100, **settings})
        self._tap = [*COMMAND, "--config", self._file("tap", given)]
        self._target = [
            str(executable(warehouse.target)),
            "--config",
            self._file("target", warehouse.settings),
        ]
        self.state: dict[str, Any] | None = None

    def _file(self, name: str, content: Any) -> str:
        path = self._folder / f"{name}.json"
        path.write_text(json.dumps(content))
        return str(path)

    def run(self, *, kill_after: int | None = None, target_too: bool = False) -> bool:
        """Run it, to its end or a SIGKILL after so many calls; whether it was killed."""
        seen = len(self._box.calls)
        more = ["--state", self._file("state", self.state)] if self.state else []
        with (
            (self._folder / "log").open("w") as log,
            (self._folder / "states").open("w") as states,
            subprocess.Popen(  # noqa: S603
                [*self._tap, *more], stdout=subprocess.PIPE, stderr=log, env=HERE
            ) as tap,
            subprocess.Popen(  # noqa: S603
                self._target, stdin=tap.stdout, stdout=states, stderr=log, env=HERE
            ) as target,
        ):
            if kill_after is not None:
                assert self._box.wait_for_calls(seen + kill_after)
                if target_too:
                    target.kill()
                tap.kill()
        # Half a line is no state.
        lines = (self._folder / "states").read_text().splitlines(keepends=True)
        whole = [line for line in lines if line.endswith("\n")]
        self.state = json.loads(whole[-1]) if whole else self.state
        assert tap.returncode in {0, -9}, (self._folder / "log").read_text()
        return tap.returncode == -9
