"""Reading ahead: the same calls, rows and states in less time."""

from __future__ import annotations

import datetime as dt
import json
import signal
import threading
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
import requests
from helpers.fake_server import Answer, Scripted, empty, in_envelope
from helpers.runner import KEY, TOKEN, Collector, Output, config, started, sync
from singer_sdk.exceptions import FatalAPIError

from sandbox import Account, FaultConfig, Reply, serve
from tap_constantcontact import settings
from tap_constantcontact.http.prefetch import PendingRequest, Prefetcher
from tap_constantcontact.http.rate_limiter import RateLimiter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sandbox import Sandbox

    Serving = Callable[..., Sandbox]

KEYS: Any = {"api_key": KEY, "access_token": TOKEN}
NOON = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)
EVERYTHING = [*settings.OPTIONAL_STREAMS["v2"]]


def made(now: list[dt.datetime]) -> Account:
    return Account(
        seed=3, contacts=90, campaigns=14, recipients=30, events=3, now=NOON, clock=lambda: now[0]
    )


def asked(box: Sandbox) -> Counter[tuple[str, str]]:
    return Counter((call.path, str(sorted(call.params.items()))) for call in box.calls)


def without_times(output: Output) -> list[dict[str, Any]]:
    """Messages, less what tells when a run was."""
    times = {"time_extracted", "value"}
    messages = [
        {name: held for name, held in message.items() if name not in times}
        for message in output.messages
    ]
    for message in messages:
        if message.get("stream") == "sync_audit" and "record" in message:
            message["record"] = {
                name: held
                for name, held in message["record"].items()
                if name not in {"run_started_at", "run_ended_at"}
            }
    return messages


# -- the same as without ---------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"optional_streams": EVERYTHING, "tracking_window_days": 1},
        {"start_date": "2026-06-01T00:00:00Z"},
        {"tracking_window_days": 0},
    ],
    ids=str,
)
def test_calls_and_messages_are_those_of_a_sequential_run(options: dict[str, Any]) -> None:
    """Of a first run, of one after a few changes, and of one more."""
    runs: dict[int, list[Any]] = {1: [], 8: []}
    for max_concurrency, seen in runs.items():
        state = None
        now = [NOON]
        account = made(now)
        for changes in ({}, {"add_tracking": 9, "edit_contacts": 8, "edit_campaigns": 2}, {}):
            now[0] += dt.timedelta(hours=7)
            for change, count in changes.items():
                getattr(account, change)(count)
            with serve(account, FaultConfig(latency=0.002), **KEYS) as box:
                output = sync(box, state=state, max_parallel_requests=max_concurrency, **options)
                state = output.state
                seen.append((asked(box), without_times(output)))
    for (calls, messages), (calls_ahead, messages_ahead) in zip(*runs.values(), strict=True):
        # Bookmarks of a run tell when it was, and so does what is asked since then.
        assert calls.total() == calls_ahead.total()
        assert Counter(path for path, _ in calls.elements()) == Counter(
            path for path, _ in calls_ahead.elements()
        )
        assert messages == messages_ahead


@pytest.mark.slow
@pytest.mark.parametrize(
    "faults",
    [
        FaultConfig(denied_products={"eventspot", "library"}),
        FaultConfig(extra_row=True, lose_filter=True, no_schedules_is_404=True),
        FaultConfig(clock_shift_hours=5, library_info_array=True),
    ],
    ids=["closed areas", "odd pages", "odd clocks"],
)
def test_quirks_change_nothing(faults: FaultConfig) -> None:
    seen = []
    for max_concurrency in (1, 8):
        faults.latency = 0.002
        with serve(made([NOON]), faults, **KEYS) as box:
            output = sync(box, max_parallel_requests=max_concurrency)
            seen.append((asked(box), without_times(output)))
    assert seen[0] == seen[1]


