"""Metrics and reports of campaigns (docs/api/v3.md §11, §12)."""

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

import msgspec

from sandbox.v3.campaigns import activities, v3_campaigns
from sandbox.v3.errors import no_stats
from sandbox.v3.request import ApiRequest, by_number, minutes
from sandbox.world import timestamps
from sandbox.world.campaigns import Campaign
from sandbox.world.reports import BOUNCES, CLICKS, FORWARDS, OPENS, SENDS, UNSUBSCRIBES, Hit, Kind
from sandbox.world.world import World

TRACKED: Final = {
    "sends": SENDS,
    "opens": OPENS,
    "clicks": CLICKS,
    "forwards": FORWARDS,
    "optouts": UNSUBSCRIBES,
    "bounces": BOUNCES,
}
_DEVICES: Final = ("computer", "mobile", "tablet", "other")
_BOUNCE_COUNTERS: Final = {
    "B": "nonexistent_address",
    "D": "undeliverable",
    "F": "mailbox_full",
    "S": "suspended",
    "V": "vacation",
    "X": "other",
    "Z": "blocked",
}
_MOST_CAMPAIGNS: Final = 150
_MOST_ACTIVITIES: Final = 10


def _device(hit: Hit) -> str:
    return _DEVICES[int(hit.contact_id) % len(_DEVICES)]


def _hits(request: ApiRequest, campaign: Campaign, kind: Kind) -> list[Hit]:
    """Return the counted events: counters lag behind the records."""
    until = (
        timestamps.millis(request.world.now()) - request.faults.stats_lag_hours * timestamps.HOUR
    )
    return [hit for hit in request.world.tracking.of(campaign)[kind] if hit.at <= until]


def _counted(request: ApiRequest, campaigns: Sequence[Campaign]) -> dict[str, int]:
    hits = {
        name: [h for c in campaigns for h in _hits(request, c, kind)]
        for name, kind in TRACKED.items()
    }
    people = {name: {hit.contact_id for hit in found} for name, found in hits.items()}
    counts = {f"em_{name}": len(found) for name, found in hits.items()}
    for name in ("opens", "clicks"):
        counts[f"em_{name}"] = len(people[name])
        counts[f"em_{name}_all"] = len(hits[name])
        devices = Counter(map(_device, hits[name]))
        counts |= {f"em_{name}_all_{device}": devices[device] for device in _DEVICES}
        counts[f"em_{name}_all_none"] = 0
    counts["em_not_opened"] = max(0, counts["em_sends"] - counts["em_opens"] - counts["em_bounces"])
    return counts


def _refreshed(request: ApiRequest) -> str:
    lag = request.faults.stats_lag_hours * timestamps.HOUR
    return timestamps.text(timestamps.millis(request.world.now()) - lag)


def _sent(world: World) -> list[Campaign]:
    """Campaigns that were sent, the one sent last first."""
    found = [each for each in v3_campaigns(world) if each.tracked]
    return sorted(found, key=last_sent, reverse=True)


def last_sent(v3_campaign: Campaign) -> int:
    """Return the last sending of a campaign or its resend."""
    return max(each.last_run or 0 for each in v3_campaign.parts)


def _summary(request: ApiRequest, each: Campaign) -> bytes:
    parts = each.parts
    counts = _counted(request, parts)
    unique: dict[str, Any] = {
        name: counts[f"em_{name}"]
        for name in ("sends", "opens", "clicks", "forwards", "optouts", "bounces", "not_opened")
    }
    unique["forwards"] = len(
        {h.contact_id for part in parts for h in _hits(request, part, FORWARDS)}
    )
    unique["abuse"] = each.spam_reports
    if request.faults.guide_forms:
        unique = {name: str(count) for name, count in unique.items()}
    return msgspec.json.encode(
        {
            "campaign_id": each.uuid,
            "campaign_type": "Newsletter",
            "last_sent_date": timestamps.text(last_sent(each)),
            "unique_counts": unique,
        }
    )


