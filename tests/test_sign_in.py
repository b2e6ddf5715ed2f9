"""Signing in to v3: tokens that are kept, renewed, and never lost by us."""

from __future__ import annotations

import datetime as dt
import errno
import json
import logging
import os
import signal
import stat
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from sandbox import Account, Sandbox, serve
from sandbox.v3.oauth import Application, OAuth
from tap_constantcontact.v3.auth import login
from tap_constantcontact.v3.auth.oauth import (
    InvalidGrantError,
    OAuthClient,
    PkceChallenge,
    SignInError,
    TokenResponseLostError,
)
from tap_constantcontact.v3.auth.token_manager import TokenManager
from tap_constantcontact.v3.auth.token_store import file, selection
from tap_constantcontact.v3.auth.token_store.base import (
    StoredToken,
    StoreError,
    format_tokens,
    parse_tokens,
)
from tap_constantcontact.v3.auth.token_store.file import FileStore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CLIENT = "sandbox-client"
LOGGER = logging.getLogger("tap-constantcontact")


@pytest.fixture
def box() -> Iterator[Sandbox]:
    with serve(Account(contacts=1, campaigns=0, events=0, files=0), oauth=OAuth()) as running:
        yield running


@pytest.fixture
def store(tmp_path: Path) -> FileStore:
    return FileStore(tmp_path / "folder" / "tokens.json")


def server(
    box: Sandbox, secret: str | None = None, client: str = CLIENT, **how: Any
) -> OAuthClient:
    return OAuthClient(box.origin, client, secret, **{"sleep": lambda _: None, **how})


def keeper(box: Sandbox, store: FileStore, seed: str | None = None, **how: Any) -> TokenManager:
    return TokenManager(server(box), store, CLIENT, seed, LOGGER, **how)


def logged_in(box: Sandbox, store: FileStore) -> str:
    """Keep a grant as a login does; returns its refresh token."""
    token = box.oauth.grant()
    store.put(StoredToken(CLIENT, token))
    return token


# -- logging in ------------------------------------------------------------------------------


def test_a_login_on_another_device(box: Sandbox) -> None:
    waited: list[float] = []

    def sleep(seconds: float) -> None:
        waited.append(seconds)
        if len(waited) == 3:
            box.oauth.answer(code.user_code)

    asking = server(box, sleep=sleep)
    code = asking.begin_device()
    tokens = asking.wait_for_device(code)
    assert waited == [5.0, 5.0, 5.0]
    assert code.user_code in code.complete_uri
    assert box.oauth.is_good(tokens.access_token)
    assert tokens.refresh_token
    assert tokens.expires_at - tokens.issued_at == dt.timedelta(days=1)


def test_a_login_that_is_refused(box: Sandbox) -> None:
    asking = server(box)
    code = asking.begin_device()
    box.oauth.answer(code.user_code, agree=False)
    with pytest.raises(SignInError, match="was denied"):
        asking.wait_for_device(code)


def test_login_times_out(box: Sandbox) -> None:
    asking = server(box)
    with pytest.raises(SignInError, match="The login was not completed in time"):
        asking.wait_for_device(asking.begin_device())


@pytest.mark.parametrize("secret", [None, "the-secret"])
def test_a_login_in_a_browser(box: Sandbox, secret: str | None) -> None:
    box.oauth.application.secret = secret
    asking, challenge, back = server(box, secret), PkceChallenge(), "http://127.0.0.1:9999/"
    page = requests.get(asking.authorize_url(challenge, back), allow_redirects=False, timeout=5)
    code = page.headers["location"].partition("code=")[2].partition("&")[0]
    assert challenge.state in page.headers["location"]
    assert box.oauth.is_good(asking.exchange(code, challenge, back).access_token)
    with pytest.raises(SignInError):
        asking.exchange(code, challenge, back)


def opening(address: str, followed: threading.Event | None = None) -> None:
    """A browser, in a thread of its own, whose person agrees; it asks for an icon first."""

    def browse() -> None:
        back = requests.get(address, allow_redirects=False, timeout=5).headers["location"]
        root = back.partition("?")[0]
        assert requests.get(f"{root}favicon.ico", timeout=5).status_code == 404
        assert requests.get(f"{root}?code=x&state=another", timeout=5).status_code == 404
        assert "You are logged in" in requests.get(back, timeout=5).text
        if followed:
            followed.set()

    threading.Thread(target=browse).start()


