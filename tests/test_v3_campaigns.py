"""v3: campaigns and what recipients did, read where counters have moved and nowhere else."""

from __future__ import annotations

import copy
import datetime as dt
import json
import random
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from helpers.runner import Collector, Output, catalog, config, selected_by_default
from helpers.strategies import at_most, partly_kept, runs
from helpers.v3 import FAMILY, STREAMS, TRACKING, keys_of, paths, read
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from singer_sdk.exceptions import FatalAPIError

from sandbox import Account, Call, FaultConfig, Sandbox, timestamps
from sandbox.world.reports import OPENS, SENDS, Hit
from tap_constantcontact.records.duplicates import DuplicateHandler, repeated
from tap_constantcontact.state import validation
from tap_constantcontact.state.snapshots import MAX_ENTRIES, Snapshot, Snapshots
from tap_constantcontact.tap import TapConstantContact
from tap_constantcontact.v3.counters import KINDS, CampaignCounters, counts_of
from tap_constantcontact.v3.counters import Counter as CounterSeen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from helpers.strategies import Run

    from sandbox import Reply

    Serving = Callable[..., Sandbox]

NOON = dt.datetime(2026, 1, 10, 12, tzinfo=dt.UTC)


def test_everything_there_is_arrives(serving: Serving, caplog: pytest.LogCaptureFixture) -> None:
    box = serving(contacts=120, campaigns=40, recipients=40)
    box.account.resend_campaigns(3)
    found = read(box, *FAMILY)
    for stream in FAMILY:
        rows = keys_of(found, stream)
        assert set(rows) == box.account.v3_ids(stream), stream
        assert rows, stream
        assert max(rows.values()) == 1, stream
    assert "not in the schema" not in caplog.text
    assert "unexpected kind" not in caplog.text


@pytest.mark.parametrize("selected", [["campaigns"], ["campaign_opens"], ["campaign_activities"]])
def test_deselected_children_are_never_requested(serving: Serving, selected: list[str]) -> None:
    box = serving(contacts=60, campaigns=10, recipients=10)
    found = read(box, *selected)
    (stream,) = selected
    assert set(keys_of(found, stream)) == box.account.v3_ids(stream)
    asked = {path.rpartition("/")[2] for path in paths(box.calls) if "/tracking/" in path}
    assert asked == ({"opens"} if stream == "campaign_opens" else set())
    if stream == "campaigns":
        assert paths(box.calls) == ["/account/user/privileges", "/emails"]


def test_sums_in_the_forms_of_the_guide(serving: Serving) -> None:
    box = serving(contacts=60, campaigns=10, recipients=10, faults=FaultConfig(guide_forms=True))
    box.observe = None  # The guide's forms are not the contract's.
    found = read(box, *FAMILY)
    (row, *_) = found.rows("campaign_summaries")
    assert isinstance(row["unique_counts"]["sends"], int)
    (stats, *_) = found.rows("campaign_activity_stats")
    assert stats["stats"]["em_opens_all_mobile"] >= 0
    for stream in TRACKING:
        assert set(keys_of(found, stream)) == box.account.v3_ids(stream)


def test_ids_that_the_stats_do_not_know_are_left_out(
    serving: Serving, caplog: pytest.LogCaptureFixture
) -> None:
    box = serving(contacts=60, campaigns=20, recipients=10)
    gone = next(iter(box.account.v3_ids("campaign_stats")))

    def interfere(call: Call, _: Callable[[], Reply]) -> None:
        is_stats = call.path.startswith("/v3/reports/stats/email_campaigns/")
        box.faults.vanish = {gone} if is_stats else set()

    box.interfere = interfere
    into = Collector()
    with pytest.raises(FatalAPIError, match=r"1 object could not be synced .*campaign_stats"):
        read(box, "campaign_stats", *TRACKING, into=into)
    found = into.output
    assert set(keys_of(found, "campaign_stats")) == box.account.v3_ids("campaign_stats") - {gone}
    assert f"The API has no counters for campaign {gone}." in caplog.text
    for stream in TRACKING:
        assert set(keys_of(found, stream)) == box.account.v3_ids(stream), "it is read all the same"


