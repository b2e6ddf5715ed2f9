"""v3: a good token survives whatever happens around it, and accounts do not mix."""

from __future__ import annotations

import contextlib
import datetime as dt
import functools
import json
import logging
import random
import re
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
import requests
from click.testing import CliRunner
from helpers.fake_server import Answer, Scripted
from helpers.runner import Collector
from helpers.strategies import at_most
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sandbox import Account, Sandbox, serve
from sandbox.v3.oauth import OAuth
from tap_constantcontact.tap import TapConstantContact
from tap_constantcontact.v3.auth import login
from tap_constantcontact.v3.auth.oauth import OAuthClient, SignInError, ThrottledError
from tap_constantcontact.v3.auth.token_manager import TokenManager
from tap_constantcontact.v3.auth.token_store.base import StoredToken, StoreError
from tap_constantcontact.v3.auth.token_store.file import FileStore
from tap_constantcontact.v3.auth.token_store.selection import open_store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tap_constantcontact.v3.auth.token_store.base import TokenStore

CLIENT = "sandbox-client"
LOGGER = logging.getLogger("tap-constantcontact")
OLD, NEW, NEWER = "r-old-token", "r-new-token", "r-newer-token"
NOW = dt.datetime(2026, 1, 10, 12, tzinfo=dt.UTC)
TOKENS = {"token_type": "Bearer", "expires_in": 86400, "access_token": "a-new-token"}


@pytest.fixture
def box() -> Iterator[Sandbox]:
    with serve(Account(contacts=1, campaigns=0, events=0, files=0), oauth=OAuth()) as running:
        yield running