def summaries(world: World, request: ApiRequest) -> bytes:
    """Respond to `/reports/summary_reports/email_campaign_summaries`: sent campaigns alone."""
    percents: Any = {"click": 4.3, "open": 12, "did_not_open": 23, "bounce": 2, "unsubscribe": 1}
    if request.faults.guide_forms:
        percents = [{name: str(value) for name, value in percents.items()}]
    return by_number(
        request,
        "bulk_email_campaign_summaries",
        _sent(world),
        partial(_summary, request),
        aggregate_percents=percents,
    )


def campaign_stats(world: World, request: ApiRequest) -> bytes:
    """Respond to `/reports/stats/email_campaigns/{campaign_ids}`: one unknown id fails all."""
    ids = request.ids["campaign_ids"].split(",")
    known = {each.uuid: each for each in _sent(world)}
    if len(ids) > _MOST_CAMPAIGNS or not set(ids) <= known.keys() - request.faults.vanish:
        raise no_stats()
    rows = []
    for each in map(known.__getitem__, ids):
        counts = _counted(request, each.parts)
        sends = max(counts["em_sends"], 1)
        percents = {
            "bounce": round(100 * counts["em_bounces"] / sends, 1),
            "click": round(100 * counts["em_clicks"] / max(counts["em_opens"], 1), 1),
            "desktop_click": 50,
            "desktop_open": 50,
            "did_not_open": round(100 * counts["em_not_opened"] / sends, 1),
            "mobile_click": 50,
            "mobile_open": 50,
            "open": round(100 * counts["em_opens"] / sends, 1),
            "unsubscribe": round(100 * counts["em_optouts"] / sends, 1),
        }
        rows.append(
            {
                "campaign_id": each.uuid,
                "stats": counts,
                "percents": percents,
                "last_refresh_time": _refreshed(request),
            }
        )
    return msgspec.json.encode({"results": rows, "errors": []})


def activity_stats(world: World, request: ApiRequest) -> bytes:
    """Respond to `/reports/stats/email_campaign_activities/{campaign_activity_ids}`.

    Ids without counters are listed beside the records of the others; the guide's keys have dots.
    """
    ids = request.ids["campaign_activity_ids"].split(",")
    if len(ids) > _MOST_ACTIVITIES:
        raise no_stats()
    known = {key: each for key, each in activities(world).items() if each.tracked}
    rows, faults = [], []
    for id_ in ids:
        each = known.get(id_)
        if each is None:
            key = "reportingsvc.not_found.invalid_path_param.campaign_activity_ids."
            faults.append({"error_key": key, "error_message": f"No stats for {id_}."})
            continue
        stats = _counted(request, [each])
        codes = Counter(hit.extra[0] for hit in _hits(request, each, BOUNCES))
        stats |= {f"em_bounces_{name}": codes[code] for code, name in _BOUNCE_COUNTERS.items()}
        stats["em_abuse"] = each.spam_reports
        if request.faults.guide_forms:
            stats = {
                name.replace("_all", ".all").replace("all_", "all."): n for name, n in stats.items()
            }
        rows.append(
            {
                "campaign_id": each.v3_campaign.uuid,
                "campaign_activity_id": id_,
                "stats": stats,
                "last_refresh_time": _refreshed(request),
            }
        )
    return msgspec.json.encode({"results": rows, "errors": faults})


def links(world: World, request: ApiRequest) -> bytes:
    """Respond to `…/links`: with `no_clicks` including those without clicks."""
    each = request.find(activities(world), "campaign_activity_id")
    people: dict[str, set[str]] = {link.uid: set() for link in each.links}
    for hit in world.tracking.of(each)[CLICKS]:
        people[hit.extra[0]].add(hit.contact_id)
    with_all = request.text("no_clicks") == "true"
    rows = [
        {"link_url": link.url, "url_id": link.uid, "unique_clicks": len(people[link.uid])}
        for link in each.links
        if each.tracked and (with_all or people[link.uid])
    ]
    said = {"campaign_activity_id": each.activity_uuid, "link_click_counts": rows}
    return msgspec.json.encode(said)


