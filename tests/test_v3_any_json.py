"""v3: any JSON value in any place of any response gives no traceback and no silent loss."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner
from helpers.faults import rewrite, sync_or_fail
from helpers.runner import KEY, TOKEN, config
from helpers.strategies import at_most
from helpers.v3 import STREAMS, ids_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sandbox import Account, FaultConfig, serve
from tap_constantcontact.tap import TapConstantContact

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sandbox import Call, Sandbox

pytestmark = pytest.mark.slow

ODD: list[Any] = [
    None, True, False, 0, -1, 7, 1.5, 1e300, "", "x", "7", "7" * 5000, "\0", "2026-13-45",
    "9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00", [], {}, [[]], [{}], [None], ["x"],
    {"a": 1}, {"error_key": "odd"}, [{"error_key": "odd"}], {"href": "x"}, [1, "a", None],
]  # fmt: skip


@pytest.fixture(scope="module")
def box() -> Iterator[Sandbox]:
    """Serves a small account with something of everything."""
    account = Account(contacts=4, campaigns=5, recipients=2, events=1, activities=3)
    with serve(account, FaultConfig(), api_key=KEY, access_token=TOKEN) as running:
        yield running


NAMES = [name for name in STREAMS if name not in {"id_map", "landing_page_events"}]
# What says which record a record is, or which others belong to it: of another one nothing is known.
IDS = {
    "activity_id", "campaign_activity_id", "campaign_id", "contact_id", "created_time",
    "custom_field_id", "email_id", "encoded_account_id", "event_id", "id", "link_tag", "list_id",
    "privilege_name", "profile_id", "registration_id", "resend_request_id", "scheduled_date",
    "segment_id", "send_id", "sms_channel_history_id", "tag_id", "track_id",
    "tracking_activity_type", "url_id",
}  # fmt: skip
# What says that there is nothing more, or nothing at all.
ENDS = {"_links", "next", "href", "next_cursor"}


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The places in a JSON document, the document itself included."""
    yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    for key, each in inner if isinstance(value, (dict, list)) else ():
        yield from places(each, (*path, key))


def put(value: Any, path: tuple[Any, ...], odd: Any) -> Any:
    if not path:
        return odd
    found = value
    for key in path[:-1]:
        found = found[key]
    found[path[-1]] = odd
    return value


class Oddity:
    """Puts an odd value into one place of some responses to one kind of request."""

    def __init__(self, box: Sandbox, seed: int) -> None:
        self._dice = random.Random(seed)  # noqa: S311 - what happens is of no matter
        self._chosen = self._dice.randrange(90)
        self._odd = self._dice.choice(ODD)
        self._requests: list[str] = []
        self._path: str | None = None
        self.place: tuple[Any, ...] = ()
        rewrite(box, self)

    def __call__(self, call: Call, body: Any) -> Any:
        if call.path not in self._requests:
            self._requests.append(call.path)
            if len(self._requests) == self._chosen:
                self._path = call.path
        if call.path != self._path:
            return body
        found = [place for place in places(body) if not self.place or place == self.place]
        if not found:
            return body
        self.place = self._dice.choice(found)
        return put(body, self.place, self._odd)

    def __str__(self) -> str:
        return f"{self._odd!r} at {self.place} of {self._path}"

    @property
    def may_hide_records(self) -> bool:
        """Whether nothing can tell that a record is missing: it is another one now, or is none."""
        names = {key for key in self.place if isinstance(key, str)}
        is_record = bool(self.place) and isinstance(self.place[-1], int)
        return bool(names & (IDS | ENDS)) or is_record or self._odd in ([], None)


@settings(max_examples=at_most(40), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10**6))
def test_any_json_value_gives_no_traceback_and_no_silent_loss(box: Sandbox, seed: int) -> None:
    oddity = Oddity(box, seed)
    output, error = sync_or_fail(box, *NAMES, max_parallel_requests=1)
    box.interfere = None
    if error is not None:
        assert "\n" not in str(error)
        return
    absent = {stream: len(box.account.v3_ids(stream) - ids_of(output, stream)) for stream in NAMES}
    absent = {stream: count for stream, count in absent.items() if count}
    assert not absent or oddity.may_hide_records, f"{oddity}: {absent}"


@settings(max_examples=at_most(15), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10**6), option=st.sampled_from(["--plan", "--plan=json", "--status"]))
def test_any_json_value_gives_no_traceback_in_a_command(
    box: Sandbox, tmp_path: Path, seed: int, option: str
) -> None:
    (tmp_path / "config.json").write_text(json.dumps(config(box, "v3")))
    oddity = Oddity(box, seed)
    oddity._chosen %= 12 if "plan" in option else 3  # noqa: SLF001 - they request less
    command = TapConstantContact.cli
    result = CliRunner().invoke(command, [f"--config={tmp_path}/config.json", option])
    box.interfere = None
    assert isinstance(result.exception, (SystemExit, type(None))), f"{oddity}: {result.exception!r}"
    assert "Traceback" not in result.output
