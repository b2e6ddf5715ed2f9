"""Refresh of access tokens: once a day, however many runs share a store."""

from __future__ import annotations

import contextlib
import datetime as dt
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from tap_constantcontact.http.shutdown import SyncStopped
from tap_constantcontact.meltano import LOGIN
from tap_constantcontact.state.ids import fingerprint
from tap_constantcontact.v3.auth.oauth import InvalidGrantError, SignInError, TokenResponseLostError
from tap_constantcontact.v3.auth.token_store.base import NoStoreError, StoredToken, StoreError

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Iterator, Mapping

    from tap_constantcontact.v3.auth.oauth import OAuthClient, Tokens
    from tap_constantcontact.v3.auth.token_store.base import TokenStore

# A token is refreshed this long before its end, or after three quarters of a shorter life.
_REFRESH_MARGIN = dt.timedelta(hours=6)
_SHARE = 4
# After a failed refresh, a valid token is used for so long before the next attempt.
_RETRY_AFTER = dt.timedelta(minutes=10)

_LOG_IN = f"Log in: {LOGIN}"
_TRY_AGAIN = f"Try again, or log in again: {LOGIN}"
# Seconds between attempts to save a token that replaces an invalid one: a minute in all.
_PAUSES = (1, 2, 4, 8, 15, 30)


