"""Budget stores: exact, the same everywhere, and respected by every run."""

from __future__ import annotations

import itertools
import json
import math
import subprocess
import sys
import uuid
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest
from click.testing import CliRunner
from helpers.runner import KEY, Collector, command, config, sync
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox import FaultConfig
from tap_constantcontact.budget.budget import Budget, open_store
from tap_constantcontact.budget.command import main
from tap_constantcontact.budget.database import DatabaseStore
from tap_constantcontact.budget.ledger import (
    BudgetExhaustedError,
    LeaseEndedError,
    Ledger,
    RunOutcome,
    SlotRequest,
    Slots,
)
from tap_constantcontact.budget.store import BudgetStore, BudgetStoreError, FileStore, MemoryStore
from tap_constantcontact.http.rate_limiter import RateLimiter
from tap_constantcontact.http.retries import QuotaExhaustedError
from tap_constantcontact.state.ids import fingerprint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from sandbox import Sandbox

    Serving: TypeAlias = "Callable[..., Sandbox]"

HOUR = 3600.0
MIDNIGHT = 20_000 * 86_400.0


class Clock:
    def __init__(self, now: float = 0.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


# -- stores ---------------------------------------------------------------------------------

Operation: TypeAlias = "tuple[str, Any]"

labels = st.sampled_from(["one", "two"])
requests_for_slots = st.builds(
    SlotRequest,
    account=st.sampled_from(["", "one", "two"]),
    spacing=st.just(0.001),
    count=st.integers(0, 9),
    unused=st.integers(0, 2),
)
leased_slots = st.builds(
    SlotRequest,
    account=labels,
    spacing=st.just(0.001),
    count=st.integers(0, 9),
    has_lease=st.just(value=True),
)
leases = st.tuples(
    st.dictionaries(labels, st.integers(0, 30)),
    st.sampled_from([HOUR, -1.0]),
)
operations = st.lists(
    st.one_of(
        st.tuples(st.just("reserve"), requests_for_slots),
        st.tuples(st.just("reserve"), leased_slots),
        st.tuples(st.just("lease"), leases),
        st.tuples(st.just("exhaust"), st.none()),
        st.tuples(
            st.just("run"), st.tuples(labels, st.integers(0, 30), st.sampled_from(RunOutcome))
        ),
        st.tuples(st.just("estimate"), st.tuples(labels, st.integers(1, 90))),
    ),
    max_size=12,
)
# Each write of a store waits for the disk.
few = settings(max_examples=25)


def results(store: BudgetStore, key: str, steps: list[Operation]) -> list[Any]:
    """What a store returns, apart from the time to wait."""
    for account in ("one", "two"):
        store.open(key, account, 50)
    found: list[Any] = []
    for name, value in steps:
        if name == "reserve":
            slots = store.reserve(key, value)
            assert slots is None or slots.wait <= 1
            found.append(slots and slots.left)
        elif name == "run":
            store.note_run(key, *value)
        elif name == "estimate":
            store.note_estimate(key, *value)
        elif name == "lease":
            try:
                store.lease(key, *value)
            except BudgetExhaustedError:
                found.append("exhausted")
        else:
            store.exhaust(key)
        ledger = store.ledger(key)
        found.append((ledger.used, ledger.limit, ledger.left, ledger.accounts))
        assert ledger.limit is not None
        assert ledger.used <= ledger.limit, "never over the limit"
    return found


def without_clock(found: list[Any]) -> list[Any]:
    """The same without timestamps: a database has a clock of its own."""
    no_times = {"waiting_since": 0.0, "ends_at": 0.0}
    return [
        (*each[:3], {name: replace(account, **no_times) for name, account in each[3].items()})
        if isinstance(each, tuple)
        else each
        for each in found
    ]


def noon() -> float:
    # The day must not change between two stores.
    return MIDNIGHT + 12 * HOUR


@few
@given(operations)
def test_file_behaves_like_memory(
    tmp_path_factory: pytest.TempPathFactory, steps: list[Operation]
) -> None:
    file = FileStore(tmp_path_factory.mktemp("budget") / "budget.json", noon)
    assert results(file, "key", steps) == results(MemoryStore(noon), "key", steps)


@pytest.fixture(scope="module")
def sqlite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DatabaseStore]:
    with closing(DatabaseStore(f"sqlite:///{tmp_path_factory.mktemp('budget')}/budget.db")) as it:
        yield it


