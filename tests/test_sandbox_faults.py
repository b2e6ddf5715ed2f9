"""Everything that can go wrong with the sandbox goes wrong on demand."""

import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
import requests

from sandbox import Account, FaultConfig, Sandbox, serve

NOW = datetime(2026, 3, 1, tzinfo=UTC)
CREDENTIALS = {"api_key": "key"}


@pytest.fixture(scope="module")
def shared() -> Iterator[Sandbox]:
    account = Account(seed=4, contacts=60, lists=2, activities=5, campaigns=20, now=NOW)
    with serve(account) as running:
        yield running


@pytest.fixture
def box(shared: Sandbox) -> Sandbox:
    """Give every test the same sandbox with nothing wrong and nothing remembered."""
    shared.faults = FaultConfig()
    shared.new_day()
    shared.calls.clear()
    return shared


@pytest.fixture
def session() -> Iterator[requests.Session]:
    with requests.Session() as running:
        running.headers["Authorization"] = "Bearer token"
        running.params = CREDENTIALS
        yield running


def read(box: Sandbox, session: requests.Session, path: str) -> list[list[dict[str, Any]]]:
    """Read a collection page by page."""
    pages = []
    link: str | None = f"/v2{path}"
    while link:
        body = session.get(box.origin + link).json()
        pages.append(body["results"])
        link = body["meta"]["pagination"].get("next_link")
    return pages