def test_removed_campaigns_are_listed_and_cost_nothing(serving: Serving) -> None:
    box = serving(contacts=60, campaigns=20, recipients=10)
    first = read(box, *FAMILY)
    gone = {box.account.campaigns.by_id[each].uuid for each in box.account.delete_campaigns(2)}
    box.calls.clear()
    again = read(box, *FAMILY, state=first.state)
    removed = {
        row["campaign_id"] for row in again.rows("campaigns") if row["current_status"] == "Removed"
    }
    assert gone <= removed
    assert not [path for path in paths(box.calls) if any(each in path for each in gone)]


def test_without_the_right_to_reports_campaigns_are_read_all_the_same(serving: Serving) -> None:
    box = serving(
        contacts=60,
        campaigns=20,
        recipients=10,
        faults=FaultConfig(missing_privileges={"ui:campaign:metrics"}),
    )
    found = read(box, *FAMILY)
    for stream in ("campaigns", "campaign_activities", "campaign_send_history", "events"):
        assert set(keys_of(found, stream)) == box.account.v3_ids(stream), stream
    assert not found.rows("campaign_opens")
    assert {call.status for call in box.calls} <= {200, 404, 409}
    box.faults.missing_privileges = set()
    again = read(box, *FAMILY, state=found.state)
    for stream in TRACKING:
        assert set(keys_of(again, stream)) == box.account.v3_ids(stream), "marks stood still"


# -- days --------------------------------------------------------------------------------------


class Days:
    """An account of a year ago, read day by day by the account's own clock."""

    def __init__(self, serving: Serving, **sizes: Any) -> None:
        self.now = NOON
        self.box = serving(now=NOON, clock=lambda: self.now, **sizes)
        self.state: dict[str, Any] | None = None
        self.found: dict[str, Counter[Any]] = {name: Counter() for name in STREAMS}

    def run(self, *streams: str, **options: Any) -> int:
        """Read once; how many calls that took."""
        before = len(self.box.calls)
        writer = Collector()
        read(self.box, *streams, state=self.state, into=writer, **options)
        self.keep(writer.output)
        return len(self.box.calls) - before

    def keep(self, output: Output) -> None:
        self.state = output.states[-1] if output.states else self.state
        for stream in STREAMS:
            self.found[stream] |= keys_of(output, stream)

    def missing(self, stream: str, until: dt.datetime | None = None) -> set[Any]:
        """What was there up to a moment, and has not arrived."""
        text = timestamps.text(timestamps.millis(until or self.now))
        there = self.box.account.v3_ids(stream)
        return {key for key in there - set(self.found[stream]) if key[-2] < text}

    def surplus(self, stream: str) -> set[Any]:
        return set(self.found[stream]) - self.box.account.v3_ids(stream)


@pytest.fixture
def days(serving: Serving) -> Callable[..., Days]:
    return lambda **sizes: Days(serving, **sizes)


def test_day_with_few_opens_needs_few_requests(days: Callable[..., Days]) -> None:
    """13 weekly campaigns in the window, 400 in all; five late opens."""
    at = days(contacts=300, campaigns=26, recipients=40, events=1)
    by_default = sorted(selected_by_default("v3"))
    at.run(*by_default)
    at.now += dt.timedelta(days=1)
    campaign = next(iter(at.box.account.campaigns.tracked()))
    before = len(at.box.account.v3_ids("campaign_opens"))
    open_mails(at.box.account, campaign, 5, at.now)
    assert len(at.box.account.v3_ids("campaign_opens")) == before + 5
    calls = at.run(*by_default)
    assert not at.missing("campaign_opens")
    others = [name for name in by_default if name not in FAMILY]
    assert calls == len(others) + 11
    assert len(json.dumps(at.state)) < 8000


