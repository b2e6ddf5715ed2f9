"""Reports of campaigns and contacts."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

import msgspec

from sandbox.v2.campaigns import readable
from sandbox.v2.errors import missing
from sandbox.v2.paging import page
from sandbox.world import timestamps
from sandbox.world.campaigns import Campaign
from sandbox.world.reports import CLICKS, KINDS, SENDS, Hit, Kind
from sandbox.world.tracking import Row, rows_of

if TYPE_CHECKING:
    from sandbox.v2.request import ApiRequest
    from sandbox.world.world import World


def activity_of(kind: Kind) -> str:
    """The `activity_type` of a kind of rows."""
    return f"EMAIL_{kind.name.removesuffix('s').upper()}"


def date_of(kind: Kind) -> str:
    """The name of the date of a kind of rows."""
    return f"{kind.name.removesuffix('s')}_date"


def shifted(kind: Kind) -> bool:
    """Return whether records of a type have the clock that is some hours behind."""
    return kind is not SENDS


def stamp(row: Row, hours: int, *, of_contact: bool = False) -> str:
    """Return a row's time by the clock of its report, which may be behind UTC.

    Args:
        row: The row.
        hours: Hours by which the clock of campaign reports is behind.
        of_contact: Whether it is a contact's report; its clock is twice as far behind, and stamps
            sends too.
    """
    return timestamps.text(_shown(row, hours, of_contact=of_contact))


def _shown(row: Row, hours: int, *, of_contact: bool) -> int:
    if of_contact:
        hours *= 2
    elif not shifted(row.kind):
        hours = 0
    return row.hit.at - hours * timestamps.HOUR


def _as_sent(row: Row, hours: int, *, of_contact: bool) -> bytes:
    kind, campaign, hit = row
    sent = {
        "activity_type": activity_of(kind),
        "campaign_id": campaign.id,
        "contact_id": hit.contact_id,
        "email_address": hit.email,
        **dict(zip(kind.fields, hit.extra, strict=True)),
    }
    if of_contact and kind is CLICKS:
        urls = {link.uid: link.url for link in campaign.links}
        sent["link_uri"] = urls[hit.extra[0]]
    sent[date_of(kind)] = stamp(row, hours, of_contact=of_contact)
    return msgspec.json.encode(sent)


def _answer(request: "ApiRequest", rows: Sequence[Row], *, of_contact: bool) -> bytes:
    """Return rows of all kinds; the filter uses the returned time."""
    hours = request.faults.clock_shift_hours
    since = request.since("created_since")
    if since is not None:
        rows = [row for row in rows if _shown(row, hours, of_contact=of_contact) >= since]
    return page(request, rows, lambda row: _as_sent(row, hours, of_contact=of_contact))


def _answer_one_kind(
    request: "ApiRequest", kind: Kind, campaign: Campaign, hits: Sequence[Hit]
) -> bytes:
    """Return rows of one report, of which only those on the page are read."""
    hours = request.faults.clock_shift_hours
    since = request.since("created_since")
    if since is not None:
        behind = hours * timestamps.HOUR if shifted(kind) else 0
        hits = [hit for hit in hits if hit.at - behind >= since]
    return page(
        request, hits, lambda hit: _as_sent(Row(kind, campaign, hit), hours, of_contact=False)
    )


def _tracked(world: "World", request: "ApiRequest") -> Campaign:
    found = readable(world, request)
    if not found.tracked:
        raise missing(found.id, "campaign_id")
    return found


def campaign_report(kind: Kind, world: "World", request: "ApiRequest") -> bytes:
    """Respond to `/emailmarketing/campaigns/{campaign_id}/tracking/...`, one kind of row."""
    campaign = _tracked(world, request)
    return _answer_one_kind(request, kind, campaign, world.tracking.of(campaign)[kind])


def campaign_activity(world: "World", request: "ApiRequest") -> bytes:
    """Respond to `/emailmarketing/campaigns/{campaign_id}/tracking`: all kinds, newest first."""
    rows = list(rows_of(world.tracking, _tracked(world, request)))
    rows.sort(key=lambda row: row.hit.at, reverse=True)
    return _answer(request, rows, of_contact=False)


def campaign_link(world: "World", request: "ApiRequest") -> bytes:
    """Respond to `/emailmarketing/campaigns/{campaign_id}/tracking/clicks/{link_id}`."""
    campaign = _tracked(world, request)
    link = request.find({link.uid: link for link in campaign.links}, "link_id")
    hits = [hit for hit in world.tracking.of(campaign)[CLICKS] if hit.extra[0] == link.uid]
    return _answer_one_kind(request, CLICKS, campaign, hits)


def campaign_summary(world: "World", request: "ApiRequest") -> bytes:
    """Respond to `/emailmarketing/campaigns/{campaign_id}/tracking/reports/summary`."""
    return msgspec.json.encode(world.tracking.summary(_tracked(world, request)))


def _contact_rows(world: "World", request: "ApiRequest") -> list[Row]:
    contact = request.find(world.contacts.by_id, "contact_id")
    return world.tracking.of_contact(contact.id, world.campaigns.tracked())


def contact_activity(world: "World", request: "ApiRequest") -> bytes:
    """Respond to `/contacts/{contact_id}/tracking`: all kinds, newest first."""
    return _answer(request, _contact_rows(world, request), of_contact=True)


def contact_report(kind: Kind, world: "World", request: "ApiRequest") -> bytes:
    """Respond to `/contacts/{contact_id}/tracking/...`, one kind of row."""
    rows = [row for row in _contact_rows(world, request) if row.kind is kind]
    return _answer(request, rows, of_contact=True)


def contact_link(world: "World", request: "ApiRequest") -> bytes:
    """Respond to `/contacts/{contact_id}/tracking/clicks/{link_id}`."""
    link = request.ids["link_id"]
    rows = [
        row
        for row in _contact_rows(world, request)
        if row.kind is CLICKS and row.hit.extra[0] == link
    ]
    return _answer(request, rows, of_contact=True)


def contact_summary(world: "World", request: "ApiRequest") -> bytes:
    """Respond to `/contacts/{contact_id}/tracking/reports/summary`: zeros without activity."""
    counts = Counter(row.kind.name for row in _contact_rows(world, request))
    sent: dict[str, int | str] = {name: counts[name] for name in KINDS}
    return msgspec.json.encode(sent | {"contact_id": request.ids["contact_id"]})


_COUNTED_BY_CAMPAIGN: Final = ("opens", "clicks", "forwards", "bounces")


def by_campaign(rows: Iterable[Row]) -> dict[str, Counter[str]]:
    """Count the actions of a contact by campaign, without sends and unsubscribes."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        if row.kind.name in _COUNTED_BY_CAMPAIGN:
            counts[row.campaign.id][row.kind.name] += 1
    return counts


def contact_summary_by_campaign(world: "World", request: "ApiRequest") -> bytes:
    """Respond to `/contacts/{contact_id}/tracking/reports/summaryByCampaign`: a bare array."""
    return msgspec.json.encode(
        [
            {
                "campaign_id": campaign_id,
                "contact_id": request.ids["contact_id"],
                **{name: counts[name] for name in _COUNTED_BY_CAMPAIGN},
            }
            for campaign_id, counts in by_campaign(_contact_rows(world, request)).items()
        ],
    )
