"""Events of v3 (docs/api/v3.md §14): paged by cursors that stand beside the rows."""

from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import urlencode

import msgspec

from sandbox.v3.request import ApiRequest
from sandbox.world import timestamps
from sandbox.world.v3_events import Registration, V3Event
from sandbox.world.world import World

_MOMENT: Final = timestamps.text


def _page(request: ApiRequest, rows: Sequence[dict[str, Any]]) -> bytes:
    begin = int(request.position) if request.position.isdecimal() else 0
    after = begin + request.limit
    cursor = str(after) if len(rows) > after else None
    link = None
    if cursor:
        fields = {"limit": request.limit, "next": cursor, **request.given}
        link = {"href": f"{request.path}?{urlencode(fields)}"}
    return msgspec.json.encode(
        {
            "records": rows[begin:after],
            "total_records": len(rows),
            "next_cursor": cursor,
            "prev_cursor": None,
            "_links": {"self": {"href": request.path}, "next": link, "prev": None},
        }
    )


def _address(world: World) -> dict[str, Any]:
    there = world.profile.address
    return {
        "address_type": "EVENT",
        "line1": there["line1"],
        "city": there["city"],
        "country_code": there["country_code"],
        "latitude": 42.6,
        "longitude": -71.3,
        "postal_code": there["postal_code"],
        "state_code": there["state_code"],
    }


def _listed(world: World, each: V3Event) -> dict[str, Any]:
    return {
        "event_id": each.uuid,
        "title": each.title,
        "description": "Come and see.",
        "start_time": _MOMENT(each.start),
        "end_time": _MOMENT(each.start + timestamps.HOUR),
        "status": each.status,
        "registration_url": "https://www.example.com/register",
        "name": each.title,
        "event_type": "PERFORMING_ARTS",
        "location_type": "PHYSICAL",
        "time_zone_type": "EST",
        "address": _address(world),
        "event_registration_summary_metrics": {
            "registration_count": len(each.registrations),
            "ticket_sold": sum(one.tickets for one in each.registrations),
            "item_sold": 0,
        },
        "create_time": _MOMENT(each.created),
    }


def all_events(world: World, request: ApiRequest) -> bytes:
    """Respond to `/events`: without the time of the last change."""
    rows = sorted(
        world.v3_events.events.values(),
        key=lambda each: each.updated,
        reverse=request.text("sort_order", "ASC") == "DESC",
    )
    return _page(request, [_listed(world, each) for each in rows])


def one_event(world: World, request: ApiRequest) -> bytes:
    """Respond to `/events/{event_id}`: with its one track."""
    each = request.find(world.v3_events.events, "event_id")
    return msgspec.json.encode(
        {
            "event_id": each.uuid,
            "campaign_id": each.uuid,
            "title": each.title,
            "name": each.title,
            "description": "Come and see.",
            "event_start": _MOMENT(each.start),
            "event_end": _MOMENT(each.start + timestamps.HOUR),
            "event_type": "PERFORMING_ARTS",
            "create_time": _MOMENT(each.created),
            "last_update_time": _MOMENT(each.updated),
            "address": _address(world),
            "contact": {"name": "The office", "organization_name": world.profile.organization},
            "currency_type": "USD",
            "default_track": {
                "campaign_activity_id": each.uuid,
                "track_id": each.track,
                "registration_type": "TICKET",
                "create_time": _MOMENT(each.created),
                "items": [],
                "promo_codes": [],
            },
            "location_type": "PHYSICAL",
            "status": each.status,
            "time_zone": "US/Eastern",
        }
    )


def _registered(event: V3Event, each: Registration) -> dict[str, Any]:
    return {
        "checkedIn_tickets": 0,
        "checkin_status": "NOT_CHECKED_IN",
        "eligible_checkin_tickets": each.tickets,
        "email_address": each.email,
        "first_name": each.first_name,
        "last_name": each.last_name,
        "new_contact": False,
        "payment_status": "PAID",
        "registration_id": each.uuid,
        "registration_status": "REGISTERED",
        "registration_time": _MOMENT(each.at),
        "tickets": each.tickets,
        "total": 25.0 * each.tickets,
        "track_key": event.track,
    }


def registrations(world: World, request: ApiRequest) -> bytes:
    """Respond to `/events/{event_id}/tracks/{track_id}/registrations`."""
    event = request.find(world.v3_events.events, "event_id")
    return _page(request, [_registered(event, each) for each in event.registrations])
