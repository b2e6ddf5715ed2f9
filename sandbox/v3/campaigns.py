"""Campaigns and their activities (docs/api/v3.md §10)."""

import base64
import binascii
from typing import Any, Final
from urllib.parse import urlencode

import msgspec

from sandbox.v3.errors import bad_cursor, conflict, missing
from sandbox.v3.request import ApiRequest, envelope
from sandbox.world import timestamps
from sandbox.world.campaigns import Campaign
from sandbox.world.fake_data import stable_uuid
from sandbox.world.world import World

_STATUSES: Final = {
    "DRAFT": "Draft",
    "SCHEDULED": "Scheduled",
    "RUNNING": "Executing",
    "SENT": "Done",
    "DELETED": "Removed",
}
ACTIVITY_INCLUDES: Final = (
    "physical_address_in_footer",
    "permalink_url",
    "html_content",
    "document_properties",
)
_TESTED_EVERY: Final = 5
_AB_TEST: Final = 57
_CODE_EVERY: Final = 3


def v3_campaigns(world: World) -> list[Campaign]:
    """All campaigns, removed ones too, the newest first; a resend is inside another."""
    found = [each for each in world.campaigns.by_id.values() if each.resend_of is None]
    return sorted(found, key=lambda each: (each.created, each.id), reverse=True)


def activities(world: World) -> dict[str, Campaign]:
    """Return an activity by id, unless its campaign is removed."""
    return {each.activity_uuid: each for each in world.campaigns.by_id.values()}


def _campaign(each: Campaign) -> dict[str, Any]:
    is_code = each.variant % _CODE_EVERY == 0
    return {
        "campaign_id": each.uuid,
        "created_at": timestamps.text(each.created),
        "current_status": _STATUSES[each.status],
        "name": each.name,
        "type": "CUSTOM_CODE_EMAIL" if is_code else "NEWSLETTER",
        "type_code": _AB_TEST if is_tested(each) else 26 if is_code else 10,
        "updated_at": timestamps.text(each.changed),
    }


def all_campaigns(world: World, request: ApiRequest) -> bytes:
    """Respond to `/emails`: its links have parameters, and an offset with `*` for `=`."""
    since = request.timestamp("after_date")
    rows = [each for each in v3_campaigns(world) if since is None or each.changed >= since]
    begin = _offset(request.position)
    link = None
    if len(rows) > begin + request.limit:
        after = base64.b64encode(str(begin + request.limit).encode()).decode().replace("=", "*")
        fields = {"limit": str(request.limit), "next": after}
        if since is not None:
            fields["after_date"] = timestamps.text(since)
        link = f"{request.path}?{urlencode(fields, safe='*')}"
    found = (msgspec.json.encode(_campaign(each)) for each in rows[begin : begin + request.limit])
    return envelope(request, "campaigns", found, link)


def _offset(text: str) -> int:
    if not text:
        return 0
    try:
        return int(base64.b64decode(text.replace("*", "="), validate=True))
    except (binascii.Error, ValueError):
        raise bad_cursor() from None


def one_campaign(world: World, request: ApiRequest) -> bytes:
    """Respond to `/emails/{campaign_id}`: with its activities; the status in upper case."""
    each = request.find({each.uuid: each for each in v3_campaigns(world)}, "campaign_id")
    row = _campaign(each)
    row["current_status"] = row["current_status"].upper()
    found = [{"campaign_activity_id": each.activity_uuid, "role": "primary_email"}]
    found.append({"campaign_activity_id": permalink_id(each), "role": "permalink"})
    found += [
        {"campaign_activity_id": other.activity_uuid, "role": "resend"} for other in each.resends
    ]
    return msgspec.json.encode(row | {"campaign_activities": found})


def permalink_id(v3_campaign: Campaign) -> str:
    """Return the id of the activity that is a campaign's web copy."""
    return stable_uuid("permalink", v3_campaign.id)


def _activity(world: World, request: ApiRequest) -> Campaign:
    found = request.find(activities(world), "campaign_activity_id")
    if found.v3_campaign.status == "DELETED":
        raise missing()
    return found


