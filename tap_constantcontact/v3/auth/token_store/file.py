"""Token store in a file with mode 0600."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout
from typing_extensions import override

from tap_constantcontact.meltano import LOGIN
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

# A refresh takes a second or two. A lock that is held longer belongs to a hanging run.
_TIMEOUT_SECONDS = 120.0


class FileStore(TokenStore):
    """A JSON file with mode 0600 that is replaced in one step."""

    def __init__(self, path: Path) -> None:
        """Take the path of the file, which need not exist."""
        # Follow links: their target is replaced, not the link.
        self.path = Path(os.path.realpath(path))

    @property
    @override
    def location(self) -> str:
        return str(self.path)

    @override
    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            lock = FileLock(f"{self.path}.lock", timeout=_TIMEOUT_SECONDS, mode=0o600)
            lock.acquire()
        except Timeout:
            msg = f"Another run holds the lock of the token store {self.path} and does not end."
            raise StoreError(msg) from None
        except OSError as error:
            kind = StoreError if os.path.exists(self.path) else NoStoreError  # noqa: PTH110
            raise self._unusable(error, kind) from None
        try:
            yield
        finally:
            lock.release()

    @override
    def tokens(self) -> list[StoredToken]:
        try:
            content = self.path.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise self._unusable(error) from None
        try:
            return parse_tokens(content.decode("utf-8-sig"))
        except ValueError:
            msg = (
                f"The token store {self.path} contains something else than tokens. Move it away,"
                f" then log in again: {LOGIN}"
            )
            raise StoreError(msg) from None

    @override
    def save(self, tokens: list[StoredToken]) -> None:
        text = format_tokens(tokens)
        temporary = None
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            # Created with mode 0600.
            number, temporary = tempfile.mkstemp(dir=self.path.parent, prefix=".tokens")
            with os.fdopen(number, "w") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).replace(self.path)
        except OSError as error:
            if temporary:
                Path(temporary).unlink(missing_ok=True)
            raise self._unusable(error) from None

    def _unusable(self, error: OSError, kind: type[StoreError] = StoreError) -> StoreError:
        return kind(
            f"The token store {self.path} cannot be used: {error.strerror or type(error).__name__}."
            " Use another one with the setting `token_store`."
        )