def open_mails(account: Account, campaign: Any, count: int, now: dt.datetime) -> None:
    """Let some recipients open a mail at a moment."""
    reports = account.tracking.of(campaign)
    at = timestamps.millis(now)
    for send in list(reports[SENDS])[:count]:
        reports.add(OPENS, Hit(send.contact_id, send.email, at))


def test_a_resend_weeks_later_is_read_whole(days: Callable[..., Days]) -> None:
    at = days(contacts=100, campaigns=6, recipients=20)
    at.run(*FAMILY)
    at.now += dt.timedelta(days=40)
    at.box.account.resend_campaigns(2)
    at.box.account.add_tracking(30)
    at.now += dt.timedelta(hours=3)
    at.run(*FAMILY)
    for stream in (*TRACKING, "campaign_activities", "campaign_resends", "campaign_send_history"):
        assert not at.box.account.v3_ids(stream) - set(at.found[stream]), stream


def test_counters_that_lag_behind_rows_lose_nothing(days: Callable[..., Days]) -> None:
    """The counter moves two days after the rows: they are read down to when it was true."""
    at = days(contacts=100, campaigns=6, recipients=20)
    at.run(*TRACKING)
    at.box.faults.stats_lag_hours = 50
    at.now += dt.timedelta(hours=1)
    at.box.account.add_tracking(40)
    for _ in range(4):
        at.now += dt.timedelta(days=1)
        at.run(*TRACKING)
    for stream in TRACKING:
        assert not at.missing(stream), stream
        assert not at.surplus(stream), stream


def test_a_target_may_keep_bookmarks_one_by_one(days: Callable[..., Days]) -> None:
    at = days(campaigns=10, contacts=60, recipients=30)
    at.run("campaigns", *TRACKING)
    assert at.state
    stored = copy.deepcopy(at.state)
    found = {stream: at.found[stream].copy() for stream in TRACKING}
    at.now += dt.timedelta(days=1)
    at.box.account.add_tracking(60)
    at.run("campaigns", *TRACKING)
    # It came to store the campaigns, and no report.
    at.found |= found
    at.state = partly_kept(stored, at.state, TRACKING)
    at.now += dt.timedelta(days=1)
    at.run("campaigns", *TRACKING)
    for stream in TRACKING:
        assert not at.missing(stream), stream


def test_streams_that_run_at_other_times_miss_nothing(days: Callable[..., Days]) -> None:
    at = days(campaigns=6, contacts=60, recipients=30, events=3)
    at.run(*FAMILY)
    at.box.account.add_registrations(6)
    at.box.account.add_tracking(30)
    for streams in (["events", "campaigns", "campaign_opens"], FAMILY):
        at.now += dt.timedelta(days=1)
        at.run(*streams)
    for stream in (*TRACKING, "event_registrations"):
        assert set(at.found[stream]) >= at.box.account.v3_ids(stream), stream


def test_a_campaign_is_read_once_more_when_it_leaves_the_window(days: Callable[..., Days]) -> None:
    at = days(contacts=100, campaigns=3, recipients=20)
    at.run(*TRACKING)
    at.now += dt.timedelta(days=80)
    at.box.account.add_tracking(24)
    # The counters never show it.
    at.box.faults.stats_lag_hours = 24 * 120
    at.run(*TRACKING)
    at.now += dt.timedelta(days=30)
    calls = at.run(*TRACKING)
    for stream in TRACKING:
        assert not at.missing(stream), stream
    assert calls > 4
    at.now += dt.timedelta(days=1)
    assert at.run(*TRACKING) <= 4, "and then never again"