class TestPace:
    def test_calls_beyond_the_pace_are_refused(
        self,
        box: Sandbox,
        session: requests.Session,
    ) -> None:
        box.faults.throttle = 4
        before = box.throttled
        responses = [session.get(f"{box.url}/account/info") for _ in range(8)]
        statuses = [response.status_code for response in responses]
        assert statuses[:4] == [200] * 4
        assert statuses[4:] == [403] * 4
        assert box.throttled - before == 4
        refused = responses[-1]
        assert refused.json()[0]["error_key"] == "mashery.not.authorized.over.qps"
        assert refused.headers["X-Mashery-Error-Code"] == "ERR_403_DEVELOPER_OVER_QPS"
        assert "X-Mashery-Responder" in refused.headers
        assert "Retry-After" not in refused.headers

    def test_the_wait_may_be_named(self, box: Sandbox, session: requests.Session) -> None:
        box.faults = FaultConfig(throttle=1, retry_after=2)
        session.get(f"{box.url}/account/info")
        assert session.get(f"{box.url}/account/info").headers["Retry-After"] == "2"

    def test_refused_calls_count_as_arrivals_and_the_window_slides(
        self,
        session: requests.Session,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        arrivals = [100.0, 100.2, 100.5, 101.1, 101.3, 102.2, 102.25]
        # The fourth has the second and the third within its second, and the third was refused.
        expected = [200, 200, 403, 403, 403, 200, 403]
        times = iter(arrivals)
        monkeypatch.setattr("sandbox.v2.app.monotonic", lambda: next(times))
        with serve(Account(contacts=0, campaigns=0), FaultConfig(throttle=2)) as fresh:
            statuses = [session.get(f"{fresh.url}/lists").status_code for _ in arrivals]
            assert [call.at for call in fresh.calls] == arrivals
        assert statuses == expected

    def test_the_day_has_so_many_calls(self, box: Sandbox, session: requests.Session) -> None:
        box.faults.quota = 3
        url = f"{box.url}/account/info"
        statuses = [session.get(url).status_code for _ in range(5)]
        assert statuses == [200, 200, 200, 403, 403]
        refused = session.get(url)
        assert refused.json()[0]["error_key"] == "mashery.not.authorized.over.ratelimit"
        assert refused.headers["X-Mashery-Error-Code"] == "ERR_403_DEVELOPER_OVER_RATE"
        box.new_day()
        assert session.get(url).status_code == 200

    def test_the_wording_of_refusals_is_the_published_one(
        self,
        box: Sandbox,
        session: requests.Session,
    ) -> None:
        box.faults.quota = 1
        session.get(f"{box.url}/lists")
        assert session.get(f"{box.url}/lists").json() == [
            {
                "error_key": "mashery.not.authorized.over.ratelimit",
                "error_message": "The Mashery account associated with this request is over its "
                "rate limit quota.",
            },
        ]


class TestFailures:
    def test_every_so_many_calls_fail_each_in_another_way(
        self,
        box: Sandbox,
        session: requests.Session,
    ) -> None:
        box.faults.fail_every = 2
        responses = [session.get(f"{box.url}/lists") for _ in range(12)]
        statuses = [response.status_code for response in responses]
        assert statuses[0::2] == [200] * 6
        assert statuses[1::2] == [500, 502, 503, 504, 522, 500]
        failed = {response.status_code: response for response in responses[1::2]}
        assert isinstance(failed[500].json(), list)
        assert failed[502].headers["content-type"].startswith("text/html")
        assert failed[503].content == b""

    def test_every_so_many_answers_break_off(
        self,
        box: Sandbox,
        session: requests.Session,
    ) -> None:
        box.faults.drop_every = 3
        outcomes = []
        for _ in range(6):
            try:
                outcomes.append(len(session.get(f"{box.url}/contacts").json()["results"]))
            except requests.exceptions.ChunkedEncodingError:
                outcomes.append(-1)
        assert outcomes == [50, 50, -1, 50, 50, -1]
        assert [call.status for call in box.calls] == [200] * 6

    def test_every_so_many_answers_are_garbage(
        self,
        box: Sandbox,
        session: requests.Session,
    ) -> None:
        box.faults.garbage_every = 2
        responses = [session.get(f"{box.url}/contacts") for _ in range(6)]
        assert {response.status_code for response in responses} == {200}
        for response in responses[1::2]:
            with pytest.raises(requests.exceptions.JSONDecodeError):
                response.json()
        assert responses[1].content.startswith(b'{"meta"')
        assert responses[3].content.startswith(b"<html>")

    def test_every_so_many_calls_are_unauthorized(
        self,
        box: Sandbox,
        session: requests.Session,
    ) -> None:
        box.faults.unauthorized_every = 2
        responses = [session.get(f"{box.url}/lists") for _ in range(4)]
        assert [response.status_code for response in responses] == [200, 401, 200, 401]
        key = responses[1].json()[0]["error_key"]
        assert key == "http.status.authentication.invalid_token"

    def test_slow_response_delays_no_other_request(
        self,
        box: Sandbox,
        session: requests.Session,
    ) -> None:
        box.faults.latency = 0.1

        def call(_: int) -> float:
            begin = time.monotonic()
            assert session.get(f"{box.url}/lists").status_code == 200
            return time.monotonic() - begin

        begin = time.monotonic()
        with ThreadPoolExecutor(8) as pool:
            took = list(pool.map(call, range(8)))
        assert min(took) >= 0.1
        assert time.monotonic() - begin < 0.1 * 8


class TestPages:
    def test_the_row_too_many_comes_again(self, box: Sandbox, session: requests.Session) -> None:
        plain = [row["id"] for page in read(box, session, "/contacts?limit=20") for row in page]
        box.faults.extra_row = True
        pages = read(box, session, "/contacts?limit=20")
        assert [len(page) for page in pages] == [21, 21, 20]
        assert pages[0][-1] == pages[1][0]
        assert pages[1][-1] == pages[2][0]
        ids = [row["id"] for page in pages for row in page]
        assert list(dict.fromkeys(ids)) == plain
        assert max(Counter(ids).values()) == 2

    def test_a_filter_may_be_lost_after_the_first_page(
        self,
        box: Sandbox,
        session: requests.Session,
    ) -> None:
        path = "/contacts?limit=2&status=REMOVED&include_contact_id=true"
        kept = [row for page in read(box, session, path) for row in page]
        box.faults.lose_filter = True
        first, *others = read(box, session, path)
        later = [row for page in others for row in page]
        assert first == kept[:2]
        assert {row["status"] for row in first} == {"REMOVED"}
        assert {row["status"] for row in later} > {"REMOVED", "ACTIVE"}
        assert all(row in first + later for row in kept)
        assert all("contact_id" in row for row in later)

    def test_things_may_vanish_after_they_were_listed(
        self,
        box: Sandbox,
        session: requests.Session,
    ) -> None:
        listed = session.get(f"{box.url}/activities").json()
        box.faults.vanish.add(listed[0]["id"])
        assert session.get(f"{box.url}/activities").json() == listed
        assert session.get(f"{box.url}/activities/{listed[0]['id']}").status_code == 404
        assert session.get(f"{box.url}/activities/{listed[1]['id']}").status_code == 200


class TestBookkeeping:
    def test_calls_are_remembered_without_secrets(
        self,
        box: Sandbox,
        session: requests.Session,
    ) -> None:
        session.get(f"{box.url}/contacts?limit=3&access_token=token")
        session.get(f"{box.url}/contact")
        session.post(f"{box.url}/lists")
        requests.get(f"{box.url}/lists?api_key=other", timeout=5)
        seen = [(call.method, call.path, call.params, call.status) for call in box.calls]
        assert seen == [
            ("GET", "/v2/contacts", {"limit": "3"}, 200),
            ("GET", "/v2/contact", {}, 404),
            ("POST", "/v2/lists", {}, 405),
            ("GET", "/v2/lists", {}, 403),
        ]
        arrivals = [call.at for call in box.calls]
        assert arrivals == sorted(arrivals)

    def test_another_account_may_take_over(
        self,
        box: Sandbox,
        session: requests.Session,
    ) -> None:
        before = box.account
        box.account = Account(contacts=3, now=NOW)
        try:
            assert len(session.get(f"{box.url}/contacts").json()["results"]) == 3
        finally:
            box.account = before

    def test_a_port_that_is_taken_is_an_error(self, box: Sandbox) -> None:
        port = int(box.origin.rpartition(":")[2])
        with pytest.raises(OSError, match="in use"), serve(Account(contacts=0), port=port):
            pass

    def test_it_stops_with_the_block(self) -> None:
        with serve(Account(contacts=0)) as brief:
            requests.get(f"{brief.origin}/sandbox", timeout=5)
        with pytest.raises(requests.ConnectionError):
            requests.get(f"{brief.origin}/sandbox", timeout=5)

    def test_internal_error_is_reported(
        self,
        box: Sandbox,
        session: requests.Session,
        caplog: pytest.LogCaptureFixture,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.delattr(box.account, "profile")
        assert session.get(f"{box.url}/account/info").status_code == 500
        assert "the sandbox itself is at fault: GET /v2/account/info" in caplog.text


class TestSwitches:
    def test_switches_are_checked(self) -> None:
        faults = FaultConfig()
        for fields in (
            {"throttle": 0},
            {"throttle": "4"},
            {"latency": -1},
            {"no_such_switch": True},
            {"denied_products": ["contacts"]},
        ):
            with pytest.raises(ValueError, match=r"."):
                faults.change(fields)
        assert faults == FaultConfig()

    def test_switches_not_named_stay(self) -> None:
        faults = FaultConfig(quota=7)
        faults.change({"throttle": 4, "vanish": ["1"]})
        assert faults == FaultConfig(quota=7, throttle=4, vanish={"1"})
