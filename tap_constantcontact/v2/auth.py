"""The key and the token of v2."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from typing_extensions import override

from tap_constantcontact.http.authenticator import Authenticator

if TYPE_CHECKING:
    from collections.abc import Mapping

    import requests


@dataclass(frozen=True)
class ApiKeyAuthenticator(Authenticator):
    """The two things that every call needs (docs/api/v2.md §2.1).

    Attributes:
        api_key: Names the integration. Goes into the query of every call, next pages too.
        access_token: Names the account. Goes into a header, since URLs get logged.
    """

    api_key: str = field(repr=False)
    access_token: str = field(repr=False)

    @override
    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        parts = urlsplit(request.url or "")
        query = [
            (k, v) for k, v in parse_qsl(parts.query, keep_blank_values=True) if k != "api_key"
        ]
        query.append(("api_key", self.api_key))
        request.url = urlunsplit(parts._replace(query=urlencode(query)))
        request.headers["Authorization"] = f"Bearer {self.access_token}"
        return request

    @property
    @override
    def identity(self) -> str:
        return self.access_token

    @property
    @override
    def secrets(self) -> Mapping[str, str]:
        return {"<api_key>": self.api_key, "<access_token>": self.access_token}
