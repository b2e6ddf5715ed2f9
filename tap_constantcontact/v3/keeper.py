"""Keeping an access token good: one refresh a day, however many runs share a store."""

from __future__ import annotations

import contextlib
import datetime as dt
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from tap_constantcontact.http.shutdown import SyncStopped
from tap_constantcontact.meltano import LOGIN
from tap_constantcontact.state.ids import fingerprint
from tap_constantcontact.v3.oauth import LostAnswerError, SignInError, SpentTokenError
from tap_constantcontact.v3.store import Grant, NoStoreError, StoreError

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Iterator, Mapping

    from tap_constantcontact.v3.oauth import AuthServer, Tokens
    from tap_constantcontact.v3.store import TokenStore

# A token is renewed when so much of its life is left, or a quarter of it if that is less.
_AHEAD = dt.timedelta(hours=6)
_SHARE = 4
# A refresh that failed while the token lives is not tried with each call, but so much later.
_AGAIN = dt.timedelta(minutes=10)

_LOG_IN = f"Log in: {LOGIN}"
_TRY_AGAIN = f"Try again, or log in again: {LOGIN}"
# How long to try to save a token that replaces a spent one: a minute in all.
_PAUSES = (1, 2, 4, 8, 15, 30)


class Keeper:
    """Hands out an access token that is good for a while.

    The store is read afresh, and its lock held, from before a refresh until the new tokens are
    written: a rotating refresh token is good once.
    """

    def __init__(  # noqa: PLR0913 - who asks, where it is kept, and the time
        self,
        server: AuthServer,
        store: TokenStore,
        client_id: str,
        seed: str | None,
        logger: logging.Logger,
        *,
        label: str = "",
        clock: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Look at nothing yet.

        Args:
            server: Renews tokens.
            store: Keeps them.
            client_id: The application.
            seed: A refresh token from the settings: it counts until the store has a newer one.
            logger: Takes warnings.
            label: The setting `account_label`.
            clock: The time.
            sleep: Waits for so many seconds.
        """
        self._server = server
        self._store = store
        self._client_id = client_id
        self._seed = seed
        self._logger = logger
        self._label = label
        self._clock = clock
        self._sleep = sleep
        self._unsaved: StoreError | None = None
        self._grant: Grant | None = None
        self._again: dt.datetime | None = None

    def access_token(self) -> str:
        """An access token that is good.

        Raises:
            SignInError: There is none, and none can be had.
        """
        if self._grant is None or not (self._is_fresh(self._grant) or self._is_borne(self._grant)):
            self._grant = self._renewed(refused="")
        return self._grant.access_token

    @property
    def identity(self) -> str:
        """The account's id, if it is known; no token is renewed for that.

        Raises:
            SignInError: Nobody has logged in.
        """
        return self._seeded(self._stored()).account

    def _stored(self) -> Grant | None:
        return self._store.find(self._client_id, self._label, self._seed_hash)

    @property
    def _seed_hash(self) -> str:
        return fingerprint(self._seed) if self._seed else ""

    @property
    def fault(self) -> str | None:
        """What is to be said at the end of a run: that a new token could not be kept."""
        if self._unsaved is None or self._grant is None:
            return None
        with contextlib.suppress(StoreError), self._store.locked():
            self._store.put(self._grant)
            return None
        return (
            f"{self._unsaved} The refresh token was rotated in this run, and the new one could not"
            f" be kept. {_LOG_IN}"
        )

    def set_account(self, owner: str) -> None:
        """Keep the account's id with its tokens; if that cannot be done, it is asked again."""
        with contextlib.suppress(StoreError), self._store.locked():
            grant = self._stored()
            if grant and not grant.account:
                self._store.put(replace(grant, account=owner))

    @property
    def secrets(self) -> Mapping[str, str]:
        """The tokens that this run knows of."""
        known = {"<refresh_token>": self._seed or ""}
        if self._grant:
            known["<access_token>"] = self._grant.access_token
            known["<new_refresh_token>"] = self._grant.refresh_token
        return known

    def _is_borne(self, grant: Grant) -> bool:
        """Whether a token that could not be renewed goes on being used for the moment."""
        return bool(self._again and self._clock() < self._again and self._is_alive(grant))

    def renew(self, refused: str) -> str:
        """Another access token than one that the API has refused.

        Raises:
            SignInError: None can be had.
        """
        self._grant = self._renewed(refused)
        return self._grant.access_token

    def _is_fresh(self, grant: Grant) -> bool:
        if not (grant.access_token and grant.issued_at and grant.expires_at):
            return False
        ahead = min(_AHEAD, (grant.expires_at - grant.issued_at) / _SHARE)
        return self._clock() < grant.expires_at - ahead

    def _is_alive(self, grant: Grant) -> bool:
        return bool(grant.access_token and grant.expires_at and self._clock() < grant.expires_at)

    def _renewed(self, refused: str) -> Grant:
        # Where nothing has to be written, the store need not be writable.
        grant = self._seeded(self._stored())
        if grant.access_token != refused and self._is_fresh(grant):
            return grant
        try:
            return self._renewed_under_lock(refused)
        except StoreError as error:
            if grant.access_token == refused or not self._is_alive(grant):
                raise
            self._logger.warning("%s The current access token is still valid, and is used.", error)
            self._again = self._clock() + _AGAIN
            return grant

    def _renewed_under_lock(self, refused: str) -> Grant:
        with self._locked():
            grant = self._seeded(self._stored())
            # Another run may have renewed it in the meantime.
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
                self._again = self._clock() + _AGAIN
                return grant

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """The store's lock; where no store can be, a seed does without."""
        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(self._store.locked())
            except NoStoreError:
                if not self._seed:
                    raise
            yield

    def _seeded(self, stored: Grant | None) -> Grant:
        """The stored grant, unless the settings name a newer seed."""
        if stored:
            return stored
        if self._seed:
            return Grant(self._client_id, self._seed, label=self._label, seed=self._seed_hash)
        account = f" and the account label '{self._label}'" if self._label else ""
        msg = f"Nobody has logged in yet for this `client_id`{account}. {_LOG_IN}"
        raise SignInError(msg)

    def _refreshed(self, grant: Grant) -> Grant:
        was_cut_off = grant.refreshing_since is not None
        self._note_beginning(grant)
        try:
            tokens = self._ask(grant, was_cut_off=was_cut_off, is_urgent=not self._is_alive(grant))
        except LostAnswerError:
            raise
        except (SignInError, SyncStopped):
            self._note_end(grant)
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
        self._logger.info("The access token was renewed.")
        return renewed

    def _ask(self, grant: Grant, *, was_cut_off: bool, is_urgent: bool) -> Tokens:
        was_lost = was_cut_off
        try:
            try:
                return self._server.refresh(grant.refresh_token, is_urgent=is_urgent)
            except LostAnswerError:
                # Servers of this make forgive a repeat within seconds, seldom later.
                was_lost = True
                return self._server.refresh(grant.refresh_token, is_urgent=is_urgent)
        except SpentTokenError as error:
            if not was_lost:
                raise
            msg = (
                f"{error} (A previous token refresh was interrupted, or its response was lost: the"
                " server rotated the refresh token, but the new one was not received.)"
            )
            raise SpentTokenError(msg) from None

    def _note_beginning(self, grant: Grant) -> None:
        """Prove before the token may be spent that the new one can be kept."""
        self._pauses: tuple[int, ...] = _PAUSES
        try:
            self._store.put(replace(grant, refreshing_since=self._clock()))
        except StoreError as error:
            if not self._seed:
                raise
            self._pauses = ()
            self._logger.warning("%s A long-lived refresh token does without.", error)

    def _note_end(self, grant: Grant) -> None:
        with contextlib.suppress(StoreError):
            stored = self._stored()
            # A token that another run has stored meanwhile is newer.
            if stored and stored.refresh_token == grant.refresh_token:
                self._store.put(replace(stored, refreshing_since=None))

    def _keep(self, grant: Grant, renewed: Grant) -> None:
        """Save new tokens. Once the old one is spent, nothing else matters."""
        is_rotated = renewed.refresh_token != grant.refresh_token
        self._unsaved = None
        for pause in (*self._pauses, None):
            try:
                self._store.put(renewed)
            except StoreError as error:
                if not is_rotated:
                    return  # The next run renews it as well.
                if pause is None:
                    self._unsaved = error
                    self._logger.warning(
                        "%s The new refresh token is not kept yet. The run continues.", error
                    )
                    return
                self._logger.warning("%s Trying again in %d seconds.", error, pause)
                self._sleep(pause)
            else:
                return
