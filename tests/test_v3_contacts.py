"""v3: people and everything about them, read through the sandbox's second face."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Any

import pytest
from helpers.runner import Collector, catalog, config, sync
from helpers.v3 import STREAMS, ids_of, keys_of, paths, read
from singer_sdk.exceptions import FatalAPIError

from sandbox import Account, Call, FaultConfig, Sandbox
from tap_constantcontact import settings
from tap_constantcontact.tap import TapConstantContact

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Serving = Callable[..., Sandbox]

PEOPLE = [name for name in STREAMS if not name.startswith(("campaign", "event", "landing"))]
# What the made-up account has nothing of unless a file names it.
READ = [name for name in PEOPLE if name != "id_map"]
BY_DEFAULT = [name for name in READ if name not in settings.OPTIONAL_STREAMS["v3"]]


def test_everything_there_is_arrives(serving: Serving) -> None:
    box = serving(contacts=70, campaigns=6)
    box.account.remove_lists(1)
    found = read(box, *READ)
    for stream in READ:
        assert ids_of(found, stream) == box.account.v3_ids(stream), stream
        assert found.counts[stream] == len(box.account.v3_ids(stream)), stream
        assert found.rows(stream), stream


def test_no_field_is_lost(serving: Serving, caplog: pytest.LogCaptureFixture) -> None:
    read(serving(contacts=200, campaigns=6), *READ)
    assert "not in the schema" not in caplog.text
    assert "unexpected kind" not in caplog.text
    assert "no date" not in caplog.text


def test_a_run_costs_few_calls(serving: Serving) -> None:
    box = serving(contacts=1200)
    first = read(box, *BY_DEFAULT)
    assert paths(box.calls).count("/contacts") == 3
    # Privileges; second lists and pages of lists and contacts; 3 segments and 3 automations.
    assert len(paths(box.calls)) == len(BY_DEFAULT) + 1 + 3 + 6
    before = len(box.calls)
    read(box, *BY_DEFAULT, state=first.state)
    assert paths(box.calls[before:]).count("/contacts") == 2, "what has changed, and who opted out"
    assert len(paths(box.calls[before:])) <= len(BY_DEFAULT) + 5


def test_deselected_stream_sends_no_request(serving: Serving) -> None:
    box = serving()
    state = read(box, "tags").state
    box.calls.clear()
    read(box, "tags", state=state)
    assert paths(box.calls) == ["/account/user/privileges", "/contact_tags"]


# -- contacts --------------------------------------------------------------------------------


def test_unsubscribes_arrive_with_the_next_run_although_they_move_no_date(serving: Serving) -> None:
    box = serving(contacts=60)
    first = read(box, "contacts")
    gone = {box.account.contacts.by_id[each].uuid for each in box.account.unsubscribe(4)}
    again = read(box, "contacts", state=first.state)
    rows = {row["contact_id"]: row for row in again.rows("contacts")}
    assert gone <= rows.keys()
    for each in gone:
        email = rows[each]["email_address"]
        assert email["permission_to_send"] == "unsubscribed"
        assert email["updated_at"] > rows[each]["updated_at"]


def test_edits_arrivals_and_deletions_arrive_with_the_next_run(serving: Serving) -> None:
    box = serving(contacts=60)
    first = read(box, "contacts")
    people = box.account.contacts
    changed = box.account.edit_contacts(3) + box.account.add_contacts(2)
    removed = {people.by_id[each].uuid for each in box.account.remove_contacts(2)}
    again = {
        row["contact_id"]: row for row in read(box, "contacts", state=first.state).rows("contacts")
    }
    assert {people.by_id[each].uuid for each in changed} | removed <= again.keys()
    for each in removed:
        assert again[each]["deleted_at"] == again[each]["updated_at"][:10]
        assert again[each]["list_memberships"] == []


def test_contacts_without_an_address_come_too(serving: Serving) -> None:
    box = serving(contacts=60)
    texted = set(box.account.outreach.contacts)
    rows = [row for row in read(box, "contacts").rows("contacts") if row["contact_id"] in texted]
    assert rows
    assert all("email_address" not in row for row in rows)


def disturbed(box: Sandbox, path: str, change: Callable[[int], object]) -> None:
    """Let something happen before each page of a list."""
    pages = 0

    def interfere(call: Call, _: Callable[[], Any]) -> None:
        nonlocal pages
        if call.path == path:
            pages += 1
            change(pages)

    box.interfere = interfere


def test_changes_between_pages_lose_no_contact(serving: Serving) -> None:
    box = serving(contacts=4000)
    account = box.account

    def happen(_: int) -> None:
        account.edit_contacts(20)
        account.add_contacts(5)
        account.remove_contacts(5)
        account.unsubscribe(2)

    disturbed(box, "/v3/contacts", happen)
    first = read(box, "contacts")
    box.interfere = None
    again = read(box, "contacts", state=first.state)
    assert ids_of(first, "contacts") | ids_of(again, "contacts") == account.v3_ids("contacts")
    latest = {row["contact_id"]: row for out in (first, again) for row in out.rows("contacts")}
    for row in account.contacts.rows:
        assert ("deleted_at" in latest[row.uuid]) == (row.status == "REMOVED")
        email = latest[row.uuid]["email_address"]
        assert (email["permission_to_send"] == "unsubscribed") == (row.status == "OPTOUT")


def test_all_are_read_again_when_it_is_time(serving: Serving) -> None:
    box = serving(contacts=60)
    state = read(box, "contacts").state
    kept = json.loads(json.dumps(state))
    long_ago = dt.datetime.now(dt.UTC) - dt.timedelta(days=8)
    kept["bookmarks"]["contacts"]["full_refresh_at"] = long_ago.isoformat()
    assert read(box, "contacts", state=state).counts["contacts"] < 60
    assert read(box, "contacts", state=kept).counts["contacts"] >= 60
    assert read(box, "contacts", state=kept, contacts_full_refresh_days=0).counts["contacts"] < 60


def test_a_read_in_slices_goes_on_where_it_stopped(serving: Serving) -> None:
    box = serving(contacts=6000, campaigns=0)
    whole = read(box, "contacts")
    alone = len(box.calls)
    box.calls.clear()
    runs = [read(box, "contacts", max_requests=10)]
    while "cursor" in runs[-1].state["bookmarks"]["contacts"]:
        runs.append(read(box, "contacts", state=runs[-1].state, max_requests=10))
    rows = {key for run in runs for key in ids_of(run, "contacts")}
    assert rows == ids_of(whole, "contacts") == box.account.v3_ids("contacts")
    assert len(runs) == 2
    assert len(box.calls) <= 1.1 * alone


def test_a_cursor_that_the_api_no_longer_knows_starts_over(
    serving: Serving, caplog: pytest.LogCaptureFixture
) -> None:
    box = serving(contacts=1500)
    state = read(box, "contacts", max_requests=4).state
    state["bookmarks"]["contacts"]["cursor"]["next_link"] = "/v3/contacts?cursor=%21"
    found = read(box, "contacts", state=state)
    assert "The saved cursor cannot be used. Starting over." in caplog.text
    assert ids_of(found, "contacts") == box.account.v3_ids("contacts")


def test_start_date_skips_older_records(serving: Serving) -> None:
    box = serving(contacts=300)
    start = "2025-06-01T00:00:00Z"
    rows = read(box, "contacts", start_date=start).rows("contacts")
    assert 0 < len(rows) < 300
    assert all(row["updated_at"] >= "2025-06-01" for row in rows)


# -- what is read whole where it was edited ----------------------------------------------------


@pytest.mark.parametrize(
    ("stream", "change", "deep"),
    [
        ("segments", Account.edit_segments, "segment_criteria"),
        ("automations", Account.edit_automations, "active_definition"),
    ],
)
def test_only_edited_records_need_a_detail(
    serving: Serving, stream: str, change: Callable[[Account, int], list[str]], deep: str
) -> None:
    box = serving()
    first = read(box, stream, lookback_hours=0)
    assert all(json.loads(row[deep]) for row in first.rows(stream))
    change(box.account, 1)
    before = len(box.calls)
    again = read(box, stream, state=first.state, lookback_hours=0)
    rows = again.rows(stream)
    assert 1 <= len(rows) <= 2, "the one edited, and the one that made the bookmark"
    assert all(row[deep] for row in rows)
    assert len(paths(box.calls[before:])) == 2 + len(rows)


def test_listed_fields_need_no_detail(serving: Serving) -> None:
    box = serving()
    chosen = catalog("segments", version="v3")
    for entry in chosen["streams"]:
        for each in entry["metadata"]:
            if each["breadcrumb"] == ["properties", "segment_criteria"]:
                each["metadata"]["selected"] = False
    writer = Collector()
    tap = TapConstantContact(config=config(box, "v3"), catalog=chosen, message_writer=writer)
    tap.sync_all()
    assert writer.output.counts["segments"] == 3
    assert "/segments/1" not in paths(box.calls)


# -- what costs a call for each ----------------------------------------------------------------


def test_contact_reports_resume_after_an_interruption(serving: Serving) -> None:
    box = serving(contacts=40, campaigns=3)
    name = "contact_summaries"
    runs = [read(box, name, max_requests=15)]
    while runs[-1].state["bookmarks"][name]["watermarks"][-1]["last_ids"]:
        runs.append(read(box, name, state=runs[-1].state, max_requests=15))
    rows = {key for run in runs for key in ids_of(run, name)}
    assert rows == box.account.v3_ids("contact_summaries")
    assert len(runs) == 4, "of 41 contacts, 13 or 12 in each run"


def test_equal_rows_are_numbered(serving: Serving) -> None:
    box = serving(contacts=30, campaigns=2)
    first, again = (read(box, "contact_activity").rows("contact_activity") for _ in range(2))
    assert first == again
    assert len({tuple(row.values()) for row in first}) == len(first)
    assert {row["row_number"] for row in first} >= {1}


def test_a_segment_that_is_being_worked_out_is_waited_for(
    serving: Serving, waits: list[float]
) -> None:
    box = serving(faults=FaultConfig(slow_segments=8))
    found = read(box, "segment_members")
    assert ids_of(found, "segment_members") == box.account.v3_ids("segment_members")
    assert len(waits) == 8, "longer than a fault is waited for"


def test_old_ids_are_looked_up(serving: Serving, tmp_path: Path) -> None:
    box = serving(contacts=600, campaigns=60)
    account = box.account
    old = [
        *(("contact", each) for each in account.contacts.by_id),
        *(("list", each) for each in account.contact_lists.by_id),
        *(("campaign", each) for each in account.campaigns.by_id),
        ("contact", "77"),
    ]
    source = tmp_path / "ids.csv"
    source.write_text("kind,id\n" + "".join(f"{kind},{id_}\n" for kind, id_ in old))
    rows = read(box, "id_map", id_map_file=str(source)).rows("id_map")
    found = {(row["kind"], row["v2_id"]): row for row in rows}
    assert found.keys() == set(old) - {("contact", "77")}, "what v3 does not know is left out"
    for each in account.contacts.rows:
        assert found["contact", each.id]["v3_id"] == each.uuid
    for campaign in account.campaigns.by_id.values():
        row = found["campaign", campaign.id]
        assert (row["v3_id"], row["campaign_activity_id"]) == (
            campaign.uuid,
            campaign.activity_uuid,
        )
    assert len(paths(box.calls)) == 1 + 2 + 1 + 2, "privileges, and the ids in batches"


# -- rights ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "privilege", sorted({name for each in STREAMS.values() for name in each.privileges})
)
def test_missing_privilege_skips_streams_with_one_warning(
    serving: Serving, privilege: str, caplog: pytest.LogCaptureFixture
) -> None:
    box = serving(faults=FaultConfig(missing_privileges={privilege}), campaigns=3)
    closed = [name for name in READ if privilege in STREAMS[name].privileges]
    found = read(box, *READ)
    assert not set(closed) & found.counts.keys()
    assert set(READ) - set(closed) <= found.counts.keys()
    assert all(call.status == 200 for call in box.calls)
    (said,) = (each for each in caplog.messages if "lacks the privilege" in each)
    named = ", ".join(name for name in STREAMS if name in closed)
    assert f"the privilege '{privilege}', and these streams are skipped: {named}." in said


def test_a_scope_that_was_not_granted_closes_its_streams(
    serving: Serving, caplog: pytest.LogCaptureFixture
) -> None:
    box = serving()
    box.oauth.application.scopes = "account_read campaign_data offline_access"
    token = box.oauth.access()
    into = Collector()
    with pytest.raises(FatalAPIError, match="Access denied to the streams: activities, contacts"):
        read(box, access_token=token, into=into)
    assert "contacts" not in into.output.counts
    assert into.output.counts["automations"]
    assert "Access denied to stream 'contacts' (path: /v3/contacts)." in caplog.text


# -- failures ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "faults",
    [
        {"fail_every": 3},
        {"drop_every": 3},
        {"garbage_every": 3},
        {"unauthorized_every": 4},
    ],
    ids=str,
)
def test_trouble_loses_nothing(serving: Serving, faults: dict[str, Any]) -> None:
    box = serving(contacts=1200, faults=FaultConfig(**faults))
    # A second 401 for the same request ends the run: no other request may come between.
    parallel = 1 if "unauthorized_every" in faults else 2
    found = read(box, *BY_DEFAULT, max_parallel_requests=parallel)
    for stream in ("contacts", "lists", "tags", "activities"):
        assert ids_of(found, stream) == box.account.v3_ids(stream)


def test_the_days_calls_are_used_up(serving: Serving) -> None:
    box = serving(contacts=3000, faults=FaultConfig(quota=12))
    writer = Collector()
    with pytest.raises(Exception, match="resets it at 00:00 UTC"):
        read(box, *BY_DEFAULT, into=writer)
    box.faults.quota = None
    rest = read(box, *BY_DEFAULT, state=writer.output.state)
    both = ids_of(writer.output, "contacts") | ids_of(rest, "contacts")
    assert both == box.account.v3_ids("contacts")


def test_pages_that_take_the_api_too_long_are_made_smaller(
    serving: Serving, caplog: pytest.LogCaptureFixture
) -> None:
    box = serving(contacts=700, faults=FaultConfig(slow_pages=130))
    first = read(box, "contacts")
    assert ids_of(first, "contacts") == box.account.v3_ids("contacts")
    assert "Starting over with pages of 125" in caplog.text
    assert max(keys_of(first, "contacts").values()) == 1

    box.calls.clear()
    box.account.edit_contacts(300)
    following = read(box, "contacts", state=first.state)
    assert following.counts["contacts"] >= 300
    assert {call.status for call in box.calls} == {200}, "what took too long is not asked again"


def test_a_pass_is_begun_again_where_a_page_takes_too_long_at_last(serving: Serving) -> None:
    box = serving(contacts=1300)
    first = read(box, "contacts", max_requests=2)
    box.faults.slow_pages = 400
    rest = read(box, "contacts", state=first.state, max_requests=8)
    last = read(box, "contacts", state=rest.state)
    assert first.state["bookmarks"]["contacts"]["cursor"]
    assert last.state["bookmarks"]["contacts"]["page_size"] == 250
    assert "cursor" not in last.state["bookmarks"]["contacts"]
    assert ids_of(rest, "contacts") | ids_of(last, "contacts") == box.account.v3_ids("contacts")


def test_pages_are_not_made_smaller_for_ever(serving: Serving) -> None:
    box = serving(contacts=100, faults=FaultConfig(slow_pages=20))
    with pytest.raises(FatalAPIError, match="Giving up after 6 attempts"):
        read(box, "contacts")
    asked = {call.params["limit"] for call in box.calls if call.path.endswith("/contacts")}
    assert asked == {"500", "250", "125", "62"}


def test_state_of_the_other_api_is_rejected(serving: Serving) -> None:
    box = serving()
    for one, other in (("v2", "v3"), ("v3", "v2")):
        state = sync(box, "contacts", version=one).state
        with pytest.raises(Exception, match=f"to the API {one}, and this run reads {other}"):
            sync(box, "contacts", version=other, state=state)


@pytest.mark.parametrize(("contacts", "streams"), [(2300, BY_DEFAULT), (60, READ)])
def test_a_plan_is_near_the_run(serving: Serving, contacts: int, streams: list[str]) -> None:
    box = serving(contacts=contacts, campaigns=3)
    named = [name for name in streams if name in settings.OPTIONAL_STREAMS["v3"]]
    chosen = catalog(*streams, version="v3")
    tap = TapConstantContact(config=config(box, "v3", optional_streams=named), catalog=chosen)
    planned = tap.plan().requests
    box.calls.clear()
    read(box, *streams)
    assert abs(planned - len(box.calls)) <= 0.02 * len(box.calls)
