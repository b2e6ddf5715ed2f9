"""What talks to the API, as far as that needs no server."""

from __future__ import annotations

import datetime as dt
import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from tap_constantcontact.http import envelopes, error_handler
from tap_constantcontact.http.error_handler import SUCCESS, ResponseAction
from tap_constantcontact.http.rate_limiter import RateLimiter
from tap_constantcontact.http.retries import exponential_backoff
from tap_constantcontact.http.urls import BaseUrl, CrossHostLinkError
from tap_constantcontact.records import timestamps
from tap_constantcontact.v2.auth import ApiKeyAuthenticator
from tap_constantcontact.v2.envelopes import PAGED
from tap_constantcontact.v2.errors import ERROR_HANDLER

if TYPE_CHECKING:
    from tap_constantcontact.http.envelopes import Envelope

SAMPLES = Path(__file__).parent / "samples" / "v2"
KEY, TOKEN = "k3y/with+signs", "t0ken-of-account"


# -- links ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("base", "link", "followed"),
    [
        ("https://api.test/v2", "/v2/contacts?next=abc", "https://api.test/v2/contacts?next=abc"),
        ("https://api.test/v2/", "/v2/contacts?next=abc", "https://api.test/v2/contacts?next=abc"),
        ("https://proxy.test/cc/v2", "/v2/lists?next=a", "https://proxy.test/cc/v2/lists?next=a"),
        ("http://[::1]:80/v2", "/v2/x?next=a", "http://[::1]:80/v2/x?next=a"),
        ("https://api.test/v2", "/v2/emailcampaigns/1?next=a", "https://api.test/v2/emailcampaigns/1?next=a"),
        ("https://api.test/v2", "https://api.test/v2/x?next=a", "https://api.test/v2/x?next=a"),
    ],
)  # fmt: skip
def test_next_links_are_followed_on_our_own_host(base: str, link: str, followed: str) -> None:
    assert BaseUrl(base, "v2").follow(link, "-") == followed


@pytest.mark.parametrize(
    "link",
    [
        "https://evil.test/v2/contacts?next=abc",
        "//evil.test/v2/contacts?next=abc",
        "http://api.test/v2/contacts?next=abc",
        "https://api.test:8443/v2/contacts?next=abc",
        "https://api.test@evil.test/v2/contacts?next=abc",
        "javascript:alert(1)",
        "contacts?next=abc",
    ],
)
def test_next_links_to_elsewhere_are_refused(link: str) -> None:
    with pytest.raises(CrossHostLinkError):
        BaseUrl("https://api.test/v2", "v2").follow(link, "-")


@given(st.text())
def test_next_link_never_leaves_our_host(link: str) -> None:
    try:
        followed = BaseUrl("https://api.test/v2", "v2").follow(link, "-")
    except ValueError:
        return
    sent = requests.Request("GET", followed).prepare().url or ""
    assert sent.startswith("https://api.test/")


NAMES = st.sampled_from(["meta", "pagination", "next_link", "results", "error_key", "id"])
ALMOST_PAGES = st.recursive(
    st.none() | st.text() | st.integers(),
    lambda inner: st.dictionaries(NAMES, inner) | st.lists(inner, max_size=3),
)
ENVELOPES = [PAGED, envelopes.ARRAY, envelopes.ONE, envelopes.ONE_OR_ARRAY, envelopes.of("1")]


# -- bodies ---------------------------------------------------------------------------------


@given(st.sampled_from(ENVELOPES), ALMOST_PAGES)
def test_any_body_is_rows_in_its_envelope_or_broken(envelope: Envelope, body: Any) -> None:
    try:
        page = envelope.open(body)
    except envelopes.InvalidResponseError as fault:
        refusal = ERROR_HANDLER.resolve_invalid({}, json.dumps(body).encode(), fault)
        assert refusal.action is ResponseAction.RETRY
        assert "\n" not in refusal.message
    else:
        assert all(isinstance(row, dict) and "error_key" not in row for row in page.rows)
        assert page.next_link is None or (page.next_link and isinstance(page.next_link, str))


@pytest.mark.parametrize("sample", sorted(SAMPLES.glob("*.json")), ids=lambda path: path.stem)
def test_every_sample_body_is_rows_in_one_envelope(sample: Path) -> None:
    body = envelopes.decode(sample.read_bytes())
    if isinstance(body, list):
        envelope, expected = envelopes.ARRAY, body
    elif "results" in body:
        envelope, expected = PAGED, body["results"]
    else:
        envelope, expected = envelopes.ONE, [body]
    if sample.stem.startswith("errors."):
        with pytest.raises(envelopes.ErrorBodyError):
            envelope.open(body)
        return
    assert envelope.open(body).rows == expected
    for other in {envelopes.ARRAY, PAGED, envelopes.ONE} - {envelope}:
        if (envelope, other) != (PAGED, envelopes.ONE):
            with pytest.raises(envelopes.InvalidResponseError):
                other.open(body)


