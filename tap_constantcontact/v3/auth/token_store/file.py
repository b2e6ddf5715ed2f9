"""Token store in a file with mode 0600."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from filelock import Timeout
from typing_extensions import override

from tap_constantcontact.meltano import LOGIN
from tap_constantcontact.shared_file import SharedFile
from tap_constantcontact.v3.auth.token_store.base import (
    NoStoreError,
    StoredToken,
    StoreError,
    TokenStore,
    format_tokens,
    parse_tokens,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# A refresh takes a second or two. A lock that is held longer belongs to a hanging run.
_TIMEOUT_SECONDS = 120.0


class FileStore(TokenStore):
    """A JSON file with mode 0600 that is replaced in one step."""

    def __init__(self, path: Path) -> None:
        """Take the path of the file, which need not exist."""
        self._file = SharedFile(path)

    @property
    def path(self) -> Path:
        """The path of the file, behind links."""
        return self._file.path

    @property
    @override
    def location(self) -> str:
        return str(self.path)

    @override
    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(self._file.locked(_TIMEOUT_SECONDS))
            except Timeout:
                msg = f"Another run holds the lock of the token store {self.path} and does not end."
                raise StoreError(msg) from None
            except OSError as error:
                kind = StoreError if os.path.exists(self.path) else NoStoreError  # noqa: PTH110
                raise self._unusable(error, kind) from None
            yield

    @override
    def tokens(self) -> list[StoredToken]:
        try:
            text = self._file.read()
            return [] if text is None else parse_tokens(text)
        except OSError as error:
            raise self._unusable(error) from None
        except ValueError:
            msg = (
                f"The token store {self.path} contains something else than tokens. Move it away,"
                f" then log in again: {LOGIN}"
            )
            raise StoreError(msg) from None

    @override
    def save(self, tokens: list[StoredToken]) -> None:
        try:
            self._file.replace(format_tokens(tokens))
        except OSError as error:
            raise self._unusable(error) from None

    def _unusable(self, error: OSError, kind: type[StoreError] = StoreError) -> StoreError:
        return kind(
            f"The token store {self.path} cannot be used: {error.strerror or type(error).__name__}."
            " Use another one with the setting `token_store`."
        )
