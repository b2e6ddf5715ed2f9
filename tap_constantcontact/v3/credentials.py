"""The bearer token of v3."""

from __future__ import annotations

from typing import TYPE_CHECKING

from typing_extensions import override

from tap_constantcontact.http.credentials import Credentials

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import requests


class BearerToken(Credentials):
    """Signs calls with an access token that is good at that moment (API docs: v3 §2.1)."""

    def __init__(self, access_token: Callable[[], str], secrets: Mapping[str, str]) -> None:
        """Take what hands out tokens.

        Args:
            access_token: Hands out a token that is good.
            secrets: What else must not be read, by what is shown in its place.
        """
        self._access_token = access_token
        self._secrets = dict(secrets)

    @override
    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        token = self._access_token()
        self._secrets["<access_token>"] = token
        request.headers["Authorization"] = f"Bearer {token}"
        return request

    @property
    @override
    def secrets(self) -> Mapping[str, str]:
        return self._secrets
