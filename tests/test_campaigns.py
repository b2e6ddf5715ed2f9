"""Campaigns and their tracking: complete, incremental, and continued where a run was cut off."""

from __future__ import annotations

import datetime as dt
import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from helpers.runner import Collector, Output, a_week_later, catalog, config, sync

from sandbox import FaultConfig
from tap_constantcontact.http.retries import APIError
from tap_constantcontact.tap import TapConstantContact

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox import Sandbox

    Serving = Callable[..., Sandbox]
pytestmark = pytest.mark.slow

KINDS = {
    "campaign_sends": "send_date",
    "campaign_opens": "open_date",
    "campaign_clicks": "click_date",
    "campaign_bounces": "bounce_date",
    "campaign_forwards": "forward_date",
    "campaign_unsubscribes": "unsubscribe_date",
}
FAMILY = ("campaigns", "deleted_campaigns", "campaign_links", "campaign_schedules", *KINDS)


def keys(output: Output, stream: str) -> set[Any]:
    """What arrived, as the sandbox names it."""
    match stream:
        case "campaigns" | "deleted_campaigns":
            return output.ids(stream)
        case "campaign_links":
            return {(row["campaign_id"], row["url_uid"]) for row in output.rows(stream)}
        case "campaign_schedules":
            return {(row["campaign_id"], row["id"]) for row in output.rows(stream)}
    names = ["campaign_id", "contact_id", KINDS[stream]]
    names += ["link_id"] if stream == "campaign_clicks" else []
    return {tuple(row[name] for name in names) for row in output.rows(stream)}


def kinds_of_calls(box: Sandbox, start: int = 0) -> Counter[str]:
    """How many calls were lists of campaigns, details, and reports by kind."""
    found: Counter[str] = Counter()
    for call in box.calls[start:]:
        parts = call.path.removeprefix("/v2/").split("/")
        if parts[0] == "emailmarketing":
            found["list" if len(parts) == 2 else "detail" if len(parts) == 3 else parts[-1]] += 1
    return found


def test_everything_arrives(serving: Serving) -> None:
    box = serving(campaigns=40, recipients=30, contacts=60)

    output = sync(box, *FAMILY)

    for stream in FAMILY:
        assert keys(output, stream) == box.account.ids(stream), stream
    assert {row["status"] for row in output.rows("campaigns")} >= {"SENT", "RUNNING", "DRAFT"}


def test_rows_of_a_campaign_are_list_and_detail(serving: Serving) -> None:
    rows = sync(serving(campaigns=20), "campaigns").rows("campaigns")
    for row in rows:
        assert row["subject"]
        assert row["created_date"]
    assert any(row["tracking_summary"]["sends"] for row in rows if row["status"] == "SENT")


def test_sent_campaigns_come_newest_first(serving: Serving) -> None:
    rows = sync(serving(campaigns=30), "campaigns").rows("campaigns")
    sent = [row["last_run_date"] for row in rows if row["status"] == "SENT"]
    assert len(sent) > 10
    assert sent == sorted(sent, reverse=True)


def test_only_selected_streams_are_requested(serving: Serving) -> None:
    box = serving(campaigns=20)
    sync(box, "campaign_opens")
    asked = kinds_of_calls(box)
    assert asked.keys() == {"list", "opens"}, "no detail, since no row needs one"
    assert asked["list"] == 2, "running and sent ones"

    before = len(box.calls)
    sync(box, "campaign_links")
    assert kinds_of_calls(box, before).keys() == {"list", "detail"}

    before = len(box.calls)
    sync(box, "campaign_schedules")
    assert kinds_of_calls(box, before).keys() <= {"list", "schedules"}


def test_campaigns_without_the_details_fields_cost_no_detail(serving: Serving) -> None:
    box = serving(campaigns=20)
    asked = catalog("campaigns")
    for entry in asked["streams"]:
        for each in entry["metadata"]:
            if each["breadcrumb"] and each["breadcrumb"][-1] not in {
                "id",
                "name",
                "status",
                "modified_date",
            }:
                each["metadata"]["selected"] = False
    writer = Collector()

    TapConstantContact(config=config(box), catalog=asked, message_writer=writer).sync_all()

    assert kinds_of_calls(box).keys() == {"list"}
    assert writer.output.ids("campaigns") == box.account.ids("campaigns")


def test_previews_are_read_of_campaigns_that_changed(serving: Serving) -> None:
    box = serving(campaigns=20)
    first = sync(box, "campaign_previews")
    assert {row["campaign_id"] for row in first.rows("campaign_previews")} == box.account.ids(
        "campaign_previews"
    )
    edited = set(box.account.edit_campaigns(2))

    before = len(box.calls)
    second = sync(box, "campaign_previews", state=first.state)

    assert edited <= {row["campaign_id"] for row in second.rows("campaign_previews")}
    assert kinds_of_calls(box, before)["preview"] <= 2 + 3, "and those of the day before"


