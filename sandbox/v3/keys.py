"""What one should find when one has read everything through v3: the keys of each stream's rows."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, TypeAlias

from sandbox.v3.activities import kept
from sandbox.v3.asking import minutes
from sandbox.v3.contacts import everybody, texting
from sandbox.v3.profile import encoded_id
from sandbox.v3.reports import KINDS, by_activity, rows_of
from sandbox.world.world import World

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


KEYS: Final[dict[str, Keys]] = {
    "account": lambda world: [encoded_id(world)],
    "account_emails": lambda world: range(1, len(world.profile.emails) + 1),
    "lists": _lists,
    "custom_fields": lambda world: (each.uuid for each in world.groups.fields),
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
        for row in world.people.rows
        if world.groups.is_in(row, segment)
    ),
}
"""By stream."""
