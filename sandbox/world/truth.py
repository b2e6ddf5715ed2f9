"""The truth, which no API returns: habits, actions of machines, and the history of lists."""

from typing import Any

from sandbox.world import timestamps
from sandbox.world.world import World


def truth(world: World) -> dict[str, Any]:
    """Return the habits of contacts, and what happened, with the ids of both APIs."""
    contacts = world.contacts
    return {
        "contacts": [
            {
                "id": row.id,
                "contact_id": row.uuid,
                "habit": row.recipient.habit.name,
                "machine": row.recipient.machine,
            }
            for row in contacts.rows
        ],
        "by_machine": [
            {
                "campaign": campaign.id,
                "campaign_activity_id": campaign.activity_uuid,
                "report": report,
                "id": hit.contact_id,
                "contact_id": contacts.uuids[hit.contact_id],
                "at": timestamps.text(hit.at),
            }
            for campaign in world.campaigns.tracked()
            for report, hit in sorted(world.tracking.of(campaign).by_machine)
        ],
        "membership_changes": [
            change._asdict() | {"at": timestamps.text(change.at)}
            for change in contacts.membership_changes
        ],
    }
