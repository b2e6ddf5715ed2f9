"""What is kept of a login between runs, and what a store of it can do."""

from __future__ import annotations

import datetime as dt
import json
from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from tap_constantcontact.records import timestamps
from tap_constantcontact.v3.oauth import SignInError

if TYPE_CHECKING:
    import contextlib


class StoreError(SignInError):
    """The token store cannot be used: what is wrong and what to do."""


class NoStoreError(StoreError):
    """There is no token store, and none can be made here."""


@dataclass(frozen=True)
class Grant:
    """What an account has granted to an application.

    Attributes:
        client_id: The application.
        refresh_token: For new access tokens.
        access_token: For calls; empty before the first refresh.
        issued_at: When the access token was asked for.
        expires_at: When it ends.
        account: The account's id; empty until it is known.
        label: The setting `account_label` of the plugin that uses it; empty without.
        seed: Which setting the grant began with, hashed; empty if it began with a login.
        pending: Not empty if it is not known whether it is the account of an older login, which
            stays in use.
        refreshing_since: When a refresh began whose answer has not been stored; None otherwise.
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
    """Keeps grants. What reads one to renew it holds the lock until the new one is written."""

    @property
    @abstractmethod
    def place(self) -> str:
        """Where it is, to show to a person."""

    @abstractmethod
    def locked(self) -> contextlib.AbstractContextManager[None]:
        """A time in which nobody else renews a token.

        Raises:
            StoreError: Somebody else does so for too long.
        """

    @abstractmethod
    def grants(self) -> list[Grant]:
        """All grants.

        Raises:
            StoreError: They cannot be read.
        """

    @abstractmethod
    def save(self, grants: list[Grant]) -> None:
        """Keep just these grants: all of them are written, or none.

        Raises:
            StoreError: They cannot be written.
        """

    def find(self, client_id: str, label: str = "", seed: str = "") -> Grant | None:
        """The grant of an application for one account.

        Args:
            client_id: The application.
            label: The setting `account_label`; empty without.
            seed: The setting `refresh_token`, hashed: only what became of it counts then. Empty
                for what a login has made, or for the only one there is.

        Raises:
            StoreError: There are several: nothing tells which is meant.
        """
        found = [each for each in self.of(client_id, label) if not each.pending]
        if seed:
            found = [each for each in found if each.seed == seed]
        elif any(not each.seed for each in found):
            found = [each for each in found if not each.seed]
        accounts = {each.account for each in found}
        if len(accounts) == 1 and "" not in accounts:
            return found[-1]
        if len(found) > 1:
            msg = (
                f"The token store holds {len(found)} accounts of this `client_id`. Set"
                " `account_label` to another name for each account, then log in again."
            )
            raise StoreError(msg)
        return found[0] if found else None

    def of(self, client_id: str, label: str = "") -> list[Grant]:
        """All grants of an application with a label."""
        return [
            each for each in self.grants() if (each.client_id, each.label) == (client_id, label)
        ]

    def put(self, grant: Grant) -> None:
        """Keep a grant in place of the one that it was made from."""
        others = [each for each in self.grants() if not _is_same(each, grant)]
        self.save([*others, grant])

    def forget(self, client_id: str, label: str = "") -> bool:
        """Forget the grants of an application with a label; returns whether there were any."""
        forgotten = self.of(client_id, label)
        if forgotten:
            self.save([each for each in self.grants() if each not in forgotten])
        return bool(forgotten)


def _is_same(one: Grant, other: Grant) -> bool:
    same_account = one.account == other.account or not (one.account and other.account)
    return same_account and _key(one) == _key(other)


def _key(grant: Grant) -> tuple[str, ...]:
    return grant.client_id, grant.label, grant.seed, grant.pending


def write_grants(grants: list[Grant]) -> str:
    """Grants as text."""
    return json.dumps({"version": 1, "grants": [_as_dict(each) for each in grants]}, indent=1)


def read_grants(text: str) -> list[Grant]:
    """Grants from what `write_grants` has made.

    Raises:
        ValueError: It is something else.
    """
    try:
        return [_grant(each) for each in json.loads(text)["grants"]]
    except (TypeError, KeyError, RecursionError) as error:
        raise ValueError from error


def _as_dict(grant: Grant) -> dict[str, Any]:
    return {
        name: timestamps.write(held) if isinstance(held, dt.datetime) else held
        for name, held in asdict(grant).items()
        if held
    }


def _grant(held: dict[str, Any]) -> Grant:
    known = {name: held[name] for name in Grant.__dataclass_fields__ if name in held}
    if not all(isinstance(each, str) for each in known.values()):
        raise TypeError
    found = Grant(**known)
    moments = {
        name: timestamps.parse(known.get(name, ""))
        for name in ("issued_at", "expires_at", "refreshing_since")
    }
    return replace(found, **moments)  # type: ignore[arg-type]
