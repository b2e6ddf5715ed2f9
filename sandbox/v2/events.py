"""Events, as `/eventspot/events` shows them."""

from typing import TYPE_CHECKING, Final

import msgspec

from sandbox.v2.paging import page
from sandbox.world.event_documents import Document
from sandbox.world.events import NO_ADDRESS, Event

if TYPE_CHECKING:
    from sandbox.v2.request import ApiRequest
    from sandbox.world.world import World

_ROW_FIELDS: Final = (
    "id",
    "name",
    "title",
    "status",
    "location",
    "type",
    "description",
    "start_date",
    "end_date",
    "created_date",
    "time_zone_id",
    "active_date",
    "deleted_date",
    "is_checkin_available",
    "registration_url",
    "total_registered_count",
)


def _as_listed(event: Event) -> bytes:
    row: Document = {name: event.detail[name] for name in _ROW_FIELDS if name in event.detail}
    address = event.detail.get("address", {})
    row["address"] = {name: address.get(name, "") for name in NO_ADDRESS}
    row["event_detail_url"] = f"/v2/eventspot/events/{event.id}"
    return msgspec.json.encode(row)


def _event(world: "World", request: "ApiRequest") -> Event:
    return request.find(world.events.by_id, "event_id")


def _by_id(documents: list[Document]) -> dict[str, Document]:
    return {document["id"]: document for document in documents}


def all_events(world: "World", request: "ApiRequest") -> bytes:
    """Respond to `/eventspot/events`: newest first, no filter of any kind."""
    return page(request, list(world.events.by_id.values()), _as_listed)


def one_event(world: "World", request: "ApiRequest") -> bytes:
    """Respond to `/eventspot/events/{event_id}`: null fields are left out."""
    return msgspec.json.encode(_event(world, request).detail)


def fees(world: "World", request: "ApiRequest") -> bytes:
    """Respond to `/eventspot/events/{event_id}/fees`: a bare array."""
    return msgspec.json.encode(_event(world, request).fees)


def one_fee(world: "World", request: "ApiRequest") -> bytes:
    """Respond to `/eventspot/events/{event_id}/fees/{fee_id}`."""
    return msgspec.json.encode(request.find(_by_id(_event(world, request).fees), "fee_id"))


def registrants(world: "World", request: "ApiRequest") -> bytes:
    """Respond to `/eventspot/events/{event_id}/registrants`."""
    found = _event(world, request).registrants.values()
    return page(request, [registrant.row for registrant in found], msgspec.json.encode)


def one_registrant(world: "World", request: "ApiRequest") -> bytes:
    """Respond to `/eventspot/events/{event_id}/registrants/{registrant_id}`."""
    found = request.find(_event(world, request).registrants, "registrant_id")
    return msgspec.json.encode(found.detail)


def items(world: "World", request: "ApiRequest") -> bytes:
    """Respond to `/eventspot/events/{event_id}/items`: a bare array."""
    return msgspec.json.encode(_event(world, request).items)


def _one_item(world: "World", request: "ApiRequest") -> Document:
    return request.find(_by_id(_event(world, request).items), "item_id")


def one_item(world: "World", request: "ApiRequest") -> bytes:
    """Respond to `/eventspot/events/{event_id}/items/{item_id}`."""
    return msgspec.json.encode(_one_item(world, request))


def attributes(world: "World", request: "ApiRequest") -> bytes:
    """Respond to `/eventspot/events/{event_id}/items/{item_id}/attributes`: a bare array."""
    return msgspec.json.encode(_one_item(world, request)["attributes"])


def one_attribute(world: "World", request: "ApiRequest") -> bytes:
    """Respond to `/eventspot/events/{event_id}/items/{item_id}/attributes/{attribute_id}`."""
    known = _by_id(_one_item(world, request)["attributes"])
    return msgspec.json.encode(request.find(known, "attribute_id"))


def promocodes(world: "World", request: "ApiRequest") -> bytes:
    """Respond to `/eventspot/events/{event_id}/promocodes`: a bare array."""
    return msgspec.json.encode(_event(world, request).promocodes)


def one_promocode(world: "World", request: "ApiRequest") -> bytes:
    """Respond to `/eventspot/events/{event_id}/promocodes/{promocode_id}`."""
    known = _by_id(_event(world, request).promocodes)
    return msgspec.json.encode(request.find(known, "promocode_id"))
