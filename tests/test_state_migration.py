"""States of older versions are migrated: runs continue as from a current state."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from helpers.runner import sync

from tap_constantcontact.state import migration, validation

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox import Sandbox

    Serving = Callable[..., Sandbox]

STREAMS = {
    "v2": (
        "account",
        "contacts",
        "activities",
        "campaigns",
        "campaign_sends",
        "campaign_opens",
        "campaign_bounces",
        "events",
        "event_registrants",
        "contact_summaries",
    ),
    "v3": (
        "account",
        "contacts",
        "segments",
        "campaigns",
        "campaign_opens",
        "campaign_activities",
        "events",
        "event_registrations",
        "contact_summaries",
    ),
}
# Every key that a bookmark can have in either version, besides those of single streams.
SHAPES = {
    "v2": {"watermarks", "synced_parents", "deferred", "resume_from", "cursor", "counters"},
    "v3": {"watermarks", "synced_parents", "snapshots", "edit_hashes", "cursor"},
}


def renamed(value: Any, keys: dict[str, str]) -> Any:
    old_names = {new: old for old, new in keys.items()}
    return {old_names.get(name, name): held for name, held in value.items()}


def to_version_2(state: dict[str, Any]) -> dict[str, Any]:
    """Return a state with the keys of version 2, but for the set of parents."""
    bookmarks = {stream: dict(bookmark) for stream, bookmark in state["bookmarks"].items()}
    for bookmark in bookmarks.values():
        for name in {"deferred", "failed"} & bookmark.keys():
            bookmark[name] = [
                {**group, "ids": group["values"].replace(" ", "")} for group in bookmark[name]
            ]
            for group in bookmark[name]:
                del group["values"]
        if bookmark.pop("synced_parents", None):
            bookmark["synced_ids"] = "eJyN"
    bookmarks["account"]["version"] = 2
    return {"bookmarks": bookmarks}


def to_version_1(state: dict[str, Any]) -> dict[str, Any]:
    """Return a state with the keys of version 1, but for the set of parents."""
    bookmarks = to_version_2(state)["bookmarks"]
    account = renamed(bookmarks.pop("account"), migration._ACCOUNT_KEYS)  # noqa: SLF001
    del account["version"]
    if account["api"] == "v2":
        del account["api"]
    for bookmark in bookmarks.values():
        for name, keys in migration._ENTRY_KEYS.items():  # noqa: SLF001
            if isinstance(bookmark.get(name), list):
                bookmark[name] = [renamed(entry, keys) for entry in bookmark[name]]
            elif name in bookmark:
                bookmark[name] = renamed(bookmark[name], keys)
        if bookmark.pop("synced_ids", None):
            bookmark["members"] = "eJyN"
    return {
        "bookmarks": {
            "account": account,
            **{
                stream: renamed(bookmark, migration._KEYS)  # noqa: SLF001
                for stream, bookmark in bookmarks.items()
            },
        }
    }


def without_parents(state: dict[str, Any]) -> dict[str, Any]:
    """Return a state without the set of parents, which older versions cannot provide."""
    return {
        "bookmarks": {
            stream: {name: held for name, held in bookmark.items() if name != "synced_parents"}
            for stream, bookmark in state["bookmarks"].items()
        }
    }


def continued(box: Sandbox, version: str, state: dict[str, Any]) -> tuple[list[Any], list[str]]:
    """Return the records and requests of a run that continues from a state."""
    before = len(box.calls)
    output = sync(
        box,
        *STREAMS[version],
        state=json.loads(json.dumps(state)),
        version=version,
        max_parallel_requests=1,
        max_requests=60,
    )
    records = [
        (message["stream"], message["record"])
        for message in output.messages
        if message["type"] == "RECORD"
    ]
    return records, [call.path for call in box.calls[before:]]


@pytest.mark.parametrize("version", ["v2", "v3"])
def test_states_of_older_versions_continue_like_current_ones(
    serving: Serving, version: str
) -> None:
    box = serving(contacts=1010, campaigns=12, recipients=15, events=2, activities=4)
    state: dict[str, Any] | None = None
    shapes: set[str] = set()
    for requests in (3, 8, 4, 30, 11, 60, 7, 90):
        state = sync(
            box,
            *STREAMS[version],
            state=state,
            version=version,
            max_parallel_requests=1,
            max_requests=requests,
        ).state
        shapes |= {name for bookmark in state["bookmarks"].values() for name in bookmark}
        expected = continued(box, version, state)
        for old in (to_version_1(state), to_version_2(state)):
            assert migration.migrate(old) == without_parents(state)
        # Both are migrated to the same state.
        assert continued(box, version, old) == expected
        box.account.edit_contacts(2)
    assert shapes >= SHAPES[version]


def test_migration_changes_nothing_in_a_state_of_today(serving: Serving) -> None:
    state = sync(serving(contacts=30, campaigns=4)).state
    assert migration.migrate(state) == state
    assert state["bookmarks"]["account"]["version"] == migration.VERSION


def test_state_of_a_newer_version_is_rejected_in_one_line() -> None:
    state = {"bookmarks": {"account": {"version": migration.VERSION + 1}}}
    assert validation.validate(state) == [
        "The state was written by a newer version of the tap. Install that version."
    ]


PAGE = (Path(__file__).parents[1] / "docs" / "state.md").read_text()


def test_the_page_about_states_explains_every_key(serving: Serving) -> None:
    rows = re.findall(r"^\| (`.*?`) \|", PAGE.partition("## Rules")[0], re.MULTILINE)
    explained = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    keys = set(validation._PARSERS) | {"replication_key", "snapshots", "edit_hashes"}  # noqa: SLF001
    for version in ("v2", "v3"):
        box = serving(contacts=40, campaigns=6)
        state = sync(box, version=version).state
        keys |= {name for bookmark in state["bookmarks"].values() for name in bookmark}
    assert keys | {"api_version"} == explained
