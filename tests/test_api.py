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

from tap_constantcontact.http import bodies, refusals
from tap_constantcontact.http.links import ApiRoot, ForeignLinkError
from tap_constantcontact.http.pace import Pace
from tap_constantcontact.http.refusals import GOOD, Verdict
from tap_constantcontact.http.retries import growing_waits
from tap_constantcontact.records import times
from tap_constantcontact.v2.bodies import PAGED
from tap_constantcontact.v2.credentials import KeyAndToken
from tap_constantcontact.v2.refusals import REFUSALS

if TYPE_CHECKING:
    from tap_constantcontact.http.bodies import Envelope

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
    assert ApiRoot(base, "v2").follow(link, "-") == followed


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
    with pytest.raises(ForeignLinkError):
        ApiRoot("https://api.test/v2", "v2").follow(link, "-")


@given(st.text())
def test_whatever_the_link_says_the_host_stays_ours(link: str) -> None:
    try:
        followed = ApiRoot("https://api.test/v2", "v2").follow(link, "-")
    except ValueError:
        return
    sent = requests.Request("GET", followed).prepare().url or ""
    assert sent.startswith("https://api.test/")


NAMES = st.sampled_from(["meta", "pagination", "next_link", "results", "error_key", "id"])
ALMOST_PAGES = st.recursive(
    st.none() | st.text() | st.integers(),
    lambda inner: st.dictionaries(NAMES, inner) | st.lists(inner, max_size=3),
)
ENVELOPES = [PAGED, bodies.ARRAY, bodies.ONE, bodies.ONE_OR_ARRAY, bodies.of("1")]


# -- bodies ---------------------------------------------------------------------------------


@given(st.sampled_from(ENVELOPES), ALMOST_PAGES)
def test_any_body_is_rows_in_its_envelope_or_broken(envelope: Envelope, body: Any) -> None:
    try:
        page = envelope.open(body)
    except bodies.BrokenAnswerError as fault:
        refusal = REFUSALS.judge_broken({}, json.dumps(body).encode(), fault)
        assert refusal.verdict is Verdict.WAIT
        assert "\n" not in refusal.message
    else:
        assert all(isinstance(row, dict) and "error_key" not in row for row in page.rows)
        assert page.next_link is None or (page.next_link and isinstance(page.next_link, str))


@pytest.mark.parametrize("sample", sorted(SAMPLES.glob("*.json")), ids=lambda path: path.stem)
def test_every_sample_body_is_rows_in_one_envelope(sample: Path) -> None:
    body = bodies.decode(sample.read_bytes())
    if isinstance(body, list):
        envelope, expected = bodies.ARRAY, body
    elif "results" in body:
        envelope, expected = PAGED, body["results"]
    else:
        envelope, expected = bodies.ONE, [body]
    if sample.stem.startswith("errors."):
        with pytest.raises(bodies.ErrorInAnswerError):
            envelope.open(body)
        return
    assert envelope.open(body).rows == expected
    for other in {bodies.ARRAY, PAGED, bodies.ONE} - {envelope}:
        if (envelope, other) != (PAGED, bodies.ONE):
            with pytest.raises(bodies.BrokenAnswerError):
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
    assert bodies.decode(body) == decoded


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b'{"results": [{"id": ', b'[{"id": "1"}', b"[" * 5000 + b"]" * 5000]
)
def test_bodies_that_are_no_json_are_told(body: bytes) -> None:
    with pytest.raises(bodies.BrokenAnswerError, match="is no JSON"):
        bodies.decode(body)


OTHERS: list[tuple[Envelope, list[Any]]] = [
    (PAGED, ["text", 5, None, {}, [], [{"id": 1}]]),
    (PAGED, [{"results": rows} for rows in (None, {"id": 1}, ["a"], [None], "")]),
    (PAGED, [{"results": [], "meta": 5}, {"results": [], "meta": []}]),
    (PAGED, [{"results": [], "meta": {"pagination": "x"}}]),
    (PAGED, [{"results": [], "meta": {"pagination": {"next_link": {}}}}]),
    (bodies.ARRAY, [{}, None, {"results": []}, [1], [None], [[]]]),
    (bodies.ONE, [[], [{"id": 1}], None, 5]),
    (bodies.ONE_OR_ARRAY, [[], [{}, {}], None]),
    (bodies.of("1"), [{}, {"id": "2"}, {"id": None}, {"id": True}, []]),
]


