"""People (docs/api/v3.md §7)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from singer_sdk.exceptions import FatalAPIError
from typing_extensions import override

from tap_constantcontact.audit_stream import SyncAuditStream
from tap_constantcontact.contacts import ALL, ContactsStream
from tap_constantcontact.http import envelopes, retries
from tap_constantcontact.records import timestamps
from tap_constantcontact.v3.envelopes import paged

if TYPE_CHECKING:
    from collections.abc import Iterable

    from singer_sdk.helpers.types import Context, Record

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
    def fetch_records(self, context: Context | None) -> Iterable[Record]:
        reported = self._reported_count() if self._is_audited else None
        yield from super().fetch_records(context)
        if reported is not None:
            self.run.audit.compare(self.name, reported=reported, received=self._received)

    @property
    def _is_audited(self) -> bool:
        """True if the pass reads all contacts, from the first page, and the audit is selected."""
        is_complete = self.cursor.is_full and not self.cursor.next_link and not self.cursor.since
        return is_complete and SyncAuditStream.name in self.run.selected and self.selected

    def _reported_count(self) -> int | None:
        """Return the API's count of contacts (docs/api/v3.md §7); None if it has none."""
        try:
            with retries.raise_when_exhausted():
                counts = self.client.get(f"{self.path}/counts", envelopes.ONE)
        except FatalAPIError as error:
            if not (retries.concerns_one_object(error) or self.is_denied(error)):
                raise
            self.client.cancel_prefetch()
            return None  # Contacts are synced all the same.
        return envelopes.count_of(counts[0].get("total"))

    @override
    def request_records(self, context: Context | None) -> Iterable[Record]:
        self._received = 0
        return super().request_records(context)

    @override
    def preprocess_record(self, row: Record, context: Context | None) -> Record | None:
        # The API counts by permission to send emails.
        self._received += bool(row.get("email_address")) and not row.get("deleted_at")
        return super().preprocess_record(row, context)

    # Contacts of the current pass with an email address, without deleted ones.
    _received = 0

    @override
    def estimate_context(self, context: Context | None) -> tuple[int, str]:
        status = context["status"] if context else ALL
        path = self.list_path(context, limit=1, include_count="true")
        total = self.client.get_total(path, self.own_envelope)
        cursor = self.cursor
        if cursor.next_link and status == cursor.status:
            total = max(0, total - cursor.rows)
        requests = self.pages_of(total) + self._is_audited
        return requests, f"{total:,} contacts" if status == ALL else f"{total:,} opted out"