# -- the next day ---------------------------------------------------------------------------


def test_next_run_reads_new_records_with_few_requests(serving: Serving) -> None:
    box = serving(campaigns=120, recipients=20, contacts=60)
    first = sync(box, *FAMILY)
    calls = kinds_of_calls(box)
    box.account.add_tracking(16)

    before = len(box.calls)
    second = sync(box, *FAMILY, state=a_week_later(first.state))

    for stream in KINDS:
        assert keys(first, stream) | keys(second, stream) == box.account.ids(stream), stream
        assert box.account.ids(stream) - keys(first, stream) <= keys(second, stream)
    asked = kinds_of_calls(box, before)
    assert 0 < asked["opens"] <= 14, "13 weekly campaigns lie in the window, and one that runs"
    assert asked["opens"] < calls["opens"] / 3
    assert asked["sends"] <= 2
    assert asked["detail"] <= asked["opens"] + 8


def test_reports_are_asked_for_since_the_last_run(serving: Serving) -> None:
    box = serving(campaigns=10)
    state = sync(box, "campaign_opens").state
    (mark,) = state["bookmarks"]["campaign_opens"]["watermarks"]

    before = len(box.calls)
    sync(box, "campaign_opens", state=state)

    since = dt.datetime.fromisoformat(mark["synced_until"]) - dt.timedelta(hours=24)
    asked = [c.params["created_since"] for c in box.calls[before:] if c.path.endswith("/opens")]
    assert asked
    assert {dt.datetime.fromisoformat(each) for each in asked} == {since}


def test_records_with_a_clock_five_hours_behind_arrive(serving: Serving) -> None:
    box = serving(campaigns=10, faults=FaultConfig(clock_shift_hours=5))
    first = sync(box, "campaign_opens")
    box.account.add_tracking(16)

    second = sync(box, "campaign_opens", state=first.state)

    arrived = keys(first, "campaign_opens") | keys(second, "campaign_opens")
    assert arrived == box.account.ids("campaign_opens", clock_shift_hours=5)


def test_counters_of_campaigns_in_the_window_are_fresh(serving: Serving) -> None:
    box = serving(campaigns=60)
    state = sync(box, "campaigns").state

    rows = sync(box, "campaigns", state=a_week_later(state)).rows("campaigns")

    sent = [row for row in rows if row["status"] == "SENT"]
    oldest = dt.datetime.now(dt.UTC) - dt.timedelta(days=92)
    assert 5 <= len(sent) <= 14
    assert all(dt.datetime.fromisoformat(row["last_run_date"]) > oldest for row in sent)


@pytest.mark.parametrize(("days", "at_most"), [(1, 2), (30, 6), (0, 1000)])
def test_the_window_is_a_setting(serving: Serving, days: int, at_most: int) -> None:
    box = serving(campaigns=60)
    state = sync(box, "campaign_opens").state
    sent = kinds_of_calls(box)["opens"]

    before = len(box.calls)
    sync(box, "campaign_opens", state=state, tracking_window_days=days)

    asked = kinds_of_calls(box, before)["opens"]
    assert asked <= at_most
    if not days:
        assert asked == sent


def test_an_edited_campaign_outside_the_window_arrives(serving: Serving) -> None:
    box = serving(campaigns=80)
    state = sync(box, *FAMILY).state
    edited = set(box.account.edit_campaigns(12))

    output = sync(box, *FAMILY, state=state)

    assert edited <= output.ids("campaigns")


def test_new_and_sent_and_deleted_campaigns_arrive(serving: Serving) -> None:
    box = serving(campaigns=40, recipients=10)
    first = sync(box, *FAMILY)
    new = set(box.account.add_campaigns(2)) | set(box.account.send_campaigns(2))
    scheduled = set(box.account.send_scheduled(1))
    deleted = set(box.account.delete_campaigns(3))

    second = sync(box, *FAMILY, state=first.state)

    statuses = {row["id"]: row["status"] for row in second.rows("campaigns")}
    assert new | scheduled <= statuses.keys()
    assert not deleted & statuses.keys(), "what was known of them stays"
    assert deleted <= second.ids("deleted_campaigns")
    assert all(
        row.keys() <= {"id", "name", "modified_date"} for row in second.rows("deleted_campaigns")
    )
    for stream in KINDS:
        assert keys(first, stream) | keys(second, stream) >= box.account.ids(stream), stream


def test_start_date_bounds_the_first_run(serving: Serving) -> None:
    box = serving(campaigns=80)
    start = dt.datetime.now(dt.UTC) - dt.timedelta(days=200)

    output = sync(box, "campaigns", "campaign_sends", start_date=start.isoformat())

    sent = [row for row in output.rows("campaigns") if row["status"] == "SENT"]
    assert 20 <= len(sent) <= 32
    asked = kinds_of_calls(box)
    assert asked["sends"] == len({row["campaign_id"] for row in output.rows("campaign_sends")})
    assert asked["detail"] <= len(output.rows("campaigns")) + 3