class TokenManager:
    """Provides a valid access token.

    A refresh reads the store again and holds its lock until the new tokens are written: a rotating
    refresh token is valid once.
    """

    def __init__(  # noqa: PLR0913 - who asks, where it is kept, and the time
        self,
        server: OAuthClient,
        store: TokenStore,
        client_id: str,
        initial_refresh_token: str | None,
        logger: logging.Logger,
        *,
        label: str = "",
        clock: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Create a manager, without access to the store.

        Args:
            server: The OAuth client.
            store: The token store.
            client_id: The application.
            initial_refresh_token: The refresh token of the settings, used until the store has a
                newer one.
            logger: Logs warnings.
            label: The setting `account_label`.
            clock: Returns the time.
            sleep: Waits for a number of seconds.
        """
        self._server = server
        self._store = store
        self._client_id = client_id
        self._initial_token = initial_refresh_token
        self._logger = logger
        self._label = label
        self._clock = clock
        self._sleep = sleep
        self._unsaved: StoreError | None = None
        self._grant: StoredToken | None = None
        self._retry_at: dt.datetime | None = None

    def access_token(self) -> str:
        """Return a valid access token.

        Raises:
            SignInError: There is none.
        """
        if self._grant is None or not (
            self._is_fresh(self._grant) or self._retry_is_deferred(self._grant)
        ):
            self._grant = self._renewed(refused="")
        return self._grant.access_token

    @property
    def identity(self) -> str:
        """The account id, if it is known. Does not refresh a token.

        Raises:
            SignInError: There is no login.
        """
        return self._load_or_seed(self._stored()).account

    def _stored(self) -> StoredToken | None:
        return self._store.find(self._client_id, self._label, self._seed_hash)

    @property
    def _seed_hash(self) -> str:
        return fingerprint(self._initial_token) if self._initial_token else ""

    @property
    def fault(self) -> str | None:
        """A message for the end of the run if a new token could not be stored."""
        if self._unsaved is None or self._grant is None:
            return None
        with contextlib.suppress(StoreError), self._store.locked():
            self._store.put(self._grant)
            return None
        return (
            f"{self._unsaved} The refresh token was rotated in this run, and the new one could"
            " not be"
            f" stored. {_LOG_IN}"
        )

    def set_account(self, owner: str) -> None:
        """Store the account id with its tokens. If that fails, the next run requests it again."""
        with contextlib.suppress(StoreError), self._store.locked():
            grant = self._stored()
            if grant and not grant.account:
                self._store.put(replace(grant, account=owner))

    @property
    def secrets(self) -> Mapping[str, str]:
        """Tokens that this run knows."""
        secrets = {"<refresh_token>": self._initial_token or ""}
        if self._grant:
            secrets["<access_token>"] = self._grant.access_token
            secrets["<new_refresh_token>"] = self._grant.refresh_token
        return secrets

    def _retry_is_deferred(self, grant: StoredToken) -> bool:
        """Return whether a refresh failed recently while the token is still valid."""
        return bool(self._retry_at and self._clock() < self._retry_at and self._is_alive(grant))

    def renew(self, refused: str) -> str:
        """Replace an access token that the API has rejected.

        Raises:
            SignInError: There is no other token.
        """
        self._grant = self._renewed(refused)
        return self._grant.access_token

    def _is_fresh(self, grant: StoredToken) -> bool:
        if not (grant.access_token and grant.issued_at and grant.expires_at):
            return False
        ahead = min(_REFRESH_MARGIN, (grant.expires_at - grant.issued_at) / _SHARE)
        return self._clock() < grant.expires_at - ahead

    def _is_alive(self, grant: StoredToken) -> bool:
        return bool(grant.access_token and grant.expires_at and self._clock() < grant.expires_at)

    def _renewed(self, refused: str) -> StoredToken:
        # If nothing has to be written, the store need not be writable.
        grant = self._load_or_seed(self._stored())
        if grant.access_token != refused and self._is_fresh(grant):
            return grant
        try:
            return self._renewed_under_lock(refused)
        except StoreError as error:
            if grant.access_token == refused or not self._is_alive(grant):
                raise
            self._logger.warning("%s The current access token is still valid, and is used.", error)
            self._retry_at = self._clock() + _RETRY_AFTER
            return grant

    def _renewed_under_lock(self, refused: str) -> StoredToken:
        with self._locked():
            grant = self._load_or_seed(self._stored())
            # Another run may have refreshed it in the meantime.
            if grant.access_token != refused and self._is_fresh(grant):
                return grant
            try:
                return self._refreshed(grant)
            except SignInError as error:
                if grant.access_token == refused or not self._is_alive(grant):
                    raise
                self._logger.warning(
                    "%s The current access token is still valid, and is used.", error
                )
                self._retry_at = self._clock() + _RETRY_AFTER
                return grant

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Lock the store; without a usable store, an initial token needs no lock."""
        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(self._store.locked())
            except NoStoreError:
                if not self._initial_token:
                    raise
            yield

    def _load_or_seed(self, stored: StoredToken | None) -> StoredToken:
        """Return the stored token, or the initial one of the settings."""
        if stored:
            return stored
        if self._initial_token:
            return StoredToken(
                self._client_id,
                self._initial_token,
                label=self._label,
                seed=self._seed_hash,
            )
        account = f" and the account label '{self._label}'" if self._label else ""
        msg = f"No login found for this `client_id`{account}. {_LOG_IN}"
        raise SignInError(msg)

    def _refreshed(self, grant: StoredToken) -> StoredToken:
        was_cut_off = grant.refreshing_since is not None
        self._mark_refreshing(grant)
        try:
            tokens = self._ask(grant, was_cut_off=was_cut_off, is_urgent=not self._is_alive(grant))
        except TokenResponseLostError:
            raise
        except (SignInError, SyncStopped):
            self._mark_refreshed(grant)
            raise
        renewed = replace(
            grant,
            refresh_token=tokens.refresh_token or grant.refresh_token,
            access_token=tokens.access_token,
            issued_at=tokens.issued_at,
            expires_at=tokens.expires_at,
            refreshing_since=None,
        )
        self._keep(grant, renewed)
        if not renewed.access_token:
            msg = f"The authorization server returned no access token. {_TRY_AGAIN}"
            raise SignInError(msg)
        self._logger.info("The access token was refreshed.")
        return renewed

    def _ask(self, grant: StoredToken, *, was_cut_off: bool, is_urgent: bool) -> Tokens:
        was_lost = was_cut_off
        try:
            try:
                return self._server.refresh(grant.refresh_token, is_urgent=is_urgent)
            except TokenResponseLostError:
                # Servers may accept a used token again within seconds, seldom later.
                was_lost = True
                return self._server.refresh(grant.refresh_token, is_urgent=is_urgent)
        except InvalidGrantError as error:
            if not was_lost:
                raise
            msg = (
                f"{error} (A previous token refresh was interrupted, or its response was lost: the"
                " server rotated the refresh token, but the new one was not received.)"
            )
            raise InvalidGrantError(msg) from None

    def _mark_refreshing(self, grant: StoredToken) -> None:
        """Prove that the store is writable before the token may become invalid."""
        self._pauses: tuple[int, ...] = _PAUSES
        try:
            self._store.put(replace(grant, refreshing_since=self._clock()))
        except StoreError as error:
            if not self._initial_token:
                raise
            self._pauses = ()
            self._logger.warning("%s This is only safe with a long-lived refresh token.", error)

    def _mark_refreshed(self, grant: StoredToken) -> None:
        with contextlib.suppress(StoreError):
            stored = self._stored()
            # A token that another run has stored in the meantime is newer.
            if stored and stored.refresh_token == grant.refresh_token:
                self._store.put(replace(stored, refreshing_since=None))

    def _keep(self, grant: StoredToken, renewed: StoredToken) -> None:
        """Store new tokens. Once the old one is invalid, nothing else matters."""
        is_rotated = renewed.refresh_token != grant.refresh_token
        self._unsaved = None
        for pause in (*self._pauses, None):
            try:
                self._store.put(renewed)
            except StoreError as error:
                if not is_rotated:
                    return  # The next run refreshes it as well.
                if pause is None:
                    self._unsaved = error
                    self._logger.warning(
                        "%s The new refresh token is not stored yet. The run continues.", error
                    )
                    return
                self._logger.warning("%s Trying again in %d seconds.", error, pause)
                self._sleep(pause)
            else:
                return
