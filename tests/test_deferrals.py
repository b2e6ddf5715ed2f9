"""Campaigns that are asked ever more rarely, and reports whose counter has to move."""

from __future__ import annotations

import copy
import datetime as dt
import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from helpers.runner import a_week_later, sync
from helpers.strategies import at_most, partly_kept, runs
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_campaigns import FAMILY, KINDS, keys

from sandbox import FaultConfig
from tap_constantcontact.state import validation
from tap_constantcontact.state.ids import short_id
from tap_constantcontact.state.snapshots import Snapshot, Snapshots

if TYPE_CHECKING:
    from collections.abc import Callable

    from helpers.strategies import Run

    from sandbox import Sandbox

    Serving = Callable[..., Sandbox]

# Long ago, so that its days lie behind those of the machine.
NOON = dt.datetime(2026, 1, 10, 12, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)


class Days:
    """An account whose clock, and with it the API's, a test moves."""

    def __init__(self, serving: Serving, **sizes: Any) -> None:
        self.now = NOON
        self.box = serving(now=NOON, clock=lambda: self.now, **sizes)
        self.state: dict[str, Any] | None = None

    def run(self, *streams: str, **settings: Any) -> tuple[Any, Counter[str]]:
        """Run the tap; returns what it wrote, and the calls by the last part of their path."""
        before = len(self.box.calls)
        output = sync(self.box, *streams, state=self.state, **settings)
        self.state = output.state
        return output, Counter(call.path.split("/")[-1] for call in self.box.calls[before:])

    def age(self, campaign: str) -> dt.timedelta:
        sent = self.box.account.campaigns.by_id[campaign].last_run or 0
        return self.now - dt.datetime.fromtimestamp(sent / 1000, dt.UTC)


@pytest.mark.slow
def test_campaigns_are_asked_more_rarely_the_older_they_are(serving: Serving) -> None:
    days = Days(serving, campaigns=20, recipients=15, contacts=40)
    found = {stream: set[Any]() for stream in KINDS}
    last: dict[str, dt.datetime] = {}
    for _ in range(22):
        before = len(days.box.calls)
        output, _ = days.run(*FAMILY)
        asked = {c.path.split("/")[4] for c in days.box.calls[before:] if c.path.endswith("/opens")}
        for campaign in days.box.account.campaigns.tracked():
            age, since = days.age(campaign.id), days.now - last.get(campaign.id, days.now)
            if campaign.status == "SENT" and age <= 14 * DAY:
                assert campaign.id in asked, "young ones in each run of a new day"
            if campaign.status == "SENT" and age <= 90 * DAY and campaign.id in last:
                assert since <= 7 * DAY, "the others each week"
        last |= dict.fromkeys(asked, days.now)
        for stream in KINDS:
            found[stream] |= keys(output, stream)
        days.box.account.add_tracking(6)
        days.now += DAY
    days.now += 7 * DAY
    output, _ = days.run(*FAMILY)
    for stream, rows in found.items():
        assert rows | keys(output, stream) == days.box.account.ids(stream), stream


@pytest.mark.slow
def test_the_next_day_of_a_large_account_costs_few_calls(serving: Serving) -> None:
    days = Days(serving, campaigns=150, recipients=6, contacts=300)
    days.run()
    days.now += DAY
    opens = days.box.account.ids("campaign_opens")
    young = max(days.box.account.campaigns.tracked(), key=lambda each: each.last_run or 0)
    days.box.account.tracking.go_on([young], 8, int(days.now.timestamp() * 1000))
    new = days.box.account.ids("campaign_opens") - opens
    before = len(days.box.calls)
    output, _ = days.run()
    assert len(new) >= 4
    assert new <= keys(output, "campaign_opens")
    assert len(days.box.calls) - before <= 60
    assert len(json.dumps(days.state)) < 8000


def test_a_campaign_that_leaves_the_window_is_asked_once_more(serving: Serving) -> None:
    days = Days(serving, campaigns=8, recipients=20, contacts=60)
    days.run(*FAMILY, tracking_window_days=40)
    days.box.account.add_tracking(30)
    days.now += 60 * DAY
    output, asked = days.run(*FAMILY, tracking_window_days=40)
    assert asked["opens"] >= 4
    for stream in KINDS:
        assert days.box.account.ids(stream) >= keys(output, stream)
    days.now += 8 * DAY
    _, asked = days.run(*FAMILY, tracking_window_days=40)
    assert asked["opens"] <= 1, "the one that is being sent"


def test_an_edited_campaign_is_read_before_its_turn(serving: Serving) -> None:
    days = Days(serving, campaigns=12, recipients=20, contacts=60)
    days.run(*FAMILY)
    old = next(
        each
        for each in days.box.account.campaigns.with_status("SENT")
        if days.age(each.id) > 30 * DAY
    )
    days.now += DAY
    assert old.id not in days.run(*FAMILY)[0].ids("campaigns")
    old.modified = int(days.now.timestamp() * 1000)
    days.now += DAY
    assert old.id in days.run(*FAMILY)[0].ids("campaigns")


