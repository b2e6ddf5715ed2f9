"""What a run will cost, against what it does cost."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from helpers.runner import (
    KEY,
    TOKEN,
    Output,
    catalog,
    command,
    config,
    optional,
    selected_by_default,
    sync,
)

from sandbox import FaultConfig, timestamps
from tap_constantcontact.estimate import StreamEstimate, SyncEstimate
from tap_constantcontact.tap import TapConstantContact

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sandbox import Sandbox

    Serving = Callable[..., Sandbox]

pytestmark = pytest.mark.slow


def planned(
    box: Sandbox, *streams: str, state: dict[str, Any] | None = None, **settings: Any
) -> SyncEstimate:
    settings = {"optional_streams": optional(streams), **settings}
    tap = TapConstantContact(
        config=config(box, **settings), catalog=catalog(*streams) if streams else None, state=state
    )
    before = len(box.calls)
    plan = tap.plan()
    assert plan.requests_used == len(box.calls) - before
    return plan


def reconcile(
    box: Sandbox, *streams: str, state: dict[str, Any] | None = None, **settings: Any
) -> Output:
    """Plan a run and make it: the figures agree, and the plan is cheap."""
    plan = planned(box, *streams, state=state, **settings)
    before = len(box.calls)
    output = sync(box, *streams, state=state, **settings)
    made = len(box.calls) - before
    assert plan.requests == pytest.approx(made, rel=0.2), f"{plan}\n{made} were made"
    assert plan.requests_used <= max(45, made / 4), plan
    return output


def test_a_first_run_and_the_next(serving: Serving) -> None:
    box = serving(contacts=12_000, campaigns=120, recipients=60, events=3)
    first = reconcile(box)
    box.account.edit_contacts(600)
    box.account.add_tracking(5)
    reconcile(box, state=first.state)


def test_large_campaigns(serving: Serving) -> None:
    box = serving(contacts=4000, campaigns=30, recipients=2500)
    reconcile(box, "campaigns", "campaign_sends", "campaign_opens", "campaign_clicks")


def test_start_date_reduces_the_estimate(serving: Serving) -> None:
    box = serving(contacts=6000, campaigns=120)
    made = box.account.campaigns.by_id.values()
    sent = sorted(campaign.last_run for campaign in made if campaign.last_run)
    reconcile(box, start_date=timestamps.text(sent[len(sent) // 2]))


@pytest.mark.parametrize("calls", [130, 400])
def test_estimate_of_an_interrupted_backfill(serving: Serving, calls: int) -> None:
    box = serving(contacts=300, campaigns=100)
    first = sync(box, max_requests=calls)
    reconcile(box, state=first.state)


@pytest.mark.parametrize("days", [0, 30])
def test_the_tracking_window_counts(serving: Serving, days: int) -> None:
    box = serving(contacts=300, campaigns=60)
    first = sync(box)
    reconcile(box, state=first.state, tracking_window_days=days)


@pytest.mark.parametrize(
    "stream",
    [
        "account",
        "activities",
        "contact_activity",
        "contact_summaries",
        "event_item_attributes",
        "event_registrants",
        "campaign_links",
        "campaign_previews",
        "campaign_schedules",
        "library_files",
        "library_folders",
        "lists",
    ],
)
def test_a_stream_alone(serving: Serving, stream: str) -> None:
    box = serving(contacts=300, campaigns=20, events=4, activities=12)
    first = reconcile(box, stream)
    reconcile(box, stream, state=first.state)


def test_contact_reports_estimate_the_rest(serving: Serving) -> None:
    box = serving(contacts=300)
    first = sync(box, "contact_summaries", max_requests=201)
    plan = planned(box, "contact_summaries", state=first.state)
    assert plan.estimates == [StreamEstimate("contact_summaries", 101, "100 contacts")]


def test_unauthorized_product_is_estimated(serving: Serving) -> None:
    box = serving(faults=FaultConfig(denied_products={"eventspot", "library"}))
    plan = planned(box, "account", "events", "event_fees", "library_usage", "library_files")
    assert plan.estimates == [
        StreamEstimate("account", 1),
        StreamEstimate("events", 1, "The access token is not authorized for EventSpot"),
        StreamEstimate("library_usage", 1, "The access token is not authorized for the library"),
        StreamEstimate("library_files", 0, "The access token is not authorized for the library"),
    ]


def test_nothing_there_is_planned_too(serving: Serving) -> None:
    box = serving(contacts=0, campaigns=0, events=0, activities=0, files=0)
    assert planned(box).requests == pytest.approx(13, abs=3)


@pytest.mark.slow
def test_the_command_says_it_in_a_table(serving: Serving, tmp_path: Path) -> None:
    box = serving(contacts=300, campaigns=20)

    run = command(tmp_path, config(box, max_requests=100), "--plan")

    assert run.code == 0, run.log
    lines = run.stdout.splitlines()
    assert lines[0] == "Plan without a state: a first run, for all streams."
    assert lines[2].split() == ["stream", "requests"]
    assert re.search(r"^contacts +1  about 300 contacts$", run.stdout, re.MULTILINE)
    (total,) = [int(line.split()[-1]) for line in lines if line.startswith("total")]
    assert f"The quota of {-(-total // 100)} days at 100 requests per day; a minute" in run.stdout
    assert lines[-1] == f"Used {len(box.calls)} requests to create this estimate."
    assert run.log == ""


@pytest.mark.slow
def test_the_command_says_it_to_programs(serving: Serving, tmp_path: Path) -> None:
    box = serving(contacts=300, campaigns=20)
    state = sync(box).state
    (tmp_path / "state.json").write_text(json.dumps(state))

    run = command(tmp_path, config(box), "--state", str(tmp_path / "state.json"), "--plan=json")

    plan = json.loads(run.stdout)
    assert plan["based_on"] == "Plan with the state given, for all streams."
    assert plan["requests"] == sum(each["requests"] for each in plan["streams"])
    assert plan["daily_quota_percent"] == pytest.approx(plan["requests"] / 100)
    assert plan["days"] == plan["minutes"] == 1
    assert {each["stream"] for each in plan["streams"]} == selected_by_default() | {"sync_audit"}


@pytest.mark.slow
def test_the_command_refuses_a_wrong_token_in_one_line(serving: Serving, tmp_path: Path) -> None:
    box = serving()
    run = command(tmp_path, config(box) | {"access_token": "wrong-token"}, "--plan")
    assert run.code == 77
    assert run.stdout == ""
    assert len(run.log.splitlines()) == 1
    assert "access_token" in run.log
    assert not any(secret in run.log for secret in (KEY, TOKEN, "wrong-token"))


@pytest.mark.slow
@pytest.mark.parametrize("version", ["v2", "v3"])
def test_plan_has_one_row_per_stream(serving: Serving, tmp_path: Path, version: str) -> None:
    box = serving(contacts=30, campaigns=4)
    run = command(tmp_path, config(box, version), "--plan=json")
    plan = json.loads(run.stdout)
    names = [each["stream"] for each in plan["streams"]]
    assert len(names) == len(set(names))
    assert plan["requests"] == sum(each["requests"] for each in plan["streams"])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rules", "differing"),
    [
        (["lists.*", "contacts.*"], ""),
        (["lists.*", "contacts.id"], ""),
        (["lists.*"], "contacts"),
        (["lists.*", "contacts.*", "!contacts.*"], "contacts"),
        (["lists.*", "contacts.*", "!contacts.fax"], ""),
        (["*.*", "!account*.*", "!*a[cm]*.*", "!e*.*", "!library*.*"], "contacts, sync_audit"),
    ],
)
def test_plan_warns_about_a_catalog_older_than_the_selection(
    serving: Serving, tmp_path: Path, rules: list[str], differing: str
) -> None:
    box = serving()
    (tmp_path / "catalog.json").write_text(json.dumps(catalog("lists", "contacts")))
    variables = {
        "MELTANO_EXTRACTOR_NAME": "tap-own",
        "MELTANO_EXTRACT__SELECT": json.dumps(rules),
    }
    options = ["--plan", "--catalog", str(tmp_path / "catalog.json")]
    run = command(tmp_path, config(box), *options, **variables)
    assert run.code == 0, run.log
    if differing:
        assert f"The catalog is older than the selection of streams: {differing}." in run.log
        assert "`meltano invoke --dump=catalog tap-own > catalog.json`" in run.log
    else:
        assert run.log == ""


def test_a_plan_in_days_and_minutes() -> None:
    plan = SyncEstimate(
        [StreamEstimate("contacts", 25_000)],
        requests_used=2,
        daily_quota=10_000,
        seconds_per_request=0.26,
    )
    assert (plan.requests, plan.days) == (25_000, 3)
    assert "The quota of 3 days at 10,000 requests per day; 108 minutes at this rate." in str(plan)