def test_the_browser_comes_back(box: Sandbox) -> None:
    said: list[str] = []
    followed = threading.Event()
    tokens = login.by_browser(
        server(box), said.append, port=0, open_page=lambda page: opening(page, followed)
    )
    assert followed.wait(10)
    assert box.oauth.is_good(tokens.access_token)
    assert "/oauth2/default/v1/authorize?" in said[0]


def test_the_browser_comes_back_without_a_code(box: Sandbox) -> None:
    def refuse(page: str) -> None:
        query = {name: held[0] for name, held in parse_qs(urlsplit(page).query).items()}
        back = f"{query['redirect_uri']}?error=access_denied&state={query['state']}"
        threading.Thread(target=requests.get, args=(back,), kwargs={"timeout": 5}).start()

    with pytest.raises(SignInError, match="was denied"):
        login.by_browser(server(box), lambda _: None, port=0, open_page=refuse)


def test_a_browser_that_never_comes_back(box: Sandbox) -> None:
    with pytest.raises(SignInError, match="The login was not completed in time"):
        login.by_browser(
            server(box), lambda _: None, port=0, open_page=lambda _: None, timeout=0.01
        )


def test_port_in_use_is_reported(box: Sandbox) -> None:
    taken = int(box.origin.rpartition(":")[2])
    with pytest.raises(SignInError, match=f"Port {taken} of this machine is in use"):
        login.by_browser(server(box), lambda _: None, port=taken, open_page=lambda _: None)


def test_the_person_is_shown_where_to_go(box: Sandbox) -> None:
    said: list[str] = []

    def sleep(_: float) -> None:
        box.oauth.answer(said[1].rpartition(" ")[2])

    tokens = login.by_device(server(box, sleep=sleep), said.append)
    assert box.oauth.is_good(tokens.access_token)
    assert said[0].startswith(f"Open {box.origin}/oauth2/default/v1/activate?user_code=")


def test_code_with_another_state_is_ignored(box: Sandbox) -> None:
    asking, back = server(box), "http://127.0.0.1:9999/"
    page = requests.get(
        asking.authorize_url(PkceChallenge(), back), allow_redirects=False, timeout=5
    )
    code = page.headers["location"].partition("code=")[2].partition("&")[0]
    with pytest.raises(SignInError):
        asking.exchange(code, PkceChallenge(), back)


def test_the_scopes_are_written_with_blanks() -> None:
    url = OAuthClient("https://authz.test", "c").authorize_url(PkceChallenge(), "http://127.0.0.1/")
    assert "scope=account_read+contact_data+campaign_data+offline_access" in url
    assert "%2B" not in url


def test_mistakes_are_one_line_each(box: Sandbox) -> None:
    with pytest.raises(SignInError, match="does not recognize this application"):
        server(box, client="another").begin_device()
    box.oauth.application.scopes = "account_read contact_data"
    with pytest.raises(SignInError, match="Allow them in the portal"):
        server(box).begin_device()
    with pytest.raises(TokenResponseLostError, match="did not respond"):
        OAuthClient("http://127.0.0.1:9", CLIENT, sleep=lambda _: None).begin_device()


def test_refusals_for_pace_are_waited_out(box: Sandbox, store: FileStore) -> None:
    box.oauth.throttle = True
    logged_in(box, store)
    asking = OAuthClient(box.origin, CLIENT)
    first = asking.refresh(box.oauth.granted[0].refresh_token)
    assert asking.refresh(first.refresh_token or "").access_token
    assert box.oauth.invalid_grants == 0


# -- the store -------------------------------------------------------------------------------


