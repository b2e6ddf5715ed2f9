"""v3: a fault of one object or one path loses nothing, and stops nothing else."""

from __future__ import annotations

import datetime as dt
import itertools
import json
from typing import TYPE_CHECKING, Any

import pytest
from helpers.fake_server import Answer, Scripted
from helpers.faults import ends_with, respond, rewrite, sync_or_fail
from helpers.runner import Collector, catalog, config, selected_by_default, sync
from helpers.strategies import at_most
from helpers.v3 import STREAMS, TRACKING, ids_of, read

from sandbox import Account, Sandbox
from sandbox.v3.routes import ROUTES
from tap_constantcontact import contacts
from tap_constantcontact.state.watermarks import Watermarks
from tap_constantcontact.tap import TapConstantContact
from tap_constantcontact.v3 import campaign_metrics

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox import Call

    Serving = Callable[..., Sandbox]

NOON = dt.datetime(2026, 1, 10, 12, tzinfo=dt.UTC)
ERROR = {"error_key": "odd", "error_message": "An error."}
DENIED = {"error_key": "access_denied", "error_message": "Request forbidden"}
BY_DEFAULT = sorted(selected_by_default("v3"))
PARENTS = ["campaigns", "campaign_activities", *TRACKING]


def missing(box: Sandbox, seen: dict[str, set[Any]]) -> dict[str, int]:
    """How many records of each stream have not arrived."""
    absent = {name: len(box.account.v3_ids(name) - keys) for name, keys in seen.items()}
    return {name: count for name, count in absent.items() if count}


