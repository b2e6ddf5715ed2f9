"""Reports on each contact: off unless asked for, complete, incremental, continued where cut off."""

from __future__ import annotations

import datetime as dt
import logging
from typing import TYPE_CHECKING, Any

import pytest
from helpers.runner import Output, selected_by_default, sync

from sandbox import FaultConfig

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox import Sandbox

    Serving = Callable[..., Sandbox]
pytestmark = pytest.mark.slow

REPORTS = ("contact_activity", "contact_summaries", "contact_campaign_summaries")
KEYS = {
    "contact_activity": ("contact_id", "activity_type", "campaign_id", "occurred_at", "link_id"),
    "contact_summaries": ("contact_id",),
    "contact_campaign_summaries": ("contact_id", "campaign_id"),
}
DATES = {
    "EMAIL_SEND": "send_date",
    "EMAIL_OPEN": "open_date",
    "EMAIL_CLICK": "click_date",
    "EMAIL_BOUNCE": "bounce_date",
    "EMAIL_FORWARD": "forward_date",
    "EMAIL_UNSUBSCRIBE": "unsubscribe_date",
}
# So many contacts at most are read again after a cut, since the state is written as seldom.
CONTACTS_A_STATE = 50

every_report = pytest.mark.parametrize("stream", REPORTS)


def keys(output: Output, stream: str) -> set[Any]:
    """What arrived, as the sandbox names it."""
    found = {tuple(row[name] for name in KEYS[stream]) for row in output.rows(stream)}
    return {key[0] for key in found} if stream == "contact_summaries" else found


def reports_asked(box: Sandbox, start: int = 0) -> list[dict[str, str]]:
    """What was asked of the contacts' reports."""
    return [
        call.params
        for call in box.calls[start:]
        if call.path.startswith("/v2/contacts/") and "/tracking" in call.path
    ]


def is_through(output: Output, stream: str) -> bool:
    (first, *others) = output.state["bookmarks"][stream]["watermarks"]
    return not others and first["last_ids"] is None


def in_pieces(
    box: Sandbox, stream: str, max_requests: int, meanwhile: Callable[[], object] = lambda: None
) -> list[Output]:
    """Run with so many calls at a time until a pass over all contacts is through."""
    runs = [sync(box, stream, max_requests=max_requests)]
    while not is_through(runs[-1], stream):
        assert len(runs) < 10
        meanwhile()
        runs.append(sync(box, stream, state=runs[-1].state, max_requests=max_requests))
    return runs