def check_database(store: DatabaseStore, steps: list[Operation]) -> None:
    found = without_clock(results(store, uuid.uuid4().hex, steps))
    assert found == without_clock(results(MemoryStore(noon), "key", steps))


@few
@given(operations)
def test_sqlite_behaves_like_memory(sqlite: DatabaseStore, steps: list[Operation]) -> None:
    check_database(sqlite, steps)


@pytest.fixture(scope="module")
def postgres_store(postgres: dict[str, str]) -> Iterator[DatabaseStore]:
    where = f"{postgres['HOST']}:{postgres['PORT']}/{postgres['DATABASE']}"
    with closing(DatabaseStore(f"postgresql+psycopg://{postgres['USER']}@{where}")) as store:
        yield store


@pytest.mark.xdist_group("postgres")
@few
@given(operations)
def test_postgresql_behaves_like_memory(
    postgres_store: DatabaseStore, steps: list[Operation]
) -> None:
    check_database(postgres_store, steps)


CLIENT = """
import sys
from tap_constantcontact.budget.budget import Budget
from tap_constantcontact.budget.ledger import BudgetExhaustedError
from tap_constantcontact.budget.budget import open_store
budget = Budget(open_store(sys.argv[1]), "key", sys.argv[2], 25)
sent = 0
while True:
    try:
        budget.reserve(0.0001)
    except BudgetExhaustedError:
        break
    sent += 1
print(sent)
"""


@pytest.mark.parametrize("where", ["{}/budget.json", "sqlite:///{}/budget.db"])
def test_processes_together_reach_the_limit_exactly(tmp_path: Path, where: str) -> None:
    place = where.format(tmp_path)
    clients = [
        subprocess.Popen(  # noqa: S603
            [sys.executable, "-c", CLIENT, place, label], stdout=subprocess.PIPE, text=True
        )
        for label in ("one", "two", "")
    ]
    sent = [int(client.communicate(timeout=60)[0]) for client in clients]
    assert sum(sent) == 25
    with closing(open_store(place)) as store:
        ledger = store.ledger("key")
    assert ledger.used == 25
    assert [ledger.accounts[name].used for name in ("one", "two")] == sent[:2]


def reserve(ledger: Ledger, now: float) -> Slots | None:
    ledger.begin(now)
    return ledger.reserve(SlotRequest("one", spacing=0.25), now)


def test_ledger_begins_a_new_day_at_midnight_utc() -> None:
    ledger = Ledger(limit=1)
    assert reserve(ledger, MIDNIGHT - 1)
    assert not reserve(ledger, MIDNIGHT - 0.1)
    assert reserve(ledger, MIDNIGHT)
    assert ledger.used == 1


def test_lease_ends_with_the_day() -> None:
    clock = Clock(MIDNIGHT - 10)
    store = MemoryStore(clock)
    store.open("key", "one", 100)
    store.lease("key", {"one": 60}, HOUR)
    assert store.ledger("key").left == 40
    clock.now = MIDNIGHT
    assert store.ledger("key").left == 100


def test_ended_lease_is_free_for_others() -> None:
    clock = Clock(MIDNIGHT)
    store = MemoryStore(clock)
    store.open("key", "one", 100)
    store.lease("key", {"one": 100}, 60)
    other = Budget(store, "key", "two", 100)
    with pytest.raises(BudgetExhaustedError):
        other.reserve(0.25)
    clock.now += 60
    other.reserve(0.25)


def test_retry_uses_the_rest_of_a_lease() -> None:
    store = MemoryStore(Clock(MIDNIGHT))
    store.open("key", "one", 100)
    store.lease("key", {"one": 5}, HOUR)
    killed = Budget(store, "key", "one", 100)
    for _ in range(3):
        killed.reserve(0.25)
    retry = Budget(store, "key", "one", 100)
    assert retry.left == 2
    retry.reserve(0.25)
    retry.reserve(0.25)
    with pytest.raises(LeaseEndedError):
        retry.reserve(0.25)