# -- one object ------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [400, 404, 500])
def test_report_that_always_fails_is_skipped_and_read_later(
    serving: Serving, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    box = serving(contacts=60, campaigns=10, recipients=10, events=2)
    bad = next(iter(box.account.v3_ids("campaign_opens")))[0]
    path = f"/v3/reports/email_reports/{bad}/tracking/opens"
    respond(box, ends_with(path), status, [ERROR])
    streams = ["campaigns", *TRACKING, "events"]

    first, error = sync_or_fail(box, *streams)

    assert "1 object could not be synced in the streams: campaign_opens" in str(error)
    assert "Stream 'campaign_opens' could not sync" in caplog.text
    assert f"(path: {path})" in caplog.text
    for stream in streams:
        absent = box.account.v3_ids(stream) - ids_of(first, stream)
        assert {key[0] for key in absent} == ({bad} if stream == "campaign_opens" else set())
    again, error = sync_or_fail(box, *streams, state=first.state)
    assert error
    box.interfere = None
    last = read(box, *streams, state=again.state)
    assert {key[0] for key in ids_of(last, "campaign_opens")} == {bad}
    assert ids_of(first, "campaign_opens") | ids_of(last, "campaign_opens") == box.account.v3_ids(
        "campaign_opens"
    )
    assert "failed" not in last.state["bookmarks"]["campaign_opens"]


def test_other_activities_of_a_campaign_are_read_where_one_fails(serving: Serving) -> None:
    box = serving(contacts=60, campaigns=6, recipients=20)
    box.account.resend_campaigns(1)
    (resent,) = (each for each in box.account.campaigns.by_id.values() if each.resends)
    respond(box, ends_with(f"/{resent.activity_uuid}/tracking/sends"), 500, b"")
    output, error = sync_or_fail(box, "campaigns", "campaign_sends")
    assert error
    absent = box.account.v3_ids("campaign_sends") - ids_of(output, "campaign_sends")
    assert {key[0] for key in absent} == {resent.activity_uuid}


def test_contact_that_always_fails_is_skipped_and_read_later(
    serving: Serving, caplog: pytest.LogCaptureFixture
) -> None:
    box = serving(contacts=20)
    bad = sorted(box.account.v3_ids("contact_summaries"))[3]
    respond(box, lambda call: f"/{bad}/open_and" in call.path, 400, [ERROR])
    first, error = sync_or_fail(box, "contact_summaries")
    assert error
    assert bad in caplog.text
    assert ids_of(first, "contact_summaries") == box.account.v3_ids("contact_summaries") - {bad}
    box.interfere = None
    assert bad in ids_of(read(box, "contact_summaries", state=first.state), "contact_summaries")


def test_segment_that_is_never_ready_is_skipped(
    serving: Serving, caplog: pytest.LogCaptureFixture
) -> None:
    box = serving(contacts=40)
    segments = {segment for segment, _ in box.account.v3_ids("segment_members")}
    bad = min(segments)
    pending = {"contacts": [], "status": "processing"}
    is_bad = lambda call: call.params.get("segment_id") == str(bad)  # noqa: E731
    requests = respond(box, is_bad, 202, pending)
    first, error = sync_or_fail(box, "segment_members", "contact_summaries")
    assert "segment_members" in str(error)
    assert f"could not sync '{bad}'" in caplog.text
    assert len(requests) < 20, "the wait is bounded"
    assert {segment for segment, _ in ids_of(first, "segment_members")} == segments - {bad}
    assert ids_of(first, "contact_summaries") == box.account.v3_ids("contact_summaries")
    box.interfere = None
    again = read(box, "segment_members", state=first.state)
    assert ids_of(again, "segment_members") == box.account.v3_ids("segment_members")


def test_one_object_in_fifty_that_fails_leaves_all_others(serving: Serving) -> None:
    box = serving(contacts=400, campaigns=150, recipients=2)
    campaigns = sorted({key[0] for key in box.account.v3_ids("campaign_sends")})
    bad = {f"/v3/reports/email_reports/{each}/tracking/sends" for each in campaigns[::50]}
    contacts = sorted(box.account.v3_ids("contact_summaries"))
    bad |= {f"/v3/reports/contact_reports/{each}/open_and_click_rates" for each in contacts[::50]}
    respond(box, lambda call: call.path in bad, 500, b"")
    streams = ["campaigns", "campaign_sends", "campaign_opens", "contact_summaries"]
    first, error = sync_or_fail(box, *streams)
    assert f"{len(bad)} objects could not be synced" in str(error)
    absent = {
        str(key[0] if isinstance(key, tuple) else key)
        for stream in streams
        for key in box.account.v3_ids(stream) - ids_of(first, stream)
    }
    assert absent == {*campaigns[::50], *contacts[::50]}
    box.interfere = None
    again = read(box, *streams, state=first.state)
    seen = {stream: ids_of(first, stream) | ids_of(again, stream) for stream in streams}
    assert not missing(box, seen)


def test_api_that_is_down_ends_the_run(serving: Serving) -> None:
    box = serving(contacts=60, campaigns=40, recipients=4)
    is_up = ends_with("/account/user/privileges")
    requests = respond(box, lambda call: not is_up(call), 503, b"")
    _, error = sync_or_fail(box, *BY_DEFAULT)
    assert "5 objects failed: the API seems to be down" in str(error)
    assert len(set(requests)) <= 6


def test_endpoint_that_is_down_skips_its_stream(
    serving: Serving, caplog: pytest.LogCaptureFixture
) -> None:
    box = serving(contacts=60, campaigns=40, recipients=4)
    requests = respond(box, ends_with("/tracking/opens"), 503, b"")
    first, error = sync_or_fail(box, *PARENTS)
    assert "5 objects could not be synced in the streams: campaign_opens" in str(error)
    assert "'campaign_opens' is skipped for the rest of this run" in caplog.text
    assert len(set(requests)) <= 9, "five, and what was prefetched"
    box.interfere = None
    again = read(box, *PARENTS, state=first.state)
    seen = {stream: ids_of(first, stream) | ids_of(again, stream) for stream in PARENTS}
    assert not missing(box, seen)


def test_objects_that_failed_before_do_not_stop_those_behind_them(serving: Serving) -> None:
    box = serving(contacts=60, campaigns=40, recipients=4)
    campaigns = [each.activity_uuid for each in box.account.campaigns.tracked()][:12]
    bad = {f"/v3/reports/email_reports/{each}/tracking/sends" for each in campaigns}
    respond(box, lambda call: call.path in bad, 503, b"")
    state: dict[str, Any] | None = None
    seen: dict[str, set[Any]] = {"campaigns": set(), "campaign_sends": set()}
    for _ in range(4):
        output, error = sync_or_fail(box, *seen, state=state)
        assert error
        state = output.state
        for stream in seen:
            seen[stream] |= ids_of(output, stream)
    absent = box.account.v3_ids("campaign_sends") - seen["campaign_sends"]
    assert {key[0] for key in absent} == set(campaigns)


def test_endpoint_that_rejects_every_object_ends_the_run(serving: Serving) -> None:
    box = serving(contacts=60)
    requests = respond(box, lambda call: "/contact_reports/" in call.path, 400, [ERROR])
    _, error = sync_or_fail(box, "contact_summaries")
    assert "21 objects failed" in str(error)
    assert len(requests) == 21


def test_failed_objects_survive_an_interrupted_run(serving: Serving) -> None:
    box = serving(contacts=60, campaigns=12, recipients=6)
    bad = next(iter(box.account.v3_ids("campaign_sends")))[0]
    respond(box, ends_with(f"/{bad}/tracking/sends"), 500, b"")
    state: dict[str, Any] | None = None
    seen: dict[str, set[Any]] = {"campaigns": set(), "campaign_sends": set()}
    for max_requests in (9, 9, None):
        limit = {} if max_requests is None else {"max_requests": max_requests}
        output, _ = sync_or_fail(box, *seen, state=state, **limit)
        state = output.state
        for stream in seen:
            seen[stream] |= ids_of(output, stream)
    box.interfere = None
    last = read(box, *seen, state=state)
    for stream in seen:
        seen[stream] |= ids_of(last, stream)
    assert not missing(box, seen)


@pytest.mark.parametrize(
    "failed", [5, ["a"], [{"values": 5}], [{"values": "a", "synced_until": "x"}]]
)
def test_odd_failed_objects_in_a_state_are_rejected_in_one_line(failed: Any) -> None:
    with pytest.raises(Exception, match="The state of stream 'campaigns' is not valid: failed"):
        TapConstantContact(
            config={"api_version": "v3", "access_token": "token-of-a-test"},
            state={"bookmarks": {"campaigns": {"failed": failed}}},
        )


def test_watermarks_keep_failed_parents() -> None:
    parents = ["a", "b", "c"]
    marks = Watermarks(parents)
    before = NOON - dt.timedelta(days=1)
    marks.complete(NOON)
    marks.keep_failure(0, None)
    marks.keep_failure(1, before)
    marks.keep_failure(2, before)
    marks.forget_failure(2)
    again = Watermarks.from_state(marks.to_state(), ["new", *parents])
    assert [again.synced_until(place) for place in range(4)] == [NOON, None, before, NOON]
    again.complete(NOON)
    gone = Watermarks.from_state(again.to_state(), ["c"])
    gone.complete(NOON)
    assert "failed" not in gone.to_state()


# -- a path ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "skipped"),
    [
        ("/v3/reports/summary_reports/email_campaign_summaries", "campaign_stats"),
        ("/v3/reports/stats/email_campaigns/", "campaign_stats"),
        ("/v3/account/summary", "account"),
    ],
)
def test_403_on_a_shared_path_skips_only_its_own_stream(
    serving: Serving, caplog: pytest.LogCaptureFixture, path: str, skipped: str
) -> None:
    box = serving(contacts=60, campaigns=10, recipients=10, events=2)
    respond(box, lambda call: call.path.startswith(path), 403, DENIED)
    streams = ["account", "campaigns", "campaign_opens", "campaign_stats", "events"]
    output, error = sync_or_fail(box, *streams)
    assert f"Access denied to the streams: {skipped}." in str(error)
    assert f"Access denied to stream '{skipped}' (path: {path}" in caplog.text
    for stream in streams:
        expected = set() if stream == skipped else box.account.v3_ids(stream)
        assert ids_of(output, stream) == expected, stream


