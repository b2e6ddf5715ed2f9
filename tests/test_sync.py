"""Full and incremental runs against the sandbox."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from helpers.runner import Collector, catalog, config, selected_by_default, sync

from sandbox import FaultConfig
from tap_constantcontact.http.retries import APIError
from tap_constantcontact.settings import VERSIONS
from tap_constantcontact.tap import TapConstantContact

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox import Sandbox

    Serving = Callable[..., Sandbox]


def paths(box: Sandbox, start: int = 0) -> list[str]:
    return [call.path.removeprefix("/v2") for call in box.calls[start:]]


def contact_calls(box: Sandbox, start: int = 0) -> list[dict[str, str]]:
    return [call.params for call in box.calls[start:] if call.path == "/v2/contacts"]


def test_every_row_arrives(serving: Serving) -> None:
    box = serving(contacts=1234)

    output = sync(box)

    expected = box.account.counts()
    assert output.counts == Counter(
        {each: expected[each] for each in selected_by_default()}
        | {"sync_audit": len(selected_by_default())}
    )
    assert output.ids("contacts") == box.account.ids("contacts")
    assert output.ids("lists") == box.account.ids("lists")


def test_streams_come_in_the_order_of_their_worth(serving: Serving) -> None:
    output = sync(serving())

    order = list(dict.fromkeys(m["stream"] for m in output.messages if m["type"] == "RECORD"))
    assert order[:5] == ["account", "account_emails", "lists", "contacts", "activities"]


def test_requests_are_the_documented_ones(serving: Serving) -> None:
    box = serving(contacts=600, activities=0)

    sync(box, "account", "account_emails", "lists", "contacts", "activities")

    first, later = contact_calls(box)
    assert first == {"limit": "500", "status": "ALL", "include_contact_id": "true"}
    assert later.keys() == {"next"}
    others = {call.path: call.params for call in box.calls if call.path != "/v2/contacts"}
    assert others == {
        "/v2/account/info": {},
        "/v2/account/verifiedemailaddresses": {},
        "/v2/lists": {"include_list_id": "true"},
        "/v2/activities": {},
    }


def test_rows_carry_the_v3_ids(serving: Serving) -> None:
    output = sync(serving(), "contacts", "lists")
    assert all(row["contact_id"] for row in output.rows("contacts"))
    assert all(row["list_id"] for row in output.rows("lists"))


# -- paging ---------------------------------------------------------------------------------


@pytest.mark.parametrize("contacts", [0, 1, 499, 500, 501, 1000])
def test_no_contact_is_missing_at_the_edges_of_pages(serving: Serving, contacts: int) -> None:
    box = serving(contacts=contacts)

    output = sync(box, "contacts")

    assert output.ids("contacts") == box.account.ids("contacts")
    assert len(output.rows("contacts")) == contacts


def test_pages_with_one_row_too_many_lose_nothing_and_end(serving: Serving) -> None:
    box = serving(contacts=1600, faults=FaultConfig(extra_row=True))

    output = sync(box, "contacts")

    assert output.ids("contacts") == box.account.ids("contacts")
    assert len(contact_calls(box)) == 4


# -- incremental runs -----------------------------------------------------------------------


def test_next_run_reads_changes(serving: Serving) -> None:
    box = serving(contacts=1200)
    state = sync(box, "contacts").state
    changed = {*box.account.edit_contacts(7), *box.account.add_contacts(2)}

    output = sync(box, "contacts", state=state)

    day_before = _bookmark(state) - dt.timedelta(hours=24)
    overlap = {
        row["id"] for row in output.rows("contacts") if _time(row["modified_date"]) >= day_before
    }
    assert changed <= output.ids("contacts")
    assert output.ids("contacts") == overlap
    assert contact_calls(box)[3]["modified_since"] == _text(day_before)


def test_an_unsubscribe_arrives_though_it_moves_no_date(serving: Serving) -> None:
    box = serving(contacts=1200)
    state = sync(box, "contacts").state
    left = set(box.account.unsubscribe(3))

    output = sync(box, "contacts", state=state, lookback_hours=0)

    gone = [row for row in output.rows("contacts") if row["id"] in left]
    assert len(gone) == 3
    assert all(row["status"] == "OPTOUT" for row in gone)
    assert all(row["email_addresses"][0]["opt_out_date"] for row in gone)
    assert len(output.rows("contacts")) <= 3 + 1, "the opt-outs, and the newest contact again"


def test_an_unsubscribe_that_moves_the_date_arrives_once(serving: Serving) -> None:
    box = serving(contacts=300)
    state = sync(box, "contacts").state
    left = box.account.unsubscribe(3, move_modified=True)

    rows = sync(box, "contacts", state=state).rows("contacts")

    assert sorted(row["id"] for row in rows if row["id"] in left) == sorted(left)


def test_a_first_run_makes_one_pass_and_later_ones_two(serving: Serving) -> None:
    box = serving(contacts=40)
    state = sync(box, "contacts", start_date="2001-01-01").state
    assert [call["status"] for call in contact_calls(box)] == ["ALL"]

    sync(box, "contacts", state=state)
    assert [call["status"] for call in contact_calls(box)[1:]] == ["ALL", "OPTOUT"]


def test_start_date_is_where_a_first_run_begins(serving: Serving) -> None:
    box = serving(contacts=800)
    start = _time(
        sorted(box.account.contact(i)["modified_date"] for i in box.account.ids("contacts"))[500]
    )

    output = sync(box, "contacts", start_date=start.isoformat())

    assert contact_calls(box)[0]["modified_since"] == _text(start)
    assert output.ids("contacts") == {
        each
        for each in box.account.ids("contacts")
        if _time(box.account.contact(each)["modified_date"]) >= start
    }


def test_the_look_back_never_reaches_behind_start_date(serving: Serving) -> None:
    box = serving(contacts=40)
    state = sync(box, "contacts").state
    start = _bookmark(state) - dt.timedelta(hours=1)

    sync(box, "contacts", state=state, start_date=start.isoformat())

    assert contact_calls(box)[1]["modified_since"] == _text(start)


@pytest.mark.parametrize("hours", [0, 5, 48])
def test_the_look_back_is_a_setting(serving: Serving, hours: int) -> None:
    box = serving(contacts=40)
    state = sync(box, "contacts").state

    sync(box, "contacts", state=state, lookback_hours=hours)

    expected = _text(_bookmark(state) - dt.timedelta(hours=hours))
    assert contact_calls(box)[1]["modified_since"] == expected


def test_a_filter_that_gets_lost_lets_no_old_row_through(serving: Serving) -> None:
    box = serving(contacts=1500)
    state = sync(box, "contacts").state
    box.account.edit_contacts(600)
    box.faults.lose_filter = True

    output = sync(box, "contacts", state=state)

    oldest = _bookmark(state) - dt.timedelta(hours=24)
    assert len(contact_calls(box)[3:]) == 3, "two pages, and one of opt-outs"
    assert all(_time(row["modified_date"]) >= oldest for row in output.rows("contacts"))
    assert len(output.ids("contacts")) >= 600


def test_a_change_during_the_run_is_read_by_the_next_one(serving: Serving) -> None:
    box = serving(contacts=1100)
    late: list[str] = []

    class EditsMeanwhile(Collector):
        def write_message(self, message: Any) -> None:
            super().write_message(message)
            if len(self.output.rows("contacts")) == 700 and not late:
                late.extend(box.account.edit_contacts(50))

    first = sync(box, "contacts", into=EditsMeanwhile())
    second = sync(box, "contacts", state=first.state, lookback_hours=0)

    assert late
    assert set(late) <= second.ids("contacts")


@pytest.mark.parametrize("version", VERSIONS)
def test_states_contain_no_progress_markers(serving: Serving, version: str) -> None:
    box = serving(contacts=1100, campaigns=6, recipients=20)
    for calls in (45, 1000):
        output = sync(box, *selected_by_default(version), version=version, max_requests=calls)
        assert len(output.states) > 3
        held = {
            name
            for state in output.states
            for bookmark in state["bookmarks"].values()
            for name in bookmark
        }
        assert held.isdisjoint(
            {"progress_markers", "replication_key_signpost", "starting_replication_value"}
        )
        assert {"watermarks", "cursor", "replication_key_value"} <= held


def test_a_catalog_may_ask_for_the_full_table(serving: Serving) -> None:
    box = serving(contacts=40)
    state = sync(box, "contacts").state
    asked = catalog("contacts")
    for entry in asked["streams"]:
        entry["replication_method"] = "FULL_TABLE"
    writer = Collector()

    TapConstantContact(
        config=config(box), catalog=asked, state=state, message_writer=writer
    ).sync_all()

    assert writer.output.ids("contacts") == box.account.ids("contacts")


def test_fields_that_are_not_selected_stay_out(serving: Serving) -> None:
    box = serving(contacts=30)
    asked = catalog("contacts")
    for entry in asked["streams"]:
        for each in entry["metadata"]:
            if each["breadcrumb"] in (["properties", "email_addresses"], ["properties", "fax"]):
                each["metadata"]["selected"] = False
    writer = Collector()

    TapConstantContact(config=config(box), catalog=asked, message_writer=writer).sync_all()

    assert writer.output.ids("contacts") == box.account.ids("contacts")
    assert all(
        not {"email_addresses", "fax"} & row.keys() for row in writer.output.rows("contacts")
    )


# -- activities -----------------------------------------------------------------------------


def test_only_jobs_with_errors_cost_a_call(serving: Serving) -> None:
    box = serving(activities=30)

    rows = sync(box, "activities").rows("activities")

    faulty = {row["id"] for row in rows if row["error_count"]}
    assert faulty
    assert set(paths(box)) == {"/activities", *(f"/activities/{each}" for each in faulty)}
    assert len(paths(box)) == 1 + len(faulty)
    for row in rows:
        if row["id"] in faulty:
            assert row["errors"]
            assert all(isinstance(each["message"], str) for each in row["errors"])


def test_all_jobs_that_are_still_shown_come_each_time(serving: Serving) -> None:
    box = serving(activities=20)
    first = sync(box, "activities")

    second = sync(box, "activities", state=first.state)

    assert second.ids("activities") == first.ids("activities")
    assert first.state["bookmarks"]["activities"]["replication_key_value"]


def test_a_job_that_vanishes_keeps_its_row(
    serving: Serving, caplog: pytest.LogCaptureFixture
) -> None:
    box = serving(activities=30)
    faulty = [row["id"] for row in sync(box, "activities").rows("activities") if row["error_count"]]
    box.faults.vanish = {faulty[0]}

    output = sync(box, "activities")

    # What the list no longer shows cannot come; what it shows does, with or without a detail.
    shown = {row["id"] for row in output.rows("activities")}
    assert faulty[0] in shown
    assert f"/activities/{faulty[0]} has vanished" in caplog.text


def test_a_detail_that_is_refused_ends_the_run_with_its_state(serving: Serving) -> None:
    box = serving(activities=30)
    done = sync(box, "contacts", "activities")
    calls = len(box.calls)
    box.faults.quota = calls + 4  # Two passes over contacts, the jobs, and one detail.
    writer = Collector()

    with pytest.raises(APIError, match="quota is exhausted"):
        sync(
            box,
            "contacts",
            "activities",
            state=done.state,
            into=writer,
            max_parallel_requests=1,
        )

    assert len(box.calls) == calls + 5
    assert writer.output.state["bookmarks"]["contacts"]["replication_key_value"]


def _bookmark(state: dict[str, Any]) -> dt.datetime:
    return _time(state["bookmarks"]["contacts"]["replication_key_value"])


def _time(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text)


def _text(moment: dt.datetime) -> str:
    return moment.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.") + (
        f"{moment.microsecond // 1000:03d}Z"
    )