MOMENTS = st.datetimes(
    dt.datetime(2000, 1, 1),  # noqa: DTZ001 - its zone follows
    dt.datetime(2099, 1, 1),  # noqa: DTZ001 - its zone follows
    timezones=st.just(dt.UTC),
).map(lambda moment: moment.replace(microsecond=moment.microsecond // 1000 * 1000))
GRANTS = st.builds(
    StoredToken,
    client_id=st.text(min_size=1),
    refresh_token=st.text(min_size=1),
    access_token=st.text(),
    issued_at=st.none() | MOMENTS,
    expires_at=st.none() | MOMENTS,
    account=st.text(),
    seed=st.text(),
    refreshing_since=st.none() | MOMENTS,
)


@given(st.lists(GRANTS, max_size=3))
def test_grants_come_back_as_they_were(tokens: list[StoredToken]) -> None:
    assert parse_tokens(format_tokens(tokens)) == tokens


NAMES = st.sampled_from(["grants", "client_id", "refresh_token", "issued_at"])
ANYTHING = st.recursive(
    st.none() | st.text() | st.integers(),
    lambda inner: st.lists(inner) | st.dictionaries(NAMES, inner),
)


@given(ANYTHING)
def test_any_invalid_store_is_reported(held: Any) -> None:
    try:
        parse_tokens(json.dumps(held))
    except ValueError:
        return


def test_only_its_owner_may_read_it(store: FileStore) -> None:
    store.put(StoredToken(CLIENT, "token"))
    assert stat.S_IMODE(store.path.stat().st_mode) == 0o600
    assert [each.name for each in store.path.parent.iterdir()] == [store.path.name]


def test_grants_of_others_stay(store: FileStore) -> None:
    store.put(StoredToken("one", "a", account="1"))
    store.put(StoredToken("other", "b"))
    store.put(StoredToken("one", "c", account="1"))
    assert {(each.client_id, each.refresh_token) for each in store.tokens()} == {
        ("one", "c"),
        ("other", "b"),
    }
    assert store.forget("one")
    assert not store.forget("one")
    assert [each.client_id for each in store.tokens()] == ["other"]


def test_several_accounts_of_one_application_need_a_store_each(store: FileStore) -> None:
    store.put(StoredToken("one", "a", account="1"))
    store.put(StoredToken("one", "b", account="2"))
    with pytest.raises(StoreError, match="contains 2 accounts"):
        store.find("one")


def test_a_store_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="Use another one with the setting `token_store`"):
        FileStore(tmp_path / "file" / "tokens.json").put(StoredToken(CLIENT, "token"))


def test_a_full_disk_keeps_the_old_tokens(
    store: FileStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.put(StoredToken(CLIENT, "old"))

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match="No space left"):
        store.put(StoredToken(CLIENT, "new"))
    assert [each.refresh_token for each in store.tokens()] == ["old"]
    assert [each.name for each in store.path.parent.iterdir()] == [store.path.name]


def test_invalid_store_is_one_line(store: FileStore) -> None:
    store.path.parent.mkdir()
    store.path.write_text("{}")
    with pytest.raises(StoreError, match="contains something else than tokens"):
        store.tokens()


def test_a_lock_that_is_never_let_go_is_one_line(
    store: FileStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file, "_TIMEOUT_SECONDS", 0.01)
    with (
        store.locked(),
        pytest.raises(StoreError, match="Another run holds the lock"),
        FileStore(store.path).locked(),
    ):
        pass


def test_the_usual_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MELTANO_PROJECT_ROOT", str(tmp_path))
    assert selection.default_path().is_relative_to(tmp_path / ".meltano")
    monkeypatch.delenv("MELTANO_PROJECT_ROOT")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert selection.default_path().name == "tokens.json"


def test_a_database_keeps_them_too(box: Sandbox, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'tokens.db'}"
    kept = selection.open_store(url)
    kept.put(StoredToken(CLIENT, box.oauth.grant()))
    for _ in range(3):
        again = selection.open_store(url)
        token = TokenManager(server(box), again, CLIENT, None, LOGGER).access_token()
        assert box.oauth.is_good(token)
    assert box.oauth.refreshes == 1
    with pytest.raises(StoreError, match="Check the URL"):
        selection.open_store(f"sqlite:///{tmp_path / 'no' / 'such' / 'folder.db'}").tokens()


# -- renewing --------------------------------------------------------------------------------


@pytest.mark.parametrize("rotating", [True, False])
def test_one_refresh_a_day_however_many_runs(
    box: Sandbox, store: FileStore, *, rotating: bool
) -> None:
    box.oauth.application.rotating = rotating
    logged_in(box, store)
    tokens = {keeper(box, store).access_token() for _ in range(5)}
    assert len(tokens) == box.oauth.refreshes == 1
    later = dt.datetime.now(dt.UTC) + dt.timedelta(hours=19)
    assert keeper(box, store, clock=lambda: later).access_token() not in tokens
    assert box.oauth.refreshes == 2


def test_runs_after_and_beside_one_another_never_spend_a_token_twice(
    box: Sandbox, store: FileStore
) -> None:
    """With tokens that live two seconds by a clock of their own, and each run a second later."""
    box.oauth.life, box.oauth.delay = 2.0, 0.005
    logged_in(box, store)
    now = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)

    def run(number: int) -> str:
        moment = now + dt.timedelta(seconds=number)
        asking = server(box, clock=lambda: moment)
        return TokenManager(
            asking, store, CLIENT, None, LOGGER, clock=lambda: moment
        ).access_token()

    for number in range(30):
        run(2 * number)
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(run, range(60, 140)))
    assert box.oauth.invalid_grants == 0
    assert box.oauth.most_at_once == 1
    assert box.oauth.refreshes >= 30