def test_403_on_a_report_skips_neither_its_neighbors_nor_its_parent(serving: Serving) -> None:
    box = serving(contacts=60, campaigns=10, recipients=10)
    requests = respond(box, ends_with("/opens"), 403, DENIED)
    first, error = sync_or_fail(box, *PARENTS)
    assert "Access denied to the streams: campaign_opens." in str(error)
    assert len(requests) < 6, "the rest of the reports is not requested"
    box.interfere = None
    again = read(box, *PARENTS, state=first.state)
    seen = {stream: ids_of(first, stream) | ids_of(again, stream) for stream in PARENTS}
    assert not missing(box, seen)


def test_404_on_a_later_page_is_an_error(serving: Serving, monkeypatch: Any) -> None:
    small_pages(monkeypatch)
    box = serving(contacts=60, campaigns=3, recipients=20)
    is_later = lambda call: call.path.endswith("/sends") and "cursor" in call.params  # noqa: E731
    respond(box, is_later, 404, {"errors": [ERROR], "results": []})
    first, error = sync_or_fail(box, "campaigns", "campaign_sends")
    assert error
    box.interfere = None
    again = read(box, "campaigns", "campaign_sends", state=first.state)
    assert ids_of(again, "campaign_sends") == box.account.v3_ids("campaign_sends")