@pytest.fixture(params=["file", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> TokenStore:
    where = tmp_path / "tokens"
    return open_store(str(where) if request.param == "file" else f"sqlite:///{where}.db")


def keeper(box: Sandbox, store: TokenStore, seed: str | None = None, **how: Any) -> TokenManager:
    server = OAuthClient(box.origin, CLIENT, sleep=lambda _: None)
    return TokenManager(server, store, CLIENT, seed, LOGGER, **{"sleep": lambda _: None, **how})


def grant(age: float = 25, **more: Any) -> StoredToken:
    """A grant whose access token is so many hours old (it lives 24)."""
    issued = dt.datetime.now(dt.UTC) - dt.timedelta(hours=age)
    tokens = {"refresh_token": "r-old-token", "access_token": "a-old-token"}
    dates = {"issued_at": issued, "expires_at": issued + dt.timedelta(hours=24)}
    return StoredToken(CLIENT, **{**tokens, **dates, **more})


# -- the token endpoint --------------------------------------------------------------------------


@pytest.mark.parametrize("wait", ["3600", "9" * 23, "soon", ""])
def test_wait_for_the_token_endpoint_is_bounded_and_named(wait: str) -> None:
    slept: list[float] = []
    notices: list[str] = []
    with Scripted(lambda *_: Answer(429, b"", Retry_After=wait)) as server:
        client = OAuthClient(server.origin, CLIENT, sleep=slept.append, notice=notices.append)
        with pytest.raises(ThrottledError, match=r"Too many requests to .*/token"):
            client.refresh("r-old-token")
    assert sum(slept) < 200
    assert len(set(slept)) == len(slept), "with jitter"
    assert len(notices) == len(slept)
    assert all("waiting" in notice for notice in notices)


def test_valid_access_token_is_used_where_the_token_endpoint_is_busy(tmp_path: Path) -> None:
    store = FileStore(tmp_path / "tokens.json")
    store.put(grant(age=21))
    with Scripted(lambda *_: Answer(429, b"", Retry_After="60")) as server:
        client = OAuthClient(server.origin, CLIENT, sleep=lambda _: pytest.fail("it waits"))
        one = TokenManager(client, store, CLIENT, None, LOGGER)
        assert one.access_token() == "a-old-token"
    kept = store.find(CLIENT)
    assert kept
    assert kept.refreshing_since is None, "the server did nothing"


def test_netrc_is_ignored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".netrc").write_text("default login a password b")
    monkeypatch.setenv("HOME", str(tmp_path))
    with Scripted(lambda *_: Answer(200, {**TOKENS, "refresh_token": "r-new-token"})) as server:
        OAuthClient(server.origin, CLIENT).refresh("r-old-token")
        headers = server.posted_headers[0]
    assert "Authorization" not in headers


ODD: list[Any] = [None, True, -1, 0, 1e300, "x", "", [], {}, ["a"], "9" * 400, "a b", "\n", "é"]


@pytest.mark.parametrize("name", ["expires_in", "token_type", "scope", "id_token"])
@pytest.mark.parametrize("odd", ODD, ids=[f"odd {n}" for n in range(len(ODD))])
def test_new_refresh_token_is_stored_with_any_other_fields(
    store: TokenStore, name: str, odd: Any
) -> None:
    store.put(grant())
    said = {**TOKENS, "refresh_token": "r-new-token", name: odd}
    with Scripted(lambda *_: Answer(200, said)) as server:
        one = TokenManager(OAuthClient(server.origin, CLIENT), store, CLIENT, None, LOGGER)
        assert one.access_token() == "a-new-token"
    kept = store.find(CLIENT)
    assert kept
    assert kept.refresh_token == NEW
    assert kept.expires_at
    assert kept.expires_at > dt.datetime.now(dt.UTC)


@pytest.mark.parametrize("odd", ODD, ids=[f"odd {n}" for n in range(len(ODD))])
def test_new_refresh_token_is_kept_without_an_access_token(store: TokenStore, odd: Any) -> None:
    store.put(grant())
    said = {"access_token": odd, "refresh_token": "r-new-token"}
    is_token = odd in ("x", "9" * 400)
    with Scripted(lambda *_: Answer(200, said)) as server:
        one = TokenManager(OAuthClient(server.origin, CLIENT), store, CLIENT, None, LOGGER)
        with contextlib.nullcontext() if is_token else pytest.raises(SignInError) as raised:
            one.access_token()
    if raised:
        assert "\n" not in str(raised.value)
    kept = store.find(CLIENT)
    assert kept
    assert kept.refresh_token == NEW


@pytest.mark.parametrize("odd", ODD[:-4], ids=[f"odd {n}" for n in range(len(ODD) - 4)])
def test_odd_refresh_token_does_not_replace_the_old_one(store: TokenStore, odd: Any) -> None:
    store.put(grant())
    with Scripted(lambda *_: Answer(200, {**TOKENS, "refresh_token": odd})) as server:
        TokenManager(OAuthClient(server.origin, CLIENT), store, CLIENT, None, LOGGER).access_token()
    kept = store.find(CLIENT)
    assert kept
    assert kept.refresh_token == (odd if odd == "x" else "r-old-token")


# -- the store -----------------------------------------------------------------------------------


def test_store_that_is_away_after_the_rotation_is_tried_again(
    box: Sandbox, store: TokenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.put(StoredToken(CLIENT, box.oauth.grant()))
    is_away = False
    save = type(store).save

    def saving(self: TokenStore, tokens: list[StoredToken]) -> None:
        nonlocal is_away
        if box.oauth.refreshes and is_away:
            reason = "The store is away."
            raise StoreError(reason)
        save(self, tokens)

    monkeypatch.setattr(type(store), "save", saving)
    waited: list[float] = []

    def sleep(seconds: float) -> None:
        nonlocal is_away
        waited.append(seconds)
        is_away = len(waited) < 3

    is_away = True
    one = keeper(box, store, sleep=sleep)
    token = one.access_token()
    assert waited == [1, 2, 4]
    assert one.fault is None
    assert keeper(box, store).access_token() == token
    assert box.oauth.invalid_grants == 0


def test_token_that_cannot_be_kept_is_named_at_the_end_of_the_run(
    box: Sandbox, store: TokenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.put(StoredToken(CLIENT, box.oauth.grant()))
    save = type(store).save

    def saving(self: TokenStore, tokens: list[StoredToken]) -> None:
        if box.oauth.refreshes:
            reason = "The store is away."
            raise StoreError(reason)
        save(self, tokens)

    with monkeypatch.context() as patch:
        patch.setattr(type(store), "save", saving)
        waited: list[float] = []
        one = keeper(box, store, sleep=waited.append)
        assert box.oauth.is_good(one.access_token()), "the run continues"
        assert sum(waited) == 60
        assert "could not be stored" in str(one.fault)
    assert one.fault is None, "the last attempt has kept it"
    keeper(box, store, clock=lambda: dt.datetime.now(dt.UTC) + dt.timedelta(days=1)).access_token()
    assert box.oauth.invalid_grants == 0


def test_store_need_not_be_writable_while_the_access_token_is_valid(
    store: TokenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.put(grant(age=1))
    monkeypatch.setattr(type(store), "locked", pytest.fail)
    monkeypatch.setattr(type(store), "save", pytest.fail)
    with Scripted(lambda *_: pytest.fail("no request is due")) as server:
        one = TokenManager(OAuthClient(server.origin, CLIENT), store, CLIENT, None, LOGGER)
        assert one.access_token() == "a-old-token"


def test_older_grant_does_not_replace_a_newer_one(store: TokenStore) -> None:
    store.put(grant())

    def answer(*_: object) -> Answer:
        store.put(grant(age=0, refresh_token=NEWER))  # Another run was quicker.
        return Answer(400, {"error": "invalid_client"})

    with Scripted(answer) as server, pytest.raises(SignInError):
        TokenManager(OAuthClient(server.origin, CLIENT), store, CLIENT, None, LOGGER).access_token()
    kept = store.find(CLIENT)
    assert kept
    assert kept.refresh_token == NEWER


def test_database_lock_does_not_depend_on_the_clock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"sqlite:///{tmp_path}/tokens.db"
    one, other = open_store(url), open_store(url)
    entered = threading.Event()

    def enter() -> None:
        with other.locked():
            entered.set()

    thread = threading.Thread(target=enter)
    with one.locked():
        monkeypatch.setattr(time, "time", lambda: 9e9)
        thread.start()
        assert not entered.wait(0.5)
    assert entered.wait(10)
    thread.join()


def test_database_lock_of_a_run_that_died_is_taken_over(tmp_path: Path) -> None:
    from tap_constantcontact.v3.auth.token_store.database import DatabaseStore  # noqa: PLC0415 - an extra

    url = f"sqlite:///{tmp_path}/tokens.db"
    dead = DatabaseStore(url).locked()
    dead.__enter__()
    with DatabaseStore(url, timeout=0.1).locked():
        assert DatabaseStore(url).tokens() == []


@pytest.mark.parametrize(
    "content",
    [
        lambda text: text.encode("utf-16"),
        lambda _: b"\x80\x81\xff",
        lambda _: b"[" * 200_000,
        lambda _: b"[]",
        lambda _: b'{"grants": 5}',
        lambda _: b'{"grants": [5]}',
        lambda _: b'{"grants": [{"client_id": 5}]}',
        lambda _: b'{"grants": [{"client_id": "a", "refresh_token": "b", "issued_at": "x"}]}',
    ],
    ids=[f"content {n}" for n in range(8)],
)
def test_store_with_other_content_is_rejected_in_one_line(
    tmp_path: Path, content: Callable[[str], bytes]
) -> None:
    store = FileStore(tmp_path / "tokens.json")
    store.put(grant())
    store.path.write_bytes(content(store.path.read_text()))
    with pytest.raises(StoreError, match="contains something else than tokens") as raised:
        store.find(CLIENT)
    assert "\n" not in str(raised.value)


def test_store_behind_a_link_stays_behind_it(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    link = tmp_path / "tokens.json"
    link.symlink_to(tmp_path / "kept" / "tokens.json")
    store = FileStore(link)
    with store.locked():
        store.put(grant())
    assert link.is_symlink()
    assert FileStore(tmp_path / "kept" / "tokens.json").find(CLIENT)
    for path in (tmp_path / "kept").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


@pytest.mark.parametrize(
    ("where", "fault"),
    [
        ("~nosuchuser/tokens.json", "is not a path on this machine"),
        ("postgresql://user:secretpw@host:PORT/db", "is a URL with an invalid port"),
        ("file:///srv/tokens.json", "is not a database"),
        ("s3://bucket/tokens.json", "is not a database"),
    ],
)
def test_impossible_store_is_rejected_in_one_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, where: str, fault: str
) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"client_id": CLIENT, "token_store": where}))
    result = command("--config", str(tmp_path / "config.json"), "--status")
    assert result.exit_code == 78
    assert f"Setting 'token_store' {fault}" in caplog.text
    assert "secretpw" not in caplog.text + result.output


# -- accounts --------------------------------------------------------------------------------------


def command(*options: str) -> Any:
    return CliRunner().invoke(TapConstantContact.get_singer_command(), options)


class Plugin:
    """One of several accounts of one application, that share a token store."""

    def __init__(self, box: Sandbox, folder: Path, label: str, store: str) -> None:
        box.oauth.interval = 0.01
        box.oauth.agrees = True
        self.settings = {
            "client_id": CLIENT,
            "token_store": store,
            "account_label": label,
            "api_url": box.v3_url,
            "auth_url": box.origin,
            "requests_per_second": 1000,
        }
        self._path = folder / f"{label}.json"

    def types(self, option: str, **settings: Any) -> Any:
        self._path.write_text(json.dumps({**self.settings, **settings}))
        return command("--config", str(self._path), option)

    def account(self) -> str:
        into = Collector()
        TapConstantContact(config=self.settings, message_writer=into).sync_all()
        (row,) = into.output.rows("account")
        return str(row["encoded_account_id"])


@pytest.mark.parametrize("kind", ["file", "sqlite"])
def test_accounts_of_one_application_and_store_do_not_mix(tmp_path: Path, kind: str) -> None:
    store = str(tmp_path / "tokens.json") if kind == "file" else f"sqlite:///{tmp_path}/t.db"
    with contextlib.ExitStack() as stack:
        plugins, ids = [], []
        for number, label in enumerate(("a", "b", "c")):
            account = Account(seed=number, contacts=2, campaigns=0, events=0)
            box = stack.enter_context(serve(account, oauth=OAuth()))
            plugins.append(Plugin(box, tmp_path, label, store))
            ids.append(account.v3_ids("account"))
        for plugin in plugins:
            assert plugin.types("--login").exit_code == 0
        for _ in range(2):
            for plugin, expected in zip(plugins, ids, strict=True):
                assert {plugin.account()} == expected
        status = plugins[1].types("--status").output
        assert re.search(r"Account label +b\n", status)
        never = Plugin(box, tmp_path, "d", store)
        with pytest.raises(SignInError, match=r"No login found .*account label 'd'"):
            never.account()
        assert plugins[0].types("--logout").exit_code == 0
        with pytest.raises(SignInError, match="No login found"):
            plugins[0].account()
        assert {plugins[1].account()} == ids[1]


def test_two_initial_tokens_in_one_store_do_not_end_each_other(
    box: Sandbox, tmp_path: Path
) -> None:
    store = FileStore(tmp_path / "tokens.json")
    seeds = [box.oauth.grant(), box.oauth.grant()]
    later = NOW + dt.timedelta(days=700)
    for day in range(4):
        for seed in seeds:
            at = later + dt.timedelta(days=day)
            keeper(box, store, seed, clock=lambda at=at: at).access_token()
    assert box.oauth.invalid_grants == 0


def test_login_that_would_meet_another_account_says_so_first(tmp_path: Path) -> None:
    with (
        serve(Account(seed=1, contacts=1, campaigns=0), oauth=OAuth()) as one,
        serve(Account(seed=2, contacts=1, campaigns=0), oauth=OAuth()) as other,
    ):
        store = str(tmp_path / "tokens.json")
        Plugin(one, tmp_path, "a", store).types("--login")
        plugin = Plugin(other, tmp_path, "a", store)
        before = (tmp_path / "tokens.json").read_text()
        result = plugin.types("--login")
        assert result.exit_code == 77
        (account,) = one.account.v3_ids("account")
        assert result.output.index(account) < result.output.index("in any browser")
        assert (tmp_path / "tokens.json").read_text() == before


def test_access_token_of_v2_does_not_replace_a_login(
    box: Sandbox, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    plugin = Plugin(box, tmp_path, "", str(tmp_path / "tokens.json"))
    assert plugin.types("--login").exit_code == 0
    (expected,) = box.account.v3_ids("account")
    for more in ({}, {"api_key": "a-key-of-v2", "api_version": "v3"}):
        plugin.settings |= {"access_token": "a-token-of-v2", **more}
        assert plugin.account() == expected
    assert "Setting 'access_token' is ignored" in caplog.text
    assert "refreshed before" in plugin.types("--status").output


# -- login and status ------------------------------------------------------------------------------


def device(*_: object) -> Answer:
    codes = {"device_code": "d", "user_code": "ABCD", "verification_uri": "https://x.example"}
    return Answer(200, {**codes, "expires_in": 60, "interval": 0.01})


def posting(*answers: Answer) -> Callable[[str, dict[str, str]], Answer]:
    """Answers of the token endpoint, in turn; the last one over and over."""
    left = list(answers)

    def answer(path: str, _: dict[str, str]) -> Answer:
        if path.endswith("/device/authorize"):
            return device()
        return left.pop(0) if len(left) > 1 else left[0]

    return answer


GOOD = Answer(200, {**TOKENS, "refresh_token": "r-new-token"})


def configured(server: Scripted, tmp_path: Path, **more: Any) -> tuple[str, str]:
    urls = {"api_url": server.v3_url, "auth_url": server.origin}
    store = {"token_store": str(tmp_path / "tokens.json")}
    given = {"client_id": CLIENT, "requests_per_second": 1000, **urls, **store, **more}
    (tmp_path / "config.json").write_text(json.dumps(given))
    return "--config", str(tmp_path / "config.json")


@pytest.mark.parametrize(
    "answer",
    [Answer(503, b""), Answer(401, {}), Answer(200, b"<html>")],
    ids=["503", "401", "HTML"],
)
def test_login_is_kept_before_its_account_is_known(tmp_path: Path, answer: Answer) -> None:
    with Scripted(lambda *_: answer, posting(GOOD)) as server:
        result = command(*configured(server, tmp_path), "--login")
    assert result.exit_code == 0, result.output
    kept = FileStore(tmp_path / "tokens.json").find(CLIENT)
    assert kept
    assert kept.refresh_token == NEW


def test_login_of_an_unknown_account_does_not_replace_another(tmp_path: Path) -> None:
    store = FileStore(tmp_path / "tokens.json")
    store.put(grant(age=1, account="acc1"))
    with Scripted(lambda *_: Answer(503, b""), posting(GOOD)) as server:
        options = configured(server, tmp_path)
        result = command(*options, "--login")
        status = command(*options, "--status")
    assert (result.exit_code, status.exit_code) == (1, 1)
    assert {each.refresh_token for each in store.tokens()} == {"r-old-token", "r-new-token"}
    kept = store.find(CLIENT)
    assert kept
    assert kept.refresh_token == OLD, "it stays in use"


def test_login_survives_server_errors_while_it_waits(tmp_path: Path) -> None:
    pending = Answer(400, {"error": "authorization_pending"})
    answers = (pending, Answer(503, b""), Answer(200, b"<html>"), pending, GOOD)
    summary = {"encoded_account_id": "acc1", "organization_name": "Acme"}
    with Scripted(lambda *_: Answer(200, summary), posting(*answers)) as server:
        result = command(*configured(server, tmp_path), "--login")
    assert result.exit_code == 0, result.output
    assert "Still waiting for the login." in result.output
    assert "Logged in to Acme (acc1)" in result.output


def test_expired_code_has_its_own_message(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    refused = Answer(400, {"error": "invalid_grant", "error_description": "expired"})
    with Scripted(lambda *_: Answer(200, {}), posting(refused)) as server:
        assert command(*configured(server, tmp_path), "--login").exit_code == 77
    assert "The login code has expired, or was used before." in caplog.text


def test_idle_connection_does_not_block_a_login_in_the_browser(box: Sandbox) -> None:
    held: list[socket.socket] = []
    seen: list[str] = []

    def open_page(page: str) -> None:
        box.oauth.agrees = True
        port = int(page.partition("localhost%3A")[2].partition("%2F")[0])
        held.append(socket.create_connection(("127.0.0.1", port)))
        seen.append(page)
        threading.Thread(target=requests.get, args=(page,), kwargs={"timeout": 10}).start()

    tokens = login.by_browser(
        OAuthClient(box.origin, CLIENT), lambda _: None, open_page=open_page, port=0
    )
    for each in held:
        each.close()
    assert tokens.refresh_token


def test_login_in_the_browser_ends_by_itself(box: Sandbox) -> None:
    with pytest.raises(SignInError, match="The login was not completed in time"):
        login.by_browser(
            OAuthClient(box.origin, CLIENT),
            lambda _: None,
            open_page=lambda _: None,
            port=0,
            timeout=0.0,
        )


@pytest.mark.slow
@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("options", [["--login"], ["--login", "--pkce"]], ids=str)
def test_one_signal_ends_a_login(tmp_path: Path, options: list[str], signum: int) -> None:
    pending = Answer(400, {"error": "authorization_pending"})
    with Scripted(lambda *_: Answer(200, {}), posting(pending)) as server:
        process = subprocess.Popen(  # noqa: S603
            [
                sys.executable,
                "-m",
                "tap_constantcontact",
                *configured(server, tmp_path),
                *options,
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={"BROWSER": "true", "PYTHONUNBUFFERED": "1", "PATH": "/usr/bin:/bin"},
        )
        assert process.stdout
        for line in process.stdout:
            if line.startswith("Waiting for the login"):
                break
        process.send_signal(signum)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert f"Ended by {signal.Signals(signum).name}." in errors
    assert "Traceback" not in errors


# -- whatever happens ------------------------------------------------------------------------------


@pytest.mark.slow
@settings(max_examples=at_most(25), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10**6))
def test_good_token_is_never_lost(tmp_path: Path, seed: int) -> None:
    """Responses that are lost, rejected or odd, and stores that are away, drawn at random."""
    dice = random.Random(seed)  # noqa: S311 - what happens is of no matter
    path = tmp_path / f"{seed}-{time.monotonic_ns()}.json"
    current = "r-0"

    def answer(_: str, __: dict[str, str]) -> Answer:
        nonlocal current
        if dice.random() < 0.3:
            return Answer(dice.choice([429, 500, 503]), b"", Retry_After="1")
        if dice.random() < 0.2:
            return Answer(400, {"error": "temporarily_unavailable"})
        rotated = f"r-{int(current[2:]) + 1}"
        said = {"refresh_token": rotated, "access_token": f"a-{rotated}", "expires_in": 3600}
        if dice.random() < 0.3:
            said[dice.choice(["expires_in", "scope", "access_token"])] = dice.choice(ODD)
        current = rotated
        return Answer(200, said)

    class Away(FileStore):
        def save(self, tokens: list[StoredToken]) -> None:
            if dice.random() < 0.3:
                reason = "The store is away."
                raise StoreError(reason)
            super().save(tokens)

    now = NOW
    FileStore(path).put(StoredToken(CLIENT, current))
    with Scripted(answer, answer) as server:
        for _ in range(6):
            now += dt.timedelta(hours=dice.randrange(1, 30))
            client = OAuthClient(server.origin, CLIENT, sleep=lambda _: None)
            one = TokenManager(
                client,
                Away(path),
                CLIENT,
                None,
                LOGGER,
                clock=functools.partial(min, now, now),
                sleep=lambda _: None,
            )
            with contextlib.suppress(SignInError):
                one.access_token()
            fault = one.fault
            kept = FileStore(path).find(CLIENT)
            assert kept
            assert kept.refresh_token == current or fault
