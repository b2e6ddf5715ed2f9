"""A file that several processes read and replace."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock

if TYPE_CHECKING:
    from collections.abc import Iterator


class SharedFile:
    """A file with mode 0600 that is replaced in one step, with a lock beside it."""

    def __init__(self, path: Path) -> None:
        """Take the path of the file, which need not exist."""
        # Follow links: their target is replaced, not the link.
        self.path = Path(os.path.realpath(path.expanduser()))

    @contextlib.contextmanager
    def locked(self, timeout: float) -> Iterator[None]:
        """Hold the lock.

        Args:
            timeout: Seconds to wait for it.

        Raises:
            filelock.Timeout: Another process holds it.
            OSError: The lock file cannot be created.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = FileLock(f"{self.path}.lock", timeout=timeout, mode=0o600, poll_interval=0.01)
        lock.acquire()
        try:
            yield
        finally:
            lock.release()

    def read(self) -> str | None:
        """Return the text of the file; None if there is none.

        Raises:
            OSError: It cannot be read.
            ValueError: It is not text.
        """
        try:
            return self.path.read_bytes().decode("utf-8-sig")
        except (FileNotFoundError, NotADirectoryError):
            return None

    def replace(self, text: str) -> None:
        """Replace the file, which is on the disk afterwards.

        Raises:
            OSError: It cannot be written. The file is unchanged.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # Created with mode 0600.
        number, temporary = tempfile.mkstemp(dir=self.path.parent, prefix=f".{self.path.name}")
        try:
            with os.fdopen(number, "w") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).replace(self.path)
        except OSError:
            Path(temporary).unlink(missing_ok=True)
            raise