@pytest.mark.parametrize(
    ("body", "decoded"),
    [
        (b'\xef\xbb\xbf{"a": 1}', {"a": 1}),
        (b'{"a": "\\ud800"}', {"a": "?"}),
        (b'{"a": "\xff"}', {"a": "\ufffd"}),
        (b'{"a": 1e999, "b": NaN}', {"a": None, "b": None}),
        (b'{"a": "one\ttwo\nthree\r"}', {"a": "one\ttwo\nthree\r"}),
        (b'{"a": ["\\u0000b", {"c\\u0000": "\0"}]}', {"a": ["b", {"c": ""}]}),
        (b'{"a": "\\\\u0000"}', {"a": "\\u0000"}),
    ],
)
def test_bodies_that_are_almost_json_are_mended(body: bytes, decoded: Any) -> None:
    assert envelopes.decode(body) == decoded


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b'{"results": [{"id": ', b'[{"id": "1"}', b"[" * 1_000_000 + b"]" * 1_000_000],
    ids=["empty", "markup", "truncated", "truncated array", "too deep"],
)
def test_invalid_json_is_an_invalid_response(body: bytes) -> None:
    with pytest.raises(envelopes.InvalidResponseError, match="is not valid JSON"):
        envelopes.decode(body)
    assert envelopes.link_of(b'{"meta": %s}' % body, PAGED) is None


OTHERS: list[tuple[Envelope, list[Any]]] = [
    (PAGED, ["text", 5, None, {}, [], [{"id": 1}]]),
    (PAGED, [{"results": rows} for rows in (None, {"id": 1}, ["a"], [None], "")]),
    (PAGED, [{"results": [], "meta": 5}, {"results": [], "meta": []}]),
    (PAGED, [{"results": [], "meta": {"pagination": "x"}}]),
    (PAGED, [{"results": [], "meta": {"pagination": {"next_link": {}}}}]),
    (envelopes.ARRAY, [{}, None, {"results": []}, [1], [None], [[]]]),
    (envelopes.ONE, [[], [{"id": 1}], None, 5]),
    (envelopes.ONE_OR_ARRAY, [[], [{}, {}], None]),
    (envelopes.of("1"), [{}, {"id": "2"}, {"id": None}, {"id": True}, []]),
]


@pytest.mark.parametrize(
    ("envelope", "body"), [(envelope, body) for envelope, several in OTHERS for body in several]
)
def test_another_envelope_is_an_invalid_response(envelope: Envelope, body: Any) -> None:
    with pytest.raises(envelopes.InvalidResponseError):
        envelope.open(body)


@pytest.mark.parametrize(
    ("envelope", "body"),
    [
        (PAGED, [{"error_key": "a", "error_message": "b"}]),
        (PAGED, {"fault": {"faultstring": "c"}}),
        (PAGED, {"results": [{"error_key": "a"}]}),
        (PAGED, {"results": [], "error_message": "a"}),
        (envelopes.ARRAY, [{"id": 1}, {"error_key": "a"}]),
        (envelopes.ARRAY, {"error_key": "a"}),
        (envelopes.ONE, {"id": "1", "error_key": "a"}),
        (envelopes.ONE, [{"error_key": "a"}]),
    ],
)
def test_errors_in_any_envelope_are_errors(envelope: Envelope, body: Any) -> None:
    with pytest.raises(envelopes.ErrorBodyError):
        envelope.open(body)


def test_an_error_that_says_all_is_well_is_judged_by_its_key() -> None:
    fault = envelopes.ErrorBodyError()
    assert (
        ERROR_HANDLER.resolve_invalid({}, sample("over_daily_quota"), fault).action
        is ResponseAction.QUOTA_EXHAUSTED
    )
    assert (
        ERROR_HANDLER.resolve_invalid({}, sample("over_qps"), fault).action
        is ResponseAction.RATE_LIMITED
    )
    assert ERROR_HANDLER.resolve_invalid({}, sample("shape"), fault).action is ResponseAction.RETRY


# -- refusals -------------------------------------------------------------------------------


def sample(name: str) -> bytes:
    return (SAMPLES / f"errors.{name}.json").read_bytes()