@pytest.mark.slow
def test_vanished_parents_are_not_requested_again(serving: Serving) -> None:
    seen = []
    for max_concurrency in (1, 8):
        box = serving(seed=3, contacts=30, campaigns=20, events=4)
        sent = sorted(key[0] for key in box.account.ids("campaign_sends"))
        events = sorted(box.account.ids("events"))
        box.faults = FaultConfig(vanish={sent[0], sent[-1], events[1]}, latency=0.002)
        output = sync(box, max_parallel_requests=max_concurrency)
        seen.append((asked(box), without_times(output)))
    assert seen[0] == seen[1]


def test_a_run_of_one_call_at_a_time_has_no_thread(
    serving: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    box = serving(contacts=20, campaigns=3)
    monkeypatch.setattr(threading, "Thread", None)
    assert sync(box, max_parallel_requests=1).ids("contacts") == box.account.ids("contacts")


# -- calls are not wasted --------------------------------------------------------------------


def test_a_wrong_key_costs_one_call(serving: Serving) -> None:
    box = serving()
    with pytest.raises(FatalAPIError, match="key is wrong"):
        sync(box, max_parallel_requests=8, api_key="another-key")
    assert len(box.calls) == 1


FAMILY = ["campaigns", *(f"campaign_{kind}" for kind in ("sends", "opens", "clicks", "bounces"))]


@pytest.mark.slow
def test_prefetched_responses_are_used(serving: Serving) -> None:
    """A backfill in slices takes the calls that it takes without reading ahead."""
    box = serving(contacts=900, campaigns=40, recipients=30, faults=FaultConfig(latency=0.002))
    whole = sync(box, *FAMILY)
    made = {}
    for max_concurrency in (1, 8):
        missing = {stream: texts(whole, stream) for stream in whole.counts}
        begin = len(box.calls)
        state, last = None, 50
        while last == 50:
            before = len(box.calls)
            output = sync(
                box, *FAMILY, max_parallel_requests=max_concurrency, max_requests=50, state=state
            )
            last = len(box.calls) - before
            state = output.state
            missing = {name: rows - texts(output, name) for name, rows in missing.items()}
        assert not any(missing.values())
        made[max_concurrency] = len(box.calls) - begin
    assert made[8] <= 1.05 * made[1]


def test_max_calls_are_used_up(serving: Serving) -> None:
    box = serving(contacts=900, campaigns=40, recipients=30)
    sync(box, max_parallel_requests=8, max_requests=50)
    assert len(box.calls) == 50


def texts(output: Output, stream: str) -> frozenset[str]:
    return frozenset(json.dumps(row, sort_keys=True) for row in output.rows(stream))


def test_nothing_leaves_behind_an_answer_that_failed(serving: Serving) -> None:
    """Only what was under way arrives before the repeat, and the repeat is the next to leave."""
    box = serving(contacts=30, campaigns=20, faults=FaultConfig(latency=0.002))
    failed: list[int] = []
    arrived: list[str] = []

    def interfere(call: Any, _: Callable[[], Reply]) -> Reply | None:
        arrived.append(call.path)
        if call.path.endswith("/tracking/opens") and not failed:
            failed.append(len(arrived))
            return Reply(503, b"", "text/plain")
        return None

    box.interfere = interfere
    output = sync(box, max_parallel_requests=4)
    path = arrived[failed[0] - 1]
    repeat = arrived.index(path, failed[0])
    taken_before = sum("/tracking/sends" in each for each in arrived[failed[0] : repeat])
    assert repeat - failed[0] <= 2 * 4 + taken_before
    assert {row["campaign_id"] for row in output.rows("campaign_opens")} == {
        key[0] for key in box.account.ids("campaign_opens")
    }


def test_no_request_after_the_quota_is_exhausted(serving: Serving) -> None:
    box = serving(contacts=30, campaigns=20, faults=FaultConfig(quota=60, latency=0.002))
    with pytest.raises(FatalAPIError, match="quota is exhausted"):
        sync(box, max_parallel_requests=4)
    assert len(box.calls) <= 60 + 4


# -- ending ----------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("calls", [2, 20, 60])
def test_a_signal_ends_a_run_with_many_calls_under_way(
    serving: Serving, tmp_path: Path, calls: int
) -> None:
    box = serving(contacts=3000, campaigns=20)
    box.faults.latency = 0.001
    slow = threading.Event()

    def interfere(_: Any, __: Callable[[], Reply]) -> Reply | None:
        if len(box.calls) >= calls:
            box.faults.latency = 20.0
            slow.set()
        return None

    box.interfere = interfere
    with started(tmp_path, config(box, max_parallel_requests=8)) as process:
        assert process.stdout
        assert process.stderr
        lines: list[str] = []
        reading = threading.Thread(target=lines.extend, args=(process.stdout,))
        reading.start()
        assert slow.wait(60)
        process.send_signal(signal.SIGTERM)
        log = process.stderr.read()
        # Its calls would take 20 seconds more.
        assert process.wait(15) == 0, log
        reading.join()
    box.faults.latency = 0
    assert "Stopped by SIGTERM" in log
    assert Output([json.loads(line) for line in lines]).messages[-1]["type"] == "STATE"


# -- pages -----------------------------------------------------------------------------------


@pytest.mark.parametrize("link", ["/v2/contacts?next=1", "https://elsewhere.test/v2/contacts"])
def test_odd_next_links_are_judged_in_their_turn(link: str) -> None:
    """A link in a circle, to elsewhere or that is none is not followed ahead, and is an error."""

    def answer(path: str, _: dict[str, str]) -> Answer:
        if path != "/v2/contacts":
            return Answer(200, empty(path))
        rows = [{"id": "1", "status": "ACTIVE", "email_addresses": []}]
        page = {"meta": {"pagination": {"next_link": link}}, "results": rows}
        return Answer(200, in_envelope(path, page))

    into = Collector()
    with Scripted(answer) as server, pytest.raises(FatalAPIError):
        sync(server, max_parallel_requests=8, into=into)
    assert into.output.rows("contacts")
    assert not into.output.counts["campaigns"]
    pages = [path for path, _, _ in server.requests if path == "/v2/contacts"]
    assert len(pages) == 2 if link.startswith("/") else 1


# -- the parts -------------------------------------------------------------------------------


class Line:
    """A wire that answers when told to, with a clock that stands still."""

    def __init__(self, max_concurrency: int = 4, left: int | None = None) -> None:
        self.sent: list[str] = []
        self.left = left
        self.ahead = Prefetcher(
            self.transmit, max_concurrency, RateLimiter(1e9), self.note_sent, lambda: self.left
        )
        self.fails: set[str] = set()
        self.holds: dict[str, threading.Event] = {}
        self.tells: dict[str, threading.Event] = {}

    def note_sent(self) -> None:
        if self.left is not None:
            self.left -= 1

    def transmit(self, request: requests.PreparedRequest) -> requests.Response:
        self.sent.append(str(request.url))
        if tell := self.tells.get(str(request.url)):
            tell.set()
        if hold := self.holds.get(str(request.url)):
            hold.wait(60)
        response = requests.Response()
        response.status_code = 503 if request.url in self.fails else 200
        response._content = b"x" * 100  # noqa: SLF001
        return response


def request(number: int) -> requests.PreparedRequest:
    return requests.Request("GET", f"http://api.test/{number}").prepare()


def test_forecast_request_is_sent_once() -> None:
    line = Line()
    line.ahead.schedule([(PendingRequest(request(number)) for number in range(40))])
    for number in range(40):
        assert line.ahead.get_response(request(number)).status_code == 200
    assert sorted(line.sent) == sorted(str(request(number).url) for number in range(40))


def test_a_repeat_is_sent_as_it_is_asked_for() -> None:
    line = Line()
    line.fails = {"http://api.test/1"}
    sent: list[requests.PreparedRequest] = []
    transmit = line.transmit

    def keeping(request: requests.PreparedRequest) -> requests.Response:
        sent.append(request)
        return transmit(request)

    line.ahead = Prefetcher(keeping, 4, RateLimiter(1e9), line.note_sent, lambda: None)
    line.ahead.schedule([(PendingRequest(request(number)) for number in range(4))])
    line.ahead.get_response(request(0))
    line.ahead.get_response(request(1))
    line.fails, signed_anew = set(), request(1)
    line.ahead.get_response(signed_anew)
    assert any(each is signed_anew for each in sent)


def test_request_without_forecast_is_sent_once() -> None:
    line = Line()
    known = iter(
        [PendingRequest(request(0)), None, PendingRequest(request(1)), PendingRequest(request(2))]
    )
    line.ahead.schedule([known])
    for number in (0, 1, 2, 3):
        line.ahead.get_response(request(number))
    assert Counter(line.sent).most_common(1)[0][1] == 1


def asking_while_two_outlooks_wait(
    line: Line,
) -> tuple[PendingRequest, list[PendingRequest | None]]:
    """Request two responses of a forecast that continues only after the second has arrived."""
    first, second = PendingRequest(request(0)), PendingRequest(request(1))
    said: list[PendingRequest | None] = []

    def waiting() -> Iterator[PendingRequest | None]:
        yield first
        yield second
        while not second.has_response:
            said.append(None)
            yield None
        yield from (PendingRequest(request(number)) for number in (2, 3))

    later = [(PendingRequest(request(n)) for n in range(begin, begin + 90)) for begin in (100, 200)]
    line.ahead.schedule([waiting(), *later])
    line.ahead.get_response(request(0))
    line.ahead.get_response(request(1))
    return second, said


def test_while_an_outlook_waits_some_calls_of_the_next_leave() -> None:
    line = Line(max_concurrency=40)
    answers = threading.Event()
    line.holds["http://api.test/1"] = answers
    line.tells["http://api.test/115"] = answers
    asking_while_two_outlooks_wait(line)
    early = [url for url in line.sent if url.partition("test/")[2] not in {"0", "1", "2", "3"}]
    assert set(early) == {f"http://api.test/{number}" for number in range(100, 116)}


def test_requests_leave_in_the_order_of_forecasts() -> None:
    line = Line(max_concurrency=1)
    asking_while_two_outlooks_wait(line)
    for number in (2, 3, 100):
        line.ahead.get_response(request(number))
    assert [url.partition("test/")[2] for url in line.sent] == ["0", "1", "2", "3", "100"]


def test_nothing_leaves_out_of_turn_where_calls_are_counted() -> None:
    line = Line(max_concurrency=40, left=1000)
    _, said = asking_while_two_outlooks_wait(line)
    assert said
    assert set(line.sent) == {"http://api.test/0", "http://api.test/1"}


def test_few_wait_where_calls_are_short() -> None:
    line = Line(max_concurrency=8, left=24)
    line.ahead.schedule([(PendingRequest(request(number)) for number in range(100))])
    for number in range(24):
        line.ahead.get_response(request(number))
    assert line.left == 0
    assert len(line.sent) == 24


def test_failed_prefetch_is_raised_and_then_sent_again() -> None:
    line = Line()
    line.fails = {"http://api.test/3"}
    calls = [PendingRequest(request(number)) for number in range(8)]
    line.ahead.schedule([iter(calls)])
    for number in range(3):
        line.ahead.get_response(request(number))
    assert line.ahead.get_response(request(3)).status_code == 503
    line.fails = set()
    assert line.ahead.get_response(request(3)).status_code == 200
    assert calls[3].has_response, "who looks ahead sees the repeat"
    for number in range(4, 8):
        line.ahead.get_response(request(number))
    assert Counter(line.sent)["http://api.test/3"] == 2
    assert len(line.sent) == 9