def test_a_401_in_mid_run_takes_another_token(box: Sandbox, store: FileStore) -> None:
    logged_in(box, store)
    one = keeper(box, store)
    first = one.access_token()
    assert one.renew(first) != first
    assert keeper(box, store).renew(first) == one.access_token(), "another run has renewed it"
    assert box.oauth.refreshes == 2


def test_missing_login_is_reported(box: Sandbox, store: FileStore) -> None:
    with pytest.raises(SignInError, match="Log in: tap-constantcontact --login"):
        keeper(box, store).access_token()


def test_a_seed_counts_until_the_store_has_a_newer_token(box: Sandbox, store: FileStore) -> None:
    seed = box.oauth.grant()
    first = keeper(box, store, seed).access_token()
    later = dt.datetime.now(dt.UTC) + dt.timedelta(hours=20)
    assert keeper(box, store, seed, clock=lambda: later).access_token() != first
    assert box.oauth.invalid_grants == 0, "the seed itself is spent"
    other = box.oauth.grant()
    keeper(box, store, other).access_token()
    assert len(store.of(CLIENT)) == 2, "what became of each initial token is kept"
    assert keeper(box, store, seed).identity == keeper(box, store, other).identity == ""
    assert box.oauth.invalid_grants == 0


@pytest.mark.parametrize("rotating", [True, False])
def test_a_seed_without_a_disk(
    box: Sandbox, tmp_path: Path, caplog: pytest.LogCaptureFixture, *, rotating: bool
) -> None:
    class ReadOnly(FileStore):
        def save(self, tokens: list[StoredToken]) -> None:
            raise self._unusable(OSError(errno.EROFS, os.strerror(errno.EROFS)))

    box.oauth.application.rotating = rotating
    one = keeper(box, ReadOnly(tmp_path / "tokens.json"), box.oauth.grant())
    assert box.oauth.is_good(one.access_token())
    assert ("the new one could not be stored" in (one.fault or "")) == rotating
    assert "This is only safe with a long-lived refresh token" in caplog.text


def test_a_store_that_cannot_be_written_spends_no_token(
    box: Sandbox, store: FileStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: FileStore, __: list[StoredToken]) -> None:
        reason = "no"
        raise StoreError(reason)

    logged_in(box, store)
    with monkeypatch.context() as patch:
        patch.setattr(FileStore, "save", refuse)
        with pytest.raises(StoreError):
            keeper(box, store).access_token()
    assert box.oauth.refreshes == 0
    assert keeper(box, store).access_token()