@pytest.mark.parametrize(
    ("envelope", "body"), [(envelope, body) for envelope, several in OTHERS for body in several]
)
def test_bodies_in_another_envelope_are_told(envelope: Envelope, body: Any) -> None:
    with pytest.raises(bodies.BrokenAnswerError):
        envelope.open(body)


@pytest.mark.parametrize(
    ("envelope", "body"),
    [
        (PAGED, [{"error_key": "a", "error_message": "b"}]),
        (PAGED, {"fault": {"faultstring": "c"}}),
        (PAGED, {"results": [{"error_key": "a"}]}),
        (PAGED, {"results": [], "error_message": "a"}),
        (bodies.ARRAY, [{"id": 1}, {"error_key": "a"}]),
        (bodies.ARRAY, {"error_key": "a"}),
        (bodies.ONE, {"id": "1", "error_key": "a"}),
        (bodies.ONE, [{"error_key": "a"}]),
    ],
)
def test_errors_in_any_envelope_are_errors(envelope: Envelope, body: Any) -> None:
    with pytest.raises(bodies.ErrorInAnswerError):
        envelope.open(body)


def test_an_error_that_says_all_is_well_is_judged_by_its_key() -> None:
    fault = bodies.ErrorInAnswerError()
    assert REFUSALS.judge_broken({}, sample("over_daily_quota"), fault).verdict is Verdict.QUOTA
    assert REFUSALS.judge_broken({}, sample("over_qps"), fault).verdict is Verdict.SLOW_DOWN
    assert REFUSALS.judge_broken({}, sample("shape"), fault).verdict is Verdict.WAIT


# -- refusals -------------------------------------------------------------------------------


def sample(name: str) -> bytes:
    return (SAMPLES / f"errors.{name}.json").read_bytes()


@pytest.mark.parametrize(
    ("status", "headers", "body", "verdict"),
    [
        (403, {}, sample("over_qps"), Verdict.SLOW_DOWN),
        (401, {}, sample("over_qps"), Verdict.SLOW_DOWN),
        (403, {"X-Mashery-Error-Code": "ERR_403_DEVELOPER_OVER_QPS"}, b"<h1>", Verdict.SLOW_DOWN),
        (403, {}, b"<h1>Developer Over Qps</h1>", Verdict.SLOW_DOWN),
        (403, {}, b"<h1>Developer Over Rate</h1>", Verdict.QUOTA),
        (403, {}, b"<h1>Developer Inactive</h1>", Verdict.END),
        (429, {}, b"", Verdict.SLOW_DOWN),
        (429, {"Retry-After": "3"}, b"[]", Verdict.SLOW_DOWN),
        (429, {"Retry-After": "36000"}, b"[]", Verdict.QUOTA),
        (403, {}, sample("over_daily_quota"), Verdict.QUOTA),
        (401, {}, sample("over_daily_quota"), Verdict.QUOTA),
        (403, {"X-Mashery-Error-Code": "ERR_403_DEVELOPER_OVER_RATE"}, b"", Verdict.QUOTA),
        (403, {}, sample("invalid_api_key"), Verdict.END),
        (403, {"X-Mashery-Error-Code": "ERR_403_DEVELOPER_INACTIVE"}, b"", Verdict.END),
        (401, {}, sample("no_token"), Verdict.REPEAT_ONCE),
        (
            401,
            {},
            b'{"error_key": "http.status.authentication.invalid_token"}',
            Verdict.REPEAT_ONCE,
        ),
        (403, {}, sample("shape"), Verdict.FORBIDDEN),
        (403, {}, b"", Verdict.FORBIDDEN),
        (403, {}, b"<html>no</html>", Verdict.BLOCKED),
        (403, {}, b'{"message": "Forbidden"}', Verdict.BLOCKED),
        (404, {}, b"<html>no</html>", Verdict.BLOCKED),
        (404, {}, b"", Verdict.MISSING),
        (204, {}, b"", Verdict.WAIT),
        (400, {}, sample("unknown_query_param"), Verdict.REJECTED),
        (404, {}, sample("shape"), Verdict.MISSING),
        (410, {}, b"", Verdict.MISSING),
        (405, {}, b"", Verdict.REJECTED),
        (406, {}, b"", Verdict.REJECTED),
        (302, {}, b"", Verdict.REDIRECTED),
        (408, {}, b"", Verdict.WAIT),
        *((status, {}, b"<html>", Verdict.WAIT) for status in (500, 502, 503, 504, 522)),
    ],
)
def test_refusals(status: int, headers: dict[str, str], body: bytes, verdict: Verdict) -> None:
    refusal = REFUSALS.judge(status, requests.structures.CaseInsensitiveDict(headers), body)
    assert refusal
    assert refusal.verdict is verdict
    assert refusal.message


