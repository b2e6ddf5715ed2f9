"""Every row of the refusals table, over HTTP: what is repeated, what ends the run, what is said."""

from __future__ import annotations

import json
import re
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from helpers.fake_server import Answer, Scripted
from helpers.runner import Collector, command, config, sync
from singer_sdk.exceptions import FatalAPIError

from sandbox import FaultConfig
from tap_constantcontact.http.error_handler import ResponseAction
from tap_constantcontact.http.retries import API_ERRORS, MAX_TRIES, APIError

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox import Sandbox

    Serving = Callable[..., Sandbox]

SAMPLES = Path(__file__).parent / "samples" / "v2"
ONE_LIST = [{"id": "1", "name": "General Interest"}]


def sample(name: str) -> Any:
    return json.loads((SAMPLES / f"errors.{name}.json").read_text())


def after(*answers: Answer) -> Callable[[str, dict[str, str]], Answer]:
    """These answers in turn, and then a list over and over."""
    left = list(answers)
    return lambda _path, _params: left.pop(0) if left else Answer(200, ONE_LIST)


# -- repeated -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "faults",
    [
        pytest.param(Answer(403, sample("over_qps")), id="too many calls a second"),
        pytest.param(Answer(429, b""), id="429"),
        pytest.param(Answer(500, b""), id="500"),
        pytest.param(Answer(502, b"<html>"), id="502"),
        pytest.param(Answer(503, sample("shape")), id="503"),
        pytest.param(Answer(504, b"<html>"), id="504"),
        pytest.param(Answer(522, b""), id="522"),
        pytest.param(Answer(200, b"<html>maintenance</html>"), id="not valid JSON"),
        pytest.param(Answer(200, b'[{"id": "1", "na'), id="half a body"),
        pytest.param(Answer(200, b""), id="empty body"),
        pytest.param(Answer(200, "what?"), id="JSON of another outline"),
        pytest.param(Answer(200, {"fault": {"faultstring": "x"}}), id="a fault"),
        pytest.param(Answer(200, sample("shape")), id="an error"),
        pytest.param(Answer(200, [{"nothing": "known"}]), id="something else"),
        pytest.param(Answer(200, [None]), id="nothing but null"),
        pytest.param(Answer(204, b""), id="204"),
        pytest.param(Answer(403, b"<html>firewall</html>"), id="a firewall"),
        pytest.param(Answer(200, ONE_LIST, Content_Length="500", Connection="close"), id="cut off"),
    ],
)
def test_passing_trouble_is_repeated(faults: Answer, waits: list[float]) -> None:
    with Scripted(after(faults, faults)) as server:
        output = sync(server, "lists")

    assert output.ids("lists") == {"1"}
    assert len(server.requests) == 3
    assert 1 <= waits[0] <= 2 <= waits[1] <= 3, "growing, with up to a second of jitter"


def test_retry_after_is_obeyed(waits: list[float]) -> None:
    with Scripted(after(Answer(429, b"", Retry_After="7"))) as server:
        sync(server, "lists")

    assert 7 <= waits[0] <= 8


def test_a_failing_connection_is_repeated(serving: Serving, waits: list[float]) -> None:
    box = serving(contacts=2600, faults=FaultConfig(drop_every=3))

    output = sync(box, "contacts")

    assert output.ids("contacts") == box.account.ids("contacts")
    assert len(waits) == 2


@pytest.mark.slow
def test_slow_answers_are_given_up_and_repeated(waits: list[float]) -> None:
    waiting = threading.Event()

    def answer(_path: str, _params: dict[str, str]) -> Answer:
        if not waits:
            waiting.wait(10)
        return Answer(200, ONE_LIST)

    with Scripted(answer) as server:
        output = sync(server, "lists", request_timeout=3)
        waiting.set()

    assert output.ids("lists") == {"1"}
    assert len(waits) == 1


def test_trouble_that_lasts_ends_the_run(waits: list[float]) -> None:
    with (
        Scripted(lambda _path, _params: Answer(503, b"")) as server,
        pytest.raises(FatalAPIError, match=r"HTTP 503.*Giving up after 6 attempts"),
    ):
        sync(server, "lists")

    assert len(server.requests) == MAX_TRIES == len(waits) + 1
    assert waits == sorted(waits)


def test_each_repeat_says_why_and_how_long(caplog: pytest.LogCaptureFixture) -> None:
    with Scripted(after(Answer(503, sample("shape")))) as server:
        sync(server, "lists")

    said = re.compile(
        r"API server error \(HTTP 503, http.status.error: Error message.\)\."
        r" Trying again in [12]\.\d seconds \(2 of 6\)\."
    )
    assert any(said.fullmatch(record.getMessage()) for record in caplog.records)


# -- 401 ------------------------------------------------------------------------------------


def test_a_wrong_token_ends_the_run_at_once(serving: Serving, waits: list[float]) -> None:
    box = serving()
    with pytest.raises(APIError, match="access token is wrong or has expired"):
        sync(box, "lists", access_token="another-token")  # noqa: S106
    assert len(box.calls) == 1
    assert waits == []


def test_a_401_in_mid_run_is_repeated_once(serving: Serving, waits: list[float]) -> None:
    box = serving(contacts=1600, faults=FaultConfig(unauthorized_every=3))
    output = sync(box, "contacts")
    assert output.ids("contacts") == box.account.ids("contacts")
    assert len(waits) >= 1


