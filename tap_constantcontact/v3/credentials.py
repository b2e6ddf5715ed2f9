"""The bearer token of v3."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from typing_extensions import override

from tap_constantcontact.http.authenticator import Authenticator

if TYPE_CHECKING:
    from collections.abc import Mapping

    import requests

_SCHEME = "Bearer "


class TokenSource(Protocol):
    """What hands out access tokens."""

    @property
    def identity(self) -> str:
        """What stays the same as long as the account does; empty if that is not known yet."""

    @property
    def secrets(self) -> Mapping[str, str]:
        """What must not be read, by what is shown in its place."""

    def access_token(self) -> str:
        """An access token that is good, as far as can be told."""

    def renew(self, refused: str) -> str | None:
        """Another access token than one that the API has refused; None if there cannot be one."""

    def set_account(self, owner: str) -> None:
        """Be told whose account it is."""

    @property
    def fault(self) -> str | None:
        """What is to be said at the end of a run; None if all is well."""


@dataclass(frozen=True)
class StaticToken:
    """The one token that the settings name: good for a try, until it ends."""

    token: str = field(repr=False)

    @property
    def identity(self) -> str:
        """The token itself: the next one may be another account's."""
        return self.token

    @property
    def secrets(self) -> Mapping[str, str]:
        """The token."""
        return {"<access_token>": self.token}

    def access_token(self) -> str:
        """The token."""
        return self.token

    def renew(self, refused: str) -> None:
        """There is none."""

    def set_account(self, owner: str) -> None:
        """There is no place to keep it."""

    @property
    def fault(self) -> None:
        """Nothing is kept."""


class BearerAuthenticator(Authenticator):
    """Signs calls with an access token that is good at that moment (API docs: v3 §2.1)."""

    def __init__(self, source: TokenSource) -> None:
        """Take what hands out tokens."""
        self._source = source

    @override
    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"{_SCHEME}{self._source.access_token()}"
        return request

    @override
    def renew(self, refused: requests.PreparedRequest) -> bool:
        token = str(refused.headers.get("Authorization", "")).removeprefix(_SCHEME)
        return bool(self._source.renew(token))

    @override
    def set_account(self, owner: str) -> None:
        self._source.set_account(owner)

    @property
    @override
    def fault(self) -> str | None:
        return self._source.fault

    @property
    @override
    def identity(self) -> str:
        return self._source.identity

    @property
    @override
    def secrets(self) -> Mapping[str, str]:
        return self._source.secrets