FAULTS: dict[str, tuple[int, bytes]] = {
    "404 empty": (404, b""),
    "404 array": (404, json.dumps([ERROR]).encode()),
    "404 object": (404, json.dumps(ERROR).encode()),
    "403": (403, json.dumps(DENIED).encode()),
    "400": (400, json.dumps([ERROR]).encode()),
    "500": (500, b""),
    "200 with an error": (200, json.dumps(ERROR).encode()),
    "null": (200, b"null"),
    "[]": (200, b"[]"),
    "HTML": (200, b"<html>no</html>"),
}
# An empty array is how these say that there is nothing; they are read whole in each run.
MAY_BE_EMPTY = {
    "/account/emails",
    "/social/profiles",
    "/contacts/sms_engagement_history/{contact_id}",
}
USERS = {
    "/account/emails": ["account_emails"],
    "/account/summary": ["account"],
    "/account/user/privileges": ["lists", "contacts"],
    "/activities": ["activities"],
    "/automations/workflows": ["automations"],
    "/automations/workflows/{automation_flow_id}": ["automations"],
    "/contact_custom_fields": ["custom_fields"],
    "/contact_lists": ["lists"],
    "/contact_tags": ["tags"],
    "/contacts": ["contacts", "contact_summaries"],
    "/contacts/sms_engagement_history/{contact_id}": ["sms_engagement"],
    "/emails": ["campaigns", "campaign_activities", "campaign_opens"],
    "/emails/{campaign_id}": ["campaigns", "campaign_activities", "campaign_opens"],
    "/emails/activities/{campaign_activity_id}": ["campaign_activities"],
    "/emails/activities/{campaign_activity_id}/abtest": ["campaign_ab_tests"],
    "/emails/activities/{campaign_activity_id}/non_opener_resends": ["campaign_resends"],
    "/emails/activities/{campaign_activity_id}/previews": ["campaign_previews"],
    "/emails/activities/{campaign_activity_id}/schedules": ["campaign_schedules"],
    "/emails/activities/{campaign_activity_id}/send_history": ["campaign_send_history"],
    "/events": ["events", "event_tracks", "event_registrations"],
    "/events/{event_id}": ["events", "event_tracks", "event_registrations"],
    "/events/{event_id}/tracks/{track_id}/registrations": ["event_registrations"],
    "/reports/contact_reports/{contact_id}/activity_details": ["contact_activity"],
    "/reports/contact_reports/{contact_id}/activity_summary": ["contact_campaign_summaries"],
    "/reports/contact_reports/{contact_id}/open_and_click_rates": ["contact_summaries"],
    "/reports/email_reports/{campaign_activity_id}/links": ["campaign_links"],
    "/reports/email_reports/{campaign_activity_id}/tracking/bounces": ["campaign_bounces"],
    "/reports/email_reports/{campaign_activity_id}/tracking/clicks": ["campaign_clicks"],
    "/reports/email_reports/{campaign_activity_id}/tracking/didnotopens": [
        "campaign_did_not_opens"
    ],
    "/reports/email_reports/{campaign_activity_id}/tracking/forwards": ["campaign_forwards"],
    "/reports/email_reports/{campaign_activity_id}/tracking/opens": ["campaign_opens"],
    "/reports/email_reports/{campaign_activity_id}/tracking/optouts": ["campaign_unsubscribes"],
    "/reports/email_reports/{campaign_activity_id}/tracking/sends": ["campaign_sends"],
    "/reports/landing_pages/campaign_details/{campaign_activity_id}/p_contact_opens": [
        "landing_page_events"
    ],
    "/reports/stats/email_campaign_activities/{campaign_activity_ids}": ["campaign_activity_stats"],
    "/reports/stats/email_campaigns/{campaign_ids}": ["campaign_stats", "campaign_opens"],
    "/reports/summary_reports/email_campaign_summaries": ["campaign_summaries", "campaign_opens"],
    "/reports/summary_reports/sms_campaign_summaries": ["sms_summaries"],
    "/segments": ["segments", "segment_members"],
    "/segments/{segment_id}": ["segments"],
    "/social/profiles": ["social_profiles"],
}
# Plain lists have one path each.
USERS |= {
    stream.path: [name]
    for name, stream in STREAMS.items()
    if "{" not in (stream.path or "{") and name not in {*itertools.chain(*USERS.values()), "id_map"}
}


