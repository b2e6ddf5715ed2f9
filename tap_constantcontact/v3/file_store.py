"""Tokens in a file that only its owner may read."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout
from typing_extensions import override

from tap_constantcontact.meltano import LOGIN
from tap_constantcontact.v3.store import (
    Grant,
    NoStoreError,
    StoreError,
    TokenStore,
    read_grants,
    write_grants,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

# A refresh takes a second or two; what holds the lock longer hangs.
_PATIENCE = 120.0


class FileStore(TokenStore):
    """A JSON file that only its owner may read, changed in one step."""

    def __init__(self, path: Path) -> None:
        """Take the file, which need not be there."""
        # Through links: what they lead to is replaced, and not the link.
        self.path = Path(os.path.realpath(path))

    @property
    @override
    def place(self) -> str:
        return str(self.path)

    @override
    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            lock = FileLock(f"{self.path}.lock", timeout=_PATIENCE, mode=0o600)
            lock.acquire()
        except Timeout:
            msg = f"The token store {self.path} is locked by another run that does not end."
            raise StoreError(msg) from None
        except OSError as error:
            kind = StoreError if os.path.exists(self.path) else NoStoreError  # noqa: PTH110
            raise self._unusable(error, kind) from None
        try:
            yield
        finally:
            lock.release()

    @override
    def grants(self) -> list[Grant]:
        try:
            content = self.path.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise self._unusable(error) from None
        try:
            return read_grants(content.decode("utf-8-sig"))
        except ValueError:
            msg = (
                f"The token store {self.path} holds something else than tokens. Move it away, then"
                f" log in again: {LOGIN}"
            )
            raise StoreError(msg) from None

    @override
    def save(self, grants: list[Grant]) -> None:
        text = write_grants(grants)
        temporary = None
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            # Made so that only its owner may read it.
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
            " Name another with the setting `token_store`."
        )
