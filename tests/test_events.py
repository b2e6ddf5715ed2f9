"""EventSpot: complete, at its price in calls, incremental in registrants, and skipped if closed."""

from __future__ import annotations

import datetime as dt
import json
import logging
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from helpers.fake_server import Answer, Scripted, in_envelope
from helpers.runner import Collector, Output, catalog, config, selected_by_default, sync

from sandbox import FaultConfig
from tap_constantcontact.tap import TapConstantContact

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox import Sandbox

    Serving = Callable[..., Sandbox]
pytestmark = pytest.mark.slow

SAMPLES = Path(__file__).parent / "samples" / "v2"
PARTS = ("event_fees", "event_items", "event_promocodes", "event_registrants")
FAMILY = ("events", *PARTS, "event_item_attributes")
# What a list row of an event tells (docs/api/v2.md §11).
LISTED = {
    *("id", "name", "title", "status", "type", "location", "description", "address"),
    *("start_date", "end_date", "created_date", "active_date", "deleted_date", "time_zone_id"),
    *("is_checkin_available", "registration_url", "total_registered_count", "event_detail_url"),
}


def keys(output: Output, stream: str) -> list[Any]:
    """What arrived, as the sandbox names it."""
    if stream == "events":
        return [row["id"] for row in output.rows(stream)]
    names = (
        ["event_id", "item_id", "id"] if stream == "event_item_attributes" else ["event_id", "id"]
    )
    return [tuple(row[name] for name in names) for row in output.rows(stream)]


def calls(box: Sandbox, start: int = 0) -> Counter[str]:
    """How many calls were lists of events, details of events, parts, and details of registrants."""
    found: Counter[str] = Counter()
    for call in box.calls[start:]:
        area, *parts = call.path.removeprefix("/v2/").split("/")
        if area == "eventspot":
            found[("", "list", "detail", parts[-1], "registrant")[len(parts)]] += 1
    return found


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [each.getMessage() for each in caplog.records if each.levelno == logging.WARNING]


# -- all of it, and what it costs -----------------------------------------------------------


@pytest.mark.parametrize(
    "faults", [FaultConfig(), FaultConfig(extra_row=True)], ids=["", "extra rows"]
)
def test_records_contain_the_ids_of_their_parents(serving: Serving, faults: FaultConfig) -> None:
    box = serving(events=5, faults=faults)

    output = sync(box, *FAMILY)

    for stream in FAMILY:
        assert set(keys(output, stream)) == box.account.ids(stream), stream
        assert output.counts[stream] == box.account.counts()[stream] > 0, stream


def test_events_that_do_not_fit_on_a_page_all_arrive(serving: Serving) -> None:
    box = serving(events=51)

    output = sync(box, "events", "event_fees")

    assert output.ids("events") == box.account.ids("events")
    assert set(keys(output, "event_fees")) == box.account.ids("event_fees")
    assert calls(box) == {"list": 2, "detail": 51, "fees": 51}


def test_calls_are_the_list_and_one_for_each_event_part_and_registrant(serving: Serving) -> None:
    box = serving(events=5)

    sync(box, *FAMILY)

    assert calls(box) == {
        "list": 1,
        "detail": 5,
        "fees": 5,
        "items": 5,
        "promocodes": 5,
        "registrants": 5,
        "registrant": box.account.counts()["event_registrants"],
    }
    assert {
        call.path.rpartition("/")[2]: call.params for call in box.calls if "limit" in call.params
    } == {"events": {"limit": "50"}, "registrants": {"limit": "500"}}


@pytest.mark.parametrize("stream", PARTS)
def test_a_part_alone_reads_no_event_in_full(serving: Serving, stream: str) -> None:
    box = serving(events=5)

    output = sync(box, stream)

    assert set(keys(output, stream)) == box.account.ids(stream)
    assert output.counts.keys() == {stream}
    asked = calls(box)
    asked.pop("registrant", None)
    assert asked == {"list": 1, stream.removeprefix("event_"): 5}


