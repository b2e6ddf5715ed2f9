"""E-mail campaigns, as `/emailmarketing/campaigns` shows them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import msgspec

from sandbox.checks import one_of
from sandbox.v2.errors import missing
from sandbox.v2.paging import page
from sandbox.world import timestamps
from sandbox.world.campaigns import Campaign

if TYPE_CHECKING:
    from sandbox.v2.request import ApiRequest
    from sandbox.world.profile import Profile
    from sandbox.world.world import World

STATUS_FILTER: Final = one_of("ALL", "DRAFT", "RUNNING", "SENT", "SCHEDULED", "DELETED")
_OWN_CONTENT: Final = frozenset({"CUSTOM", "STOCK"})
_GREETINGS: Final = ("FIRST_NAME", "LAST_NAME", "FIRST_AND_LAST_NAME", "NONE")


def _in_order(campaigns: Sequence[Campaign], status: str) -> list[Campaign]:
    """Sort campaigns as the API does, by the requested status."""
    if status == "SCHEDULED":
        return sorted(campaigns, key=lambda campaign: (campaign.schedules[0][1], campaign.id))
    if status in {"SENT", "RUNNING", "DELETED"}:
        return sorted(
            campaigns,
            key=lambda campaign: (campaign.last_run or campaign.modified, campaign.id),
            reverse=True,
        )
    return sorted(campaigns, key=lambda campaign: (campaign.modified, campaign.id), reverse=True)


def _as_listed(campaign: Campaign) -> bytes:
    return msgspec.json.encode(
        {
            "id": campaign.id,
            "name": campaign.name,
            "status": campaign.status,
            "modified_date": timestamps.text(campaign.modified),
        },
    )


def _footer(campaign: Campaign, profile: "Profile") -> dict[str, Any]:
    address = profile.address
    footer: dict[str, Any] = {
        "city": address["city"],
        "state": address["state_code"],
        "country": "US" if campaign.variant % 2 else "us",
        "organization_name": profile.organization,
        "address_line_1": address["line1"],
        "address_line_2": address["line2"],
        "address_line_3": "",
        "international_state": "",
        "postal_code": address["postal_code"],
        "include_forward_email": campaign.variant % 3 == 0,
        "include_subscribe_link": campaign.variant % 4 == 0,
    }
    if footer["include_forward_email"]:
        footer["forward_email_link_text"] = "Forward this email"
    if footer["include_subscribe_link"]:
        footer["subscribe_link_text"] = "Subscribe to our newsletter!"
    return footer


def _html(campaign: Campaign) -> str:
    links = "".join(f'<p><a href="{link.url}">{link.url}</a></p>' for link in campaign.links)
    text = "".join(f"<p>{paragraph}</p>" for paragraph in campaign.paragraphs)
    return f"<html><body><h1>{campaign.subject}</h1>{text}{links}</body></html>"


def _plain(campaign: Campaign) -> str:
    links = (link.url for link in campaign.links)
    return "\n\n".join((campaign.subject, *campaign.paragraphs, *links))


def _in_full(world: "World", campaign: Campaign) -> dict[str, Any]:
    """Return a campaign's detail. Fields that do not apply are left out."""
    reminder = campaign.variant % 2 == 0
    webpage = campaign.variant % 3 != 0
    greeting = _GREETINGS[campaign.variant % len(_GREETINGS)]
    detail: dict[str, Any] = {
        "id": campaign.id,
        "name": campaign.name,
        "subject": campaign.subject,
        "status": campaign.status,
        "from_name": world.profile.organization,
        "from_email": "news@example.com",
        "reply_to_email": "owner@example.com",
        "template_type": campaign.template,
        "created_date": timestamps.text(campaign.created),
        "modified_date": timestamps.text(campaign.modified),
    }
    if campaign.last_run is not None:
        detail["last_run_date"] = timestamps.text(campaign.last_run)
        if campaign.variant % 5:
            detail["permalink_url"] = f"https://campaign.example.com/{campaign.id}.html"
    if campaign.schedules:
        detail["next_run_date"] = timestamps.text(campaign.schedules[0][1])
    detail |= {
        "is_permission_reminder_enabled": reminder,
        "permission_reminder_text": "You asked for our news." if reminder else "",
        "is_view_as_webpage_enabled": webpage,
        "view_as_web_page_text": "Having trouble viewing this email?" if webpage else "",
        "view_as_web_page_link_text": "Click here" if webpage else "",
        "greeting_salutations": "" if greeting == "NONE" else "Hello",
        "greeting_name": greeting,
        "greeting_string": "" if greeting == "NONE" else "Dear friend",
    }
    if campaign.template in _OWN_CONTENT:
        detail |= {
            "email_content": _html(campaign),
            "text_content": _plain(campaign),
            "email_content_format": "XHTML" if campaign.template == "STOCK" else "HTML",
            "style_sheet": "",
        }
    summary = world.tracking.summary(campaign)
    detail |= {
        "message_footer": _footer(campaign, world.profile),
        "tracking_summary": summary | {"spam_count": campaign.spam_reports},
    }
    if campaign.lists:
        detail["sent_to_contact_lists"] = [{"id": list_id} for list_id in campaign.lists]
    if campaign.tracked:
        clicks = world.tracking.clicks_by_link(campaign)
        detail["click_through_details"] = [
            {"url": link.url, "url_uid": link.uid, "click_count": clicks[link.uid]}
            for link in campaign.links
        ]
    return detail


