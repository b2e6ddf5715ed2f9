"""Whatever the API answers, no run ends well with a row missing, and none with a traceback."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import pytest
from helpers.runner import KEY, TOKEN, Collector, everything, sync
from helpers.strategies import at_most
from hypothesis import given, settings
from hypothesis import strategies as st
from singer_sdk.exceptions import FatalAPIError
from test_schemas import KEYS

from sandbox import Account, FaultConfig, Reply, serve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sandbox import Call, Sandbox
pytestmark = pytest.mark.slow

STREAMS = [name for name in everything().streams if name != "sync_audit"]
# A 403 or 404 on anything else may mean that the account lacks it, or that it has been deleted.
ALWAYS_THERE = {
    "/v2/account/verifiedemailaddresses",
    "/v2/activities",
    "/v2/contacts",
    "/v2/emailmarketing/campaigns",
    "/v2/lists",
}


@pytest.fixture(scope="module")
def box() -> Iterator[Sandbox]:
    account = Account(contacts=6, campaigns=8, recipients=2, events=1, activities=4, files=6)
    with serve(account, FaultConfig(), api_key=KEY, access_token=TOKEN) as running:
        yield running


def missing(box: Sandbox, into: Collector) -> dict[str, int]:
    """How many rows of which streams have not arrived."""
    found: dict[str, set[Any]] = defaultdict(set)
    for message in into.output.messages:
        if message["type"] == "RECORD":
            stream = message["stream"]
            found[stream].add(tuple(message["record"][key] for key in KEYS[stream]))
    there_are = box.account.counts()
    return {each: n for each in STREAMS if (n := there_are[each] - len(found[each]))}


def run(box: Sandbox, spoil: Callable[[Call, Callable[[], Reply]], Reply | None]) -> Collector:
    """Sync everything with such answers; it ends well, or as a failure that is in clear words."""
    into = Collector()
    box.interfere = spoil
    try:
        sync(box, *STREAMS, into=into)
    except FatalAPIError as error:
        is_clear = "\n" not in str(error)
    else:
        is_clear = not missing(box, into)
    finally:
        box.interfere = None
    assert is_clear
    return into


SCALARS = st.none() | st.booleans() | st.integers() | st.text(max_size=9)
NAMES = st.text(min_size=1, max_size=9).map(lambda name: f"x{name}")
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: (
        st.dictionaries(NAMES, inner, max_size=3) | st.lists(inner, min_size=1, max_size=3)
    ),
    max_leaves=8,
)
NO_LIST = SCALARS | st.dictionaries(NAMES, ANYTHING, max_size=2)
NO_ROWS = NO_LIST | st.lists(ANYTHING.filter(lambda each: each != {}), min_size=1, max_size=3)
NO_PAGE = (
    ANYTHING
    | st.builds(lambda rows: {"results": rows}, NO_ROWS)
    | st.builds(lambda meta: {"meta": meta, "results": []}, st.text(min_size=1) | st.integers())
    | st.builds(
        lambda link: {"meta": {"pagination": {"next_link": link}}, "results": []},
        st.integers() | st.lists(SCALARS) | st.dictionaries(NAMES, SCALARS, min_size=1),
    )
    | st.builds(lambda key: [{"error_key": key, "error_message": "no"}], st.text(max_size=9))
    | st.builds(lambda text: {"fault": {"faultstring": text}}, st.text(max_size=9))
)
BODIES = NO_PAGE.map(lambda body: json.dumps(body).encode()) | st.binary(max_size=40).filter(
    lambda body: body.strip() not in {b"[]", b"{}"}
)
STATUSES = [201, 202, 206, 226, 300, 302, 307, 400, 401, 403, 404, 405, 406, 408, 409, 410]
STATUSES += [418, 429, 451, 500, 501, 502, 503, 504, 520, 522, 599]


@settings(max_examples=at_most(15))
@given(
    place=st.integers(0, 75),
    times=st.sampled_from([1, 3, 99]),
    status=st.just(200) | st.sampled_from(STATUSES),
    body=BODIES,
)
def test_any_answer_to_any_call(
    box: Sandbox, place: int, times: int, status: int, body: bytes
) -> None:
    seen: list[str] = []
    spoilt: list[str] = []

    def spoil(call: Call, _: object) -> Reply | None:
        seen.append(call.path)
        may_lack = status in {403, 404, 410} and call.path not in ALWAYS_THERE
        is_chosen = call.path in spoilt if spoilt else len(seen) > place
        if may_lack or not is_chosen or len(spoilt) >= times:
            return None
        spoilt.append(call.path)
        return Reply(status, body)

    run(box, spoil)


@settings(max_examples=at_most(8))
@given(place=st.integers(0, 75), cut=st.floats(0, 0.999), always=st.booleans())
def test_an_answer_cut_anywhere(box: Sandbox, place: int, cut: float, *, always: bool) -> None:
    seen: list[str] = []

    def spoil(call: Call, real: Callable[[], Reply]) -> Reply | None:
        seen.append(call.path)
        if len(seen) == place or (always and place and seen[place - 1 : place] == [call.path]):
            whole = real()
            return whole._replace(body=whole.body[: int(cut * len(whole.body))])
        return None

    run(box, spoil)


def with_oddities(value: Any) -> Any:
    """Nulls in each list, and in those of things a thing without an id."""
    if isinstance(value, dict):
        return {name: with_oddities(each) for name, each in value.items()}
    if not isinstance(value, list):
        return value
    odd = [with_oddities(each) for each in value]
    if odd and isinstance(odd[0], dict) and "id" in odd[0]:
        odd.insert(1, {name: each for name, each in odd[0].items() if name != "id"})
    return [odd[0], None, *odd[1:], None] if odd else odd


def test_odd_objects_are_left_out_and_the_rest_is_read(
    box: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    def spoil(_: Call, real: Callable[[], Reply]) -> Reply:
        reply = real()
        body = json.loads(reply.body)
        return reply._replace(body=json.dumps(with_oddities(body)).encode())

    into = run(box, spoil)

    assert missing(box, into) == {}
    assert "Skipping a record without its key (id)" in caplog.text
    assert "nulls in place of objects" in caplog.text


@pytest.mark.parametrize("odd", ["\0", "\t", "\n", "\x1b"])
def test_odd_characters_in_any_text_stop_nothing(box: Sandbox, odd: str) -> None:
    def spoil(_: Call, real: Callable[[], Reply]) -> Reply:
        reply = real()
        body = json.loads(reply.body, object_hook=add)
        # Raw, as no JSON may hold them, but U+0000, which is sent as JSON prescribes.
        text = json.dumps(body, ensure_ascii=False)
        return reply._replace(
            body=text.encode() if odd == "\0" else text.replace("~", odd).encode()
        )

    def add(obj: dict[str, Any]) -> dict[str, Any]:
        mark = odd if odd == "\0" else "~"
        texts = ("name", "label", "first_name", "city", "line1", "subject", "description", "value")
        return {
            name: f"{each}{mark}." if name in texts and isinstance(each, str) else each
            for name, each in obj.items()
        }

    into = run(box, spoil)

    assert missing(box, into) == {}
    written = json.dumps(into.output.messages)
    assert "\\u0000" not in written
    assert odd == "\0" or json.dumps(f"{odd}.")[1:-1] in written
