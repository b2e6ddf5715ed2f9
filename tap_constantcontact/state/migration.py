"""States of older versions."""

from __future__ import annotations

from typing import Any

from tap_constantcontact.state.account_check import ACCOUNT
from tap_constantcontact.state.ids import SHORT_ID_LENGTH

#: Version of the keys that this version of the tap writes.
VERSION = 3

# Keys of version 1 by the current ones.
_KEYS = {
    "reach": "watermarks",
    "revisits": "deferred",
    "known": "snapshots",
    "edits": "edit_hashes",
    "within": "resume_from",
    "refreshed": "full_refresh_at",
    "account": "account_hash",
}
_ENTRY_KEYS = {
    "watermarks": {"to": "synced_until", "down_to": "last_ids"},
    "deferred": {"to": "synced_until", "due": "next_check_at", "members": "ids"},
    "failed": {},
    "snapshots": {"to": "synced_until", "of": "values"},
    "edit_hashes": {"to": "synced_until", "of": "values"},
    "cursor": {"began": "pass_started_at", "rows": "records"},
}
# Sets of parents whose ids cannot be listed: the watermarks say which parents are synced.
_DROPPED = {"members", "synced_ids"}
_ACCOUNT_KEYS = {
    "owner": "owner_hash",
    "token": "token_hash",
    "api": "api_version",
    "clock": "api_time",
}
# There was no other API when states did not name it.
_UNNAMED_API = "v2"


def migrate(state: dict[str, Any]) -> dict[str, Any]:
    """Return a state with the current keys.

    Each bookmark is migrated by itself, since some targets keep single bookmarks. Values that are
    not valid are left for the validation.
    """
    bookmarks = state.get("bookmarks")
    if not isinstance(bookmarks, dict):
        return state
    return {
        **state,
        "bookmarks": {
            name: _migrate_account(bookmark) if name == ACCOUNT else _migrate_bookmark(bookmark)
            for name, bookmark in bookmarks.items()
        },
    }


def _migrate_account(bookmark: Any) -> Any:
    if not isinstance(bookmark, dict) or not bookmark:
        return bookmark
    version = bookmark.get("version")
    if version is None:
        bookmark = {"api_version": _UNNAMED_API, **_renamed(bookmark, _ACCOUNT_KEYS)}
    is_newer = isinstance(version, int) and version > VERSION
    return bookmark if is_newer else {**bookmark, "version": VERSION}


def _migrate_bookmark(bookmark: Any) -> Any:
    if not isinstance(bookmark, dict):
        return bookmark
    renamed: dict[str, Any] = _renamed(bookmark, _KEYS)
    for name, keys in _ENTRY_KEYS.items():
        value = renamed.get(name)
        if isinstance(value, list):
            renamed[name] = [_with_values(_renamed(entry, keys)) for entry in value]
        elif isinstance(value, dict):
            renamed[name] = _renamed(value, keys)
    return {name: value for name, value in renamed.items() if name not in _DROPPED}


def _with_values(entry: Any) -> Any:
    """Return a group of parents with its ids as separate values."""
    ids = entry.get("ids") if isinstance(entry, dict) else None
    if not isinstance(ids, str):
        return entry
    kept = {name: value for name, value in entry.items() if name != "ids"}
    starts = range(0, len(ids), SHORT_ID_LENGTH)
    return {**kept, "values": " ".join(ids[start : start + SHORT_ID_LENGTH] for start in starts)}


def _renamed(value: Any, keys: dict[str, str]) -> Any:
    if not isinstance(value, dict):
        return value
    return {keys.get(name, name): held for name, held in value.items()}