def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let small accounts have several pages of everything."""
    for stream in STREAMS.values():
        for name in ("page_size", "parents_page_size"):
            if getattr(type(stream), name, None):
                monkeypatch.setattr(type(stream), name, 3)
    monkeypatch.setattr(contacts, "_LARGEST_PAGE", 7)
    monkeypatch.setattr(contacts, "_SMALLEST_PAGE", 2)
    monkeypatch.setattr(campaign_metrics, "SUMMARY_PAGE", 2)
    monkeypatch.setattr(campaign_metrics, "STATS_BATCH", 2)


def route_of(call: Call) -> str:
    path = call.path.removeprefix("/v3")
    return next((route.path for route in ROUTES if route.match(path)), "")


class Story:
    """An account whose streams are synced several times, and what has arrived of them."""

    def __init__(self, box: Sandbox, streams: list[str]) -> None:
        self._now = NOON
        box.account = Account(
            contacts=8,
            campaigns=5,
            recipients=4,
            events=2,
            now=NOON,
            clock=lambda: self._now,
        )
        box.account.resend_campaigns(1)
        self.box = box
        self.state: dict[str, Any] | None = None
        self.seen: dict[str, set[Any]] = {stream: set() for stream in streams}

    def run(self) -> bool:
        """Sync an hour later; returns whether the run has failed."""
        self._now += dt.timedelta(hours=1)
        pages = landing_pages(self.box)
        output, error = sync_or_fail(
            self.box,
            *self.seen,
            state=self.state,
            max_parallel_requests=1,
            landing_page_ids=pages,
        )
        self.state = output.state if output.states else self.state
        for stream in self.seen:
            self.seen[stream] |= ids_of(output, stream)
        return error is not None

    def go_on(self) -> None:
        """Let an hour pass in which something happens."""
        account = self.box.account
        account.add_tracking(20)
        account.add_registrations(3)
        account.edit_campaigns(2)
        account.send_campaigns(1)

    @property
    def missing(self) -> dict[str, int]:
        return missing(self.box, self.seen)


def landing_pages(box: Sandbox) -> list[str]:
    return sorted({key[0] for key in box.account.v3_ids("landing_page_events")})


def test_every_path_that_streams_request_is_tried(serving: Serving) -> None:
    box = serving(campaigns=8, events=1)
    read(box, *(set(STREAMS) - {"id_map"}), landing_page_ids=landing_pages(box))
    requested = {route_of(call) for call in box.calls}
    assert {path for path in requested if "/p_" not in path or "/p_contact_opens" in path} == set(
        USERS
    )


@pytest.mark.slow
@pytest.mark.parametrize("path", USERS)
def test_fault_on_any_path_loses_nothing_silently(
    serving: Serving,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    path: str,
) -> None:
    """First and later pages, first and next runs, each followed by a run without a fault."""
    small_pages(monkeypatch)
    box = serving()
    box.observe = None
    cases = list(itertools.product(FAULTS, (False, True), (False, True)))
    # A third of them for each path, and another for the next path; all to search further.
    # A seventh of them for each path, and another for the next path; all to search further.
    first, step = (0, 1) if at_most(1000) == 1000 else (list(USERS).index(path) % 7, 7)
    for name, is_later, is_next in cases[first::step]:
        case = (name, "later page" if is_later else "first page", is_next)
        story = Story(box, USERS[path])
        if is_next:
            assert not story.run(), case
            story.go_on()
        status, body = FAULTS[name]

        def is_due(call: Call, *, is_later: bool = is_later) -> bool:
            return route_of(call) == path and is_later == bool(
                {"cursor", "next"} & call.params.keys()
            )

        paths = respond(box, is_due, status, body)
        caplog.clear()
        has_failed = story.run()
        box.interfere = None
        if story.missing and not (name == "[]" and path in MAY_BE_EMPTY):
            assert has_failed, case
            assert paths[0] in caplog.text or "/{" in path, case
        assert not story.run(), case
        assert not story.missing, case


# -- pages -------------------------------------------------------------------------------------


def test_cursor_without_a_link_is_followed(serving: Serving, monkeypatch: Any) -> None:
    small_pages(monkeypatch)
    box = serving(events=8)

    def edit(_: Call, body: Any) -> Any:
        return {**body, "_links": None} if "next_cursor" in body else body

    rewrite(box, edit)
    streams = ["events", "event_registrations"]
    for parallel in (1, 4):
        output = read(box, *streams, max_parallel_requests=parallel)
        for stream in streams:
            assert ids_of(output, stream) == box.account.v3_ids(stream), stream


@pytest.mark.parametrize(
    ("path", "field", "stream"),
    [
        ("/v3/events", "total_records", "events"),
        ("/v3/contact_lists", "lists_count", "lists"),
        ("/v3/contact_tags", "tags_count", "tags"),
        ("/v3/contacts", "contacts_count", "contacts"),
    ],
)
def test_incomplete_last_page_is_an_error(
    serving: Serving, path: str, field: str, stream: str
) -> None:
    box = serving(events=3)
    total = len(box.account.v3_ids(stream))

    def edit(call: Call, body: Any) -> Any:
        if call.path != path:
            return body
        (rows,) = (value for value in body.values() if isinstance(value, list))
        half = [name for name, value in body.items() if value is rows]
        return {**body, half[0]: rows[: len(rows) // 2], "_links": {}, field: total}

    rewrite(box, edit)
    first, error = sync_or_fail(box, stream)
    assert "ends the list after" in str(error)
    box.interfere = None
    again = read(box, stream, state=first.state if first.states else None)
    assert ids_of(first, stream) | ids_of(again, stream) == box.account.v3_ids(stream)


def test_saved_cursor_that_cannot_be_used_is_dropped(serving: Serving, monkeypatch: Any) -> None:
    small_pages(monkeypatch)
    box = serving(contacts=40)

    def edit(call: Call, body: Any) -> Any:
        if call.path == "/v3/contacts":
            body["_links"] = {
                "next": {"href": "https://elsewhere.example.com/v3/contacts?cursor=x"}
            }
        return body

    rewrite(box, edit)
    first, error = sync_or_fail(box, "contacts")
    assert "elsewhere.example.com" in str(error)
    assert "cursor" not in first.state["bookmarks"].get("contacts", {})
    box.interfere = None
    state = read(box, "contacts", max_requests=4).state
    cursor = state["bookmarks"]["contacts"]["cursor"]
    cursor["next_link"] = "https://elsewhere.example.com/v3/contacts?cursor=x"
    again = read(box, "contacts", state=state)
    assert ids_of(again, "contacts") == box.account.v3_ids("contacts")


@pytest.mark.parametrize("stream", ["campaign_opens", "contact_activity"])
def test_record_that_repeats_with_other_fields_is_recognized(
    serving: Serving, monkeypatch: Any, stream: str
) -> None:
    """A record is pushed onto the next page, and its contact is deleted meanwhile."""
    small_pages(monkeypatch)
    later = NOON + dt.timedelta(hours=1)
    box = serving(contacts=12, campaigns=3, recipients=12, now=NOON, clock=lambda: later)

    def edit(call: Call, body: Any) -> Any:
        rows = body.get("tracking_activities") if isinstance(body, dict) else None
        if not rows or ("limit" not in call.params and "cursor" not in call.params):
            return body
        if "cursor" in call.params:
            pushed = [{**row, "deleted_at": "2026-01-10"} for row in previous[call.path]]
            body["tracking_activities"] = [*pushed, *rows]
        previous[call.path] = rows[-2:]
        return body

    previous: dict[str, list[Any]] = {}
    rewrite(box, edit)
    output = read(box, stream, max_parallel_requests=1)
    assert ids_of(output, stream) == box.account.v3_ids(stream)


# -- what the state and the clock say --------------------------------------------------------------


def test_state_without_an_account_is_ignored(
    serving: Serving, caplog: pytest.LogCaptureFixture
) -> None:
    box = serving(contacts=30, campaigns=5)
    streams = ["contacts", "campaigns", "campaign_sends"]
    state = read(box, *streams).state
    del state["bookmarks"]["account"]
    for bookmark in state["bookmarks"].values():
        bookmark.pop("account_hash", None)
    again = read(box, *streams, state=state)
    assert "The state does not prove that it belongs to this account." in caplog.text
    for stream in streams:
        assert ids_of(again, stream) == box.account.v3_ids(stream)


def test_each_bookmark_names_its_account(serving: Serving) -> None:
    box, other = serving(contacts=30, campaigns=5), serving(contacts=5)
    streams = ["contacts", "campaigns", "campaign_sends"]
    state = read(box, *streams).state
    del state["bookmarks"]["account"]
    again = read(box, *streams, state=state)
    assert not again.rows("campaign_sends")
    state = {
        "bookmarks": {"contacts": {**state["bookmarks"]["contacts"], "account_hash": "another"}}
    }
    whole = read(other, "contacts", state=state)
    assert ids_of(whole, "contacts") == other.account.v3_ids("contacts")


def test_state_of_an_undetermined_account_is_ignored(serving: Serving) -> None:
    box = serving(contacts=30)
    state = read(box, "account", "contacts").state
    state["bookmarks"]["account"]["token_hash"] = "another"  # noqa: S105
    respond(box, ends_with("/account/summary"), 403, DENIED)
    again, error = sync_or_fail(box, "contacts", state=state)
    assert error is None
    assert ids_of(again, "contacts") == box.account.v3_ids("contacts")


@pytest.mark.parametrize(
    "date",
    [
        "Thu, 01 Jan 1970 00:00:00 GMT",
        "Sat, 01 Jan 2022 00:00:00 GMT",
        "Wed, 01 Jan 2098 00:00:00 GMT",
        "Fri, 99 Foo 9999 00:00:00 GMT",
        "yesterday",
        "",
    ],
)
def test_absurd_date_header_does_not_discard_a_state(date: str) -> None:
    contact = {
        "contact_id": "c1",
        "created_at": "2024-01-01T00:00:00Z",
        "updated_at": "2024-02-01T00:00:00Z",
    }
    headers: dict[str, str] = {}
    seen: list[dict[str, str]] = []

    def answer(path: str, params: dict[str, str]) -> Answer:
        if path.endswith("/privileges"):
            return Answer(200, [{"privilege_name": "contacts:read"}], **headers)
        seen.append(params)
        is_new = "updated_after" not in params and "optout_after" not in params
        return Answer(200, {"contacts": [contact] if is_new else []}, **headers)

    with Scripted(answer) as server:
        state = sync(server, "contacts", version="v3").state
        headers["Date"] = date
        second = sync(server, "contacts", version="v3", state=state).state
        headers.clear()
        seen.clear()
        third = sync(server, "contacts", version="v3", state=second)
    assert all("updated_after" in params or "optout_after" in params for params in seen), seen
    (changed,) = [params for params in seen if "updated_after" in params]
    assert changed["updated_after"] > "2024-01-30"
    assert not third.rows("contacts")


# -- catalog and odd values ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stream", "column"),
    [
        ("contacts", "contact_id"),
        ("contacts", "updated_at"),
        ("campaign_opens", "contact_id"),
        ("campaign_opens", "row_number"),
        ("lists", "list_id"),
    ],
)
def test_key_column_that_the_catalog_lacks_is_added(
    serving: Serving, caplog: pytest.LogCaptureFixture, stream: str, column: str
) -> None:
    box = serving()
    selected = catalog(stream, version="v3")
    for entry in selected["streams"]:
        if entry["stream"] == stream:
            del entry["schema"]["properties"][column]
    tap = TapConstantContact(config=config(box, "v3"), catalog=selected)
    assert f"The catalog lacks column '{column}' of stream '{stream}'" in caplog.text
    into = Collector()
    tap = TapConstantContact(config=config(box, "v3"), catalog=selected, message_writer=into)
    tap.sync_all()
    assert ids_of(into.output, stream) == box.account.v3_ids(stream)
    schemas = [m for m in into.output.messages if m["type"] == "SCHEMA" and m["stream"] == stream]
    assert schemas
    assert all(column in message["schema"]["properties"] for message in schemas)


@pytest.mark.parametrize(
    "odd",
    [{"contact_id": []}, {"contact_id": {}}, {"created_time": []}, {"created_time": {"a": 1}}],
)
def test_record_with_an_odd_key_is_skipped(
    serving: Serving, caplog: pytest.LogCaptureFixture, odd: dict[str, Any]
) -> None:
    box = serving(contacts=30, campaigns=4, recipients=10)

    def edit(call: Call, body: Any) -> Any:
        if call.path.endswith("/tracking/sends"):
            body["tracking_activities"].insert(0, {**body["tracking_activities"][0], **odd})
        return body

    rewrite(box, edit)
    output, error = sync_or_fail(box, "campaigns", "campaign_sends")
    assert error is None
    assert "Skipping a record without its key" in caplog.text
    assert ids_of(output, "campaign_sends") == box.account.v3_ids("campaign_sends")


@pytest.mark.parametrize(
    ("path", "field", "odd"),
    [
        ("/v3/events", "event_registration_summary_metrics", [1]),
        ("/v3/events", "event_registration_summary_metrics", {"registration_count": "many"}),
        ("/v3/contacts", "contacts_count", "two"),
        ("/v3/contacts", "contacts_count", [2]),
        ("/v3/reports/stats/email_campaigns/", "stats", [1]),
        ("/v3/reports/stats/email_campaigns/", "stats", {"em_opens": {}, "em_opens_all": "x"}),
    ],
)
def test_plan_treats_invalid_counters_as_unknown(
    serving: Serving, path: str, field: str, odd: Any
) -> None:
    box = serving(campaigns=5, events=2)

    def edit(call: Call, body: Any) -> Any:
        if call.path.startswith(path):
            for each in [body, *body.get("records", ()), *body.get("results", ())]:
                if field in each:
                    each[field] = odd
        return body

    rewrite(box, edit)
    tap = TapConstantContact(config=config(box, "v3"), catalog=catalog(*BY_DEFAULT, version="v3"))
    plan = tap.plan()
    assert {cost.stream for cost in plan.estimates} >= {"events", "contacts", "campaign_opens"}
