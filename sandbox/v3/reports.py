"""Reports of contacts (docs/api/v3.md §13), and ids of v2 campaigns (§17)."""

from collections import Counter, defaultdict
from typing import Any, Final

import msgspec

from sandbox.v3.contacts import asked_for
from sandbox.v3.errors import no_types
from sandbox.v3.mail_reports import TRACKED
from sandbox.v3.request import ApiRequest, by_number, envelope, minutes
from sandbox.world.tracking import Row
from sandbox.world.world import World

KINDS: Final = {kind.name: f"em_{name}" for name, kind in TRACKED.items()}
TYPES: Final = (
    *KINDS.values(),
    "p_contact_open",
    "p_contact_click",
    "p_contact_add",
    "p_contact_update",
)


def _rows(world: World, request: ApiRequest) -> list[Row]:
    return rows_of(world, asked_for(world, request).uuid)


def rows_of(world: World, uuid: str) -> list[Row]:
    """Return the activities of a contact, newest first."""
    row = world.contacts.by_uuid.get(uuid)
    return world.tracking.of_contact(row.id, world.campaigns.tracked()) if row else []


def activity_details(world: World, request: ApiRequest) -> bytes:
    """Respond to `…/activity_details`: one of two parameters names the kinds."""
    types = request.words("tracking_activities_list") or request.words("tracking_activity_type")
    if not types:
        raise no_types()
    found = [row for row in _rows(world, request) if KINDS[row.kind.name] in types]

    def encode(row: Row) -> bytes:
        return msgspec.json.encode(
            {
                "contact_id": request.ids["contact_id"],
                "campaign_activity_id": row.campaign.activity_uuid,
                "created_time": minutes(row.hit.at),
                "tracking_activity_type": KINDS[row.kind.name],
                "campaign_activity_name": row.campaign.name,
            }
        )

    return by_number(request, "tracking_activities", found, encode)


def by_activity(rows: list[Row]) -> dict[str, Counter[str]]:
    """Count what a contact did with each mail."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        found[row.campaign.activity_uuid][KINDS[row.kind.name]] += 1
    return found


def _between(request: ApiRequest, rows: list[Row]) -> list[Row]:
    start, end = int(request.needed("start")), int(request.needed("end"))
    return [row for row in rows if start <= row.hit.at <= end]


def activity_summary(world: World, request: ApiRequest) -> bytes:
    """Respond to `…/activity_summary`: by mail, in a range of time."""
    rows = _between(request, _rows(world, request))
    sent = {row.campaign.activity_uuid: row.hit.at for row in reversed(rows)}
    found = [
        {
            "campaign_activity_id": activity,
            "start_on": minutes(sent[activity]),
            **{f"em_{kind}": counts[f"em_{kind}"] for kind in ("bounces", "clicks", "forwards")},
            "em_opens": counts["em_opens"],
            "em_sends": counts["em_sends"],
            "em_unsubscribes": counts["em_optouts"],
        }
        for activity, counts in by_activity(rows).items()
    ]
    return by_number(
        request,
        "campaign_activities",
        found,
        msgspec.json.encode,
        contact_id=request.ids["contact_id"],
    )


def open_and_click_rates(world: World, request: ApiRequest) -> bytes:
    """Respond to `…/open_and_click_rates`: one object, zeros where there is nothing."""
    found = by_activity(_between(request, _rows(world, request)))
    sent = sum(1 for counts in found.values() if counts["em_sends"])
    opened = sum(1 for counts in found.values() if counts["em_opens"])
    clicked = sum(1 for counts in found.values() if counts["em_clicks"])
    said: dict[str, Any] = {
        "contact_id": request.ids["contact_id"],
        "included_activities_count": sent,
        "average_open_rate": round(opened / sent, 2) if sent else 0,
        "average_click_rate": round(clicked / sent, 2) if sent else 0,
    }
    return msgspec.json.encode(said)


def campaign_xrefs(world: World, request: ApiRequest) -> bytes:
    """Respond to `/emails/campaign_id_xrefs`."""
    asked = request.needed("v2_email_campaign_ids").split(",")
    known = world.campaigns.by_id
    rows = [
        {
            "v2_email_campaign_id": each,
            "campaign_id": known[each].uuid,
            "campaign_activity_id": known[each].activity_uuid,
        }
        for each in asked
        if each in known
    ]
    return envelope(request, "xrefs", map(msgspec.json.encode, rows), None)
