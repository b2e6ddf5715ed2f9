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
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from tap_constantcontact.v3.auth.oauth import Tokens
    from tap_constantcontact.v3.auth.token_store.base import TokenStore

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
    if not config.get("client_id"):
        msg = "Setting 'client_id' is missing. It names the application to log in with."
        raise ConfigValidationError(msg, errors=[msg])
    store, label = open_store(config.get("token_store")), _label(config)
    earlier = _earlier_logins(config, store)
    if earlier:
        say(
            f"{store.location} contains a login to the account"
            f" {earlier[0].account}{_labelled(label)}. Log in to the same account; for another"
            " one, set `account_label`."
        )
    server = oauth_client(config, say)
    tokens = login.by_browser(server, say) if in_browser else login.by_device(server, say)
    # The account is known only after the tokens are stored.
    grant = _grant(config, tokens, is_pending=bool(earlier))
    with store.locked():
        store.put(grant)
    account = _Account(config, tokens.access_token)
    if account.is_known:
        _confirm(store, grant, account, earlier)
        say(f"Logged in to {account}{_labelled(label)}. The tokens are stored in {store.location}.")
    elif earlier:
        msg = (
            f"{account.fault} The account of this login is not known, so the previous login stays"
            f" in use. Run {LOGIN} again."
        )
        raise FatalAPIError(msg)
    else:
        say(f"Logged in. The tokens are stored in {store.location}. {account.fault}")


def _earlier_logins(config: Mapping[str, Any], store: TokenStore) -> list[StoredToken]:
    """Return the logins to known accounts, and check that the store is writable."""
    with store.locked():
        store.save(store.tokens())
        return [each for each in store.of(config["client_id"], _label(config)) if each.account]


def _grant(config: Mapping[str, Any], tokens: Tokens, *, is_pending: bool) -> StoredToken:
    return StoredToken(
        client_id=config["client_id"],
        refresh_token=tokens.refresh_token or "",
        access_token=tokens.access_token,
        issued_at=tokens.issued_at,
        expires_at=tokens.expires_at,
        label=_label(config),
        seed=_seed(config),
        pending="yes" if is_pending else "",
    )


def _confirm(
    store: TokenStore, grant: StoredToken, account: _Account, earlier: Sequence[StoredToken]
) -> None:
    """Store the account with its tokens, unless the login is to another account than before."""
    with store.locked():
        store.save([each for each in store.tokens() if each.refresh_token != grant.refresh_token])
        if any(each.account != account.id for each in earlier):
            msg = (
                f"{store.location} contains another account of this"
                f" application{_labelled(grant.label)}. Set `account_label` for this one, or run"
                f" {command('logout')} first."
            )
            raise StoreError(msg)
        store.put(replace(grant, account=account.id, pending=""))


def _label(config: Mapping[str, Any]) -> str:
    return str(config.get("account_label") or "")


def _labelled(label: str) -> str:
    return f" (account label '{label}')" if label else ""


def _seed(config: Mapping[str, Any]) -> str:
    """Return the hash of the initial refresh token; empty without."""
    return fingerprint(config["refresh_token"]) if config.get("refresh_token") else ""


def show_status(config: Mapping[str, Any], logger: logging.Logger, say: Say) -> None:
    """Show the account, token expiry and accessible streams.

    Raises:
        SignInError: There is no login, the token cannot be refreshed, or the API did not respond.
    """
    account = _Account(config, token_source(config, logger).access_token())
    rows = [("Account", str(account) if account.is_known else "unknown")]
    if label := _label(config):
        rows.append(("Account label", label))
    rows += [*_token_rows(config), *_stream_rows(account.privileges)]
    width = max(len(name) for name, _ in rows)
    for name, text in rows:
        say(f"{name:{width}}  {text}")
    if account.fault:
        raise FatalAPIError(account.fault)


def _token_rows(config: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if given_token(config):
        yield "Access token", "from the settings, not refreshed"
        return
    store = open_store(config.get("token_store"))
    grant = store.find(str(config.get("client_id")), _label(config), _seed(config))
    if grant and grant.expires_at:
        yield "Access token", f"until {timestamps.write(grant.expires_at)}, refreshed before"
    yield "Refresh token", f"ends after {_REFRESH_TOKENS_LIVE}"
    yield "Token store", store.location


def _stream_rows(privileges: frozenset[str] | None) -> Iterator[tuple[str, str]]:
    if privileges is None:
        yield "Streams", "unknown: the API did not return the user's privileges"
        return
    lacking = sorted({name for stream in IN_ORDER for name in stream.privileges} - privileges)
    yield "Streams", "all except those below" if lacking else "all"
    for privilege in lacking:
        names = [vars(each)["name"] for each in IN_ORDER if privilege in each.privileges]
        yield f"Lacking {privilege}", ", ".join(names)


def log_out(config: Mapping[str, Any], say: Say) -> None:
    """Delete the stored tokens of the application.

    Raises:
        StoreError: The store cannot be used.
    """
    store = open_store(config.get("token_store"))
    with store.locked():
        had = store.forget(str(config.get("client_id")), _label(config))
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