def test_clock_that_is_turned_back_does_not_block_runs() -> None:
    ledger = Ledger()
    assert reserve(ledger, MIDNIGHT + 12 * HOUR)
    slots = reserve(ledger, MIDNIGHT + HOUR)
    assert slots
    assert slots.wait == 0


# -- rate limiter ---------------------------------------------------------------------------


class SlowStore(MemoryStore):
    """A store far away, which writes for a while."""

    def __init__(self, clock: Clock, trip: float = 0.0, writing: Sequence[float] = (0.0,)) -> None:
        super().__init__(clock)
        self._time = clock
        self._trip = trip
        self._writing = itertools.cycle(writing)
        self.trips = 0

    def update(self, key: str, change: Callable[[Ledger, float], Any]) -> Any:
        result = super().update(key, change)
        self._time.now += next(self._writing)
        return result

    def reserve(self, key: str, request: SlotRequest) -> Slots | None:
        self._time.now += self._trip / 2
        slots = super().reserve(key, request)
        self._time.now += self._trip / 2
        self.trips += 1
        return slots


@pytest.mark.parametrize("seconds", [0.0, 0.01, 0.1, 0.3])
def test_time_for_writing_does_not_delay_slots(seconds: float) -> None:
    clock = Clock(MIDNIGHT)
    store = SlowStore(clock, writing=[seconds])
    request = SlotRequest("one", spacing=0.25)
    slots = store.reserve("key", request), store.reserve("key", request)
    assert [each and each.wait for each in slots] == [
        pytest.approx(-seconds),
        pytest.approx(max(0.25 - seconds, 0.0) - seconds, abs=1e-5),
    ]


def test_slots_are_reserved_in_blocks_where_the_store_is_far() -> None:
    clock = Clock()
    store = SlowStore(clock, trip=0.5)
    limiter = RateLimiter(4, Budget(store), clock=clock, sleep=clock.sleep)
    sent = []
    for _ in range(200):
        limiter.wait()
        sent.append(clock.now)
    limiter.close()
    assert store.trips < 50
    assert store.ledger("").used == 200, "slots that were not used are returned"
    assert all(sum(at <= each < at + 1 for each in sent) <= 4 for at in sent)


@given(
    lateness=st.lists(st.tuples(st.floats(0, 0.3), st.just(0.0)), min_size=1, max_size=40),
    trip=st.sampled_from([0.0, 0.001, 0.4]),
    writing=st.lists(st.sampled_from([0.0, 0.001, 0.01, 0.1]), min_size=1, max_size=3),
)
def test_late_requests_of_two_processes_never_exceed_the_rate(
    lateness: list[tuple[float, float]], trip: float, writing: list[float]
) -> None:
    clock = Clock()
    late = itertools.cycle(seconds for pair in lateness for seconds in pair)

    def sleep(seconds: float) -> None:
        clock.now += seconds + next(late)

    store = SlowStore(clock, trip, writing)
    limiters = [RateLimiter(4, Budget(store), clock=clock, sleep=sleep) for _ in range(2)]
    sent = []
    for number, _ in enumerate(lateness):
        limiters[number % 2].wait()
        sent.append(clock.now)
    for limiter in limiters:
        limiter.close()
    assert store.ledger("").used == len(sent)
    assert all(sum(at <= each < at + 1 - 1e-6 for each in sent) <= 4 for at in sent)


# -- runs -----------------------------------------------------------------------------------


def used(path: Path, key: str = KEY) -> Ledger:
    return FileStore(path).ledger(fingerprint(key))


def test_run_counts_each_request(serving: Serving, tmp_path: Path) -> None:
    box = serving()
    path = tmp_path / "budget.json"
    sync(box, "contacts", "lists", "campaigns", budget_store=str(path), account_label="one")
    assert used(path).used == len(box.calls)
    assert used(path).accounts["one"].used == len(box.calls)