def test_attributes_alone_cost_the_calls_of_their_items(serving: Serving) -> None:
    box = serving(events=5)

    output = sync(box, "event_item_attributes")

    assert set(keys(output, "event_item_attributes")) == box.account.ids("event_item_attributes")
    assert output.counts.keys() == {"event_item_attributes"}
    assert calls(box) == {"list": 1, "items": 5}


def test_fields_that_are_in_the_list_cost_no_detail(serving: Serving) -> None:
    box = serving(events=5)
    asked = catalog("events")
    for entry in asked["streams"]:
        for each in entry["metadata"]:
            if each["breadcrumb"] and each["breadcrumb"][-1] not in LISTED:
                each["metadata"]["selected"] = False
    writer = Collector()

    TapConstantContact(config=config(box), catalog=asked, message_writer=writer).sync_all()

    assert calls(box) == {"list": 1}
    assert writer.output.ids("events") == box.account.ids("events")
    assert all(row.keys() <= LISTED for row in writer.output.rows("events"))


def test_rows_are_list_and_detail_in_one(serving: Serving) -> None:
    output = sync(serving(events=5), "events", "event_registrants")

    for event in output.rows("events"):
        assert event["event_detail_url"] == f"/v2/eventspot/events/{event['id']}", "the list's"
        assert event["updated_date"], "the detail's"
    for registrant in output.rows("event_registrants"):
        assert registrant["email"], "the list's"
        assert registrant["sections"], "the detail's"
        assert registrant["payment_summary"]["order"]["order_id"]


# -- incremental registrants ----------------------------------------------------------------


def test_the_next_run_reads_the_details_of_changed_registrants_only(serving: Serving) -> None:
    box = serving(events=5)
    first = sync(box, *FAMILY)
    before = len(box.calls)
    changed = {*box.account.edit_registrants(4), *box.account.add_registrants(2)}

    second = sync(box, *FAMILY, state=first.state)

    (mark,) = first.state["bookmarks"]["event_registrants"]["watermarks"]
    day_before = dt.datetime.fromisoformat(mark["synced_until"]) - dt.timedelta(hours=24)
    overlap = {
        row["id"]
        for row in first.rows("event_registrants")
        if dt.datetime.fromisoformat(row["updated_date"]) >= day_before
    }
    assert second.ids("event_registrants") == changed | overlap
    assert len(changed | overlap) < first.counts["event_registrants"]
    assert calls(box, before)["registrant"] == len(changed | overlap)
    assert calls(box, before)["registrants"] == 5


def test_zero_lookback_hours_reads_new_records_only(serving: Serving) -> None:
    box = serving(events=5)
    first = sync(box, "event_registrants")
    before = len(box.calls)

    second = sync(box, "event_registrants", state=first.state, lookback_hours=0)

    assert not second.rows("event_registrants")
    assert calls(box, before) == {"list": 1, "registrants": 5}


def test_events_that_are_long_over_are_settled() -> None:
    now = dt.datetime.now(dt.UTC)
    days = {"coming": 9, "just over": -89, "settled": -92, "deleted lately": -500, "undated": 0}
    asked: list[str] = []

    def at(days: int) -> str:
        return f"{now + dt.timedelta(days=days):%Y-%m-%dT%H:%M:%S.000Z}"

    def answer(path: str, _params: dict[str, str]) -> Answer:
        parts = path.split("/")[4:]
        asked.append("/".join(parts).replace("%20", " "))
        if parts:
            detail = {"id": parts[0].replace("%20", " ")}
            return Answer(200, in_envelope(path, detail if len(parts) == 1 else []))
        rows: list[dict[str, Any]] = [
            {"id": name, "end_date": at(end), "created_date": at(-900)}
            for name, end in days.items()
            if name != "undated"
        ]
        rows[-1]["deleted_date"] = at(0)
        return Answer(200, in_envelope(path, [*rows, {"id": "undated"}]))

    with Scripted(answer) as server:
        first = sync(server, "events", "event_fees", "event_registrants")
        everything = asked.copy()
        asked.clear()
        sync(server, "events", "event_fees", "event_registrants", state=first.state)

    assert len(everything) == len(set(everything)) == 1 + 3 * len(days)
    assert set(everything) - set(asked) == {"settled", "settled/fees"}


