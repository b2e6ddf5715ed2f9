"""Validation of a state before a run uses it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tap_constantcontact.records import timestamps
from tap_constantcontact.state.account_check import ACCOUNT
from tap_constantcontact.state.id_set import IdSet
from tap_constantcontact.state.migration import VERSION
from tap_constantcontact.state.snapshots import Snapshots
from tap_constantcontact.state.watermarks import Watermarks

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterator


def validate(state: Any) -> list[str]:
    """Return the errors of a state, one line each. An empty state is valid: a first run."""
    if not state and state in ({}, None, [], ""):
        return []
    bookmarks = state.get("bookmarks") if isinstance(state, dict) else None
    if not isinstance(bookmarks, dict):
        return [
            'The state contains no bookmarks. Use the value of a STATE message: {"bookmarks": …}.'
        ]
    account = bookmarks.get(ACCOUNT)
    version = account.get("version", VERSION) if isinstance(account, dict) else VERSION
    if isinstance(version, int) and version > VERSION:
        return ["The state was written by a newer version of the tap. Install that version."]
    return [
        f"The state of stream '{stream}' is not valid: {error}. Remove the stream from the state to"
        " sync it from the start."
        for stream, bookmark in bookmarks.items()
        if (error := _bookmark(bookmark))
    ]


def _bookmark(bookmark: Any) -> str | None:
    if not isinstance(bookmark, dict):
        return "it is not an object"
    for name, parse in _PARSERS.items():
        try:
            if bookmark.get(name) is not None:
                parse(bookmark[name])
        except ValueError as error:
            return f"{name}: {error}"
    return None


def _timestamp(value: Any) -> None:
    try:
        timestamps.parse(value)
    except (TypeError, ValueError) as error:
        msg = f"{value!r} is not a timestamp"
        raise ValueError(msg) from error


def _check(value: Any, *, is_valid: bool, expected: str) -> None:
    if not is_valid:
        msg = f"{value!r} is not {expected}"
        raise ValueError(msg)


def _text(value: Any) -> None:
    _check(value, is_valid=isinstance(value, str), expected="text")


def _number(value: Any) -> None:
    is_number = isinstance(value, int) and value is not True and value > 0
    _check(value, is_valid=is_number, expected="a positive number")


def _resume_from(value: Any) -> None:
    is_valid = (
        isinstance(value, dict)
        and isinstance(value.get("event_id"), str)
        and isinstance(value.get("after"), list)
        and all(isinstance(text, str) for text in value["after"])
    )
    _check(value, is_valid=is_valid, expected="an event and a position in it")


def _counters(value: Any) -> None:
    is_valid = isinstance(value, dict) and all(isinstance(count, int) for count in value.values())
    _check(value, is_valid=is_valid, expected="an object of numbers by id")


def _cursor(value: Any) -> None:
    is_valid = isinstance(value, dict) and isinstance(value.get("records", 0), int)
    _check(value, is_valid=is_valid, expected="a cursor")
    for name in ("status", "next_link", "pass_started_at"):
        _text(value.get(name))
    for name in ("pass_started_at", "since", "newest"):
        _timestamp(value.get(name) or "")


def _partitions(value: Any) -> None:
    is_valid = isinstance(value, list) and all(isinstance(entry, dict) for entry in value)
    _check(value, is_valid=is_valid, expected="a list of objects")


_PARSERS: dict[str, Callable[[Any], object]] = {
    "replication_key_value": _timestamp,
    "watermarks": lambda value: Watermarks.from_state({"watermarks": value}, ()),
    "failed": Snapshots.from_state,
    "synced_parents": IdSet.from_state,
    "deferred": Snapshots.from_state,
    "snapshots": Snapshots.from_state,
    "edit_hashes": Snapshots.from_state,
    "counters": _counters,
    "resume_from": _resume_from,
    "cursor": _cursor,
    "page_size": _number,
    "full_refresh_at": _timestamp,
    "api_time": _timestamp,
    "account_hash": _text,
    "owner_hash": _text,
    "token_hash": _text,
    "version": _number,
    "partitions": _partitions,
}


def drop_future_bookmarks(state: dict[str, Any], signpost: dt.datetime) -> Iterator[str]:
    """Remove bookmarks in the future, which a fast clock has made; yield their streams.

    Such a bookmark would hide everything that has happened since.
    """
    for stream, bookmark in state.get("bookmarks", {}).items():
        ahead = [
            name
            for name in ("replication_key_value", "full_refresh_at")
            if _is_after(bookmark.get(name), signpost)
        ]
        if _is_after((bookmark.get("cursor") or {}).get("pass_started_at"), signpost):
            ahead.append("cursor")
        for name in ahead:
            del bookmark[name]
        for group in bookmark.get("failed") or ():
            if _is_after(group.get("synced_until"), signpost):
                group["synced_until"] = None  # It is synced from the start.
        watermarks = bookmark.get("watermarks") or []
        kept = [
            watermark
            for watermark in watermarks
            if not _is_after(watermark["synced_until"], signpost)
        ]
        if len(kept) < len(watermarks):
            bookmark["watermarks"] = kept
        if ahead or len(kept) < len(watermarks):
            yield stream


def _is_after(text: Any, signpost: dt.datetime) -> bool:
    timestamp = timestamps.parse_or_none(text)
    return timestamp is not None and timestamp > signpost
