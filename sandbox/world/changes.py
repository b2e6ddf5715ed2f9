"""Changes of an account that can be requested by name."""

from collections.abc import Callable
from typing import Final

from sandbox.world.world import World

CHANGES: Final[dict[str, Callable[[World, int], list[str]]]] = {
    "edit": World.edit_contacts,
    "unsubscribe": World.unsubscribe,
    "add": World.add_contacts,
    "remove": World.remove_contacts,
    "purge": World.purge_contacts,
    "rename_lists": World.rename_lists,
    "add_lists": World.add_lists,
    "remove_lists": World.remove_lists,
    "add_tags": World.add_tags,
    "edit_segments": World.edit_segments,
    "add_activities": World.add_activities,
    "finish_activities": World.finish_activities,
    "add_campaigns": World.add_campaigns,
    "send_campaigns": World.send_campaigns,
    "send_scheduled": World.send_scheduled,
    "resend_campaigns": World.resend_campaigns,
    "edit_campaigns": World.edit_campaigns,
    "delete_campaigns": World.delete_campaigns,
    "add_tracking": World.add_tracking,
    "edit_automations": World.edit_automations,
    "add_events": World.add_events,
    "edit_events": World.edit_events,
    "add_registrants": World.add_registrants,
    "edit_registrants": World.edit_registrants,
    "edit_v3_events": World.edit_v3_events,
    "add_registrations": World.add_registrations,
    "add_folders": World.add_folders,
    "add_files": World.add_files,
    "trash_files": World.trash_files,
}
"""Changes that can be requested, with their number."""
