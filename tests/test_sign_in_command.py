"""Signing in to v3 as a person does it, and runs that use what was kept."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import re
import stat
import threading
import webbrowser
from time import monotonic
from typing import TYPE_CHECKING, Any

import pytest
import requests
from click.testing import CliRunner, Result
from helpers.fake_server import Answer, Scripted
from helpers.runner import Collector
from singer_sdk.exceptions import ConfigValidationError, FatalAPIError

from sandbox import Account, FaultConfig, Sandbox
from tap_constantcontact.tap import TapConstantContact
from tap_constantcontact.v3.auth import login, oauth
from tap_constantcontact.v3.auth.token_store.file import FileStore
from tap_constantcontact.v3.auth.token_store.selection import open_store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Serving = Callable[..., Sandbox]

CLIENT = "sandbox-client"
A_DAY = 86_400.0
PERSON = "jo.doe@mail.example.com"


class Person:
    """Somebody at a terminal, with a folder of his own."""

    def __init__(self, box: Sandbox, folder: Path) -> None:
        box.oauth.interval = 0.01
        self.box = box
        self.store = folder / "kept" / "tokens.json"
        self.folder = folder
        self.patch = pytest.MonkeyPatch()
        self.at_end = contextlib.ExitStack()
        self.settings: dict[str, Any] = {
            "client_id": CLIENT,
            "token_store": str(self.store),
            "api_url": box.v3_url,
            "auth_url": box.origin,
            "requests_per_second": 1000,
        }

    def types(self, *options: str, **settings: Any) -> Result:
        path = self.folder / "config.json"
        path.write_text(json.dumps({**self.settings, **settings}))
        command = TapConstantContact.get_singer_command()
        return CliRunner().invoke(command, ["--config", str(path), *options])

    def runs(self, **settings: Any) -> Collector:
        writer = Collector()
        tap = TapConstantContact(config={**self.settings, **settings}, message_writer=writer)
        tap.sync_all()
        return writer

    @property
    def secrets(self) -> list[str]:
        """All tokens that there have ever been."""
        granted = self.box.oauth.granted
        return [
            token
            for each in granted
            for token in (each.refresh_token, *each.spent, *each.access)
            if token
        ]


@pytest.fixture
def person(serving: Serving, tmp_path: Path) -> Iterator[Person]:
    found = Person(serving(contacts=20, campaigns=2), tmp_path)
    with found.patch.context() as found.patch, found.at_end:
        yield found


def test_log_in_run_look_log_out(person: Person) -> None:
    person.box.oauth.agrees = True
    said = person.types("--login")
    assert said.exit_code == 0, said.output
    owner = next(iter(person.box.account.v3_ids("account")))
    first, code, _, last = said.output.splitlines()
    assert first.startswith(f"Open {person.box.origin}/oauth2/default/v1/activate?user_code=")
    assert code.startswith("If it asks for a code: ")
    assert last.startswith("Logged in to ")
    assert last.endswith(f"({owner}). The tokens are stored in {person.store}.")
    assert stat.S_IMODE(person.store.stat().st_mode) == 0o600

    for _ in range(2):
        assert person.runs().output.counts["contacts"] == 21
    assert person.box.oauth.refreshes == 0, "a login brings a token for a day"

    status = person.types("--status")
    assert status.exit_code == 0, status.output
    assert f"({owner})" in status.output
    assert re.search(r"Access token +until 20", status.output)
    assert "180 days without use" in status.output
    assert re.search(r"Streams +all\n", status.output)

    assert "the tokens were deleted from" in person.types("--logout").output
    assert "No stored login found" in person.types("--logout").output
    with pytest.raises(FatalAPIError, match="No login found"):
        person.runs()
    assert not any(secret in said.output + status.output for secret in person.secrets)


def test_status_lists_missing_privileges(person: Person) -> None:
    person.box.oauth.agrees = True
    person.types("--login")
    person.box.faults = FaultConfig(missing_privileges={"customer-journey:read"})
    said = person.types("--status").output
    assert "all except those below" in said
    assert re.search(r"Lacking customer-journey:read +automations", said)


def test_log_in_in_the_browser(person: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    def browse(address: str) -> bool:
        threading.Thread(target=requests.get, args=(address,), kwargs={"timeout": 5}).start()
        return True

    monkeypatch.setattr(webbrowser, "open", browse)
    monkeypatch.setattr(login, "REDIRECT_PORT", 0)
    said = person.types("--login", "--pkce")
    assert said.exit_code == 0, said.output
    assert person.runs().output.counts["tags"]


def test_another_account_does_not_replace_the_first(person: Person) -> None:
    person.box.oauth.agrees = True
    person.types("--login")
    before = person.store.read_text()
    person.box.account = Account(seed=2, contacts=1, campaigns=0)
    said = person.types("--login")
    assert said.exit_code == 77
    assert person.store.read_text() == before
    person.types("--logout")
    assert person.types("--login").exit_code == 0


def test_a_login_takes_the_place_of_a_seed(person: Person) -> None:
    person.box.oauth.agrees = True
    seed = person.box.oauth.grant()
    person.types("--login", refresh_token=seed)
    person.runs(refresh_token=seed)
    assert person.box.oauth.refreshes == 0, "the login counts until the setting changes"
    other = person.box.oauth.grant()
    person.runs(refresh_token=other)
    assert person.box.oauth.refreshes == 1
    said = person.types("--logout", refresh_token=other).output
    assert "still contains a token" in said


@pytest.mark.parametrize(
    ("settings", "option", "said"),
    [
        ({"client_id": None, "api_url": None}, "--login", "Setting 'client_id' is missing"),
        ({"client_id": None, "api_key": "k", "access_token": "t", "api_url": None}, "--login",
         "--logout are for the API v3: set `client_id`"),
        ({"client_id": "another"}, "--login", "does not recognize this application"),
        ({"client_secret": "wrong"}, "--login", "does not recognize this application"),
        ({}, "--status", "No login found"),
        ({"api_version": "v2", "api_key": "k", "access_token": "t", "api_url": None}, "--status",
         "--logout are for the API v3: set `client_id`"),
        ({"token_store": "https://store.test"}, "--logout", "is a website"),
    ],
)  # fmt: skip
def test_oauth_errors_are_reported_in_one_line(
    person: Person,
    settings: dict[str, Any],
    option: str,
    said: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    result = person.types(option, **settings)
    is_about_credentials = said.startswith(("does not recognize", "No login"))
    assert result.exit_code == (77 if is_about_credentials else 78)
    errors = [each.getMessage() for each in caplog.records if each.levelno >= logging.ERROR]
    assert len(errors) == 1
    assert said in errors[0]


# -- runs --------------------------------------------------------------------------------------


def test_a_run_a_day_later_renews_the_token_by_itself(person: Person) -> None:
    person.box.oauth.agrees = True
    person.types("--login")
    person.runs()
    person.box.oauth.clock = lambda: monotonic() + A_DAY
    writer = person.runs()
    assert writer.output.counts["contacts"] == 21
    assert person.box.oauth.refreshes == 1
    refused = [call for call in person.box.calls if call.status == 401]
    assert len(refused) == 1, "known by the first call, which is repeated once"


def test_a_token_that_ends_in_mid_run_is_renewed(person: Person) -> None:
    box = person.box
    box.oauth.agrees = True
    person.types("--login")
    box.account = Account(contacts=3000, campaigns=0)

    def interfere(call: Any, _: Callable[[], Any]) -> None:
        if call.path == "/v3/contacts":
            box.oauth.clock = lambda: monotonic() + A_DAY
            box.interfere = None

    box.interfere = interfere
    writer = person.runs(max_parallel_requests=4)
    ids = {row["contact_id"] for row in writer.output.rows("contacts")}
    assert ids == box.account.v3_ids("contacts")
    assert box.oauth.refreshes == 1, "calls under way that were refused renew nothing anew"
    assert box.oauth.invalid_grants == 0


def test_a_refresh_token_that_is_spent_ends_the_run(person: Person) -> None:
    person.box.oauth.agrees = True
    person.types("--login")
    person.box.oauth.granted[0].ended = True
    with pytest.raises(FatalAPIError, match="Log in again: tap-constantcontact --login"):
        person.runs()


def test_an_access_token_alone_is_enough_for_a_try(person: Person) -> None:
    token = person.box.oauth.access()
    settings = {"api_version": "v3", "client_id": "", "access_token": token}
    assert person.runs(**settings).output.counts["contacts"] == 21
    assert not person.store.exists()
    person.box.oauth.clock = lambda: monotonic() + A_DAY
    with pytest.raises(FatalAPIError, match="with `access_token` alone, create a new one"):
        person.runs(**settings)


def test_a_state_knows_its_account_without_asking(person: Person) -> None:
    person.box.oauth.agrees = True
    person.types("--login")
    state = person.runs().output.state
    person.types("--logout")
    person.box.account = Account(seed=2, contacts=1, campaigns=0)
    person.types("--login")
    tap = TapConstantContact(config=person.settings, state=state, message_writer=Collector())
    with pytest.raises(ConfigValidationError, match="The state belongs to another account"):
        tap.sync_all()


def test_initial_token_requests_the_account_once(person: Person) -> None:
    seed = person.box.oauth.grant()
    person.runs(refresh_token=seed)
    (grant,) = open_store(str(person.store)).tokens()
    assert {grant.account} == person.box.account.v3_ids("account")


def test_a_long_lived_seed_needs_no_disk(person: Person) -> None:
    person.box.oauth.application.rotating = False
    (person.folder / "kept").write_text("a file where the folder should be")
    seed = person.box.oauth.grant()
    assert person.runs(refresh_token=seed).output.counts["contacts"] == 21


# -- what nobody may read ------------------------------------------------------------------------


def unreadable(person: Person) -> None:
    person.store.write_text("{")


def read_only(person: Person) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise PermissionError(13, "Permission denied")

    person.patch.setattr("tap_constantcontact.shared_file.tempfile.mkstemp", fail)


def full_disk(person: Person) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    person.patch.setattr(os, "fsync", fail)


def locked(person: Person) -> None:
    person.patch.setattr("tap_constantcontact.v3.auth.token_store.file._TIMEOUT_SECONDS", 0.01)
    person.at_end.enter_context(FileStore(person.store).locked())


def spent(person: Person) -> None:
    person.box.oauth.granted[0].ended = True


def lost(person: Person) -> None:
    person.box.oauth.lose_answers = 2


def another_secret(person: Person) -> None:
    person.box.oauth.application.secret = "the-secret"  # noqa: S105


def scope_missing(person: Person) -> None:
    person.box.oauth.granted[0].scope = "offline_access"


FAULTS = [unreadable, read_only, full_disk, locked, spent, lost, another_secret, scope_missing]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: str(fault.__name__))
def test_no_failure_gives_a_token_away(
    person: Person,
    fault: Callable[[Any], None],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    person.box.oauth.agrees = True
    person.types("--login")
    person.box.oauth.clock = lambda: monotonic() + A_DAY
    fault(person)
    told = ""
    try:
        person.runs()
    except FatalAPIError as error:
        chained: BaseException | None = error
        while chained is not None:
            told += str(chained)
            chained = chained.__cause__ or chained.__context__
    assert told or fault is scope_missing
    logged = caplog.text + told
    assert not [secret for secret in person.secrets if secret in logged]
    assert "\n" not in told


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500])
def test_no_answer_of_the_authorization_server_gives_anything_away(
    status: int,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The server quotes what it was sent, and a person's address beside it."""
    monkeypatch.setattr(oauth, "_MAX_WAIT", 0)
    caplog.set_level(logging.DEBUG)
    seed = "a-refresh-token-nobody-may-see"
    said = {"error": "invalid_grant" if status == 400 else "x", "error_description": PERSON + seed}
    with Scripted(lambda *_: Answer(status, said, Retry_After="1")) as server:
        settings = {
            "client_id": CLIENT,
            "refresh_token": seed,
            "token_store": str(tmp_path / "tokens.json"),
            "auth_url": server.origin,
            "api_url": server.v3_url,
        }
        with pytest.raises(FatalAPIError) as raised:
            TapConstantContact(config=settings, message_writer=Collector()).sync_all()
    for text in (caplog.text, str(raised.value)):
        assert seed not in text
        assert PERSON not in text