def test_used_lease_stops_a_run_which_the_next_one_resumes(
    serving: Serving, tmp_path: Path
) -> None:
    box = serving()
    path = tmp_path / "budget.json"
    options: dict[str, Any] = {"budget_store": str(path), "account_label": "one"}
    everything = sync(box, "campaigns", "campaign_opens").counts
    before = len(box.calls)
    store = FileStore(path)
    state, found = None, 0
    for _ in range(50):
        store.open(fingerprint(KEY), "one", None)
        store.lease(fingerprint(KEY), {"one": 12}, HOUR)
        output = sync(box, "campaigns", "campaign_opens", state=state, **options)
        assert len(box.calls) - before <= 12
        before = len(box.calls)
        found += output.counts["campaign_opens"]
        state = output.state
        if "watermarks" not in json.dumps(state["bookmarks"]["campaigns"]) or (
            store.ledger(fingerprint(KEY)).accounts["one"].leased
        ):
            break
    assert found >= everything["campaign_opens"]


def test_exhausted_budget_ends_a_run_like_the_quota(serving: Serving, tmp_path: Path) -> None:
    box = serving()
    path = str(tmp_path / "budget.json")
    done = command(tmp_path, config(box, budget_store=path, requests_per_day=5))
    assert done.code == 75
    assert "The budget of the key is exhausted for today" in done.log
    assert len(box.calls) == 5
    assert done.output.states, "what was read counts"


def test_quota_of_the_api_exhausts_the_budget(serving: Serving, tmp_path: Path) -> None:
    box = serving(faults=FaultConfig(quota=4))
    path = tmp_path / "budget.json"
    with pytest.raises(QuotaExhaustedError, match="API key's daily quota"):
        sync(box, "contacts", "campaigns", budget_store=str(path), into=Collector())
    assert used(path).left == 0
    with pytest.raises(QuotaExhaustedError, match="budget of the key is exhausted"):
        sync(box, "contacts", "campaigns", budget_store=str(path), into=Collector())


def test_file_of_a_development_version_is_read(tmp_path: Path) -> None:
    no_lease = {"used": 70, "allowed": 0, "ends_at": 0.0, "current": 50, "backfill": 0}
    account = {**no_lease, "waiting_since": 1.0, "outcome": "complete"}
    day = int(noon() // 86_400)
    ledger = {"limit": 90, "day": day, "used": 70, "next_at": 0.0}
    kept = {"version": 1, "keys": {"key": {**ledger, "accounts": {"": account, "one": account}}}}
    path = tmp_path / "budget.json"
    path.write_text(json.dumps(kept))
    found = FileStore(path, noon).ledger("key")
    assert list(found.accounts) == ["one"]
    assert found.accounts["one"].leased is None
    assert found.left == 20


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"keys": {"a": 1}}', '{"keys": 3}', "\0"])
def test_file_with_something_else_is_an_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "budget.json"
    path.write_text(text)
    with pytest.raises(BudgetStoreError, match="contains something else than a budget"):
        FileStore(path).ledger("key")
    assert path.read_text() == text


def test_unreachable_database_is_an_error_without_its_password(
    serving: Serving, tmp_path: Path
) -> None:
    url = "postgresql+psycopg://me:secret-word@127.0.0.1:1/none"
    done = command(tmp_path, config(serving(), budget_store=url))
    assert done.code == 75
    assert "The budget store's database cannot be used (OperationalError)" in done.log
    assert "secret-word" not in done.log + done.stdout


# -- shares ---------------------------------------------------------------------------------


def typed(where: str, *arguments: str) -> Any:
    """Run the command, and return the JSON that it prints."""
    done = CliRunner().invoke(main, ["--store", where, *arguments])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


