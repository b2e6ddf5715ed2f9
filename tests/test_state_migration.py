"""States of version 1 are migrated: runs continue as from the state of today."""

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
    "v2": {"watermarks", "synced_ids", "deferred", "resume_from", "cursor", "counters"},
    "v3": {"watermarks", "synced_ids", "snapshots", "edit_hashes", "cursor"},
}


def to_version_1(state: dict[str, Any]) -> dict[str, Any]:
    """Return a state with the keys of version 1."""

    def renamed(value: Any, keys: dict[str, str]) -> Any:
        before = {new: old for old, new in keys.items()}
        return {before.get(name, name): held for name, held in value.items()}

    bookmarks = {}
    for stream, bookmark in state["bookmarks"].items():
        if stream == "account":
            account = renamed(bookmark, migration._ACCOUNT_KEYS)  # noqa: SLF001
            del account["version"]
            if account["api"] == "v2":
                del account["api"]
            bookmarks[stream] = account
            continue
        entries = dict(bookmark)
        for name, keys in migration._ENTRY_KEYS.items():  # noqa: SLF001
            if isinstance(entries.get(name), list):
                entries[name] = [renamed(entry, keys) for entry in entries[name]]
            elif name in entries:
                entries[name] = renamed(entries[name], keys)
        bookmarks[stream] = renamed(entries, migration._KEYS)  # noqa: SLF001
    return {"bookmarks": bookmarks}


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
def test_states_of_version_1_continue_like_those_of_today(serving: Serving, version: str) -> None:
    box = serving(contacts=1200, campaigns=12, recipients=15, events=2, activities=4)
    state: dict[str, Any] | None = None
    shapes: set[str] = set()
    for requests in (3, 8, 4, 30, 11, 60, 7, 90, 25, 400, 400):
        state = sync(
            box,
            *STREAMS[version],
            state=state,
            version=version,
            max_parallel_requests=1,
            max_requests=requests,
        ).state
        shapes |= {name for bookmark in state["bookmarks"].values() for name in bookmark}
        old = to_version_1(state)
        assert migration.migrate(old) == state
        assert continued(box, version, old) == continued(box, version, state)
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
    keys = set(validation._CHECKS) | {"replication_key", "snapshots", "edit_hashes"}  # noqa: SLF001
    for version in ("v2", "v3"):
        box = serving(contacts=40, campaigns=6)
        state = sync(box, version=version).state
        keys |= {name for bookmark in state["bookmarks"].values() for name in bookmark}
    assert keys | {"api_version"} == explained