@pytest.mark.parametrize(
    ("status", "headers", "body", "action"),
    [
        (403, {}, sample("over_qps"), ResponseAction.RATE_LIMITED),
        (401, {}, sample("over_qps"), ResponseAction.RATE_LIMITED),
        (
            403,
            {"X-Mashery-Error-Code": "ERR_403_DEVELOPER_OVER_QPS"},
            b"<h1>",
            ResponseAction.RATE_LIMITED,
        ),
        (403, {}, b"<h1>Developer Over Qps</h1>", ResponseAction.RATE_LIMITED),
        (403, {}, b"<h1>Developer Over Rate</h1>", ResponseAction.QUOTA_EXHAUSTED),
        (403, {}, b"<h1>Developer Inactive</h1>", ResponseAction.FAIL),
        (429, {}, b"", ResponseAction.RATE_LIMITED),
        (429, {"Retry-After": "3"}, b"[]", ResponseAction.RATE_LIMITED),
        (429, {"Retry-After": "36000"}, b"[]", ResponseAction.QUOTA_EXHAUSTED),
        (403, {}, sample("over_daily_quota"), ResponseAction.QUOTA_EXHAUSTED),
        (401, {}, sample("over_daily_quota"), ResponseAction.QUOTA_EXHAUSTED),
        (
            403,
            {"X-Mashery-Error-Code": "ERR_403_DEVELOPER_OVER_RATE"},
            b"",
            ResponseAction.QUOTA_EXHAUSTED,
        ),
        (403, {}, sample("invalid_api_key"), ResponseAction.FAIL),
        (403, {"X-Mashery-Error-Code": "ERR_403_DEVELOPER_INACTIVE"}, b"", ResponseAction.FAIL),
        (401, {}, sample("no_token"), ResponseAction.REFRESH_TOKEN_THEN_RETRY),
        (
            401,
            {},
            b'{"error_key": "http.status.authentication.invalid_token"}',
            ResponseAction.REFRESH_TOKEN_THEN_RETRY,
        ),
        (403, {}, sample("shape"), ResponseAction.FORBIDDEN),
        (403, {}, b"", ResponseAction.FORBIDDEN),
        (403, {}, b"<html>no</html>", ResponseAction.RETRY_PROXY),
        (403, {}, b'{"message": "Forbidden"}', ResponseAction.RETRY_PROXY),
        (404, {}, b"<html>no</html>", ResponseAction.RETRY_PROXY),
        (404, {}, b"", ResponseAction.NOT_FOUND),
        (204, {}, b"", ResponseAction.RETRY),
        (400, {}, sample("unknown_query_param"), ResponseAction.REJECTED),
        (404, {}, sample("shape"), ResponseAction.NOT_FOUND),
        (410, {}, b"", ResponseAction.NOT_FOUND),
        (405, {}, b"", ResponseAction.REJECTED),
        (406, {}, b"", ResponseAction.REJECTED),
        (302, {}, b"", ResponseAction.REDIRECTED),
        (408, {}, b"", ResponseAction.RETRY),
        *((status, {}, b"<html>", ResponseAction.RETRY) for status in (500, 502, 503, 504, 522)),
    ],
)
def test_errors(status: int, headers: dict[str, str], body: bytes, action: ResponseAction) -> None:
    refusal = ERROR_HANDLER.resolve(status, requests.structures.CaseInsensitiveDict(headers), body)
    assert refusal
    assert refusal.action is action
    assert refusal.message


def test_success_has_no_error_resolution() -> None:
    assert ERROR_HANDLER.resolve(200, {}, b"[]") is None


def test_bad_request_has_key_and_message() -> None:
    refusal = ERROR_HANDLER.resolve(400, {}, sample("unknown_query_param"))
    assert refusal
    assert "query.param.invalid: The query parameter email is not supported." in refusal.message


@given(st.integers(201, 599), st.binary(), st.text())
def test_no_body_or_header_breaks_the_judgement(status: int, body: bytes, header: str) -> None:
    refusal = ERROR_HANDLER.resolve(status, {"Retry-After": header}, body)
    assert (refusal is None) == (status in SUCCESS)
    assert refusal is None or refusal.wait >= 0


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("", 0),
        ("7", 7),
        ("soon", 0),
        ("Mon, 23 Nov 2026 12:00:30 GMT", 30),
        ("Mon, 23 Nov 2026 11:00:00 GMT", 0),
    ],
)
def test_retry_after(header: str, seconds: float) -> None:
    now = dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC)
    assert error_handler.retry_after({"Retry-After": header}, now) == seconds


