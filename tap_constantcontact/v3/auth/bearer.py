"""Authentication with a bearer token."""

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
    """A source of access tokens."""

    @property
    def identity(self) -> str:
        """A constant value of the account; empty if it is not known yet."""

    @property
    def secrets(self) -> Mapping[str, str]:
        """Secrets by their placeholder."""

    def access_token(self) -> str:
        """Return an access token that is valid, as far as known."""

    def renew(self, refused: str) -> str | None:
        """Replace a token that the API has rejected; return None if there is no other."""

    def set_account(self, owner: str) -> None:
        """Store the account id."""

    @property
    def fault(self) -> str | None:
        """A message for the end of the run; None if there is none."""


@dataclass(frozen=True)
class StaticToken:
    """The access token of the settings, which cannot be refreshed."""

    token: str = field(repr=False)

    @property
    def identity(self) -> str:
        """The token itself: another token may belong to another account."""
        return self.token

    @property
    def secrets(self) -> Mapping[str, str]:
        """The token."""
        return {"<access_token>": self.token}

    def access_token(self) -> str:
        """The token."""
        return self.token

    def renew(self, refused: str) -> None:
        """Return None: there is no other token."""

    def set_account(self, owner: str) -> None:
        """Do nothing: there is no store."""

    @property
    def fault(self) -> None:
        """None: nothing is stored."""


class BearerAuthenticator(Authenticator):
    """Signs requests with an access token (docs/api/v3.md §2.1)."""

    def __init__(self, source: TokenSource) -> None:
        """Take the source of tokens."""
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
