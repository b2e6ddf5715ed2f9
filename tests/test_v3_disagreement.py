"""v3: sources that disagree, and counters that are wrong, lose nothing that any of them names."""

from __future__ import annotations

import datetime as dt
import random
from typing import TYPE_CHECKING, Any

import pytest
from helpers.faults import rewrite, sync_or_fail
from helpers.strategies import at_most
from helpers.v3 import TRACKING, ids_of, read
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sandbox import timestamps
from sandbox.world.reports import OPENS, SENDS, Hit

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox import Call, Sandbox

    Serving = Callable[..., Sandbox]

NOON = dt.datetime(2026, 1, 10, 12, tzinfo=dt.UTC)
SUMMARIES = "/v3/reports/summary_reports/email_campaign_summaries"
STATS = "/v3/reports/stats/email_campaigns/"
STREAMS = ["campaigns", "campaign_activities", *TRACKING]


class Days:
    """An account that is synced day by day, and what has arrived."""

    def __init__(self, serving: Serving, streams: list[str], **sizes: Any) -> None:
        self.now = NOON
        self.box = serving(now=NOON, clock=lambda: self.now, **sizes)
        self.state: dict[str, Any] | None = None
        self.seen: dict[str, set[Any]] = {stream: set() for stream in streams}

    def run(self, **options: Any) -> Exception | None:
        output, error = sync_or_fail(self.box, *self.seen, state=self.state, **options)
        self.state = output.state
        for stream in self.seen:
            self.seen[stream] |= ids_of(output, stream)
        return error

    @property
    def missing(self) -> dict[str, set[Any]]:
        absent = {name: self.box.account.v3_ids(name) - keys for name, keys in self.seen.items()}
        return {name: keys for name, keys in absent.items() if keys}


def test_counter_that_falls_and_rises_hides_nothing(serving: Serving) -> None:
    """Day 0: two opens. Day 3: one is taken away, another comes. Day 6: a fourth comes."""
    days = Days(serving, ["campaigns", "campaign_opens"], contacts=60, campaigns=1, recipients=20)
    (campaign,) = days.box.account.campaigns.tracked()
    reports = days.box.account.tracking.of(campaign)
    sends = reports[SENDS]
    one, two, three, four = (
        Hit(
            sends[number].contact_id,
            sends[number].email,
            timestamps.millis(NOON + dt.timedelta(days=day)),
        )
        for number, day in enumerate((-2, -3, 1, 5))
    )
    expected = set[Any]()
    for day, hits in ((0, [one, two]), (3, [three, one]), (6, [four, three, one])):
        days.now = NOON + dt.timedelta(days=day)
        reports.fill(OPENS, hits)
        expected |= days.box.account.v3_ids("campaign_opens")
        assert days.run() is None
    assert days.seen["campaign_opens"] == expected
    assert len(expected) == 4


def test_fallen_counter_is_never_trusted_again(serving: Serving) -> None:
    days = Days(serving, ["campaigns", "campaign_opens"], contacts=60, campaigns=1, recipients=20)
    days.run()
    counts = iter([3, 2, 2, 2])
    current = 0

    def edit(call: Call, body: Any) -> Any:
        for row in body["results"] if call.path.startswith(STATS) else ():
            row["stats"]["em_opens_all"] = current
        return body

    rewrite(days.box, edit)
    for current in counts:
        days.now += dt.timedelta(days=1)
        days.box.account.add_tracking(8)
        days.box.calls.clear()
        days.run()
        is_read = any(call.path.endswith("/opens") for call in days.box.calls)
        assert is_read or current == 3
    assert not days.missing


def test_campaign_that_only_the_summaries_name_is_read(serving: Serving) -> None:
    box = serving(contacts=60, campaigns=8, recipients=10)
    hidden = min(box.account.v3_ids("campaign_summaries"))

    def edit(call: Call, body: Any) -> Any:
        if call.path == "/v3/emails":
            body["campaigns"] = [row for row in body["campaigns"] if row["campaign_id"] != hidden]
        return body

    rewrite(box, edit)
    for parallel in (1, 4):
        output = read(box, *STREAMS, max_parallel_requests=parallel)
        for stream in STREAMS:
            assert ids_of(output, stream) == box.account.v3_ids(stream), stream
    before = len(box.calls)
    again = read(box, *STREAMS, state=output.state)
    assert not again.rows("campaign_sends")
    assert len(box.calls) - before < 8, "what has not changed is not requested again"


def test_resend_that_does_not_move_the_date_of_its_campaign_is_read(serving: Serving) -> None:
    days = Days(serving, STREAMS, contacts=60, campaigns=6, recipients=20)
    days.run()
    before = {
        row.uuid: timestamps.text(row.changed) for row in days.box.account.campaigns.by_id.values()
    }
    days.now += dt.timedelta(days=100)
    days.box.account.resend_campaigns(2)

    def edit(call: Call, body: Any) -> Any:
        for row in body["campaigns"] if call.path == "/v3/emails" else ():
            row["updated_at"] = before[row["campaign_id"]]
        return body

    rewrite(days.box, edit)
    days.now += dt.timedelta(hours=1)
    assert days.run() is None
    assert not days.missing