def readable(world: "World", request: "ApiRequest") -> Campaign:
    """Find the campaign of a path; a deleted one is only ever listed."""
    found = request.find(world.campaigns.by_id, "campaign_id")
    if found.status == "DELETED":
        raise missing(found.id, "campaign_id")
    return found


def all_campaigns(world: "World", request: "ApiRequest") -> bytes:
    """Respond to `/emailmarketing/campaigns`: four fields a row, deleted ones only on demand."""
    status = request.text("status", "ALL")
    since = request.since("modified_since")
    found = [
        campaign
        for campaign in world.campaigns.by_id.values()
        if (campaign.status == status or (status == "ALL" and campaign.status != "DELETED"))
        and (since is None or campaign.modified >= since)
    ]
    return page(request, _in_order(found, status), _as_listed)


def one_campaign(world: "World", request: "ApiRequest") -> bytes:
    """Respond to `/emailmarketing/campaigns/{campaign_id}`; its statistics may be of last night."""
    detail = _in_full(world, readable(world, request))
    if request.faults.stale_counters and not request.flag("updateSummary"):
        detail["tracking_summary"] = dict.fromkeys(detail["tracking_summary"], 0)
    return msgspec.json.encode(detail)


def preview(world: "World", request: "ApiRequest") -> bytes:
    """Respond to `/emailmarketing/campaigns/{campaign_id}/preview`."""
    campaign = readable(world, request)
    footer = "This email was sent to {Email Address} by news@example.com."
    return msgspec.json.encode(
        {
            "subject": campaign.subject,
            "from_email": "news@example.com",
            "reply_to_email": "owner@example.com",
            "preview_email_content": _html(campaign).replace("</body>", f"<p>{footer}</p></body>"),
            "preview_text_content": f"{_plain(campaign)}\n\n{footer}\n",
        },
    )


def _schedule(id_: str, at: int) -> dict[str, str]:
    return {"id": id_, "scheduled_date": timestamps.text(at)}


def schedules(world: "World", request: "ApiRequest") -> bytes:
    """Respond to `/emailmarketing/campaigns/{campaign_id}/schedules`: a bare array."""
    campaign = readable(world, request)
    if not campaign.schedules and request.faults.no_schedules_is_404:
        raise missing(campaign.id, "schedule_id")
    return msgspec.json.encode([_schedule(*schedule) for schedule in campaign.schedules])


def one_schedule(world: "World", request: "ApiRequest") -> bytes:
    """Respond to `/emailmarketing/campaigns/{campaign_id}/schedules/{schedule_id}`."""
    known = {id_: (id_, at) for id_, at in readable(world, request).schedules}
    return msgspec.json.encode(_schedule(*request.find(known, "schedule_id")))