def test_an_answer_is_no_refusal() -> None:
    assert REFUSALS.judge(200, {}, b"[]") is None


def test_a_bad_request_is_told_with_key_and_message() -> None:
    refusal = REFUSALS.judge(400, {}, sample("unknown_query_param"))
    assert refusal
    assert "query.param.invalid: The query parameter email is not supported." in refusal.message


@given(st.integers(201, 599), st.binary(), st.text())
def test_no_body_or_header_breaks_the_judgement(status: int, body: bytes, header: str) -> None:
    refusal = REFUSALS.judge(status, {"Retry-After": header}, body)
    assert (refusal is None) == (status in GOOD)
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
    assert refusals.retry_after({"Retry-After": header}, now) == seconds


def test_waits_grow_and_obey_retry_after() -> None:
    waits = growing_waits()
    next(waits)
    plain = [waits.send(ConnectionError()) for _ in range(8)]
    assert plain == [1, 2, 4, 8, 16, 32, 60, 60]

    response = requests.Response()
    response.headers["Retry-After"] = "9"
    asked = growing_waits()
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

    pace = Pace(per_second, clock=lambda: clock[0], sleep=sleep)
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
    pace = Pace(4, clock=lambda: now[0], sleep=lambda s: now.__setitem__(0, now[0] + s))
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
    pace = Pace(4, clock=lambda: now[0], sleep=lambda s: now.__setitem__(0, now[0] + s))

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
    pace = Pace(4, clock=lambda: clock[0], sleep=lambda s: clock.__setitem__(0, clock[0] + s))
    for _ in range(401):
        pace.wait()
    assert clock[0] == pytest.approx(104)


# -- credentials ----------------------------------------------------------------------------


def signed(url: str) -> requests.PreparedRequest:
    credentials = KeyAndToken(KEY, TOKEN)
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
    cleaned = KeyAndToken(KEY, TOKEN).clean(text)
    assert "k3y" not in cleaned
    assert TOKEN not in cleaned
    assert "@" not in cleaned
    assert cleaned.endswith("<api_key> of '<address>', <<address>>: no")


def test_credentials_do_not_show_themselves() -> None:
    assert KEY not in repr(KeyAndToken(KEY, TOKEN))
    assert TOKEN not in repr(KeyAndToken(KEY, TOKEN))


# -- times ----------------------------------------------------------------------------------


@given(st.datetimes(timezones=st.just(dt.UTC)))
def test_times_are_written_as_they_are_read(moment: dt.datetime) -> None:
    whole = moment.replace(microsecond=moment.microsecond // 1000 * 1000)
    assert times.parse(times.write(moment)) in {whole, None}
    assert len(times.write(moment)) == 24


def test_samples_are_complete() -> None:
    assert json.loads(sample("shape"))
    assert len(list(SAMPLES.glob("*.json"))) > 80
