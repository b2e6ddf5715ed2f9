"""What a person does about signing in: log in, look, log out."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from tap_constantcontact.http.bodies import objects
from tap_constantcontact.http.pace import Pace
from tap_constantcontact.http.session import Session
from tap_constantcontact.http.stop import Stop
from tap_constantcontact.records import times
from tap_constantcontact.state.owner import fingerprint
from tap_constantcontact.v3 import login
from tap_constantcontact.v3.api import URL, auth_server, token_source
from tap_constantcontact.v3.credentials import BearerToken, GivenToken
from tap_constantcontact.v3.oauth import SignInError
from tap_constantcontact.v3.store import Grant, StoreError
from tap_constantcontact.v3.stores import open_store
from tap_constantcontact.v3.streams import IN_ORDER
from tap_constantcontact.v3.streams.account import PRIVILEGES, Account, privileges_in

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Mapping

    Say = Callable[[str], None]

_REFRESH_TOKENS_LIVE = "180 days without use"


def log_in(config: Mapping[str, Any], say: Say, *, in_browser: bool = False) -> None:
    """Let a person log in, keep the tokens, and name the account.

    Args:
        config: The tap's settings.
        say: Tells the person what to do, and what came of it.
        in_browser: Whether in this machine's browser, and not on any device.

    Raises:
        SignInError: It has failed: what is wrong and what to do.
    """
    client_id, seed = config.get("client_id"), config.get("refresh_token")
    if not client_id:
        msg = "Setting 'client_id' is missing: it names the application to log in with."
        raise SignInError(msg)
    store = open_store(config.get("token_store"))
    with store.locked():
        store.save(store.grants())  # Nobody shall log in for nothing.
    server = auth_server(config)
    tokens = login.by_browser(server, say) if in_browser else login.by_device(server, say)
    found = _Account(config, tokens.access_token)
    grant = Grant(
        client_id=client_id,
        refresh_token=tokens.refresh_token or "",
        access_token=tokens.access_token,
        issued_at=tokens.issued_at,
        expires_at=tokens.expires_at,
        account=found.id,
        seed=fingerprint(seed) if seed else "",
    )
    with store.locked():
        others = [each for each in store.grants() if each.client_id == client_id and each.account]
        if any(found.id and each.account != found.id for each in others):
            msg = (
                f"{store.place} keeps another account of this application. Give this one a"
                " `token_store` of its own, or run --logout first."
            )
            raise StoreError(msg)
        store.put(grant)
    say(f"Logged in to {found}. The tokens are kept in {store.place}.")


def show_status(config: Mapping[str, Any], logger: logging.Logger, say: Say) -> None:
    """Say whose account it is, how long the tokens live, and what the user may read.

    Raises:
        SignInError: Nobody has logged in, or the token cannot be renewed.
    """
    found = _Account(config, token_source(config, logger).access_token())
    say(f"Account: {found}")
    if config.get("access_token"):
        say("Access token: the one in the settings, which is not renewed")
    else:
        store = open_store(config.get("token_store"))
        grant = store.find(str(config.get("client_id")))
        if grant and grant.expires_at:
            say(f"Access token: until {times.write(grant.expires_at)}, renewed by itself before")
        say(f"Refresh token: in {store.place}; it ends after {_REFRESH_TOKENS_LIVE}")
    needed = {name for stream in IN_ORDER for name in stream.privileges}
    lacking = sorted(needed - found.privileges) if found.privileges is not None else []
    say("May read: " + ("all streams" if not lacking else "all streams but those named below"))
    for privilege in lacking:
        closed = [vars(each)["name"] for each in IN_ORDER if privilege in each.privileges]
        say(f"May not read, for lack of the privilege {privilege}: {', '.join(closed)}")


def log_out(config: Mapping[str, Any], say: Say) -> None:
    """Forget the tokens of the application.

    Raises:
        StoreError: The store cannot be used.
    """
    store = open_store(config.get("token_store"))
    with store.locked():
        had = store.forget(str(config.get("client_id")))
    if had:
        say(f"Logged out: the tokens are taken out of {store.place}.")
    else:
        say(f"Nobody was logged in for this `client_id`; nothing was in {store.place}.")
    if config.get("refresh_token"):
        say("The setting 'refresh_token' still names a token: take it out as well.")


class _Account:
    """Whose account a token opens, as far as its user may know."""

    def __init__(self, config: Mapping[str, Any], token: str) -> None:
        timeout = float(config["request_timeout"])
        pace = Pace(config["requests_per_second"])
        base = str(config.get("api_url") or URL).rstrip("/")
        with Session(BearerToken(GivenToken(token)), pace, Stop(), timeout=timeout) as session:
            self._summary = _asked(session, f"{base}{Account.path}")
            granted = _asked(session, f"{base}{PRIVILEGES}")
        self.privileges: frozenset[str] | None = None
        if isinstance(granted, list):
            self.privileges = privileges_in(objects(granted))

    @property
    def id(self) -> str:
        """Its id; empty if nobody may know."""
        summary = self._summary if isinstance(self._summary, dict) else {}
        return str(summary.get("encoded_account_id") or "")

    def __str__(self) -> str:
        if not self.id:
            return "an account whose name the user may not read"
        return f"{self._summary.get('organization_name') or 'an account'} ({self.id})"


def _asked(session: Session, url: str) -> Any:
    """What an address answers; None if it is refused."""
    response = session.get(url, headers={"Accept": "application/json"})
    if response.status_code == HTTPStatus.UNAUTHORIZED:
        msg = (
            "The API does not take the access token. Check `api_url` and `auth_url`, then log in"
            " again: tap-constantcontact --login"
        )
        raise SignInError(msg)
    if response.status_code != HTTPStatus.OK:
        return None
    try:
        return response.json()
    except ValueError:
        return None
