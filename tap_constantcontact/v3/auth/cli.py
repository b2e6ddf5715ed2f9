"""Commands for authentication: log in, show the status, log out."""

from __future__ import annotations

from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import requests
from singer_sdk.exceptions import ConfigValidationError, FatalAPIError

from tap_constantcontact.budget.budget import budget_of
from tap_constantcontact.http.envelopes import fields_of, id_of, objects
from tap_constantcontact.http.rate_limiter import RateLimiter
from tap_constantcontact.http.session import Session
from tap_constantcontact.http.shutdown import ShutdownRequest
from tap_constantcontact.meltano import LOGIN, command
from tap_constantcontact.records import timestamps
from tap_constantcontact.state.ids import fingerprint
from tap_constantcontact.v3.api import URL, given_token, oauth_client, quota_key, token_source
from tap_constantcontact.v3.auth import login
from tap_constantcontact.v3.auth.bearer import BearerAuthenticator, StaticToken
from tap_constantcontact.v3.auth.token_store.base import StoredToken, StoreError
from tap_constantcontact.v3.auth.token_store.selection import open_store
from tap_constantcontact.v3.streams import IN_ORDER
from tap_constantcontact.v3.streams.account import PRIVILEGES, Account, privileges_in

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Mapping

    Say = Callable[[str], None]

_REFRESH_TOKENS_LIVE = "180 days without use"


def log_in(config: Mapping[str, Any], say: Say, *, in_browser: bool = False) -> None:
    """Log in, store the tokens, and name the account.

    Args:
        config: The tap's settings.
        say: Prints a line.
        in_browser: Whether to use the browser of this machine instead of the device flow.

    Raises:
        SignInError: The login failed.
    """
    client_id, seed = config.get("client_id"), config.get("refresh_token")
    if not client_id:
        msg = "Setting 'client_id' is missing. It names the application to log in with."
        raise ConfigValidationError(msg, errors=[msg])
    label = str(config.get("account_label") or "")
    store = open_store(config.get("token_store"))
    with store.locked():
        stored = [each for each in store.of(client_id, label) if each.account]
        store.save(store.tokens())  # Check that the store is writable before the login.
    if stored:
        say(
            f"{store.location} contains a login to the account"
            f" {stored[0].account}{_labelled(label)}. Log"
            " in to the same account; for another one, set `account_label`."
        )
    server = oauth_client(config, say)
    tokens = login.by_browser(server, say) if in_browser else login.by_device(server, say)
    grant = StoredToken(
        client_id=client_id,
        refresh_token=tokens.refresh_token or "",
        access_token=tokens.access_token,
        issued_at=tokens.issued_at,
        expires_at=tokens.expires_at,
        label=label,
        seed=fingerprint(seed) if seed else "",
        # The account is known only after the tokens are stored.
        pending="yes" if stored else "",
    )
    with store.locked():
        store.put(grant)
    account = _Account(config, tokens.access_token)
    if not account.is_known:
        if stored:
            msg = (
                f"{account.fault} The account of this login is not known, so the previous login"
                f" stays in use. Run {LOGIN} again."
            )
            raise FatalAPIError(msg)
        say(f"Logged in. The tokens are stored in {store.location}. {account.fault}")
        return
    with store.locked():
        others = [token for token in store.tokens() if token.refresh_token != grant.refresh_token]
        if any(each.account != account.id for each in stored):
            store.save(others)
            msg = (
                f"{store.location} contains another account of this"
                f" application{_labelled(label)}. Set"
                f" `account_label` for this one, or run {command('logout')} first."
            )
            raise StoreError(msg)
        store.save(others)
        store.put(replace(grant, account=account.id, pending=""))
    say(f"Logged in to {account}{_labelled(label)}. The tokens are stored in {store.location}.")


def _labelled(label: str) -> str:
    return f" (account label '{label}')" if label else ""


