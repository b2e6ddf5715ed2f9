"""Ways in which rows could go missing while a run ends well: none may."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Any

import pytest
from helpers.runner import Collector, Output, a_week_later, config, sync
from hypothesis import given
from hypothesis import strategies as st
from singer_sdk.exceptions import ConfigValidationError, FatalAPIError
from test_campaigns import FAMILY, KINDS, keys
from test_contact_reports import keys as report_keys

from sandbox import Reply
from tap_constantcontact.http.session import Session
from tap_constantcontact.records import timestamps
from tap_constantcontact.state import validation
from tap_constantcontact.state.watermarks import Watermarks
from tap_constantcontact.tap import TapConstantContact

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox import Call, Sandbox

    Serving = Callable[..., Sandbox]

CAMPAIGNS = "/v2/emailmarketing/campaigns"
ERROR = [{"error_key": "http.status.error", "error_message": "An error."}]
NOT_A_PAGE = [ERROR, {"fault": {"faultstring": "x"}}, {}, None, {"results": None}, [], "", 5]


def replies(box: Sandbox, wanted: Callable[[Call], bool], body: Any) -> None:
    """Answer some calls with something else than what was asked for."""
    reply = Reply(200, json.dumps(body).encode())
    box.interfere = lambda call, _: reply if wanted(call) else None


# -- answers that are not what was asked for ------------------------------------------------


@pytest.mark.parametrize("body", NOT_A_PAGE, ids=repr)
@pytest.mark.parametrize("stream", ["contacts", "campaign_sends"])
def test_invalid_page_does_not_end_a_list(serving: Serving, stream: str, body: Any) -> None:
    box = serving(contacts=1200, campaigns=3, recipients=700)
    state = sync(box, stream).state
    part = "contacts" if stream == "contacts" else "sends"
    replies(box, lambda call: call.path.endswith(part) and "next" in call.params, body)
    box.account.edit_contacts(700)

    with pytest.raises(FatalAPIError, match="Giving up after 6 attempts"):
        sync(box, stream, state=state, lookback_hours=24 * 300)

    box.interfere = None
    output = sync(box, stream)
    assert output.counts[stream] == box.account.counts()[stream]


@pytest.mark.parametrize(
    "part", ["campaigns/{}", "events/{}", "activities/{}", "preview", "summary", "info"]
)
@pytest.mark.parametrize("body", [*NOT_A_PAGE, {"id": "another"}, {"name": "no id"}], ids=repr)
def test_details_have_the_requested_id(serving: Serving, part: str, body: Any) -> None:
    box = serving(contacts=3, campaigns=5, activities=12, events=1)
    pattern = part.replace("{}", "")
    if pattern == "preview" and isinstance(body, dict) and "id" in body:
        pytest.skip("a preview has no id")
    streams = {
        "campaigns/": "campaigns",
        "events/": "events",
        "activities/": "activities",
        "preview": "campaign_previews",
        "summary": "contact_summaries",
        "info": "account",
    }
    replies(
        box,
        lambda call: (
            pattern in call.path
            if not pattern.endswith("/")
            else call.path.rpartition("/")[0].endswith(f"/{pattern[:-1]}")
        ),
        body,
    )
    with pytest.raises(FatalAPIError, match="Giving up after 6 attempts"):
        sync(box, streams[pattern])


def test_transient_error_loses_no_records(serving: Serving, waits: list[float]) -> None:
    box = serving(contacts=1200)
    left = [Reply(200, json.dumps(body).encode()) for body in NOT_A_PAGE[:3]]
    box.interfere = lambda call, _: left.pop() if "next" in call.params and left else None

    output = sync(box, "contacts")

    assert output.ids("contacts") == box.account.ids("contacts")
    assert len(waits) == 3


@pytest.mark.parametrize("link", [5, {"href": "/v2/contacts?next=a"}, ["a"], True])
def test_invalid_next_link_does_not_end_a_list(serving: Serving, link: Any) -> None:
    box = serving(contacts=20)
    row = box.account.contact(next(iter(box.account.ids("contacts"))))
    replies(
        box,
        lambda call: call.path == "/v2/contacts",
        {"meta": {"pagination": {"next_link": link}}, "results": [row]},
    )
    with pytest.raises(FatalAPIError, match="next link that is not text"):
        sync(box, "contacts")


# -- statuses that nobody foresaw -----------------------------------------------------------


def test_campaigns_of_any_status_are_read_with_all_that_hangs_on_them(serving: Serving) -> None:
    box = serving(campaigns=40, recipients=10)
    sent = [each for each in box.account.campaigns.by_id.values() if each.status == "SENT"]
    for campaign, status in zip(sent, ["PAUSED", "ARCHIVED", "", "RUNNING"], strict=False):
        campaign.status = status

    output = sync(box, *FAMILY)

    for stream in FAMILY:
        assert keys(output, stream) == box.account.ids(stream), stream


@pytest.mark.parametrize("stream", ["contacts", "events", "activities", "lists"])
def test_other_things_of_any_status_are_read(serving: Serving, stream: str) -> None:
    box = serving(contacts=30, events=5, activities=9)

    truth = box.account.ids(stream)
    for job in box.account.activities.kept():
        job.status = "NOBODY_KNOWS"
    for row in box.account.contacts.rows:
        row.body = row.body.replace(row.status.encode(), b"NOBODY_KNOWS")
    for event in box.account.events.by_id.values():
        event.detail["status"] = "NOBODY_KNOWS"

    first = sync(box, stream)
    second = sync(box, stream, state=first.state)

    assert first.ids(stream) == truth
    assert {row["status"] for row in first.rows(stream)} >= {"NOBODY_KNOWS"} or stream == "lists"
    assert second.ids(stream) <= truth


# -- lists that change while they are paged -------------------------------------------------


def tracking_of(output: Output) -> dict[str, set[Any]]:
    return {stream: keys(output, stream) for stream in KINDS}


def deleting(box: Sandbox, how_many: int = 1) -> None:
    """Delete campaigns between any two pages of their list, from among those listed already."""

    def interfere(call: Call, _: object) -> None:
        if call.path == CAMPAIGNS and "next" in call.params:
            newest = sorted(
                (each for each in box.account.campaigns.by_id.values() if each.status == "SENT"),
                key=lambda each: -(each.last_run or 0),
            )
            for campaign in newest[:how_many]:
                campaign.status = "DELETED"
            box.account.tracking.forget()

    box.interfere = interfere


@pytest.mark.slow
def test_campaigns_that_shift_out_of_a_list_are_read_by_the_next_run(serving: Serving) -> None:
    box = serving(campaigns=120, recipients=4, contacts=40)
    found: dict[str, set[Any]] = {stream: set() for stream in KINDS}
    state = None
    calls = []
    for _ in range(3):
        deleting(box, 2)
        before = len(box.calls)
        output = sync(box, *FAMILY, state=a_week_later(state), tracking_window_days=0)
        calls.append(len(box.calls) - before)
        state = output.state
        for stream, rows in tracking_of(output).items():
            found[stream] |= rows
        box.interfere = None
        box.account.add_tracking(16)
    output = sync(box, *FAMILY, state=a_week_later(state), tracking_window_days=0)
    for stream, rows in tracking_of(output).items():
        assert found[stream] | rows >= box.account.ids(stream), stream
    assert len(json.dumps(state)) < 8000


@pytest.mark.slow
def test_a_shifted_campaign_costs_no_more_than_itself(serving: Serving) -> None:
    box = serving(campaigns=80, recipients=4, contacts=40)
    campaigns = [each for each in box.account.campaigns.by_id.values() if each.status == "SENT"]
    shifted = {each.id: each for each in (campaigns[3], campaigns[-9])}

    def hide(call: Call, _: object) -> None:
        for each in shifted.values():
            each.status = "DELETED" if call.path == CAMPAIGNS else "SENT"

    first = sync(box, *FAMILY)
    box.interfere = hide
    state = sync(box, *FAMILY, state=first.state).state
    box.interfere = None
    for each in shifted.values():
        each.status = "SENT"

    before = len(box.calls)
    second = sync(box, *FAMILY, state=state)
    with_shift = len(box.calls) - before
    sync(box, *FAMILY, state=second.state)
    without = len(box.calls) - before - with_shift

    assert shifted.keys() <= second.ids("campaigns")
    for stream in KINDS:
        wanted = {key for key in box.account.ids(stream) if key[0] in shifted}
        assert wanted <= keys(second, stream), stream
    assert with_shift - without <= 7 * len(shifted)


@pytest.mark.slow
def test_many_deletions_at_once_are_not_taken_for_campaigns_to_read_again(
    serving: Serving, caplog: pytest.LogCaptureFixture
) -> None:
    box = serving(campaigns=260, recipients=2, contacts=40)
    state = sync(box, *FAMILY).state
    box.account.delete_campaigns(220)

    before = len(box.calls)
    sync(box, *FAMILY, state=state)

    assert len(box.calls) - before < 150
    assert "read again" not in caplog.text


@pytest.mark.slow
def test_parents_that_the_set_lacks_are_synced_again(serving: Serving) -> None:
    box = serving(campaigns=40, recipients=5)
    first = sync(box, *FAMILY)
    other = sync(serving(campaigns=300, recipients=1, seed=7), "campaigns").state
    state = first.state
    state["bookmarks"]["campaigns"]["synced_parents"] = other["bookmarks"]["campaigns"][
        "synced_parents"
    ]

    second = sync(box, *FAMILY, state=state)

    for stream in KINDS:
        assert keys(second, stream) == box.account.ids(stream), stream


# -- stream maps ----------------------------------------------------------------------------


@pytest.mark.parametrize("left_out", [None, {"__filter__": "name == 'nothing'"}], ids=repr)
def test_stream_map_of_campaigns_keeps_their_reports(serving: Serving, left_out: Any) -> None:
    box = serving(campaigns=12, recipients=10, events=3)
    streams = [*FAMILY, "events", "event_registrants"]

    first = sync(box, *streams, stream_maps={"campaigns": left_out, "events": left_out})

    assert first.counts["campaigns"] == first.counts["events"] == 0
    for stream in KINDS:
        assert keys(first, stream) == box.account.ids(stream), stream
    assert first.counts["event_registrants"] == box.account.counts()["event_registrants"]


# -- a catalog that asks for the full table -------------------------------------------------


def test_a_full_table_is_read_in_full(serving: Serving) -> None:
    box = serving(campaigns=40, recipients=10, contacts=700)
    state = sync(box, *FAMILY, "contacts").state

    again = sync(
        box,
        *FAMILY,
        "contacts",
        state=state,
        full_table={"campaign_opens", "contacts", "campaigns"},
    )

    for stream in ("campaign_opens", "campaigns"):
        assert keys(again, stream) == box.account.ids(stream)
    assert again.ids("contacts") == box.account.ids("contacts")
    assert keys(again, "campaign_clicks") < box.account.ids("campaign_clicks")


# -- contacts: runs that are cut off --------------------------------------------------------


@pytest.mark.slow
def test_contacts_resume_after_an_interruption(serving: Serving) -> None:
    box = serving(contacts=20_000)
    sync(box, "contacts")
    at_once = len(box.calls)
    found: set[str] = set()
    state, runs = None, 0

    while state is None or "cursor" in state["bookmarks"]["contacts"]:
        output = sync(box, "contacts", state=state, max_requests=10)
        found |= output.ids("contacts")
        state = output.state
        runs += 1
        assert runs < 10

    assert found == box.account.ids("contacts")
    assert len(box.calls) - at_once <= 1.1 * at_once


@pytest.mark.slow
def test_changes_during_an_interrupted_first_sync_arrive(serving: Serving) -> None:
    box = serving(contacts=4000)
    latest: dict[str, dict[str, Any]] = {}
    state = None
    while state is None or "cursor" in state["bookmarks"]["contacts"]:
        output = sync(box, "contacts", state=state, max_requests=3)
        latest |= {row["id"]: row for row in output.rows("contacts")}
        state = output.state
        box.account.edit_contacts(50)
        box.account.add_contacts(10)
        box.account.unsubscribe(20)
    last = sync(box, "contacts", state=state)

    latest |= {row["id"]: row for row in last.rows("contacts")}
    truth = {each: box.account.contact(each) for each in box.account.ids("contacts")}
    assert {each: row["status"] for each, row in latest.items()} == {
        each: contact["status"] for each, contact in truth.items()
    }
    assert {each: row["modified_date"] for each, row in latest.items()} == {
        each: contact["modified_date"] for each, contact in truth.items()
    }


@pytest.mark.slow
@pytest.mark.parametrize("max_requests", [2, 4, 6])
def test_later_reads_go_on_too_opt_outs_as_well(serving: Serving, max_requests: int) -> None:
    box = serving(contacts=9000)
    state = sync(box, "contacts").state
    changed = set(box.account.edit_contacts(1500)) | set(box.account.unsubscribe(900))
    found: set[str] = set()
    runs = 0
    while runs == 0 or "cursor" in state["bookmarks"]["contacts"]:
        output = sync(box, "contacts", state=state, max_requests=max_requests)
        found |= output.ids("contacts")
        state = output.state
        runs += 1
        assert runs < 20
    assert runs > 1
    assert changed <= found


@pytest.mark.parametrize("status", [400, 404])
def test_a_cursor_that_the_api_has_forgotten_starts_over(
    serving: Serving, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    box = serving(contacts=1800)
    state = sync(box, "contacts", max_requests=3).state
    box.interfere = lambda call, _: (
        Reply(status, json.dumps(ERROR).encode())
        if (call.params.get("next") or "-") in state["bookmarks"]["contacts"]["cursor"]["next_link"]
        and not any(each.status == status for each in box.calls)
        else None
    )

    output = sync(box, "contacts", state=state)

    assert "The saved cursor cannot be used. Starting over." in caplog.text
    assert output.ids("contacts") == box.account.ids("contacts")


def test_all_contacts_are_read_again_now_and_then(serving: Serving) -> None:
    box = serving(contacts=700)
    first = sync(box, "contacts")
    state = first.state
    assert len(sync(box, "contacts", state=state).rows("contacts")) < 100

    week_ago = dt.datetime.now(dt.UTC) - dt.timedelta(days=7, minutes=1)
    state["bookmarks"]["contacts"]["full_refresh_at"] = week_ago.isoformat()
    never = sync(box, "contacts", state=state, contacts_full_refresh_days=0)
    again = sync(box, "contacts", state=state)
    after = sync(box, "contacts", state=again.state)

    assert len(never.rows("contacts")) < 100
    assert again.ids("contacts") == box.account.ids("contacts")
    assert len(after.rows("contacts")) < 100


# -- clocks ---------------------------------------------------------------------------------


def test_bookmark_in_the_future_is_ignored(
    serving: Serving, caplog: pytest.LogCaptureFixture
) -> None:
    box = serving(campaigns=12, recipients=20, contacts=60)
    streams = (*FAMILY, "contacts")
    state = sync(box, *streams).state
    ahead = (dt.datetime.now(dt.UTC) + dt.timedelta(days=400)).isoformat()
    bookmarks = state["bookmarks"]
    bookmarks["contacts"]["replication_key_value"] = ahead
    for stream in KINDS:
        bookmarks[stream]["watermarks"][0]["synced_until"] = ahead

    output = sync(box, *streams, state=state)

    assert caplog.text.count("Ignoring a bookmark in the future") == 1 + len(KINDS)
    for stream in KINDS:
        assert keys(output, stream) == box.account.ids(stream), stream
    assert output.ids("contacts") == box.account.ids("contacts")
    assert ahead not in json.dumps(output.state)


def test_fast_local_clock_loses_no_records(serving: Serving) -> None:
    behind = dt.timedelta(days=30)

    def clock() -> dt.datetime:
        return dt.datetime.now(dt.UTC) - behind

    box = serving(campaigns=12, recipients=20, contacts=60, now=clock(), clock=clock)
    first = sync(box, *FAMILY, "contacts", lookback_hours=0)
    box.account.add_tracking(16)
    edited = set(box.account.edit_contacts(5))

    second = sync(box, *FAMILY, "contacts", state=a_week_later(first.state), lookback_hours=0)

    for stream in KINDS:
        assert keys(first, stream) | keys(second, stream) == box.account.ids(stream), stream
    assert edited <= second.ids("contacts")


@pytest.mark.parametrize(("stream", "few"), [("contact_activity", 30), ("campaign_opens", 15)])
def test_passes_with_the_same_timestamp_are_distinct(
    serving: Serving, monkeypatch: pytest.MonkeyPatch, stream: str, few: int
) -> None:
    moment = dt.datetime.now(dt.UTC).replace(microsecond=0)
    monkeypatch.setattr(Session, "started_at", property(lambda _: moment))
    box = serving(contacts=60, campaigns=20, recipients=40)
    output = sync(box, stream)
    box.account.add_tracking(200)

    key_of = report_keys if stream == "contact_activity" else keys
    found = key_of(output, stream)
    for calls in (few, 1000):
        box.calls.clear()
        output = sync(box, stream, state=output.state, max_requests=calls)
        assert (len(box.calls) == calls) == (calls == few)
        found |= key_of(output, stream)
    assert found == box.account.ids(stream)


def test_a_run_began_at_a_moment_that_a_state_can_hold(serving: Serving) -> None:
    tap = TapConstantContact(config=config(serving()))
    for _ in range(9):
        began = tap.run.session.started_at
        assert timestamps.parse(timestamps.write(began)) == began
        tap.run.__dict__.pop("session")


# -- whose state it is ----------------------------------------------------------------------


@pytest.mark.parametrize("streams", [("account", "contacts"), ("contacts",), ("campaigns",)])
def test_a_state_of_another_account_is_refused(serving: Serving, streams: tuple[str, ...]) -> None:
    box, other = serving(contacts=5), serving(contacts=5)
    other.account.profile.info["email"] = "somebody@else.example.com"
    state = sync(box, *streams).state
    state["bookmarks"]["account"] |= {"token_hash": "another"}
    into = Collector()

    with pytest.raises(ConfigValidationError, match="The state belongs to another account"):
        sync(other, *streams, state=state, into=into)

    assert into.output.messages == []
    assert len(other.calls) == ("account" in streams)
    assert box.account.profile.info["email"] not in json.dumps(state)


def test_a_new_token_of_the_same_account_is_recognised(serving: Serving) -> None:
    box = serving(contacts=5)
    state = sync(box, "account", "contacts").state
    state["bookmarks"]["account"]["token_hash"] = "that before"  # noqa: S105
    before = len(box.calls)

    again = sync(box, "contacts", state=state)

    assert box.calls[before].path == "/v2/account/info"
    assert again.state["bookmarks"]["account"]["token_hash"] != "that before"  # noqa: S105


def test_the_account_is_asked_for_no_more_than_needed(serving: Serving) -> None:
    box = serving(contacts=5)
    state = sync(box, "contacts").state
    sync(box, "contacts", state=state)
    assert "/v2/account/info" not in {call.path for call in box.calls}


# -- states that are not as they should be --------------------------------------------------

STATES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=5)
    | st.just("2026-01-01T00:00:00Z"),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(
                [
                    "synced_until",
                    "last_ids",
                    "watermarks",
                    "replication_key_value",
                    "synced_parents",
                    "cursor",
                    "page_size",
                    "resume_from",
                    "pass_started_at",
                    "next_link",
                    "status",
                    "full_refresh_at",
                    "owner_hash",
                    "partitions",
                    "event_id",
                ]
            ),
            inner,
            max_size=3,
        )
    ),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from(["contacts", "campaigns", "campaign_opens", "x"]), STATES))
def test_any_state_is_read_or_refused_in_one_line(given_state: dict[str, Any]) -> None:
    faults = validation.validate({"bookmarks": given_state})
    assert all("\n" not in fault and fault.startswith("The state of stream") for fault in faults)
    if not faults:
        now = dt.datetime(2026, 11, 25, tzinfo=dt.UTC)
        list(validation.drop_future_bookmarks({"bookmarks": given_state}, now))
        for bookmark in given_state.values():
            Watermarks.from_state(bookmark, ["a", "b"])


@pytest.mark.parametrize(
    "marks",
    [
        {"watermarks": "text"},
        {"watermarks": [{"last_ids": ["1"]}]},
        {"watermarks": [{"synced_until": "", "last_ids": None}]},
        {"watermarks": [{"synced_until": "2026-01-01", "last_ids": "1"}]},
        {"synced_parents": "text"},
        {"resume_from": {"after": "x"}},
        {"page_size": "many"},
        {"page_size": 0},
        {"page_size": True},
    ],
    ids=str,
)
def test_invalid_watermarks_are_rejected_in_one_line(
    serving: Serving, marks: dict[str, Any]
) -> None:
    state = {"bookmarks": {"campaigns": marks}}
    with pytest.raises(ConfigValidationError, match="The state of stream 'campaigns' is not valid"):
        sync(serving(), "campaigns", state=state)


def test_a_stream_can_be_taken_out_of_a_state(serving: Serving) -> None:
    box = serving(campaigns=4)
    state = sync(box, *FAMILY).state
    del state["bookmarks"]["campaign_opens"]
    output = sync(box, *FAMILY, state=state)
    assert keys(output, "campaign_opens") == box.account.ids("campaign_opens")
    assert not output.counts["campaign_bounces"]


def test_streams_that_have_come_equally_far_go_on_apart(serving: Serving) -> None:
    box = serving(campaigns=8, recipients=20, contacts=40)
    first = sync(box, *FAMILY)
    box.account.add_tracking(40)
    second = sync(box, "campaign_clicks", state=a_week_later(first.state))
    third = sync(box, *FAMILY, state=a_week_later(second.state))
    for stream in KINDS:
        found = keys(first, stream) | keys(second, stream) | keys(third, stream)
        assert found == box.account.ids(stream), stream


@pytest.mark.parametrize("year", ["0001", "1969", "9999"])
def test_marks_of_any_year_are_reckoned_with(serving: Serving, year: str) -> None:
    box = serving(campaigns=4, contacts=20)
    moment = f"{year}-12-31T23:59:59.000Z"
    state = {
        "bookmarks": {
            "contacts": {"replication_key": "modified_date", "replication_key_value": moment},
            "campaign_opens": {"watermarks": [{"synced_until": moment, "last_ids": None}]},
        }
    }
    output = sync(box, "contacts", "campaign_opens", state=state)
    assert output.ids("contacts") == box.account.ids("contacts")
    assert keys(output, "campaign_opens") == box.account.ids("campaign_opens")
