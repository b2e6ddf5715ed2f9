"""Stored tokens, and the interface of a token store."""

from __future__ import annotations

import datetime as dt
import json
from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from tap_constantcontact.records import timestamps
from tap_constantcontact.v3.auth.oauth import SignInError

if TYPE_CHECKING:
    import contextlib


class StoreError(SignInError):
    """The token store cannot be used."""


class NoStoreError(StoreError):
    """There is no token store, and none can be created."""


@dataclass(frozen=True)
class StoredToken:
    """The tokens of one account for an application.

    Attributes:
        client_id: The application.
        refresh_token: Token for new access tokens.
        access_token: Token for requests; empty before the first refresh.
        issued_at: Time of its request.
        expires_at: Its end.
        account: The account id; empty until it is known.
        label: The setting `account_label` of the plugin that uses it; empty without.
        seed: Hash of the initial refresh token in the settings; empty for a login.
        pending: Not empty if the account may differ from that of an older login, which stays in
            use.
        refreshing_since: Start of a refresh whose response is not stored; None otherwise.
    """

    client_id: str
    refresh_token: str = field(repr=False)
    access_token: str = field(repr=False, default="")
    issued_at: dt.datetime | None = None
    expires_at: dt.datetime | None = None
    account: str = ""
    label: str = ""
    seed: str = ""
    pending: str = ""
    refreshing_since: dt.datetime | None = None


class TokenStore(ABC):
    """Stores tokens. A refresh holds the lock until the new tokens are written."""

    @property
    @abstractmethod
    def location(self) -> str:
        """Its location, to show to a person."""

    @abstractmethod
    def locked(self) -> contextlib.AbstractContextManager[None]:
        """Lock the store: nobody else refreshes a token meanwhile.

        Raises:
            StoreError: Another run holds the lock for too long.
        """

    @abstractmethod
    def tokens(self) -> list[StoredToken]:
        """Return all tokens.

        Raises:
            StoreError: They cannot be read.
        """

    @abstractmethod
    def save(self, tokens: list[StoredToken]) -> None:
        """Replace all tokens by these, in one step.

        Raises:
            StoreError: They cannot be written.
        """

    def find(self, client_id: str, label: str = "", seed: str = "") -> StoredToken | None:
        """Return the tokens of an application for one account.

        Args:
            client_id: The application.
            label: The setting `account_label`; empty without.
            seed: Hash of the setting `refresh_token`: only its successors count then. Empty for a
                login, or for the only account.

        Raises:
            StoreError: There are several accounts, and nothing selects one.
        """
        result = [each for each in self.of(client_id, label) if not each.pending]
        if seed:
            result = [each for each in result if each.seed == seed]
        elif any(not each.seed for each in result):
            result = [each for each in result if not each.seed]
        accounts = {each.account for each in result}
        if len(accounts) == 1 and "" not in accounts:
            return result[-1]
        if len(result) > 1:
            msg = (
                f"The token store contains {len(result)} accounts of this `client_id`. Set"
                " `account_label` to another name for each account, then log in again."
            )
            raise StoreError(msg)
        return result[0] if result else None

    def of(self, client_id: str, label: str = "") -> list[StoredToken]:
        """Return all tokens of an application with a label."""
        return [
            token for token in self.tokens() if (token.client_id, token.label) == (client_id, label)
        ]

    def put(self, token: StoredToken) -> None:
        """Store tokens in place of their predecessor."""
        others = [each for each in self.tokens() if not _is_same(each, token)]
        self.save([*others, token])

    def forget(self, client_id: str, label: str = "") -> bool:
        """Delete the tokens of an application with a label; return whether there were any."""
        forgotten = self.of(client_id, label)
        if forgotten:
            self.save([token for token in self.tokens() if token not in forgotten])
        return bool(forgotten)


def _is_same(one: StoredToken, other: StoredToken) -> bool:
    same_account = one.account == other.account or not (one.account and other.account)
    return same_account and _key(one) == _key(other)


def _key(token: StoredToken) -> tuple[str, ...]:
    return token.client_id, token.label, token.seed, token.pending


def format_tokens(tokens: list[StoredToken]) -> str:
    """Format tokens as text."""
    return json.dumps({"version": 1, "grants": [_as_dict(token) for token in tokens]}, indent=1)


def parse_tokens(text: str) -> list[StoredToken]:
    """Parse what `format_tokens` returned.

    Raises:
        ValueError: It is something else.
    """
    try:
        return [_grant(load) for load in json.loads(text)["grants"]]
    except (TypeError, KeyError, RecursionError) as error:
        raise ValueError from error


def _as_dict(token: StoredToken) -> dict[str, Any]:
    return {
        name: timestamps.write(held) if isinstance(held, dt.datetime) else held
        for name, held in asdict(token).items()
        if held
    }


def _grant(held: dict[str, Any]) -> StoredToken:
    fields = {name: held[name] for name in StoredToken.__dataclass_fields__ if name in held}
    if not all(isinstance(field, str) for field in fields.values()):
        raise TypeError
    result = StoredToken(**fields)
    times: dict[str, Any] = {
        name: timestamps.parse(fields.get(name, ""))
        for name in ("issued_at", "expires_at", "refreshing_since")
    }
    return replace(result, **times)