def test_a_stream_that_was_left_out_catches_up_at_once(serving: Serving) -> None:
    """What the others have read of a campaign says nothing of a stream that has not."""
    days = Days(serving, campaigns=12, recipients=20, contacts=60)
    days.run(*FAMILY)
    days.now += 2 * DAY
    days.box.account.add_tracking(30)
    others = [stream for stream in FAMILY if stream != "campaign_opens"]
    for _ in range(4):
        days.now += 3 * DAY
        days.run(*others)
    output, _ = days.run(*FAMILY)
    recent = {key for key in days.box.account.ids("campaign_opens") if key[2] >= "2026-01-12"}
    assert recent
    assert recent <= keys(output, "campaign_opens")


PARTS = [stream for stream in FAMILY if stream != "campaigns"]


@pytest.mark.slow
@given(runs(PARTS, FAMILY, least=2))
@settings(max_examples=at_most(6), suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_selection_at_any_time_loses_no_records(serving: Serving, runs: list[Run]) -> None:
    """Some runs are cut off, and of some not all bookmarks are kept."""
    days = Days(serving, campaigns=9, recipients=20, contacts=60)
    found = {stream: set[Any]() for stream in KINDS}
    first: Run = (set(FAMILY), 1, None, set())
    whole: Run = (set(FAMILY), 8, None, set())
    for number, (streams, pause, calls, unkept) in enumerate([first, *runs, whole, whole, whole]):
        before = copy.deepcopy(days.state)
        output, _ = days.run(*streams, **({} if calls is None else {"max_requests": calls}))
        for stream in found.keys() - unkept:
            found[stream] |= keys(output, stream)
        assert days.state
        days.state = partly_kept(before, days.state, unkept)
        days.box.account.add_tracking(10 if number <= len(runs) else 0)
        days.now += pause * DAY
    for stream, rows in found.items():
        assert rows == days.box.account.ids(stream), stream


# -- counters --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "faults", [FaultConfig(), FaultConfig(stale_counters=True)], ids=["", "stale"]
)
def test_bounces_and_unsubscribes_are_read_where_their_counter_has_moved(
    serving: Serving, faults: FaultConfig
) -> None:
    days = Days(serving, campaigns=5, recipients=100, contacts=200)
    days.box.faults = faults
    _, first = days.run(*FAMILY)
    counted = {kind: days.box.account.ids(f"campaign_{kind}") for kind in KINDS_COUNTED}
    for kind, rows in counted.items():
        assert first[kind] == len({key[0] for key in rows}), "none of a campaign that has none"
    days.now += dt.timedelta(minutes=20)
    _, again = days.run(*FAMILY)
    assert again["opens"] > 0
    assert again["bounces"] == again["unsubscribes"] == 0
    days.box.account.add_tracking(16)
    days.state = a_week_later(days.state)
    output, moved = days.run(*FAMILY)
    for kind, rows in counted.items():
        new = days.box.account.ids(f"campaign_{kind}") - rows
        assert new <= keys(output, f"campaign_{kind}")
        assert moved[kind] == len({key[0] for key in new})


KINDS_COUNTED = ("bounces", "unsubscribes")


# -- what a state holds ----------------------------------------------------------------------


@given(st.dictionaries(st.text(max_size=5), st.tuples(st.integers(0, 9), st.integers(0, 9))))
def test_deferrals_survive_a_state(put: dict[str, tuple[int, int]]) -> None:
    deferred = Snapshots()
    expected = {
        campaign: Snapshot(NOON + synced * DAY, next_check_at=NOON + due * DAY)
        for campaign, (synced, due) in put.items()
    }
    for campaign, snapshot in expected.items():
        deferred.put(campaign, snapshot)
    read = Snapshots.from_state(json.loads(json.dumps(deferred.to_state())))
    assert {campaign: read.get(campaign) for campaign in put} == expected
    read.retain([short_id(campaign) for campaign in list(put)[:2]])
    assert sum(campaign in read for campaign in put) == len(list(put)[:2])


def test_a_state_stays_small() -> None:
    deferred = Snapshots()
    for number in range(500):
        deferred.put(str(number), Snapshot(NOON, next_check_at=NOON + DAY * (number % 7)))
    assert len(json.dumps(deferred.to_state())) < 1700
    assert deferred.get("499") is None, "it is checked in each run"


@pytest.mark.parametrize(
    "odd",
    [
        "text",
        [1],
        [{}],
        [{"synced_until": "2026-01-01T00:00:00Z", "next_check_at": "x", "values": ""}],
        [{"synced_until": "2026-01-01T00:00:00Z", "next_check_at": "2026-01-01T00:00:00Z"}],
    ],
)
def test_invalid_deferrals_are_rejected(odd: Any) -> None:
    (fault,) = validation.validate({"bookmarks": {"campaigns": {"deferred": odd}}})
    assert "deferred" in fault


def test_tokens_are_of_one_length() -> None:
    assert {len(short_id(member)) for member in ("", "1", "1" * 40, "ä")} == {8}
