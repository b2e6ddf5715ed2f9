"""Checks before the first stream: the account of the state, and the user's privileges."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from singer_sdk.exceptions import FatalAPIError

from tap_constantcontact.account_stream import AccountStream
from tap_constantcontact.http import retries
from tap_constantcontact.http.session import MAX_CLOCK_SKEW
from tap_constantcontact.records import timestamps
from tap_constantcontact.state import account_check, validation
from tap_constantcontact.state.account_check import ACCOUNT, UnprovenStateError
from tap_constantcontact.state.migration import VERSION

if TYPE_CHECKING:
    import logging
    from collections.abc import Mapping

    from singer_sdk.helpers.types import TapState

    from tap_constantcontact.stream import ConstantContactStream
    from tap_constantcontact.sync_run import SyncRun


class Preflight:
    """Checks a run before its first stream.

    The owner of the account is requested only if the stream `account` is selected or the state
    requires it.
    """

    def __init__(
        self,
        run: SyncRun,
        streams: Mapping[str, ConstantContactStream],
        state: TapState,
        logger: logging.Logger,
    ) -> None:
        """Create the checks of a run.

        Args:
            run: The run.
            streams: All streams by name.
            state: The state, to which the account is added.
            logger: Logs warnings.
        """
        self._run = run
        self._streams = streams
        self._state = state
        self._logger = logger

    def check(self) -> None:
        """Check the state and the privileges, and name the account in the state.

        Raises:
            StateMismatchError: The state belongs to another account.
        """
        session = self._run.session
        bookmarks = self._state.setdefault("bookmarks", {})
        stored = account_check.stored_account(bookmarks, self._identity, self._run.api.version)
        if api_time := timestamps.parse_or_none(stored.get("api_time")):
            session.expect_clock_after(api_time)
        self._skip_unauthorized_streams()
        if not stored and any(bookmarks.values()):
            self._ignore_state()
        try:
            account = self._verify(stored)
        except UnprovenStateError:
            self._ignore_state()
            account = self._verify({}, may_fetch=False)
        if session.api_time:
            account["api_time"] = timestamps.write(session.api_time)
        bookmarks.setdefault(ACCOUNT, {}).update(version=VERSION, **account)
        self._drop_future_bookmarks()

    @property
    def _identity(self) -> str:
        return self._run.api.authenticator.identity

    def _verify(self, stored: Mapping[str, Any], *, may_fetch: bool = True) -> dict[str, Any]:
        """Return what the state shall contain about the account."""
        version = account_check.check_version(stored, self._run.api.version)
        return version | account_check.verify_account(
            stored,
            self._identity,
            self._fetch_owner if may_fetch else lambda: None,
            must_fetch=may_fetch and ACCOUNT in self._run.selected,
        )

    def _ignore_state(self) -> None:
        self._logger.warning(
            "The state does not prove that it belongs to this account. It is ignored, and"
            " everything is synced."
        )
        self._state["bookmarks"].clear()

    def _drop_future_bookmarks(self) -> None:
        signpost = self._run.session.started_at + MAX_CLOCK_SKEW
        for stream in validation.drop_future_bookmarks(dict(self._state), signpost):
            self._logger.warning(
                "Ignoring a bookmark in the future for stream '%s' (clock skew). The data is synced"
                " again.",
                stream,
            )

    @property
    def _account(self) -> AccountStream:
        account = self._streams[ACCOUNT]
        if not isinstance(account, AccountStream):
            msg = f"the stream '{ACCOUNT}' is no AccountStream"
            raise TypeError(msg)
        return account

    def _skip_unauthorized_streams(self) -> None:
        granted = self._account.granted
        if granted is None:
            return
        skipped: dict[str, list[str]] = {}
        for stream in self._streams.values():
            lacking = [name for name in stream.privileges if name not in granted]
            (self._run.unavailable if lacking else self._run.available).add(stream.access_group)
            self._run.missing_privileges.update(lacking)
            if lacking and stream.selected:
                skipped.setdefault(lacking[0], []).append(stream.name)
        for privilege, names in skipped.items():
            self._logger.warning(
                "The token's user lacks the privilege '%s', and these streams are skipped: %s.",
                privilege,
                ", ".join(names),
            )

    def _fetch_owner(self) -> str | None:
        """Return the account id; None if the user may not read it."""
        account = self._account
        if not account.is_authorized:
            return None
        try:
            owner = account.owner
        except FatalAPIError as error:
            if not account.may_fail:
                raise
            if account.is_denied(error) and account.selected:
                account.mark_unauthorized(error)
            elif not (account.is_denied(error) or retries.concerns_one_object(error)):
                raise
            self._logger.warning(
                "Could not determine the account (path: %s). %s", account.path, error
            )
            return None
        self._run.api.authenticator.set_account(owner or "")
        return owner