@pytest.mark.parametrize("where", ["{}/budget.json", "sqlite:///{}/budget.db"])
def test_command_leases_current_data_first_and_the_rest_to_the_longest_waiting(
    tmp_path: Path, where: str
) -> None:
    place = where.format(tmp_path)
    with closing(open_store(place)) as store:
        for label in ("synced", "new", "newer"):
            store.open("key", label, 1000)
        store.note_run("key", "synced", 40, RunOutcome.COMPLETE)
        store.note_run("key", "synced", 40, RunOutcome.COMPLETE)
        store.note_estimate("key", "new", 400)
    assert typed(place, "unknown", "synced", "new", "newer", "other") == ["newer", "other"]
    assert typed(place, "share") == {"synced": 80, "new": 600, "newer": 320}
    with closing(open_store(place)) as store:
        store.note_run("key", "new", 400, RunOutcome.COMPLETE)
    assert typed(place, "share", "--rest") == {"newer": 920}
    shown = typed(place, "show", "--json")[0]
    assert (shown["limit"], shown["used"], shown["left"]) == (1000, 0, 0)
    assert shown["accounts"]["newer"] == {
        "used": 0,
        "leased": 920,
        "synced_at": None,
        "backfill": None,
        "outcome": None,
    }
    table = CliRunner().invoke(main, ["--store", place, "show"]).stdout
    assert "0 of 1,000 requests today, 0 left" in table


def test_accounts_that_fail_do_not_keep_others_waiting(tmp_path: Path) -> None:
    path = tmp_path / "budget.json"
    store = FileStore(path)
    for label in ("ended", "failing", "new"):
        store.open("key", label, 1000)
    assert typed(str(path), "share") == {"ended": 1000, "failing": 0, "new": 0}
    store.note_run("key", "ended", 1, RunOutcome.LOGIN_REQUIRED)
    store.note_estimate("key", "failing", 900)
    store.note_run("key", "failing", 4, RunOutcome.FAILED)
    assert typed(str(path), "share") == {"ended": 20, "failing": 0, "new": 980}
    store.note_estimate("key", "new", 200)
    assert typed(str(path), "share", "--rest") == {"ended": 20, "failing": 680, "new": 300}


def test_complete_run_returns_its_lease(serving: Serving, tmp_path: Path) -> None:
    box = serving()
    path = tmp_path / "budget.json"
    options: dict[str, Any] = {"budget_store": str(path), "account_label": "one"}
    done = command(tmp_path, config(box, **options), "--plan=json")
    planned = json.loads(done.stdout)["requests"]
    assert used(path).accounts["one"].backfill == planned
    assert typed(str(path), "share") == {"one": math.ceil(1.5 * planned)}
    sync(box, **options)
    account = used(path).accounts["one"]
    assert account.leased is None
    assert account.backfill == 0
    assert used(path).left == 10_000 - len(box.calls)
    before = len(box.calls)
    sync(box, **options)
    assert used(path).accounts["one"].current == len(box.calls) - before


@pytest.mark.parametrize(
    ("settings", "faults", "outcome"),
    [
        ({}, FaultConfig(), "complete"),
        ({"max_requests": 3}, FaultConfig(), "interrupted"),
        ({}, FaultConfig(quota=3), "interrupted"),
        ({"access_token": "another"}, FaultConfig(), "login required"),
        ({"api_version": "v3", "client_id": "x"}, FaultConfig(), "login required"),
    ],
)
def test_store_says_how_the_last_run_ended(
    serving: Serving,
    tmp_path: Path,
    settings: dict[str, Any],
    faults: FaultConfig,
    outcome: str,
) -> None:
    box = serving(faults=faults)
    where = str(tmp_path / "budget.json")
    version = settings.get("api_version", "v2")
    given = config(box, version, budget_store=where, account_label="one") | settings
    if "client_id" in settings:
        del given["access_token"]
        given["token_store"] = str(tmp_path / "tokens.json")
    command(tmp_path, given)
    assert typed(where, "show", "--json")[0]["accounts"]["one"]["outcome"] == outcome


def test_command_shows_that_nothing_was_used(tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["--store", str(tmp_path / "budget.json"), "show"])
    assert done.stdout == "No run has used this budget store yet.\n"


def test_command_without_a_store_is_one_line() -> None:
    done = CliRunner().invoke(main, ["--store", "/proc/none/budget.json", "show"])
    assert done.exit_code == 1
    assert done.stderr.startswith("Error: The budget store /proc/none/budget.json cannot be used")
    assert len(done.stderr.splitlines()) == 1
