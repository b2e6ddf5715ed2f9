"""Automations, social profiles, text messages (docs/api/v3.md §13, §14)."""

from typing import Any

import msgspec

from sandbox.v3.request import ApiRequest, by_number
from sandbox.world import timestamps
from sandbox.world.outreach import Automation, TextCampaign
from sandbox.world.world import World


def _offset(timestamp: int) -> str:
    return timestamps.text(timestamp).replace("Z", "+00:00")


def _automation(each: Automation) -> dict[str, Any]:
    return {
        "active_state": "ACTIVE",
        "created_by_id": "123456789",
        "created_date": _offset(each.created),
        "description": f"Greets by {each.name}",
        "draft_state": "PROMOTED",
        "id": each.uuid,
        "name": each.name,
        "promoted_by_id": "123456789",
        "promoted_date": _offset(each.created),
        "status": "ACTIVE",
        "structured_tags": [
            {"display_value": "All paths", "key": "GOAL", "value": "goal_undefined"}
        ],
        "template_id": "17f58023-559a-41e5-84b7-0e9e213f7aef",
        "update_date": _offset(each.updated),
    }


def automations(world: World, _request: ApiRequest) -> bytes:
    """Respond to `/automations/workflows`: all at once."""
    rows = [_automation(each) for each in world.outreach.automations]
    return msgspec.json.encode({"flow_summaries": rows})


def one_automation(world: World, request: ApiRequest) -> bytes:
    """Respond to `/automations/workflows/{automation_flow_id}`: with its steps."""
    each = request.find(
        {each.uuid: each for each in world.outreach.automations}, "automation_flow_id"
    )
    row = _automation(each)
    kept = {name: row[name] for name in ("id", "name", "description", "structured_tags", "status")}
    steps = {"state": "ACTIVE", "trigger": {"trigger_type": "LIST_JOIN"}, "workflow": {"tasks": []}}
    return msgspec.json.encode({**kept, "name_explicitly_set": True, "active_definition": steps})


def profiles(world: World, request: ApiRequest) -> bytes:
    """Respond to `/social/profiles`: a bare array."""
    rows = []
    for number, each in enumerate(world.outreach.profiles):
        row: dict[str, Any] = {
            "account_info": {
                "account_url": f"https://{each.network}.example.com/{number}",
                "display_name": each.name,
                "network": each.network,
                "network_account_id": f"account{number}",
                "username": "owner",
            },
            "connected": True,
            "handle": None if number % 2 else "@owner",
            "name": each.name,
            "network": each.network,
            "network_profile_id": str(number),
            "profile_id": each.uuid,
            "url": f"https://{each.network}.example.com/{number}",
        }
        if request.text("include") == "accessible":
            row["accessible"] = True
        rows.append(row)
    return msgspec.json.encode(rows)


def _summary(each: TextCampaign) -> bytes:
    counts = {
        "sends": each.sends,
        "delivers": each.sends - each.sends // 50,
        "clicks": each.sends // 9,
        "optouts": each.sends // 100,
    }
    return msgspec.json.encode(
        {
            "campaign_id": each.uuid,
            "campaign_name": each.name,
            "campaign_type": "SMS",
            "last_sent_date": timestamps.eastern(each.sent),
            "unique_counts": counts,
        }
    )


def sms_summaries(world: World, request: ApiRequest) -> bytes:
    """Respond to `/reports/summary_reports/sms_campaign_summaries`, the newest first."""
    since = int(request.needed("start_at"))
    rows = [each for each in world.outreach.campaigns if each.sent >= since]
    percents = {"deliver": 98, "click": 11.1, "bounce": 2, "unsubscribe": 1}
    return by_number(
        request, "bulk_sms_campaign_summaries", rows, _summary, aggregate_percents=percents
    )
