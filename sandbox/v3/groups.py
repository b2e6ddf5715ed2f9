"""Lists, the account's own fields, tags and segments (docs/api/v3.md §8)."""

import json
from typing import Any, Final

import msgspec

from sandbox.v3.contacts import xrefs
from sandbox.v3.request import ApiRequest, by_key, seconds
from sandbox.world import timestamps
from sandbox.world.groups import Segment, Tag
from sandbox.world.world import World

LIST_STATUSES: Final = ("all", "active", "deleted")
CHANNELS: Final = ("email", "sms")

_encode = msgspec.json.encode


def _lists(world: World, channel: str, statuses: set[str]) -> list[dict[str, Any]]:
    """All lists of a kind, by their ids."""
    if channel == "sms":
        outreach = world.outreach
        return [
            {
                "list_id": outreach.list_uuid,
                "name": "Text messages",
                "favorite": False,
                "created_at": seconds(outreach.list_created),
                "updated_at": seconds(outreach.list_created),
                "membership_count": len(outreach.contacts),
            }
        ]
    found = []
    gone = {each.id: (each, at) for each, at in world.contact_lists.deleted.values()}
    kept = {each.id: (each, None) for each in world.contact_lists.by_id.values()}
    for each, deleted in {**gone, **kept}.values():
        status = "active" if deleted is None else "deleted"
        if not statuses & {"all", status}:
            continue
        row: dict[str, Any] = {"list_id": each.v3, "name": each.name}
        if len(each.name) % 2:
            row["description"] = f"Those of {each.name}"
        row |= {
            "favorite": each.id == "1",
            "created_at": seconds(each.created),
            "updated_at": seconds(each.modified),
            "membership_count": world.contacts.on_list(each.id),
        }
        if deleted is not None:
            row["deleted_at"] = seconds(deleted)
        found.append(row)
    return sorted(found, key=lambda row: str(row["list_id"]))


def all_lists(world: World, request: ApiRequest) -> bytes:
    """Respond to `/contact_lists`, sorted by id; counts of members on request only."""
    rows = _lists(world, request.text("channel_type", "email"), request.words("status", "active"))
    if "include_membership_count" not in request.given:
        for row in rows:
            del row["membership_count"]
    beside = {"lists_count": len(rows)} if request.text("include_count") == "true" else {}
    return by_key(request, "lists", rows, lambda row: str(row["list_id"]), _encode, **beside)


def list_xrefs(world: World, request: ApiRequest) -> bytes:
    """Respond to `/contact_lists/list_id_xrefs`."""
    asked = request.needed("sequence_ids").split(",")
    known = world.contact_lists.by_id
    return xrefs((each, {"list_id": known[each].v3}) for each in asked if each in known)


def _tag(world: World, tag: Tag, *, counted: bool) -> bytes:
    row: dict[str, Any] = {"tag_id": tag.uuid, "name": tag.name}
    if counted:
        row["contacts_count"] = sum(row.number % tag.every == 0 for row in world.contacts.rows)
    row |= {"created_at": seconds(tag.created), "updated_at": seconds(tag.modified)}
    return _encode(row | ({"tag_source": "Contact"} if tag.every % 2 else {}))


def tags(world: World, request: ApiRequest) -> bytes:
    """Respond to `/contact_tags`, sorted by id."""
    rows = sorted(world.groups.tags, key=lambda tag: tag.uuid)
    counted = request.text("include_count") == "true"
    return by_key(
        request, "tags", rows, lambda tag: tag.uuid, lambda tag: _tag(world, tag, counted=counted)
    )


def _segment(segment: Segment) -> dict[str, Any]:
    return {
        "name": segment.name,
        "segment_id": segment.number,
        "created_at": timestamps.text(segment.created),
        "edited_at": timestamps.text(segment.edited),
    }


def segments(world: World, request: ApiRequest) -> bytes:
    """Respond to `/segments`: without criteria, the last edited first unless sorted by name."""
    rows = sorted(world.groups.segments, key=lambda each: each.edited, reverse=True)
    if request.text("sort_by", "date") == "name":
        rows = sorted(world.groups.segments, key=lambda each: each.name)
    encode = lambda each: _encode(_segment(each))  # noqa: E731 - named for what it does
    return by_key(request, "segments", rows, lambda each: str(each.number), encode)


def one_segment(world: World, request: ApiRequest) -> bytes:
    """Respond to `/segments/{segment_id}`: with its criteria, which are JSON in a string."""
    segment = request.find({str(each.number): each for each in world.groups.segments}, "segment_id")
    criteria = {"version": "1.0.0", "criteria": {"type": "and", "every": segment.every}}
    return _encode(_segment(segment) | {"segment_criteria": json.dumps(criteria)})