@pytest.mark.parametrize("max_requests", [12, 40])
def test_events_resume_after_an_interrupted_run(serving: Serving, max_requests: int) -> None:
    box = serving(events=5)
    sync(box, *FAMILY)
    whole = len(box.calls)
    arrived: dict[str, set[Any]] = {stream: set() for stream in FAMILY}
    state: dict[str, Any] | None = None

    for _ in range(100):
        before = len(box.calls)
        run = sync(box, *FAMILY, state=state, max_requests=max_requests)
        state = run.state
        for stream in FAMILY:
            arrived[stream] |= set(keys(run, stream))
        if len(box.calls) - before < max_requests:
            break

    assert {stream: len(there) for stream, there in arrived.items()} == {
        stream: box.account.counts()[stream] for stream in FAMILY
    }
    assert whole < len(box.calls) - whole


def test_other_rows_of_events_come_each_time(serving: Serving) -> None:
    box = serving(events=5)
    first = sync(box, *FAMILY)
    edited = box.account.edit_events(2)

    second = sync(box, *FAMILY, state=first.state, tracking_window_days=0)

    for stream in set(FAMILY) - {"event_registrants"}:
        assert set(keys(second, stream)) == box.account.ids(stream), stream
    before = {row["id"]: row["updated_date"] for row in first.rows("events")}
    changed = [
        row["id"] for row in second.rows("events") if row["updated_date"] > before[row["id"]]
    ]
    assert set(changed) == set(edited)