def text(moment: dt.datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def day_before(output: Output) -> dt.datetime:
    (mark,) = output.state["bookmarks"]["contact_activity"]["watermarks"]
    return dt.datetime.fromisoformat(mark["synced_until"]) - dt.timedelta(hours=24)


# -- all of it, and what it costs -----------------------------------------------------------


def test_reports_on_contacts_are_not_read_unless_asked_for(serving: Serving) -> None:
    box = serving()

    output = sync(box)

    assert not selected_by_default() & set(REPORTS)
    assert not output.counts.keys() & set(REPORTS)
    assert reports_asked(box) == []


@every_report
def test_every_row_arrives_for_a_call_a_contact(serving: Serving, stream: str) -> None:
    box = serving(contacts=620, campaigns=8, recipients=60)

    output = sync(box, stream)

    assert keys(output, stream) == box.account.ids(stream)
    assert output.counts[stream] == box.account.counts()[stream] > 0
    assert len(reports_asked(box)) == 620
    assert [call.params for call in box.calls[:2]] == [
        {"limit": "500", "status": "ALL"},
        {"next": box.calls[1].params["next"]},
    ]
    assert len(box.calls) == 2 + 620


@every_report
def test_a_warning_names_the_cost(
    serving: Serving, caplog: pytest.LogCaptureFixture, stream: str
) -> None:
    sync(serving(contacts=23), stream)

    said = [each for each in caplog.records if "23 contacts" in each.getMessage()]
    assert [each.getMessage() for each in said if each.levelno == logging.WARNING] == [
        "This stream needs one request for each of 23 contacts."
    ]


def test_a_contact_with_more_activity_than_a_page_holds_is_read_whole(serving: Serving) -> None:
    box = serving(contacts=1, campaigns=2, recipients=1)
    box.account.add_tracking(1100)

    output = sync(box, "contact_activity")

    assert keys(output, "contact_activity") == box.account.ids("contact_activity")
    assert len(output.rows("contact_activity")) > 1000


# -- activity -------------------------------------------------------------------------------


def test_rows_of_every_kind_carry_their_own_date_and_only_clicks_a_link(serving: Serving) -> None:
    box = serving(contacts=60, campaigns=8, recipients=50)
    box.account.add_tracking(16)

    rows = sync(box, "contact_activity").rows("contact_activity")

    assert {row["activity_type"] for row in rows} == DATES.keys()
    for row in rows:
        assert row["occurred_at"] == row[DATES[row["activity_type"]]]
        assert (row["link_id"] != "none") == (row["activity_type"] == "EMAIL_CLICK")
        assert row["link_id"] is not None


def test_a_first_run_asks_for_activity_since_start_date(serving: Serving) -> None:
    box = serving(contacts=30, campaigns=8, recipients=20)
    everything = sorted(each[3] for each in box.account.ids("contact_activity"))
    start = everything[len(everything) // 2]

    output = sync(box, "contact_activity", start_date=start)

    assert all(asked["created_since"] == start for asked in reports_asked(box))
    assert keys(output, "contact_activity") == {
        each for each in box.account.ids("contact_activity") if each[3] >= start
    }


@pytest.mark.parametrize("hours", [0, 5])
def test_next_run_reads_new_activity_with_any_clock(serving: Serving, hours: int) -> None:
    box = serving(
        contacts=60, campaigns=8, recipients=50, faults=FaultConfig(clock_shift_hours=hours)
    )
    first = sync(box, "contact_activity")
    before = len(box.calls)
    known = box.account.ids("contact_activity", clock_shift_hours=hours)
    box.account.add_tracking(24)
    new = box.account.ids("contact_activity", clock_shift_hours=hours) - known

    second = sync(box, "contact_activity", state=first.state)

    since = text(day_before(first))
    asked = reports_asked(box, before)
    assert len(asked) == 60
    assert all(each == {"limit": "500", "created_since": since} for each in asked)
    assert keys(first, "contact_activity") == known
    overlap = {each for each in known if each[3] >= since}
    assert new
    assert keys(second, "contact_activity") == new | overlap
    assert len(second.rows("contact_activity")) < len(known)


def test_the_activity_of_new_contacts_arrives_on_the_next_run(serving: Serving) -> None:
    box = serving(contacts=60, campaigns=4, recipients=80)
    first = sync(box, "contact_activity")
    new = set(box.account.add_contacts(10))
    box.account.send_campaigns(1)

    second = sync(box, "contact_activity", state=first.state)

    found = keys(first, "contact_activity") | keys(second, "contact_activity")
    assert found == box.account.ids("contact_activity")
    assert new & {row["contact_id"] for row in second.rows("contact_activity")}


# -- summaries ------------------------------------------------------------------------------


@pytest.mark.parametrize("stream", REPORTS[1:])
def test_summaries_come_whole_each_time(serving: Serving, stream: str) -> None:
    box = serving(contacts=60, campaigns=4, recipients=30)
    first = sync(box, stream)
    before = len(box.calls)
    box.account.add_tracking(24)

    second = sync(box, stream, state=first.state)

    assert keys(second, stream) == box.account.ids(stream)
    assert second.rows(stream) != first.rows(stream)
    asked = reports_asked(box, before)
    assert asked == [{}] * 60


# -- cut off --------------------------------------------------------------------------------


@every_report
@pytest.mark.parametrize("max_requests", [60, 77, 120])
def test_interrupted_run_resumes_below_its_parent(
    serving: Serving, stream: str, max_requests: int
) -> None:
    box = serving(contacts=170, campaigns=6, recipients=100)

    runs = in_pieces(box, stream, max_requests)

    assert len(runs) > 1
    assert set().union(*(keys(run, stream) for run in runs)) == box.account.ids(stream)
    cuts = len(runs) - 1
    assert len(box.calls) <= 1 + 170 + cuts * (1 + CONTACTS_A_STATE)


def test_interrupted_run_logs_what_remains(
    serving: Serving, caplog: pytest.LogCaptureFixture
) -> None:
    box = serving(contacts=170)

    sync(box, "contact_summaries", max_requests=61)

    assert len(box.calls) == 61
    assert "The run has sent its 61 requests (`max_requests`). The next run resumes from here." in (
        caplog.text
    )
    assert "Remaining: 110 of 170 contacts, about 1" in caplog.text


def test_contacts_that_come_and_go_between_the_pieces_leave_no_gap(serving: Serving) -> None:
    box = serving(contacts=170)
    there_were = box.account.ids("contact_summaries")

    def meanwhile() -> None:
        box.account.purge_contacts(12)
        box.account.add_contacts(9)

    runs = in_pieces(box, "contact_summaries", 77, meanwhile)
    following = sync(box, "contact_summaries", state=runs[-1].state)

    there_are = box.account.ids("contact_summaries")
    found = set().union(*(keys(run, "contact_summaries") for run in runs))
    assert len(runs) > 1
    assert there_were & there_are <= found
    assert keys(following, "contact_summaries") == there_are


def test_activity_that_comes_while_a_pass_is_cut_is_read_by_the_next_pass(
    serving: Serving,
) -> None:
    box = serving(contacts=170, campaigns=6, recipients=100)

    runs = in_pieces(box, "contact_activity", 77, lambda: box.account.add_tracking(40))
    following = sync(box, "contact_activity", state=runs[-1].state)

    found = set().union(*(keys(run, "contact_activity") for run in (*runs, following)))
    assert found == box.account.ids("contact_activity")
    assert len(following.rows("contact_activity")) < len(found)


def test_a_later_pass_that_was_cut_is_continued_too(serving: Serving) -> None:
    box = serving(contacts=170, campaigns=6, recipients=100)
    first = sync(box, "contact_activity")
    box.account.add_tracking(200)
    before = len(box.calls)

    second = sync(box, "contact_activity", state=first.state, max_requests=120)
    third = sync(box, "contact_activity", state=second.state)

    found = set().union(*(keys(run, "contact_activity") for run in (first, second, third)))
    assert found == box.account.ids("contact_activity")
    assert not is_through(second, "contact_activity")
    assert is_through(third, "contact_activity")
    assert len(reports_asked(box, before)) <= 170 + CONTACTS_A_STATE
    assert {each["created_since"] for each in reports_asked(box, before)} == {
        text(day_before(first))
    }


def test_the_state_does_not_grow_with_the_contacts(serving: Serving) -> None:
    sizes = []
    for contacts in (40, 400):
        state = sync(serving(contacts=contacts), "contact_summaries").state
        sizes.append(len(str(state)))

    assert sizes[0] == sizes[1]


# -- vanished -------------------------------------------------------------------------------


@every_report
def test_a_contact_that_vanishes_is_skipped_with_a_warning(
    serving: Serving, caplog: pytest.LogCaptureFixture, stream: str
) -> None:
    box = serving(contacts=60, campaigns=6, recipients=60)
    gone = sync(box, stream).rows(stream)[0]["contact_id"]
    box.faults.vanish = {gone}

    output = sync(box, stream)

    assert f"/contacts/{gone} has vanished from its list." in caplog.text
    expected = box.account.ids(stream)
    assert keys(output, stream) == {
        each for each in expected if gone != (each if isinstance(each, str) else each[0])
    }
    assert is_through(output, stream)


def test_fewer_calls_than_contacts_a_state_come_to_an_end(serving: Serving) -> None:
    box = serving(contacts=60)
    found: set[str] = set()
    state = None
    for _ in range(5):
        run = sync(box, "contact_summaries", state=state, max_requests=31)
        state = run.state
        found |= {row["contact_id"] for row in run.rows("contact_summaries")}
    assert found == box.account.ids("contact_summaries")


def test_every_report_gets_its_turn_when_calls_are_short(serving: Serving) -> None:
    box = serving(contacts=170, campaigns=3, recipients=100)
    reports = ("contact_activity", "contact_summaries", "contact_campaign_summaries")
    found: set[tuple[str, str]] = set()
    state = None
    for _ in range(8):
        run = sync(box, *reports, state=state, max_requests=250)
        state = run.state
        found |= {(row["contact_id"], row["campaign_id"]) for row in run.rows(reports[2])}
    assert found == box.account.ids(reports[2])


def test_the_look_back_of_activity_never_reaches_behind_start_date(serving: Serving) -> None:
    box = serving(contacts=5)
    start = (dt.datetime.now(dt.UTC) - dt.timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    first = sync(box, "contact_activity", start_date=start)
    before = len(box.calls)

    sync(box, "contact_activity", start_date=start, state=first.state)

    asked = [call.params.get("created_since") for call in box.calls[before:]]
    assert set(asked) - {None} == {start}