@pytest.mark.slow
def test_a_month_of_days(days: Callable[..., Days]) -> None:
    """Sends, late opens, resends, deletions, counters that lag, one run in ten cut off."""
    dice = random.Random(2)  # noqa: S311 - what happens is of no matter
    at = days(contacts=150, campaigns=12, recipients=20)
    lag = dt.timedelta(hours=5)
    at.box.faults.stats_lag_hours = 5
    at.run(*TRACKING)
    calls = []
    for day in range(30):
        account = at.box.account
        for _ in range(3):
            at.now += dt.timedelta(hours=7)
            account.add_tracking(dice.randrange(0, 12))
        if day % 7 == 3:
            account.send_campaigns(1)
        if day % 9 == 4:
            account.resend_campaigns(1)
        if day % 11 == 5:
            account.remove_contacts(2)
            account.delete_campaigns(1)
        at.now += dt.timedelta(hours=3)
        if dice.random() < 0.1:
            at.run(*TRACKING, max_requests=dice.randrange(4, 12))
            continue
        calls.append(at.run(*TRACKING))
        for stream in TRACKING:
            assert not at.missing(stream, at.now - lag), (day, stream)
    at.box.faults.stats_lag_hours = 0
    at.run(*TRACKING)
    for stream in TRACKING:
        assert not at.missing(stream), stream
    assert sum(calls) / len(calls) < 30


