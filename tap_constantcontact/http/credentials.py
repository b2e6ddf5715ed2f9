"""Who is asking, and keeping that out of what people read."""

from __future__ import annotations

import abc
import re
from typing import TYPE_CHECKING
from urllib.parse import quote

from requests.auth import AuthBase

if TYPE_CHECKING:
    from collections.abc import Mapping

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

    def clean(self, text: str) -> str:
        """The text without secrets or anybody's e-mail address."""
        for name, secret in self.secrets.items():
            if len(secret) >= _SHORTEST:
                forms = "|".join(re.escape(form) for form in {secret, quote(secret, safe="")})
                text = re.sub(rf"(?<![A-Za-z0-9])(?:{forms})(?![A-Za-z0-9])", name, text)
        return _ADDRESS.sub("<address>", text)