def test_a_stream_that_is_selected_later_is_read_from_the_start(serving: Serving) -> None:
    box = serving(campaigns=30)
    state = sync(box, "campaigns", "campaign_opens").state

    output = sync(box, "campaigns", "campaign_opens", "campaign_clicks", state=state)

    assert keys(output, "campaign_clicks") == box.account.ids("campaign_clicks")


# -- cut off --------------------------------------------------------------------------------


def in_slices(box: Sandbox, calls: int, **settings: Any) -> tuple[list[Output], int]:
    """Runs of so many calls each until one is through: what they wrote, and calls in all."""
    outputs: list[Output] = []
    before = len(box.calls)
    state: dict[str, Any] | None = None
    while True:
        start = len(box.calls)
        outputs.append(sync(box, *FAMILY, state=state, max_requests=calls, **settings))
        state = outputs[-1].state
        assert len(json.dumps(state)) < 8192
        if len(box.calls) - start < calls:
            return outputs, len(box.calls) - before
        assert len(outputs) < 50


def test_a_backfill_in_slices_misses_nothing_and_wastes_little(serving: Serving) -> None:
    box = serving(campaigns=60, recipients=20)
    sync(box, *FAMILY)
    uninterrupted = len(box.calls)

    slices, calls = in_slices(box, 60)

    assert len(slices) > 5
    for stream in FAMILY:
        arrived = set().union(*(keys(output, stream) for output in slices))
        assert arrived == box.account.ids(stream), stream
    # Each further run lists the campaigns anew, and may read one campaign's parts twice.
    assert calls <= uninterrupted + (len(slices) - 1) * (5 + 7)


def test_records_between_slices_arrive(serving: Serving) -> None:
    box = serving(campaigns=40, recipients=10)
    outputs: list[Output] = []
    state: dict[str, Any] | None = None
    for _ in range(12):
        outputs.append(sync(box, *FAMILY, state=a_week_later(state), max_requests=45))
        state = outputs[-1].state
        box.account.add_tracking(9)
        box.account.send_campaigns(1)
    # One run ends the pass that began with the first slice, and one reads what came in since.
    for _ in range(2):
        outputs.append(sync(box, *FAMILY, state=a_week_later(state)))
        state = outputs[-1].state

    for stream in KINDS:
        arrived = set().union(*(keys(output, stream) for output in outputs))
        assert arrived == box.account.ids(stream), stream


def test_a_run_that_is_refused_is_continued(serving: Serving) -> None:
    box = serving(campaigns=40, recipients=10)
    box.faults.quota = 100
    writer = Collector()
    with pytest.raises(APIError, match="quota is exhausted"):
        sync(box, *FAMILY, into=writer)
    box.faults.quota = None

    second = sync(box, *FAMILY, state=writer.output.state)

    for stream in KINDS:
        arrived = keys(writer.output, stream) | keys(second, stream)
        assert arrived == box.account.ids(stream), stream
    # At most the campaign that was cut off is read twice.
    twice = keys(writer.output, "campaign_sends") & keys(second, "campaign_sends")
    assert len({campaign for campaign, *_ in twice}) <= 1


# -- trouble --------------------------------------------------------------------------------


def test_a_campaign_that_vanishes_after_it_was_listed_is_skipped(
    serving: Serving, caplog: pytest.LogCaptureFixture
) -> None:
    box = serving(campaigns=30)
    sent = [
        row["id"] for row in sync(box, "campaigns").rows("campaigns") if row["status"] == "SENT"
    ]
    box.faults.vanish = {sent[3]}

    output = sync(box, *FAMILY)

    assert output.ids("campaigns") == box.account.ids("campaigns") - {sent[3]}
    assert f"/emailmarketing/campaigns/{sent[3]} has vanished" in caplog.text


def test_no_schedules_may_be_a_404(serving: Serving) -> None:
    box = serving(campaigns=30, faults=FaultConfig(no_schedules_is_404=True))
    output = sync(box, *FAMILY)
    assert keys(output, "campaign_schedules") == box.account.ids("campaign_schedules")


def test_each_schema_is_written_once(serving: Serving) -> None:
    output = sync(serving(campaigns=30), *FAMILY)
    schemas = Counter(m["stream"] for m in output.messages if m["type"] == "SCHEMA")
    assert set(schemas.values()) == {1}
    assert schemas.keys() == set(FAMILY)


def test_a_state_follows_each_campaign(serving: Serving) -> None:
    box = serving(campaigns=30)
    output = sync(box, *FAMILY)
    alive = [row for row in output.rows("campaigns") if row["status"] != "DELETED"]
    written = [json.dumps(state["bookmarks"].get("campaigns")) for state in output.states]
    assert len(set(written)) >= len(alive)