def test_a_server_in_trouble_is_borne_while_the_token_lives(
    box: Sandbox, store: FileStore, caplog: pytest.LogCaptureFixture
) -> None:
    logged_in(box, store)
    token = keeper(box, store).access_token()
    later = dt.datetime.now(dt.UTC) + dt.timedelta(hours=19)
    away = OAuthClient("http://127.0.0.1:9", CLIENT)
    one = TokenManager(away, store, CLIENT, None, LOGGER, clock=lambda: later)
    assert one.access_token() == one.access_token() == token
    assert caplog.text.count("still valid") == 1, "not tried with each call"
    later += dt.timedelta(minutes=11)
    assert one.access_token() == token
    assert caplog.text.count("still valid") == 2
    later += dt.timedelta(hours=6)
    with pytest.raises(SignInError, match="did not respond"):
        TokenManager(away, store, CLIENT, None, LOGGER, clock=lambda: later).access_token()


@pytest.mark.parametrize("grace", [0.0, 60.0])
def test_an_answer_that_is_lost_is_asked_for_once_more(
    box: Sandbox, store: FileStore, grace: float
) -> None:
    logged_in(box, store)
    box.oauth.lose_answers, box.oauth.grace = 1, grace
    if grace:
        assert box.oauth.is_good(keeper(box, store).access_token())
        return
    with pytest.raises(InvalidGrantError, match="the new one was not received") as refused:
        keeper(box, store).access_token()
    assert "Log in again: tap-constantcontact --login" in str(refused.value)


def test_used_refresh_token_is_reported(box: Sandbox, store: FileStore) -> None:
    store.put(StoredToken(CLIENT, "spent-long-ago"))
    with pytest.raises(InvalidGrantError, match="not been used for 180 days"):
        keeper(box, store).access_token()


def test_no_message_holds_a_token(
    box: Sandbox, store: FileStore, caplog: pytest.LogCaptureFixture
) -> None:
    secret = logged_in(box, store)
    assert secret not in repr(store.tokens())
    box.oauth.lose_answers = 2
    with pytest.raises(SignInError) as refused:
        keeper(box, store).access_token()
    assert secret not in f"{refused.value}{caplog.text}"


RENEWING = """
import logging, sys
from pathlib import Path
from tap_constantcontact.v3.auth.token_manager import TokenManager
from tap_constantcontact.v3.auth.oauth import OAuthClient
from tap_constantcontact.v3.auth.token_store.file import FileStore
origin, path = sys.argv[1:]
server = OAuthClient(origin, "sandbox-client")
store = FileStore(Path(path))
TokenManager(server, store, "sandbox-client", None, logging.getLogger()).access_token()
"""


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["asked", "turned", "answered"])
def test_a_run_that_is_killed_while_it_renews_loses_no_good_token(
    box: Sandbox, store: FileStore, moment: str
) -> None:
    logged_in(box, store)
    turn, seen, go_on = box.oauth._turned, threading.Event(), threading.Event()  # noqa: SLF001

    def turned(token: str) -> Any:
        reply = turn(token) if moment != "asked" else None
        if moment != "answered":
            seen.set()
            go_on.wait(30)
        return reply or turn(token)

    box.oauth._turned = turned  # type: ignore[method-assign] # noqa: SLF001
    command = [sys.executable, "-c", RENEWING, box.origin, str(store.path)]
    with subprocess.Popen(command) as process:  # noqa: S603
        if moment != "answered":
            assert seen.wait(30)
            process.send_signal(signal.SIGKILL)
        process.wait()
    go_on.set()
    box.oauth._turned = turn  # type: ignore[method-assign] # noqa: SLF001
    if moment == "answered":
        assert box.oauth.is_good(keeper(box, store).access_token())
        assert box.oauth.refreshes == 1
        return
    # The server has turned the token, and nobody has heard of it.
    with pytest.raises(InvalidGrantError, match="A previous token refresh was interrupted"):
        keeper(box, store).access_token()
    store.put(StoredToken(CLIENT, box.oauth.grant()))
    assert keeper(box, store).access_token()


def test_application_with_another_flow_is_reported() -> None:
    with (
        serve(Account(contacts=1), oauth=OAuth(Application(secret="s"))) as box,  # noqa: S106
        pytest.raises(SignInError, match="Check `client_id`, and `client_secret`"),
    ):
        server(box).refresh("token")
