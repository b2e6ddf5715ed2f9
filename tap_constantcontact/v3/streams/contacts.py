"""People (docs/api/v3.md §7)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from typing_extensions import override

from tap_constantcontact.contacts import ALL, ContactsStream
from tap_constantcontact.records import timestamps
from tap_constantcontact.v3.envelopes import paged

if TYPE_CHECKING:
    from singer_sdk.helpers.types import Context

INCLUDES = "custom_fields,list_memberships,phone_numbers,street_addresses,taggings,notes"


class Contacts(ContactsStream):
    """Contacts in every status, deleted ones too, with all that belongs to them.

    Pages are numbered, the newest contact first, so that a set that changes while it is paged
    shifts: rows come twice, or never. What is read whole is therefore asked for as of the run's
    beginning, since nothing enters or leaves that set. To one of what has changed since, rows only
    come. An unsubscribe moves no date of the contact's: it has a filter, and a pass, of its own.
    """

    path = "/contacts"
    envelope = paged("contacts", total="contacts_count")
    privileges = ("contacts:read",)
    primary_keys = ("contact_id",)
    replication_key = "updated_at"

    @override
    def get_url_params(
        self, context: Context | None, next_page_token: str | None
    ) -> dict[str, Any]:
        status = context["status"] if context else ALL
        params = {"status": "all", "include": INCLUDES}
        if self.cursor.is_full:
            params["created_before"] = timestamps.write(self.signpost)
        if since := self.cursor.since:
            name = "updated_after" if status == ALL else "optout_after"
            params[name] = timestamps.write(since)
        return params

    @override
    def estimate_context(self, context: Context | None) -> tuple[int, str]:
        status = context["status"] if context else ALL
        path = self.list_path(context, limit=1, include_count="true")
        total = self.client.get_total(path, self.own_envelope)
        cursor = self.cursor
        if cursor.next_link and status == cursor.status:
            total = max(0, total - cursor.rows)
        return self.pages_of(
            total
        ), f"{total:,} contacts" if status == ALL else f"{total:,} opted out"
