"""Validation of a state before a run uses it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tap_constantcontact.records import timestamps
from tap_constantcontact.state.account_check import ACCOUNT
from tap_constantcontact.state.deferrals import Deferrals
from tap_constantcontact.state.id_sketch import IdSketch
from tap_constantcontact.state.migration import VERSION

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
    for name, check in _CHECKS.items():
        value = bookmark.get(name)
        if value is not None and (error := check(value)):
            return f"{name}: {error}"
    return None


def _timestamp(value: Any) -> str | None:
    try:
        timestamps.parse(value)
    except (TypeError, ValueError):
        return f"{value!r} is not a timestamp"
    return None


def _text(value: Any) -> str | None:
    return None if isinstance(value, str) else f"{value!r} is not text"


def _number(value: Any) -> str | None:
    is_number = isinstance(value, int) and value is not True and value > 0
    return None if is_number else f"{value!r} is not a positive number"


def _watermarks(value: Any) -> str | None:
    if not isinstance(value, list) or not all(isinstance(watermark, dict) for watermark in value):
        return "it is not a list of watermarks"
    for watermark in value:
        synced_until, last_ids = watermark.get("synced_until", ""), watermark.get("last_ids")
        if error := _timestamp(synced_until):
            return error
        if not timestamps.parse(synced_until) or not (last_ids is None or _are_texts(last_ids)):
            return "a watermark is incomplete"
    return None


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(text, str) for text in value)


def _resume_from(value: Any) -> str | None:
    is_valid = isinstance(value, dict) and _are_texts(value.get("after"))
    return None if is_valid and isinstance(value.get("event_id"), str) else "it is incomplete"


def _synced_ids(value: Any) -> str | None:
    try:
        IdSketch.load(value)
    except ValueError as error:
        return f"it is {error}"
    return None


def _deferred(value: Any) -> str | None:
    try:
        Deferrals(value)
    except (ValueError, TypeError, AttributeError):
        return "it is not a list of deferred parents"
    return None


def _failed(value: Any) -> str | None:
    if not isinstance(value, list) or not all(isinstance(group, dict) for group in value):
        return "it is not a list of objects"
    for group in value:
        if not isinstance(group.get("ids"), str):
            return "an entry has no ids"
        if error := _timestamp(group.get("synced_until") or ""):
            return error
    return None


def _counters(value: Any) -> str | None:
    is_valid = isinstance(value, dict) and all(isinstance(count, int) for count in value.values())
    return None if is_valid else "the counters are not numbers by id"


def _cursor(value: Any) -> str | None:
    if not isinstance(value, dict):
        return "it is not a cursor"
    errors = [_text(value.get(name)) for name in ("status", "next_link")]
    errors += [_timestamp(value.get(name) or "") for name in ("pass_started_at", "since", "newest")]
    if not value.get("pass_started_at") or not isinstance(value.get("records", 0), int):
        errors.append("it is incomplete")
    return next(filter(None, errors), None)


def _partitions(value: Any) -> str | None:
    is_valid = isinstance(value, list) and all(isinstance(entry, dict) for entry in value)
    return None if is_valid else "it is not a list of objects"


_CHECKS: dict[str, Callable[[Any], str | None]] = {
    "replication_key_value": _timestamp,
    "watermarks": _watermarks,
    "failed": _failed,
    "synced_ids": _synced_ids,
    "resume_from": _resume_from,
    "deferred": _deferred,
    "counters": _counters,
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