def one_activity(world: World, request: ApiRequest) -> bytes:
    """Respond to `/emails/activities/{campaign_activity_id}`, if its campaign is not removed."""
    each = _activity(world, request)
    lists = world.contact_lists.by_id
    is_code = each.v3_campaign.variant % _CODE_EVERY == 0
    row: dict[str, Any] = {
        "campaign_activity_id": each.activity_uuid,
        "campaign_id": each.v3_campaign.uuid,
        "role": "resend" if each.resend_of else "primary_email",
        "contact_list_ids": [lists[name].v3 for name in each.lists if name in lists],
        "segment_ids": [],
        "current_status": _STATUSES[each.status].upper(),
        "format_type": 5 if is_code else 4,
        "from_email": "news@example.com",
        "from_name": world.profile.organization,
        "reply_to_email": "owner@example.com",
        "subject": each.subject,
        "preheader": each.paragraphs[0],
        "document_id": stable_uuid("document", each.id),
    }
    include = request.words("include")
    if "html_content" in include and is_code:
        row["html_content"] = (
            f"<html><body>{''.join(map(_paragraph, each.paragraphs))}</body></html>"
        )
    if "permalink_url" in include and each.tracked:
        row["permalink_url"] = f"https://www.example.com/{each.activity_uuid}"
    if "physical_address_in_footer" in include:
        there = world.profile.address
        row["physical_address_in_footer"] = {
            "address_line1": there["line1"],
            "city": there["city"],
            "country_code": there["country_code"],
            "organization_name": world.profile.organization,
            "postal_code": there["postal_code"],
            "state_code": there["state_code"],
        }
    return msgspec.json.encode(row)


def _paragraph(text: str) -> str:
    return f"<p>{text}</p>"


def schedules(world: World, request: ApiRequest) -> bytes:
    """Respond to `…/schedules`: an array, empty unless it is scheduled."""
    each = _activity(world, request)
    rows = [{"scheduled_date": timestamps.text(at)} for _, at in each.schedules]
    return msgspec.json.encode(rows)


def preview(world: World, request: ApiRequest) -> bytes:
    """Respond to `…/previews`: one object."""
    each = _activity(world, request)
    return msgspec.json.encode(
        {
            "campaign_activity_id": each.activity_uuid,
            "from_email": "news@example.com",
            "from_name": world.profile.organization,
            "preheader": each.paragraphs[0],
            "preview_html_content": f"<p>{each.paragraphs[0]}</p>",
            "preview_text_content": each.paragraphs[0],
            "reply_to_email": "owner@example.com",
            "subject": each.subject,
        }
    )


def send_history(world: World, request: ApiRequest) -> bytes:
    """Respond to `…/send_history`: an array, one row a send."""
    each = _activity(world, request)
    lists = world.contact_lists.by_id
    rows = []
    if each.last_run is not None:
        rows.append(
            {
                "send_id": 1,
                "contact_list_ids": [lists[name].v3 for name in each.lists if name in lists],
                "count": world.tracking.summary(each)["sends"],
                "run_date": timestamps.text(each.last_run),
                "send_status": "COMPLETED",
                "reason_code": 0,
            }
        )
    return msgspec.json.encode(rows)


def resends(world: World, request: ApiRequest) -> bytes:
    """Respond to `…/non_opener_resends`: an array."""
    each = _activity(world, request)
    rows = [
        {
            "delay_days": 3,
            "delay_minutes": 4320,
            "resend_subject": other.subject,
            "resend_request_id": other.id[-6:],
            "resend_date": timestamps.text(other.last_run or other.modified),
            "resend_status": "DONE",
        }
        for other in each.resends
    ]
    return msgspec.json.encode(rows)


def is_tested(each: Campaign) -> bool:
    """Return whether a campaign is an A/B test."""
    return each.resend_of is None and each.variant % _TESTED_EVERY == 0


def ab_test(world: World, request: ApiRequest) -> bytes:
    """Respond to `…/abtest`: one object, or a conflict where there was no test."""
    each = _activity(world, request)
    if not is_tested(each):
        raise conflict() if each.variant % 2 else missing()
    said = {
        "alternative_subject": f"Re: {each.subject}",
        "test_size": 30,
        "winner_wait_duration": 24,
    }
    return msgspec.json.encode(said)