@pytest.mark.slow
@given(runs(FAMILY, FAMILY))
@settings(max_examples=at_most(6), suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_selection_at_any_time_loses_no_records(
    days: Callable[..., Days], runs: list[Run]
) -> None:
    """Some runs are cut off, and of some not all bookmarks are kept."""
    at = days(campaigns=9, contacts=60, recipients=20, events=3)
    whole: Run = (set(FAMILY), 8, None, set())
    for number, (streams, pause, calls, unkept) in enumerate([*runs, whole, whole]):
        before = copy.deepcopy(at.state)
        found = {stream: at.found[stream].copy() for stream in unkept}
        at.run(*sorted(streams), **({} if calls is None else {"max_requests": calls}))
        at.found |= found
        assert at.state
        at.state = partly_kept(before, at.state, unkept)
        at.now += dt.timedelta(days=pause)
        if number < len(runs):
            at.box.account.add_tracking(10)
            at.box.account.add_registrations(3)
            at.box.account.edit_campaigns(1)
            at.box.account.resend_campaigns(number % 2)
    for stream in FAMILY:
        assert set(at.found[stream]) >= at.box.account.v3_ids(stream), stream


# -- a report under way --------------------------------------------------------------------------


@pytest.mark.parametrize("arrive", [1, 3])
def test_rows_that_arrive_while_a_report_is_paged(serving: Serving, arrive: int) -> None:
    later = NOON + dt.timedelta(hours=1)
    box = serving(contacts=3000, campaigns=1, recipients=2500, now=NOON, clock=lambda: later)
    account = box.account
    (campaign,) = account.campaigns.tracked()
    pages = 0

    def interfere(call: Call, _: Callable[[], Reply]) -> None:
        nonlocal pages
        if call.path.endswith("/opens") and call.params.get("limit") != "1":
            pages += 1
            open_mails(account, campaign, arrive, NOON + dt.timedelta(minutes=pages))

    box.interfere = interfere
    first = read(box, "campaign_opens", max_parallel_requests=1)
    box.interfere = None
    assert pages > 2
    rows = keys_of(first, "campaign_opens")
    assert max(rows.values()) == 1
    there = account.v3_ids("campaign_opens")
    assert set(rows) <= there, "no row comes twice under another number"
    again = read(box, "campaign_opens", state=first.state)
    assert set(rows) | set(keys_of(again, "campaign_opens")) == there


def test_equal_rows_at_the_edge_of_a_page_are_two(serving: Serving) -> None:
    box = serving(contacts=3000, campaigns=1, recipients=2500)
    (campaign,) = box.account.campaigns.tracked()
    reports = box.account.tracking.of(campaign)
    edge = list(reports[OPENS])[499]
    minute = edge.at - edge.at % timestamps.MINUTE
    others = [hit for hit in reports[OPENS] if hit.at - hit.at % timestamps.MINUTE == minute]
    twin = Hit(edge.contact_id, edge.email, edge.at - 1000 if edge.at > minute else edge.at + 1000)
    reports.fill(OPENS, [*reports[OPENS], twin])
    assert others
    rows = keys_of(read(box, "campaign_opens"), "campaign_opens")
    assert set(rows) == box.account.v3_ids("campaign_opens")
    assert any(key[-1] == 2 for key in rows)


# -- cut off -------------------------------------------------------------------------------------


def in_slices(box: Sandbox, streams: list[str], calls: int) -> Iterator[Output]:
    state, before = None, -1
    while len(box.calls) - before > calls - 1 or before < 0:
        before = len(box.calls)
        output = read(box, *streams, state=state, max_requests=calls)
        state = output.state
        yield output


def test_a_first_run_in_slices_misses_nothing_and_wastes_little(serving: Serving) -> None:
    box = serving(contacts=200, campaigns=60, recipients=30)
    read(box, *TRACKING)
    alone = len(box.calls)
    box.calls.clear()
    found = list(in_slices(box, TRACKING, 60))
    for stream in TRACKING:
        rows = {key for each in found for key in keys_of(each, stream)}
        assert rows == box.account.v3_ids(stream), stream
    overhead = 3 * (len(found) - 1)
    assert len(box.calls) - overhead <= 1.05 * alone


@pytest.mark.slow
@pytest.mark.parametrize("lacking", ["", "ui:campaign:metrics", "contacts:read"])
def test_reading_ahead_makes_the_same_calls_and_messages(serving: Serving, lacking: str) -> None:
    streams = [name for name in STREAMS if name != "id_map"]

    def of(at_once: int) -> list[tuple[Counter[str], list[str]]]:
        now = [NOON]
        box = serving(contacts=40, campaigns=20, recipients=20, now=NOON, clock=lambda: now[0])
        box.faults = FaultConfig(missing_privileges={lacking}, latency=0.002)
        pages = [box.account.v3_events.page.uuid]
        options = {"max_parallel_requests": at_once, "landing_page_ids": pages}
        state, seen = None, []
        for change in (box.account.resend_campaigns, box.account.edit_contacts):
            now[0] += dt.timedelta(hours=7)
            change(2)
            box.calls.clear()
            output = read(box, *streams, state=state, **options)
            state = output.state
            lines = [
                json.dumps({k: v for k, v in each.items() if k != "time_extracted"})
                for each in output.messages
                if each["type"] == "RECORD"
            ]
            seen.append((Counter(paths(box.calls)), lines))
        return seen

    for (calls, rows), (ahead, same_rows) in zip(of(1), of(6), strict=True):
        assert ahead - calls == calls - ahead == Counter()
        assert rows == same_rows


def test_a_plan_is_near_the_run(serving: Serving) -> None:
    box = serving(contacts=1500, campaigns=60, recipients=700)
    streams = [name for name in FAMILY if name != "campaign_did_not_opens"]
    named = ["campaign_previews"]
    given = config(box, "v3", optional_streams=named)
    tap = TapConstantContact(config=given, catalog=catalog(*streams, version="v3"))
    plan = tap.plan()
    asked = len(box.calls)
    box.calls.clear()
    read(box, *streams)
    assert abs(plan.requests - len(box.calls)) <= 0.2 * len(box.calls)
    assert asked < 12


def test_a_state_is_small_with_many_campaigns(serving: Serving) -> None:
    box = serving(contacts=30, campaigns=2000, recipients=1)
    output = read(box, "campaigns", *TRACKING, start_date="2026-06-01T00:00:00Z")
    assert max(len(json.dumps(state)) for state in output.states) < 16_000


# -- small parts ---------------------------------------------------------------------------------


ages = st.none() | st.timedeltas(dt.timedelta(), dt.timedelta(days=400))
counters = st.builds(CounterSeen, st.none() | st.integers(0, 10**12), ages, st.booleans())
short_ids = st.frozensets(st.from_regex("[0-9a-f]{4}", fullmatch=True), max_size=3)


@given(st.dictionaries(st.sampled_from(KINDS), counters), short_ids)
def test_snapshot_is_restored_from_its_text(
    counters: dict[str, Any], activities: frozenset[str]
) -> None:
    counters = {
        kind: CounterSeen(
            None if seen.has_fallen else seen.value,
            None if seen.synced_until is None else NOON - seen.synced_until,
            seen.has_fallen,
        )
        for kind, seen in counters.items()
    }
    text = CampaignCounters(counters, activities).text(NOON)
    assert " " not in text
    restored = CampaignCounters.of(Snapshot(NOON, text))
    assert restored.activities == activities
    assert restored.counters.keys() == counters.keys()
    for kind, seen in restored.counters.items():
        assert seen._replace(synced_until=None) == counters[kind]._replace(synced_until=None)
        before = counters[kind].synced_until
        assert (seen.synced_until is None) == (before is None)
        if before and seen.synced_until:
            assert dt.timedelta() <= before - seen.synced_until < dt.timedelta(minutes=1)


@given(st.text())
def test_invalid_snapshot_text_is_an_unknown_snapshot(text: str) -> None:
    assert set(CampaignCounters.of(Snapshot(NOON, text)).counters) <= set(KINDS)


def test_snapshot_text_of_older_versions_is_read() -> None:
    restored = CampaignCounters.of(Snapshot(NOON, "p.b.-.1.1.1"))
    assert restored.counters["sends"] == CounterSeen(25, NOON)
    assert restored.counters["clicks"].value is None
    assert not restored.activities


def test_counters_have_many_forms() -> None:
    assert counts_of({"em_opens.all": "7", "em_sends": 3, "em_clicks_all": None}) == {
        "opens": 7,
        "sends": 3,
    }
    assert counts_of(None) == counts_of([]) == {}


@given(st.dictionaries(st.text(min_size=1), st.sampled_from(["a", "b.c"]), max_size=110))
def test_snapshots_survive_a_state(texts: dict[str, str]) -> None:
    before = Snapshots()
    for campaign, text in texts.items():
        before.put(campaign, Snapshot(NOON, text))
    after = Snapshots.from_state(before.to_state())
    kept = sum(after.get(campaign) == Snapshot(NOON, text) for campaign, text in texts.items())
    assert kept == min(len(texts), MAX_ENTRIES)
    after.retain([])
    assert after.to_state() == []


@pytest.mark.parametrize("value", [5, [5], [{"synced_until": "soon", "values": "x"}], {"a": 1}])
def test_invalid_snapshots_are_rejected_in_one_line(value: Any) -> None:
    for key in ("snapshots", "edit_hashes"):
        (error,) = validation.validate({"bookmarks": {"campaigns": {key: value}}})
        assert f"The state of stream 'campaigns' is not valid: {key}: it is not a list" in error


@given(st.lists(st.sampled_from("ab"), max_size=8), st.integers(0, 4))
def test_equal_rows_get_their_numbers(letters: list[str], shift: int) -> None:
    numbers = DuplicateHandler(("x", "row_number"), lambda: None)
    rows = [numbers.numbered({"x": each}) for each in letters]
    assert len({tuple(row.values()) for row in rows}) == len(rows)
    assert repeated(letters, [*letters[shift:], "new"]) <= len(letters)


@given(st.lists(st.integers(), unique=True, min_size=1), st.integers(0, 20))
def test_a_shift_is_seen(rows: list[int], shift: int) -> None:
    shift = min(shift, len(rows))
    following = [*rows[len(rows) - shift :], -(10**9)]
    assert repeated(rows, following) == shift
