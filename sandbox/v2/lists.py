"""Contact lists, as `/lists` shows them."""

from typing import TYPE_CHECKING, Any

import msgspec

from sandbox.world import moments
from sandbox.world.lists import ContactList

if TYPE_CHECKING:
    from sandbox.v2.asking import Ask
    from sandbox.world.world import World


def _as_sent(world: "World", ask: "Ask", found: ContactList) -> dict[str, Any]:
    row: dict[str, Any] = {"id": found.id}
    if ask.flag("include_list_id"):
        row["list_id"] = found.v3
    return row | {
        "name": found.name,
        "status": found.status,
        "created_date": moments.text(found.created),
        "modified_date": moments.text(found.modified),
        "contact_count": world.people.on_list(found.id),
    }


def all_lists(world: "World", ask: "Ask") -> bytes:
    """Answer `/lists`: a bare array, everything at once."""
    since = ask.since("modified_since")
    return msgspec.json.encode(
        [
            _as_sent(world, ask, found)
            for found in world.contact_lists.by_id.values()
            if since is None or found.modified >= since
        ],
    )


def one_list(world: "World", ask: "Ask") -> bytes:
    """Answer `/lists/{list_id}`."""
    found = ask.find(world.contact_lists.by_id, "list_id")
    return msgspec.json.encode(_as_sent(world, ask, found))