def _row(world: World, each: Campaign, name: str, hit: Hit) -> dict[str, Any]:
    row: dict[str, Any] = {
        "contact_id": world.contacts.uuids[hit.contact_id],
        "campaign_activity_id": each.activity_uuid,
        "tracking_activity_type": f"em_{name}",
        "email_address": hit.email,
        "created_time": minutes(hit.at),
    }
    contact = world.contacts.by_id.get(hit.contact_id)
    if contact is not None:
        document = contact.document()
        for field in ("first_name", "last_name"):
            if document[field]:
                row[field] = document[field]
    if contact is None or contact.status == "REMOVED":
        row["deleted_at"] = timestamps.text(contact.modified if contact else hit.at)[:10]
    if name in {"opens", "clicks"}:
        row["device_type"] = _device(hit)
    if name == "clicks":
        urls = {link.uid: link.url for link in each.links}
        row |= {"url_id": hit.extra[0], "link_url": urls[hit.extra[0]]}
    if name == "optouts" and hit.extra[1]:
        row["opt_out_reason"] = hit.extra[1]
    if name == "bounces":
        row |= {"bounce_code": hit.extra[0], "current_email_address": hit.email}
    return row


def newest_first(world: World, each: Campaign, kind: Kind) -> list[Hit]:
    """The rows of a report in the order in which it is served."""
    found = world.tracking.of(each)[kind] if each.tracked else []
    return sorted(found, key=lambda hit: hit.at, reverse=True)


def tracking(name: str, world: World, request: ApiRequest) -> bytes:
    """Respond to `…/tracking/{name}`: newest first, no filter, empty where nothing was sent."""
    each = request.find(activities(world), "campaign_activity_id")
    hits = newest_first(world, each, TRACKED[name])
    encode: Callable[[Hit], bytes] = lambda hit: msgspec.json.encode(_row(world, each, name, hit))  # noqa: E731
    return by_number(request, "tracking_activities", hits, encode)


def unopened(world: World, each: Campaign) -> list[Hit]:
    """Sends without an open."""
    opened = {hit.contact_id for hit in world.tracking.of(each)[OPENS]}
    return [hit for hit in newest_first(world, each, SENDS) if hit.contact_id not in opened]


def did_not_open(world: World, request: ApiRequest) -> bytes:
    """Respond to `…/tracking/didnotopens`: `created_time` is when the mail was sent."""
    each = request.find(activities(world), "campaign_activity_id")
    return by_number(
        request,
        "tracking_activities",
        unopened(world, each),
        lambda hit: msgspec.json.encode(_row(world, each, "didnotopens", hit)),
    )


_LANDING: Final = {
    "p_contact_opens": ("opens", "p_contact_opens"),
    "p_unique_contact_opens": ("opens", "p_contact_opens"),
    "p_unique_contact_clicks": ("clicks", "p_contact_click"),
    "p_unique_contact_updates": ("updates", "p_contact_updates"),
    "p_unique_contact_adds": ("adds", "p_contact_adds"),
    "p_unique_contact_sms_optins": ("sms_optins", "p_contact_sms_optins"),
}
LANDING: Final = tuple(_LANDING)


def landing(name: str, world: World, request: ApiRequest) -> bytes:
    """Respond to `/reports/landing_pages/campaign_details/…`, newest first."""
    request.find({world.v3_events.page.uuid: world.v3_events.page}, "campaign_activity_id")
    return by_number(request, "tracking_activities", landing_rows(world, name), msgspec.json.encode)


def landing_rows(world: World, name: str) -> list[dict[str, Any]]:
    """The rows of one report on the landing page."""
    page, people = world.v3_events.page, world.contacts.newest_first()
    kind, said = _LANDING[name]
    rows = []
    for found, place, at in page.happened:
        if found != kind or place >= len(people):
            continue
        row = {
            "contact_id": people[place].uuid,
            "campaign_activity_id": page.uuid,
            "tracking_activity_type": said,
            "email_address": people[place].email,
            "created_time": minutes(at),
        }
        if kind in {"opens", "clicks"}:
            row["device_type"] = "computer"
        if kind == "clicks":
            row |= {"url_id": "1100", "link_url": "https://www.example.com"}
        rows.append(row)
    return rows
