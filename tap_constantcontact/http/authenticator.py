"""Authentication and redaction of secrets."""

from __future__ import annotations

import abc
import re
from typing import TYPE_CHECKING
from urllib.parse import quote

from requests.auth import AuthBase

if TYPE_CHECKING:
    from collections.abc import Mapping

    import requests

_EMAIL_ADDRESS = re.compile(
    r"[^\s@\"'<>()\[\]{},;:=]+@[^\s@\"'<>()\[\]{},;:=]+\.[^\s@\"'<>()\[\]{},;:.=]+"
)

# Shorter values are not secrets of the API but words, such as a test's "key".
_MIN_SECRET_LENGTH = 6


class Authenticator(AuthBase, abc.ABC):
    """Signs requests and redacts secrets. Signing twice has the effect of signing once."""

    @property
    @abc.abstractmethod
    def secrets(self) -> Mapping[str, str]:
        """Secrets by their placeholder."""

    @property
    @abc.abstractmethod
    def identity(self) -> str:
        """A value that stays the same as long as the account does.

        Empty if only the API can tell.
        """

    def set_account(self, owner: str) -> None:
        """Store the account id after it has been fetched."""

    @property
    def fault(self) -> str | None:
        """A message for the end of the run; None if there is none."""
        return None

    def renew(self, refused: requests.PreparedRequest) -> bool:
        """Replace a token that the API has rejected; return whether there is another one now."""
        return False

    def redact(self, text: str) -> str:
        """Return the text without secrets and e-mail addresses."""
        for name, secret in self.secrets.items():
            if len(secret) >= _MIN_SECRET_LENGTH:
                forms = "|".join(re.escape(form) for form in {secret, quote(secret, safe="")})
                text = re.sub(rf"(?<![A-Za-z0-9])(?:{forms})(?![A-Za-z0-9])", name, text)
        return _EMAIL_ADDRESS.sub("<address>", text)
