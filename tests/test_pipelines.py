"""The Meltano project: pipelines into real warehouses, counted against the account."""

from __future__ import annotations

import json
import random
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from singer import COMMAND, config, environment, everything, selected_by_default
from warehouses import Postgres, counts

from tap_constantcontact.settings import OPTIONAL_STREAMS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from warehouses import Project, Warehouse

    from sandbox import Sandbox

    Serving = Callable[..., Sandbox]

pytestmark = pytest.mark.slow

BY_DEFAULT = selected_by_default()


def test_the_warehouse_holds_the_account_after_one_run_and_after_two(
    serving: Serving, project: Project, warehouse: Warehouse
) -> None:
    """All streams, the optional ones too, on a machine whose clock is not in UTC."""
    box = serving(contacts=130, activities=20, campaigns=12, events=3)
    streams = list(everything().streams)
    variables = {
        **warehouse.variables,
        "TAP_CONSTANTCONTACT_API_URL": box.url,
        "TAP_CONSTANTCONTACT_OPTIONAL_STREAMS": json.dumps(OPTIONAL_STREAMS["v2"]),
        "TZ": "America/New_York",
    }
    run = ["run", "tap-constantcontact", warehouse.target]

    project.meltano(*run, **variables)
    arrived = counts(warehouse, streams)
    assert len(streams) == 28
    assert arrived == truth_of(box, streams)
    assert min(arrived.values()) > 0
    before = statuses(warehouse)

    changed = {
        *box.account.edit_contacts(7),
        *box.account.add_contacts(4),
        *box.account.remove_contacts(2),
        *box.account.unsubscribe(3),
    }
    project.meltano(*run, **variables)

    assert counts(warehouse, BY_DEFAULT) == truth_of(box, BY_DEFAULT)
    after = statuses(warehouse)
    truth = {each: box.account.contact(each) for each in box.account.ids("contacts")}
    assert {each: status for each, (status, _) in after.items()} == {
        each: contact["status"] for each, contact in truth.items()
    }
    moved = {each for each in after if after[each] != before.get(each)}
    assert moved <= changed, "nothing else has changed"
    assert times_of(warehouse) == {
        each: contact["modified_date"][:19] for each, contact in truth.items()
    }


def times_of(warehouse: Warehouse) -> dict[str, str]:
    """As text: target-postgres stores UTC without its zone."""
    shown = "strftime(modified_date at time zone 'UTC', '%Y-%m-%dT%H:%M:%S')"
    if isinstance(warehouse, Postgres):
        shown = "to_char(modified_date, 'YYYY-MM-DD\"T\"HH24:MI:SS')"
    return dict(warehouse.query(f"select id, {shown} from contacts"))  # noqa: S608


def truth_of(box: Sandbox, streams: Iterable[str]) -> dict[str, int]:
    found = box.account.counts()
    return {stream: found[stream] for stream in streams}


def statuses(warehouse: Warehouse) -> dict[str, tuple[str, Any]]:
    found = warehouse.query("select id, status, modified_date from contacts")
    return {each: (status, modified) for each, status, modified in found}


def test_json_lines_take_the_rows(serving: Serving, project: Project) -> None:
    box = serving(contacts=40)

    project.meltano(
        "run", "tap-constantcontact", "target-jsonl", TAP_CONSTANTCONTACT_API_URL=box.url
    )

    for stream, rows in truth_of(box, BY_DEFAULT).items():
        path = project.folder / "output" / f"{stream}.jsonl"
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


def test_the_job_and_its_schedule_are_there(project: Project) -> None:
    said = project.meltano("schedule", "list")
    assert "constantcontact-to-duckdb" in said
    assert "constantcontact-daily" in said


def test_a_pipeline_that_is_killed_loses_nothing(
    serving: Serving, project: Project, warehouse: Warehouse, kills: int
) -> None:
    """Moments follow from the calls that were seen; `python -m benchmarks.kills` tries many."""
    if not kills:
        pytest.skip("PostgreSQL's share is with the benchmark")
    box = serving(contacts=1200, campaigns=14, events=2)
    dice = random.Random(warehouse.target)  # noqa: S311 - which moments is of no matter
    pipeline = Pipeline(box, project, warehouse)

    for number in range(kills):
        # The whole machine goes down at times, at others just the tap.
        killed = pipeline.run(kill_after=dice.randrange(1, 30), target_too=number % 4 == 3)
        assert killed, "the run was still under way"
        box.account.add_tracking(2)
        box.account.edit_contacts(2)
    # What came in after the pass had begun that is now continued is for the next.
    for _ in range(2):
        assert not pipeline.run()

    assert counts(warehouse, BY_DEFAULT) == truth_of(box, BY_DEFAULT)


class Pipeline:
    """A tap and a target, one piped into the other, with the state that the target has sealed."""

    def __init__(self, box: Sandbox, project: Project, warehouse: Warehouse) -> None:
        self._box = box
        self._folder = project.folder
        self._tap = [*COMMAND, "--config", self._file("tap", config(box, requests_per_second=100))]
        self._target = [
            str(project.executable(warehouse.target)),
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
                [*self._tap, *more], stdout=subprocess.PIPE, stderr=log, env=environment()
            ) as tap,
            subprocess.Popen(  # noqa: S603
                self._target, stdin=tap.stdout, stdout=states, stderr=log
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
