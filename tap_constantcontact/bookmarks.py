"""What a state holds: looked over before a run starts from it."""

from __future__ import annotations

from typing import Any

from tap_constantcontact.api import times


def problems(state: Any) -> list[str]:
    """What is wrong with a state: one line each. An empty state is right: a first run."""
    if state in ({}, None):
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
        return "it is no object"
    value = bookmark.get("replication_key_value")
    try:
        times.parse(value or "")
    except (TypeError, ValueError):
        return f"{value!r} is no date"
    return None