def show_status(config: Mapping[str, Any], logger: logging.Logger, say: Say) -> None:
    """Show the account, token expiry and accessible streams.

    Raises:
        SignInError: There is no login, the token cannot be refreshed, or the API did not respond.
    """
    account = _Account(config, token_source(config, logger).access_token())
    rows = [("Account", str(account) if account.is_known else "unknown")]
    label = str(config.get("account_label") or "")
    if label:
        rows.append(("Account label", label))
    if given_token(config):
        rows.append(("Access token", "from the settings, not refreshed"))
    else:
        store = open_store(config.get("token_store"))
        seed = config.get("refresh_token")
        grant = store.find(str(config.get("client_id")), label, fingerprint(seed) if seed else "")
        if grant and grant.expires_at:
            rows.append(
                ("Access token", f"until {timestamps.write(grant.expires_at)}, refreshed before")
            )
        rows.append(("Refresh token", f"ends after {_REFRESH_TOKENS_LIVE}"))
        rows.append(("Token store", store.location))
    required = {name for stream in IN_ORDER for name in stream.privileges}
    if account.privileges is None:
        rows.append(("Streams", "unknown: the API did not return the user's privileges"))
    else:
        lacking = sorted(required - account.privileges)
        rows.append(("Streams", "all" if not lacking else "all except those below"))
        for privilege in lacking:
            names = [vars(each)["name"] for each in IN_ORDER if privilege in each.privileges]
            rows.append((f"Lacking {privilege}", ", ".join(names)))
    width = max(len(name) for name, _ in rows)
    for name, text in rows:
        say(f"{name:{width}}  {text}")
    if account.fault:
        raise FatalAPIError(account.fault)


def log_out(config: Mapping[str, Any], say: Say) -> None:
    """Delete the stored tokens of the application.

    Raises:
        StoreError: The store cannot be used.
    """
    store = open_store(config.get("token_store"))
    with store.locked():
        label = str(config.get("account_label") or "")
        had = store.forget(str(config.get("client_id")), label)
    if had:
        say(f"Logged out: the tokens were deleted from {store.location}.")
    else:
        say(f"No stored login found for this `client_id` in {store.location}.")
    if config.get("refresh_token"):
        say("The setting 'refresh_token' still contains a token. Remove it as well.")


class _Account:
    """The account of a token, as far as its user may read it.

    Attributes:
        privileges: The user's privileges; None if they are not known.
        fault: Why something is not known; empty if the API has returned everything.
    """

    def __init__(self, config: Mapping[str, Any], token: str) -> None:
        timeout = float(config["request_timeout"])
        budget = budget_of(config, quota_key(config))
        rate_limiter = RateLimiter(config["requests_per_second"], budget)
        base = str(config.get("api_url") or URL).rstrip("/")
        self.fault = ""
        with Session(
            BearerAuthenticator(StaticToken(token)),
            rate_limiter,
            ShutdownRequest(),
            timeout=timeout,
        ) as session:
            self._summary = fields_of(self._request(session, f"{base}{Account.path}"))
            granted = self._request(session, f"{base}{PRIVILEGES}")
        self.privileges = privileges_in(objects(granted)) if isinstance(granted, list) else None

    def _request(self, session: Session, url: str) -> Any:
        """Return the body of a path; None if the user may not read it, or the API fails."""
        try:
            response = session.get(url, headers={"Accept": "application/json"})
            if response.status_code == HTTPStatus.OK:
                return response.json()
        except requests.RequestException as error:
            self.fault = f"{url} did not respond: {error}."
        else:
            if response.status_code == HTTPStatus.UNAUTHORIZED:
                self.fault = f"{url} rejected the access token (HTTP 401). Check `api_url`."
            elif response.status_code != HTTPStatus.FORBIDDEN:
                self.fault = f"{url} failed (HTTP {response.status_code})."
        return None

    @property
    def id(self) -> str:
        """The account id; empty if it is not known."""
        return id_of(self._summary.get("encoded_account_id")) or ""

    @property
    def is_known(self) -> bool:
        """True if the account is known, or the user may not read it."""
        return bool(self.id) or not self.fault

    def __str__(self) -> str:
        if not self.id:
            return "an account whose name the user may not read"
        name = self._summary.get("organization_name")
        return f"{name if isinstance(name, str) and name else 'an account'} ({self.id})"
