"""Expected keys of each v3 stream's records."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, TypeAlias

from sandbox.v3.activities import kept
from sandbox.v3.campaigns import is_tested, permalink_id, v3_campaigns
from sandbox.v3.contacts import everybody, texting
from sandbox.v3.mail_reports import (
    LANDING,
    TRACKED,
    landing_rows,
    last_sent,
    newest_first,
    unopened,
)
from sandbox.v3.plain_lists import PLAIN_LISTS
from sandbox.v3.profile import encoded_id
from sandbox.v3.reports import KINDS, by_activity, rows_of
from sandbox.v3.request import minutes
from sandbox.world import timestamps
from sandbox.world.campaigns import Campaign
from sandbox.world.world import World

# What a reader should have in place of a part of a key that a row lacks.
_NO_VALUE: Final = "none"

Keys: TypeAlias = Callable[[World], Iterable[Any]]


def _lists(world: World) -> Iterator[str]:
    yield from (each.v3 for each in world.contact_lists.by_id.values())
    yield from (each.v3 for each, _ in world.contact_lists.deleted.values())
    yield world.outreach.list_uuid


def _contact_activity(world: World) -> Iterator[tuple[str, str, str, str, int]]:
    for person in everybody(world):
        equal: Counter[tuple[str, str, str, str]] = Counter()
        for row in rows_of(world, person.uuid):
            what = (person.uuid, row.campaign.activity_uuid, KINDS[row.kind.name])
            key = (*what, minutes(row.hit.at))
            equal[key] += 1
            yield (*key, equal[key])


def _sent(world: World) -> Iterator[Campaign]:
    """Activities that were sent and are still available, including resends."""
    return (each for each in world.campaigns.tracked() if each.v3_campaign.status != "DELETED")


def _activities(world: World) -> Iterator[str]:
    for each in _kept(world):
        yield each.activity_uuid
        if each.resend_of is None:
            yield permalink_id(each)


def _report(name: str) -> Keys:
    """Return the keys of one kind of report, with numbers for equal rows."""

    def keys(world: World) -> Iterator[tuple[Any, ...]]:
        for each in _sent(world):
            equal: Counter[tuple[Any, ...]] = Counter()
            for hit in newest_first(world, each, TRACKED[name]):
                uuid = world.contacts.uuids[hit.contact_id]
                link = hit.extra[:1] if name == "clicks" else ()
                key = (each.activity_uuid, uuid, *link, minutes(hit.at))
                equal[key] += 1
                yield (*key, equal[key])

    return keys


def _in_window(world: World) -> Iterator[Campaign]:
    """Campaigns that were sent, or sent again, in the last 90 days."""
    oldest = timestamps.millis(world.now()) - 90 * timestamps.DAY
    return (each for each in v3_campaigns(world) if each.tracked and last_sent(each) >= oldest)


def _landing_page_events(world: World) -> Iterator[tuple[Any, ...]]:
    for name in LANDING:
        if name == "p_unique_contact_opens":
            continue  # All opens are in another report.
        for row in landing_rows(world, name):
            yield (
                row["campaign_activity_id"],
                row["contact_id"],
                row["tracking_activity_type"],
                row.get("url_id", _NO_VALUE),
                row["created_time"],
                1,
            )


def _kept(world: World) -> Iterator[Campaign]:
    """Available activities; those of removed campaigns are not."""
    return (each for each in world.campaigns.by_id.values() if each.v3_campaign.status != "DELETED")


KEYS: Final[dict[str, Keys]] = {
    **{each.stream: each.keys for each in PLAIN_LISTS},
    "campaigns": lambda world: (each.uuid for each in v3_campaigns(world)),
    "campaign_activities": _activities,
    "campaign_schedules": lambda world: (
        (each.activity_uuid, timestamps.text(at))
        for each in _kept(world)
        for _, at in each.schedules
    ),
    "campaign_send_history": lambda world: ((each.activity_uuid, 1) for each in _sent(world)),
    "campaign_resends": lambda world: (
        (each.resend_of.activity_uuid, each.id[-6:]) for each in _sent(world) if each.resend_of
    ),
    "campaign_ab_tests": lambda world: (
        each.activity_uuid for each in _kept(world) if is_tested(each)
    ),
    "campaign_links": lambda world: (
        (each.activity_uuid, link.uid, _NO_VALUE) for each in _sent(world) for link in each.links
    ),
    "campaign_summaries": lambda world: (each.uuid for each in v3_campaigns(world) if each.tracked),
    "campaign_stats": lambda world: (each.uuid for each in _in_window(world)),
    "campaign_activity_stats": lambda world: (each.activity_uuid for each in _sent(world)),
    "landing_page_events": _landing_page_events,
    "campaign_previews": lambda world: (each.activity_uuid for each in _kept(world)),
    "campaign_did_not_opens": lambda world: (
        (each.activity_uuid, world.contacts.uuids[hit.contact_id])
        for each in _sent(world)
        for hit in unopened(world, each)
    ),
    **{
        f"campaign_{'unsubscribes' if name == 'optouts' else name}": _report(name)
        for name in TRACKED
    },
    "events": lambda world: world.v3_events.events,
    "event_tracks": lambda world: (
        (each.uuid, each.track) for each in world.v3_events.events.values()
    ),
    "event_registrations": lambda world: (
        (each.uuid, each.track, one.uuid)
        for each in world.v3_events.events.values()
        for one in each.registrations
    ),
    "account": lambda world: [encoded_id(world)],
    "account_emails": lambda world: range(1, len(world.profile.emails) + 1),
    "lists": _lists,
    "tags": lambda world: (each.uuid for each in world.groups.tags),
    "segments": lambda world: (each.number for each in world.groups.segments),
    "contacts": lambda world: (each.uuid for each in everybody(world)),
    "activities": lambda world: (job.uuid for job in kept(world)),
    "automations": lambda world: (each.uuid for each in world.outreach.automations),
    "social_profiles": lambda world: (each.uuid for each in world.outreach.profiles),
    "sms_summaries": lambda world: (each.uuid for each in world.outreach.campaigns),
    "contact_activity": _contact_activity,
    "contact_summaries": lambda world: (each.uuid for each in everybody(world)),
    "contact_campaign_summaries": lambda world: (
        (each.uuid, activity)
        for each in everybody(world)
        for activity in by_activity(rows_of(world, each.uuid))
    ),
    "sms_engagement": lambda world: (
        row["sms_channel_history_id"]
        for each in everybody(world)
        for row in texting(world, each.uuid)
    ),
    "segment_members": lambda world: (
        (segment.number, row.uuid)
        for segment in world.groups.segments
        for row in world.contacts.rows
        if world.groups.is_in(row, segment)
    ),
}
"""By stream."""