def test_a_401_that_stays_ends_the_run(
    waits: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    def answer(path: str, _params: dict[str, str]) -> Answer:
        if path == "/v2/lists":
            return Answer(401, [{"error_key": "http.status.authentication.invalid_token"}])
        return Answer(200, {"email": "a@example.com"})

    with Scripted(answer) as server, pytest.raises(APIError, match="access token"):
        sync(server, "account", "lists")
    assert [path for path, *_ in server.requests].count("/v2/lists") == 2
    assert len(waits) == 1
    assert ". Trying again in" in caplog.text
    assert ".. Trying" not in caplog.text


# -- final ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "action", "said"),
    [
        pytest.param(
            Answer(403, sample("over_daily_quota")),
            ResponseAction.QUOTA_EXHAUSTED,
            "next run resumes",
            id="quota",
        ),
        pytest.param(
            Answer(429, b"", Retry_After="40000"),
            ResponseAction.QUOTA_EXHAUSTED,
            "next run resumes",
            id="429 all day",
        ),
        pytest.param(
            Answer(403, sample("invalid_api_key")),
            ResponseAction.FAIL,
            "Check `api_key`",
            id="wrong key",
        ),
        pytest.param(
            Answer(403, sample("shape")), ResponseAction.FORBIDDEN, "not authorized", id="no right"
        ),
        pytest.param(
            Answer(400, sample("unknown_query_param")),
            ResponseAction.REJECTED,
            "query.param.invalid: The query parameter email is not supported.",
            id="400",
        ),
        pytest.param(
            Answer(404, sample("shape")),
            ResponseAction.NOT_FOUND,
            "/v2/lists. If this path should exist, check `api_url` (http://127.0.0.1:",
            id="404",
        ),
        pytest.param(Answer(406, b""), ResponseAction.REJECTED, "HTTP 406", id="406"),
        pytest.param(
            Answer(301, b"", Location="http://127.0.0.1:9/v2"),
            ResponseAction.REDIRECTED,
            "`api_url`",
            id="301",
        ),
    ],
)
def test_final_refusals_end_the_run(
    answer: Answer, action: ResponseAction, said: str, waits: list[float]
) -> None:
    writer = Collector()
    with (
        Scripted(lambda _path, _params: answer) as server,
        pytest.raises(APIError, match=re.escape(said)) as raised,
    ):
        sync(server, "lists", into=writer)

    assert type(raised.value) is API_ERRORS[action]
    assert "\n" not in str(raised.value)
    assert len(server.requests) == 1
    assert waits == []
    assert writer.output.states, "what was read so far counts"


@pytest.mark.parametrize(
    "link",
    ["http://127.0.0.2:1/v2/contacts?next=x", "//elsewhere.example.com/v2/contacts?next=x"],
)
def test_a_next_link_to_another_host_is_refused(link: str) -> None:
    page = {"meta": {"pagination": {"next_link": link}}, "results": [{"id": "1"}]}
    with (
        Scripted(lambda _path, _params: Answer(200, page)) as server,
        pytest.raises(FatalAPIError, match=r"another host.*not followed"),
    ):
        sync(server, "contacts")
    assert len(server.requests) == 1


def test_a_circle_of_next_links_ends_the_run() -> None:
    def page(_path: str, params: dict[str, str]) -> Answer:
        other = "b" if params.get("next") == "a" else "a"
        link = f"/v2/contacts?next={other}"
        return Answer(200, {"meta": {"pagination": {"next_link": link}}, "results": []})

    with Scripted(page) as server, pytest.raises(FatalAPIError, match="Pagination loop"):
        sync(server, "contacts")
    assert len(server.requests) == 3


@pytest.mark.parametrize(
    "last", [{}, {"meta": {}}, {"meta": {"pagination": {}}}, {"meta": {"pagination": None}}]
)
def test_pagination_ends_without_a_next_link(last: Any) -> None:
    answers = {
        "": {"meta": {"pagination": {"next_link": "/v2/x?next=1"}}, "results": [{"id": 1}]},
        "1": {"meta": {"pagination": {"next_link": "/v2/x?next=2"}}, "results": []},
        "2": {"results": [{"id": 2}], **last},
    }
    with Scripted(lambda _path, params: Answer(200, answers[params.get("next", "")])) as server:
        output = sync(server, "contacts")

    assert output.ids("contacts") == {"1", "2"}
    assert [params for _, params, _ in server.requests][1:] == [
        {"next": "1", "api_key": "sandbox-api-key"},
        {"next": "2", "api_key": "sandbox-api-key"},
    ]


# -- the command ----------------------------------------------------------------------------


@pytest.mark.slow
def test_the_quota_ends_the_command_in_good_order(serving: Serving, tmp_path: Path) -> None:
    box = serving(contacts=2600, faults=FaultConfig(quota=5))

    run = command(tmp_path, config(box, max_parallel_requests=1))

    assert run.code == 75
    assert "daily quota is exhausted. The next run resumes" in run.log
    assert "Traceback" not in run.log
    assert run.output.counts["contacts"] == 1000
    assert run.output.messages[-1]["type"] == "STATE"


@pytest.mark.slow
def test_a_wrong_key_ends_the_command_with_one_line(serving: Serving, tmp_path: Path) -> None:
    run = command(tmp_path, {**config(serving()), "api_key": "not-the-key"})

    assert run.code == 77
    assert "The API key is wrong or inactive. Check `api_key`" in run.log
    assert "Traceback" not in run.log
    assert run.output.counts == {}
