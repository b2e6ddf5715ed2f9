"""Which store of tokens the settings name."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs

from tap_constantcontact.v3.file_store import FileStore

if TYPE_CHECKING:
    from tap_constantcontact.v3.store import TokenStore

_NAME = "tap-constantcontact"


def default_path() -> Path:
    """The file of a Meltano project, or else of the user."""
    root = os.environ.get("MELTANO_PROJECT_ROOT")
    if root:
        return Path(root) / ".meltano" / _NAME / "tokens.json"
    return platformdirs.user_data_path(_NAME, appauthor=False) / "tokens.json"


def open_store(where: str | None, timeout: float = 60.0) -> TokenStore:
    """The store that a setting names: a path, a database's address, or the usual file.

    Args:
        where: The setting.
        timeout: Seconds that one request to the authorization server may take.

    Raises:
        StoreError: A database is named and cannot be used.
    """
    if where and "://" in where:
        from tap_constantcontact.v3.database_store import DatabaseStore  # noqa: PLC0415 - an extra

        # Two requests, the wait for a turn, and for a database that is away.
        return DatabaseStore(where, patience=2 * timeout + 240)
    return FileStore(Path(where).expanduser() if where else default_path())