def test_waits_grow_and_obey_retry_after() -> None:
    waits = exponential_backoff()
    next(waits)
    plain = [waits.send(ConnectionError()) for _ in range(8)]
    assert plain == [1, 2, 4, 8, 16, 32, 60, 60]

    response = requests.Response()
    response.headers["Retry-After"] = "9"
    asked = exponential_backoff()
    next(asked)
    assert asked.send(requests.ConnectionError(response=response)) == 9


# -- pace -----------------------------------------------------------------------------------


@given(
    per_second=st.floats(0.5, 50),
    pauses=st.lists(st.floats(0, 3), max_size=30),
)
def test_no_second_sees_more_calls_than_allowed(per_second: float, pauses: list[float]) -> None:
    clock = [0.0]

    def sleep(seconds: float) -> None:
        clock[0] += seconds

    pace = RateLimiter(per_second, clock=lambda: clock[0], sleep=sleep)
    sent = []
    for pause in pauses:
        clock[0] += pause
        pace.wait()
        sent.append(clock[0])

    for start in sent:
        assert sum(start <= at < start + 1 for at in sent) <= math.ceil(per_second)


@given(st.lists(st.booleans(), max_size=300))
def test_pace_slows_down_when_refused_and_speeds_up_again(refused: list[bool]) -> None:
    now = [0.0]
    pace = RateLimiter(4, clock=lambda: now[0], sleep=lambda s: now.__setitem__(0, now[0] + s))
    gaps = []
    for was_refused in refused:
        before = now[0]
        pace.wait()
        gaps.append(now[0] - before)
        if was_refused:
            pace.slow_down()
    for each in range(1, len(gaps) - 1):
        if not refused[each - 1] and not refused[each]:
            assert gaps[each + 1] <= gaps[each] + 1e-6 or each == 1, "never slower without a reason"
    assert all(gap <= 16 * 1.04 / 4 + 1e-6 for gap in gaps), "and never at a stand-still"


def test_pace_is_halved_first_and_is_whole_again_in_the_end() -> None:
    now = [0.0]
    pace = RateLimiter(4, clock=lambda: now[0], sleep=lambda s: now.__setitem__(0, now[0] + s))

    def gap() -> float:
        before = now[0]
        pace.wait()
        return now[0] - before

    gap()
    assert gap() == pytest.approx(0.26)
    pace.slow_down()
    gap()
    assert gap() == pytest.approx(0.52, rel=0.01)
    for _ in range(500):
        gap()
    assert gap() == pytest.approx(0.26)


def test_pace_costs_little_more_than_the_limit() -> None:
    clock = [0.0]
    pace = RateLimiter(
        4, clock=lambda: clock[0], sleep=lambda s: clock.__setitem__(0, clock[0] + s)
    )
    for _ in range(401):
        pace.wait()
    assert clock[0] == pytest.approx(104)


# -- credentials ----------------------------------------------------------------------------


def signed(url: str) -> requests.PreparedRequest:
    credentials = ApiKeyAuthenticator(KEY, TOKEN)
    return credentials(credentials(requests.Request("GET", url).prepare()))


def test_signing_twice_is_signing_once() -> None:
    request = signed("https://api.test/v2/contacts?next=c3RhcnRBdD0zJmxpbWl0PTI")
    assert request.url == (
        "https://api.test/v2/contacts?next=c3RhcnRBdD0zJmxpbWl0PTI&api_key=k3y%2Fwith%2Bsigns"
    )
    assert request.headers["Authorization"] == f"Bearer {TOKEN}"


def test_secrets_and_addresses_are_cleaned() -> None:
    request = signed("https://api.test/v2/contacts")
    text = f"{request.url} {request.headers} {KEY} of 'jo.doe+x@mail.example.com', <a@b.co>: no"
    cleaned = ApiKeyAuthenticator(KEY, TOKEN).redact(text)
    assert "k3y" not in cleaned
    assert TOKEN not in cleaned
    assert "@" not in cleaned
    assert cleaned.endswith("<api_key> of '<address>', <<address>>: no")


def test_credentials_do_not_show_themselves() -> None:
    assert KEY not in repr(ApiKeyAuthenticator(KEY, TOKEN))
    assert TOKEN not in repr(ApiKeyAuthenticator(KEY, TOKEN))


# -- times ----------------------------------------------------------------------------------


@given(st.datetimes(timezones=st.just(dt.UTC)))
def test_times_are_written_as_they_are_read(moment: dt.datetime) -> None:
    whole = moment.replace(microsecond=moment.microsecond // 1000 * 1000)
    assert timestamps.parse(timestamps.write(moment)) in {whole, None}
    assert len(timestamps.write(moment)) == 24


def test_samples_are_complete() -> None:
    assert json.loads(sample("shape"))
    assert len(list(SAMPLES.glob("*.json"))) > 80
