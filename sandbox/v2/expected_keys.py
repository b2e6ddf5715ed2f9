"""Expected keys of each stream's records."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, TypeAlias

from sandbox.v2.tracking import activity_of, by_campaign, stamp
from sandbox.world.reports import CLICKS, KINDS, Kind
from sandbox.world.tracking import Row, rows_of
from sandbox.world.world import World

Keys: TypeAlias = Callable[[World, int], Iterable[Any]]


def _report(kind: Kind) -> Keys:
    """Return the keys of one kind of report, over all campaigns."""

    def keys(world: World, hours: int) -> Iterator[tuple[str, ...]]:
        for campaign in world.campaigns.tracked():
            for hit in world.tracking.of(campaign)[kind]:
                when = stamp(Row(kind, campaign, hit), hours)
                yield (
                    campaign.id,
                    hit.contact_id,
                    when,
                    *(hit.extra if kind is CLICKS else ()),
                )

    return keys


def _contact_activity(world: World, hours: int) -> Iterator[tuple[str, ...]]:
    for campaign in world.campaigns.tracked():
        for row in rows_of(world.tracking, campaign):
            if row.hit.contact_id in world.contacts.by_id:
                yield (
                    row.hit.contact_id,
                    activity_of(row.kind),
                    campaign.id,
                    stamp(row, hours, of_contact=True),
                    row.hit.extra[0] if row.kind is CLICKS else "none",
                )


def _contact_campaigns(world: World, _: int) -> Iterator[tuple[str, str]]:
    tracked = world.campaigns.tracked()
    for contact_id in world.contacts.by_id:
        for campaign_id in by_campaign(world.tracking.of_contact(contact_id, tracked)):
            yield contact_id, campaign_id


def _of_events(part: str) -> Keys:
    """Return the keys of something that events have."""
    return lambda world, _: (
        (event.id, document["id"])
        for event in world.events.by_id.values()
        for document in getattr(event, part)
    )


KEYS: Final[dict[str, Keys]] = {
    "account": lambda world, _: [world.profile.info["email"]],
    "account_emails": lambda world, _: (row["email_address"] for row in world.profile.emails),
    "contacts": lambda world, _: world.contacts.by_id,
    "lists": lambda world, _: world.contact_lists.by_id,
    "activities": lambda world, _: (job.id for job in world.activities.kept()),
    "campaigns": lambda world, _: (
        campaign.id for campaign in world.campaigns.by_id.values() if campaign.status != "DELETED"
    ),
    "deleted_campaigns": lambda world, _: (
        campaign.id for campaign in world.campaigns.with_status("DELETED")
    ),
    "campaign_links": lambda world, _: (
        (campaign.id, link.uid) for campaign in world.campaigns.tracked() for link in campaign.links
    ),
    "campaign_schedules": lambda world, _: (
        (campaign.id, id_)
        for campaign in world.campaigns.by_id.values()
        for id_, _at in campaign.schedules
    ),
    "campaign_previews": lambda world, _: (
        campaign.id for campaign in world.campaigns.by_id.values() if campaign.status != "DELETED"
    ),
    **{f"campaign_{kind.name}": _report(kind) for kind in KINDS.values()},
    "contact_activity": _contact_activity,
    "contact_summaries": lambda world, _: world.contacts.by_id,
    "contact_campaign_summaries": _contact_campaigns,
    "events": lambda world, _: world.events.by_id,
    "event_fees": _of_events("fees"),
    "event_items": _of_events("items"),
    "event_promocodes": _of_events("promocodes"),
    "event_item_attributes": lambda world, _: (
        (event.id, item["id"], attribute["id"])
        for event in world.events.by_id.values()
        for item in event.items
        for attribute in item["attributes"]
    ),
    "event_registrants": lambda world, _: (
        (event.id, id_) for event in world.events.by_id.values() for id_ in event.registrants
    ),
    "library_usage": lambda world, _: [world.library.usage()["image_root"]],
    "library_folders": lambda world, _: (folder.id for folder in world.library.all_folders()),
    "library_files": lambda world, _: world.library.files,
}
"""By stream, from a world and the hours by which the clock of reports is behind."""
