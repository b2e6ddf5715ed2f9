"""People (docs/api/v3.md §7)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from typing_extensions import override

from tap_constantcontact.contacts import ALL, ContactsStream
from tap_constantcontact.http import envelopes
from tap_constantcontact.records import timestamps
from tap_constantcontact.v3.envelopes import paged
from tap_constantcontact.v3.stream import V3Stream

if TYPE_CHECKING:
    from singer_sdk.helpers.types import Context

INCLUDES = "custom_fields,list_memberships,phone_numbers,street_addresses,taggings,notes"


class Contacts(V3Stream, ContactsStream):
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
        if self.since:
            name = "updated_after" if status == ALL else "optout_after"
            params[name] = timestamps.write(self.since)
        return params

    # -- what it will cost ------------------------------------------------------------------

    @override
    def estimate(self) -> tuple[int, str]:
        sync_pass = self.cursor
        self.since = sync_pass.since
        there_are = [self._how_many({"status": status}) for status in sync_pass.statuses]
        if sync_pass.next_link:
            there_are[0] = max(0, there_are[0] - sync_pass.rows)
        note = f"{sum(there_are):,} of them"
        calls = sum(map(self.pages_of, there_are))
        return calls, note + (", all" if sync_pass.is_full else "")

    def _how_many(self, context: Context) -> int:
        """Request the number of contacts in a pass."""
        params = self.get_url_params(context, None)
        request = self.build_prepared_request(
            method="GET",
            url=self.get_url(context),
            params={**params, "limit": 1, "include_count": "true"},
            headers=self.http_headers,
        )
        with self.pages.expecting(self.own_envelope):
            response = self.send(request)
        return envelopes.count_of(envelopes.decode(response.content).get("contacts_count")) or 0
