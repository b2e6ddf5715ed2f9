"""Contact lists, as `/lists` shows them."""

from typing import TYPE_CHECKING, Any

import msgspec

from sandbox.world import timestamps
from sandbox.world.lists import ContactList

if TYPE_CHECKING:
    from sandbox.v2.request import ApiRequest
    from sandbox.world.world import World


def _as_sent(world: "World", request: "ApiRequest", found: ContactList) -> dict[str, Any]:
    row: dict[str, Any] = {"id": found.id}
    if request.flag("include_list_id"):
        row["list_id"] = found.v3
    return row | {
        "name": found.name,
        "status": found.status,
        "created_date": timestamps.text(found.created),
        "modified_date": timestamps.text(found.modified),
        "contact_count": world.contacts.on_list(found.id),
    }


def all_lists(world: "World", request: "ApiRequest") -> bytes:
    """Respond to `/lists`: a bare array, everything at once."""
    since = request.since("modified_since")
    return msgspec.json.encode(
        [
            _as_sent(world, request, found)
            for found in world.contact_lists.by_id.values()
            if since is None or found.modified >= since
        ],
    )


def one_list(world: "World", request: "ApiRequest") -> bytes:
    """Respond to `/lists/{list_id}`."""
    found = request.find(world.contact_lists.by_id, "list_id")
    return msgspec.json.encode(_as_sent(world, request, found))
