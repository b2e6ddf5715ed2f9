"""Who is asking, and keeping that out of what people read."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

from requests.auth import AuthBase

if TYPE_CHECKING:
    import requests

_ADDRESS = re.compile(
    r"[^\s@\"'<>()\[\]{},;:=]+@[^\s@\"'<>()\[\]{},;:=]+\.[^\s@\"'<>()\[\]{},;:.=]+"
)

# Anything shorter is no secret of the API's but a word, such as a test's "key".
_SHORTEST = 6


@dataclass(frozen=True)
class Credentials(AuthBase):
    """The two things that every call needs (API docs: Authentication).

    Attributes:
        api_key: Names the integration. Goes into the query of every call, next pages too.
        access_token: Names the account. Goes into a header, since URLs get logged.
    """

    api_key: str = field(repr=False)
    access_token: str = field(repr=False)

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Sign a request. Signing twice is the same as signing once."""
        parts = urlsplit(request.url or "")
        query = [
            (k, v) for k, v in parse_qsl(parts.query, keep_blank_values=True) if k != "api_key"
        ]
        query.append(("api_key", self.api_key))
        request.url = urlunsplit(parts._replace(query=urlencode(query)))
        request.headers["Authorization"] = f"Bearer {self.access_token}"
        return request

    def clean(self, text: str) -> str:
        """The text without key, token or anybody's e-mail address."""
        for secret, name in ((self.api_key, "<api_key>"), (self.access_token, "<access_token>")):
            if len(secret) >= _SHORTEST:
                forms = "|".join(re.escape(form) for form in {secret, quote(secret, safe="")})
                text = re.sub(rf"(?<![A-Za-z0-9])(?:{forms})(?![A-Za-z0-9])", name, text)
        return _ADDRESS.sub("<address>", text)
