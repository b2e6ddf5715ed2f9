"""Selection of the token store by the settings."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs

from tap_constantcontact.v3.auth.token_store.file import FileStore

if TYPE_CHECKING:
    from tap_constantcontact.v3.auth.token_store.base import TokenStore

_NAME = "tap-constantcontact"


def default_path() -> Path:
    """Return the file of the Meltano project, or else of the user."""
    root = os.environ.get("MELTANO_PROJECT_ROOT")
    if root:
        return Path(root) / ".meltano" / _NAME / "tokens.json"
    return platformdirs.user_data_path(_NAME, appauthor=False) / "tokens.json"


def open_store(where: str | None, timeout: float = 60.0) -> TokenStore:
    """Return the store of a setting: a path, a database URL, or the default file.

    Args:
        where: The setting.
        timeout: Timeout of a request to the authorization server in seconds.

    Raises:
        StoreError: The database cannot be used.
    """
    if where and "://" in where:
        from tap_constantcontact.v3.auth.token_store.database import DatabaseStore  # noqa: PLC0415 - an extra

        # Two requests, the wait for the rate limit, and for a database that is not reachable.
        return DatabaseStore(where, timeout=2 * timeout + 240)
    return FileStore(Path(where).expanduser() if where else default_path())