def test_registrants_of_an_interrupted_run_arrive(serving: Serving) -> None:
    box = serving(events=5)
    there_are = box.account.counts()["event_registrants"]

    first = sync(box, "event_registrants", max_requests=there_are // 2)
    second = sync(box, "event_registrants", state=first.state)

    found = {*keys(first, "event_registrants"), *keys(second, "event_registrants")}
    assert 0 < first.counts["event_registrants"] < there_are
    assert found == box.account.ids("event_registrants")


# -- refused --------------------------------------------------------------------------------


def test_a_refused_eventspot_is_skipped_with_one_call_and_one_warning(
    serving: Serving, caplog: pytest.LogCaptureFixture
) -> None:
    box = serving(events=5, faults=FaultConfig(denied_products={"eventspot"}))

    output = sync(box)

    expected = box.account.counts()
    others = {each for each in selected_by_default() if not each.startswith("event")}
    assert output.counts == Counter(
        {each: expected[each] for each in others} | {"sync_audit": len(selected_by_default())}
    )
    assert calls(box) == {"list": 1}
    assert len([each for each in warnings(caplog) if "EventSpot" in each]) == 1
    assert "Skipping EventSpot: the access token is not authorized for it." in caplog.text


@pytest.mark.parametrize("status", [403, 404, 410])
def test_missing_eventspot_is_skipped_for_each_error(
    status: int, caplog: pytest.LogCaptureFixture
) -> None:
    usage = json.loads((SAMPLES / "library_info.json").read_text())

    def answer(path: str, _params: dict[str, str]) -> Answer:
        return Answer(200, usage) if path == "/v2/library/info" else Answer(status, b"")

    with Scripted(answer) as server:
        output = sync(server, *FAMILY, "library_usage")

    assert [path for path, *_ in server.requests] == ["/v2/eventspot/events", "/v2/library/info"]
    assert output.counts == {"library_usage": 1}
    (said,) = [each for each in warnings(caplog) if "EventSpot" in each]
    assert f"HTTP {status}" in said


# -- vanished -------------------------------------------------------------------------------


@pytest.mark.parametrize("streams", [FAMILY, PARTS], ids=["with events", "parts only"])
def test_an_event_that_vanishes_is_skipped_with_a_warning(
    serving: Serving, caplog: pytest.LogCaptureFixture, streams: tuple[str, ...]
) -> None:
    box = serving(events=5)
    gone = sync(box, "events").rows("events")[0]["id"]
    box.faults.vanish = {gone}

    output = sync(box, *streams)

    assert any("has vanished from its list" in each for each in warnings(caplog))
    for stream in streams:
        expected = {
            key
            for key in box.account.ids(stream)
            if gone not in ([key] if stream == "events" else key)
        }
        assert set(keys(output, stream)) == expected, stream
        assert expected, stream


def test_children_of_a_vanished_event_are_skipped(serving: Serving) -> None:
    box = serving(events=5)
    gone = sync(box, "events").rows("events")[0]["id"]
    box.faults.vanish = {gone}
    before = len(box.calls)

    sync(box, *FAMILY)

    asked = [call.path for call in box.calls[before:] if gone in call.path]
    assert asked == [f"/v2/eventspot/events/{gone}"]


def test_a_registrant_that_vanishes_keeps_the_row_of_the_list(
    serving: Serving, caplog: pytest.LogCaptureFixture
) -> None:
    box = serving(events=5)
    gone = sync(box, "event_registrants").rows("event_registrants")[0]["id"]
    box.faults.vanish = {gone}

    output = sync(box, "event_registrants")

    assert set(keys(output, "event_registrants")) == box.account.ids("event_registrants")
    (row,) = [each for each in output.rows("event_registrants") if each["id"] == gone]
    assert row["email"]
    assert "sections" not in row
    assert "has vanished from its list" in caplog.text


# -- paths ----------------------------------------------------------------------------------


def test_ids_are_encoded_in_paths() -> None:
    event, registrant = "a/b=c-d_e", "001-x_y/z="
    sections = [{"label": "Personal Information", "fields": []}]
    answers = {
        "/v2/eventspot/events": [{"id": event}],
        "/v2/eventspot/events/a%2Fb%3Dc-d_e": {"id": event, "name": "Gala"},
        "/v2/eventspot/events/a%2Fb%3Dc-d_e/fees": [{"id": "f"}],
        "/v2/eventspot/events/a%2Fb%3Dc-d_e/items": [{"id": "i", "attributes": [{"id": "a"}]}],
        "/v2/eventspot/events/a%2Fb%3Dc-d_e/promocodes": [{"id": "p"}],
        "/v2/eventspot/events/a%2Fb%3Dc-d_e/registrants": [{"id": registrant}],
        "/v2/eventspot/events/a%2Fb%3Dc-d_e/registrants/001-x_y%2Fz%3D": {
            "id": registrant,
            "sections": sections,
        },
    }

    with Scripted(lambda path, _: Answer(200, in_envelope(path, answers[path]))) as server:
        output = sync(server, *FAMILY)

    assert {path for path, *_ in server.requests} == answers.keys()
    assert output.counts == dict.fromkeys(FAMILY, 1)
    assert output.rows("events")[0]["name"] == "Gala"
    assert keys(output, "event_item_attributes") == [(event, "i", "a")]
    (row,) = output.rows("event_registrants")
    assert (row["event_id"], row["id"], row["sections"]) == (event, registrant, sections)


def test_registrants_that_were_refused_in_mid_run_come_later() -> None:
    days = {"1": 9, "2": 3}
    refusals = [Answer(403, b"")]

    def answer(path: str, _params: dict[str, str]) -> Answer:
        parts = path.split("/")[4:]
        if not parts:
            return Answer(200, in_envelope(path, [{"id": "1"}, {"id": "2"}]))
        if parts == ["2", "registrants"] and refusals:
            return refusals.pop()
        row = {"id": f"r{parts[0]}", "updated_date": f"2026-01-0{days[parts[0]]}T00:00:00.000Z"}
        return Answer(200, in_envelope(path, [row]))

    with Scripted(answer) as server:
        first = sync(server, "event_registrants")
        second = sync(server, "event_registrants", state=first.state)

    arrived = first.ids("event_registrants") | second.ids("event_registrants")
    assert arrived == {"r1", "r2"}