@pytest.mark.parametrize(
    "role", ["Permalink", "PERMALINK ", "automation_email", "", None, "PRIMARY_EMAIL", 5, []]
)
def test_activity_of_any_role_becomes_a_record(serving: Serving, role: Any) -> None:
    box = serving(contacts=60, campaigns=6, recipients=10)

    def edit(_: Call, body: Any) -> Any:
        if isinstance(body, dict) and "campaign_activities" in body:
            for activity in body["campaign_activities"]:
                is_copy = "permalink" in str(role).lower()
                if (activity["role"] == "permalink") == is_copy:
                    activity["role"] = role
        return body

    rewrite(box, edit)
    output, error = sync_or_fail(box, *STREAMS)
    assert error is None
    for stream in STREAMS:
        assert ids_of(output, stream) == box.account.v3_ids(stream), stream


@pytest.mark.parametrize(
    "activities",
    [None, [], {}, 5, "x", [None], [{}], [5], [{"campaign_activity_id": []}], [{"role": "resend"}]],
    ids=str,
)
def test_detail_that_lacks_activities_is_read_again(
    serving: Serving, caplog: pytest.LogCaptureFixture, activities: Any
) -> None:
    box = serving(contacts=60, campaigns=6, recipients=10)
    odd = min(box.account.v3_ids("campaign_summaries"))

    def edit(call: Call, body: Any) -> Any:
        if call.path == f"/v3/emails/{odd}":
            body["campaign_activities"] = activities
        return body

    rewrite(box, edit)
    first, error = sync_or_fail(box, *STREAMS)
    assert error
    assert odd in caplog.text
    box.interfere = None
    again = read(box, *STREAMS, state=first.state)
    for stream in STREAMS:
        assert ids_of(first, stream) | ids_of(again, stream) == box.account.v3_ids(stream), stream


ODD: list[Any] = [None, True, "", "x", -1, 0.5, [], [1], {}, {"a": 1}, "7" * 5000, 1e300]


def odd_counter(dice: random.Random) -> Any:
    number = dice.randrange(10)
    return dice.choice([number, str(number), float(number), dice.choice(ODD)])


@pytest.mark.slow
@settings(max_examples=at_most(8), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 9999))
def test_any_counters_lose_no_records(serving: Serving, seed: int) -> None:
    """Ten days of counters that fall, rise, lag, are missing, or are no numbers."""
    dice = random.Random(seed)  # noqa: S311 - what happens is of no matter
    days = Days(serving, ["campaigns", *TRACKING], contacts=40, campaigns=3, recipients=10)
    window = {"tracking_window_days": 12, "max_parallel_requests": 1}

    def edit(call: Call, body: Any) -> Any:
        for row in body["results"] if call.path.startswith(STATS) else ():
            counters = {
                name: odd_counter(dice) if dice.random() < 0.4 else value
                for name, value in row["stats"].items()
                if dice.random() > 0.2
            }
            row["stats"] = counters if dice.random() > 0.1 else dice.choice(ODD)
        for row in body.get("bulk_email_campaign_summaries", ()) if isinstance(body, dict) else ():
            row["unique_counts"]["opens"] = odd_counter(dice)
        return body

    for _ in range(10):
        rewrite(days.box, edit)
        days.box.faults.stats_lag_hours = dice.choice([0, 0, 30])
        days.run(**window)
        days.now += dt.timedelta(hours=dice.randrange(4, 30))
        days.box.account.add_tracking(dice.randrange(0, 12))
    days.now += dt.timedelta(days=100)
    days.box.interfere = None
    days.run(**window)
    assert not days.missing


@pytest.mark.slow
@settings(max_examples=at_most(8), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 9999))
def test_sources_that_disagree_lose_nothing_that_any_of_them_names(
    serving: Serving, seed: int
) -> None:
    """Some days, some source does not name some campaign or activity, or calls it a draft."""
    dice = random.Random(seed)  # noqa: S311 - what happens is of no matter
    days = Days(serving, STREAMS, contacts=40, campaigns=6, recipients=10)

    def without(rows: list[Any]) -> list[Any]:
        return [row for row in rows if dice.random() > 0.25]

    def edit(call: Call, body: Any) -> Any:
        if call.path == "/v3/emails":
            body["campaigns"] = without(body["campaigns"])
            for row in body["campaigns"]:
                if dice.random() < 0.2:
                    row["current_status"] = dice.choice(["Draft", "Sent twice", "done", None])
        elif call.path == SUMMARIES:
            body["bulk_email_campaign_summaries"] = without(body["bulk_email_campaign_summaries"])
        elif call.path.startswith(STATS):
            body["results"] = without(body["results"])
        elif "campaign_activities" in body:
            # Of what was never sent, no later run reads the detail for its own sake.
            body["campaign_activities"] = [
                *without(body["campaign_activities"][:1]),
                *body["campaign_activities"][1:2],
                *without(body["campaign_activities"][2:]),
            ]
        return body

    for _ in range(6):
        rewrite(days.box, edit)
        days.run(max_parallel_requests=1)
        days.now += dt.timedelta(days=1)
        account = days.box.account
        account.add_tracking(dice.randrange(0, 12))
        account.resend_campaigns(dice.randrange(0, 2))
        account.send_campaigns(dice.randrange(0, 2))
    days.box.interfere = None
    days.now += dt.timedelta(days=1)
    days.run(max_parallel_requests=1)
    days.now += dt.timedelta(days=100)
    days.run(max_parallel_requests=1)
    assert not days.missing
