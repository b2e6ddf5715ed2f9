"""What a state holds, looked over before a run starts from it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tap_constantcontact.records import times
from tap_constantcontact.state.members import Members
from tap_constantcontact.state.revisits import Revisits

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterator


# -- what is wrong with a state -------------------------------------------------------------


def problems(state: Any) -> list[str]:
    """What is wrong with a state: one line each. An empty state is right: a first run."""
    if not state and state in ({}, None, [], ""):
        return []
    found = state.get("bookmarks") if isinstance(state, dict) else None
    if not isinstance(found, dict):
        return [
            'The state holds no bookmarks. Give the value of a STATE message: {"bookmarks": …}.'
        ]
    return [
        f"The state of stream '{stream}' cannot be read: {fault}. Take the stream out of the state"
        " to read it from the start."
        for stream, bookmark in found.items()
        if (fault := _fault(bookmark))
    ]


def _fault(bookmark: Any) -> str | None:
    if not isinstance(bookmark, dict):
        return "it is not an object"
    for name, check in _CHECKS.items():
        value = bookmark.get(name)
        if value is not None and (fault := check(value)):
            return f"{name}: {fault}"
    return None


def _date(value: Any) -> str | None:
    try:
        times.parse(value)
    except (TypeError, ValueError):
        return f"{value!r} is no date"
    return None


def _text(value: Any) -> str | None:
    return None if isinstance(value, str) else f"{value!r} is no text"


def _marks(value: Any) -> str | None:
    if not isinstance(value, list) or not all(isinstance(mark, dict) for mark in value):
        return "it is no list of marks"
    for mark in value:
        if fault := _date(mark.get("to", "")):
            return fault
        below = mark.get("down_to")
        if not times.parse(mark.get("to", "")) or not (below is None or _are_texts(below)):
            return "a mark is incomplete"
    return None


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


def _within(value: Any) -> str | None:
    is_whole = isinstance(value, dict) and _are_texts(value.get("after"))
    return None if is_whole and isinstance(value.get("event_id"), str) else "it is no place"


def _members(value: Any) -> str | None:
    try:
        Members.load(value)
    except ValueError as error:
        return f"it is {error}"
    return None


def _revisits(value: Any) -> str | None:
    try:
        Revisits(value)
    except (ValueError, TypeError, AttributeError):
        return "it is no list of members to come back to"
    return None


def _failed(value: Any) -> str | None:
    if not isinstance(value, list) or not all(isinstance(group, dict) for group in value):
        return "it is not a list of objects"
    for group in value:
        if not isinstance(group.get("ids"), str):
            return "an entry has no ids"
        if fault := _date(group.get("synced_until") or ""):
            return fault
    return None


def _counters(value: Any) -> str | None:
    is_whole = isinstance(value, dict) and all(isinstance(each, int) for each in value.values())
    return None if is_whole else "they are no numbers by member"


def _size(value: Any) -> str | None:
    is_size = isinstance(value, int) and value is not True and value > 0
    return None if is_size else f"{value!r} is no number of rows"


def _cursor(value: Any) -> str | None:
    if not isinstance(value, dict):
        return "it is no cursor"
    faults = [_text(value.get(name)) for name in ("status", "next_link")]
    faults += [_date(value.get(name) or "") for name in ("began", "since", "newest")]
    if not value.get("began") or not isinstance(value.get("rows", 0), int):
        faults.append("it is incomplete")
    return next(filter(None, faults), None)


def _partitions(value: Any) -> str | None:
    is_whole = isinstance(value, list) and all(isinstance(each, dict) for each in value)
    return None if is_whole else "they are no list of objects"


_CHECKS: dict[str, Callable[[Any], str | None]] = {
    "replication_key_value": _date,
    "reach": _marks,
    "failed": _failed,
    "members": _members,
    "within": _within,
    "revisits": _revisits,
    "counters": _counters,
    "cursor": _cursor,
    "page_size": _size,
    "refreshed": _date,
    "clock": _date,
    "account": _text,
    "owner": _text,
    "token": _text,
    "partitions": _partitions,
}


# -- marks from the future ------------------------------------------------------------------


def distrust_future(state: dict[str, Any], latest: dt.datetime) -> Iterator[str]:
    """Take marks out of a state that a clock has made that was ahead; says of which streams.

    Such a mark would hide what has happened since: a run would ask for what comes after it.
    """
    for stream, bookmark in state.get("bookmarks", {}).items():
        ahead = [
            name
            for name in ("replication_key_value", "refreshed")
            if _is_after(bookmark.get(name), latest)
        ]
        marks = bookmark.get("reach") or []
        kept = [mark for mark in marks if not _is_after(mark["to"], latest)]
        if len(kept) < len(marks):
            bookmark["reach"] = kept
            ahead.append("reach")
        if _is_after((bookmark.get("cursor") or {}).get("began"), latest):
            ahead.append("cursor")
        for group in bookmark.get("failed") or ():
            if _is_after(group.get("synced_until"), latest):
                group["synced_until"] = None  # It is read from the start.
        for name in ahead:
            if name != "reach":
                del bookmark[name]
        if ahead:
            yield stream


def _is_after(text: Any, latest: dt.datetime) -> bool:
    moment = times.parse_or_none(text)
    return moment is not None and moment > latest
