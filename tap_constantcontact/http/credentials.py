"""Who is asking, and keeping that out of what people read."""

from __future__ import annotations

import abc
import re
from typing import TYPE_CHECKING
from urllib.parse import quote

from requests.auth import AuthBase

if TYPE_CHECKING:
    from collections.abc import Mapping

    import requests

_ADDRESS = re.compile(
    r"[^\s@\"'<>()\[\]{},;:=]+@[^\s@\"'<>()\[\]{},;:=]+\.[^\s@\"'<>()\[\]{},;:.=]+"
)

# Anything shorter is no secret of the API's but a word, such as a test's "key".
_SHORTEST = 6


class Credentials(AuthBase, abc.ABC):
    """Signs calls, and knows what must not be read by others. Signing twice is signing once."""

    @property
    @abc.abstractmethod
    def secrets(self) -> Mapping[str, str]:
        """What must not be read, by what is shown in its place."""

    @property
    @abc.abstractmethod
    def identity(self) -> str:
        """What stays the same as long as the account does; empty if only the API can tell."""

    def note_owner(self, owner: str) -> None:
        """Be told whose account it is, by who has asked the API."""

    @property
    def fault(self) -> str | None:
        """What is to be said at the end of a run; None if all is well."""
        return None

    def renew(self, refused: requests.PreparedRequest) -> bool:  # noqa: ARG002 - others do
        """Whether there is another token now than the one that the API has refused."""
        return False

    def clean(self, text: str) -> str:
        """The text without secrets or anybody's e-mail address."""
        for name, secret in self.secrets.items():
            if len(secret) >= _SHORTEST:
                forms = "|".join(re.escape(form) for form in {secret, quote(secret, safe="")})
                text = re.sub(rf"(?<![A-Za-z0-9])(?:{forms})(?![A-Za-z0-9])", name, text)
        return _ADDRESS.sub("<address>", text)
