"""People."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from tap_constantcontact.contacts import ALL, OPTED_OUT, ContactsStream
from tap_constantcontact.estimate import PAGE
from tap_constantcontact.http import envelopes
from tap_constantcontact.records import timestamps
from tap_constantcontact.v2.streams.lists import Lists

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable

    from singer_sdk.helpers.types import Context, Record


# Changes that fit into so many pages are counted, not estimated.
_PAGES_ASKED = 3


class Contacts(ContactsStream):
    """Contacts in every status, with the lists they are on (docs/api/v2.md §4).

    Nobody documents that an unsubscribe moves `modified_date`, and there is no filter for those
    unsubscribed contacts: all are scanned, and those newer than the bookmark are emitted.
    """

    path = "/contacts"
    primary_keys = ("id",)
    replication_key = "modified_date"

    @override
    def get_url_params(
        self, context: Context | None, next_page_token: str | None
    ) -> dict[str, Any]:
        status, since = self._pass_of(context)
        params = {"status": status, "include_contact_id": "true"}
        if status == ALL and since:
            params["modified_since"] = timestamps.write(since)
        return params

    def _pass_of(self, context: Context | None) -> tuple[str, dt.datetime | None]:
        """Return the status and the oldest change of a pass, or of a sample of all contacts."""
        context = context or {"status": ALL}
        return context["status"], context.get("since", self.cursor.since)

    # -- estimate ------------------------------------------------------------------------------

    @override
    def estimate_context(self, context: Context | None) -> tuple[int, str]:
        cursor = self.cursor
        status, since = self._pass_of(context)
        if cursor.next_link:
            if status != cursor.status:
                return 0, ""
            left = max(0, self._total - cursor.rows)
            return self.pages_of(left), f"about {left:,} remaining from an interrupted run"
        if status == OPTED_OUT:
            opted_out = self._share(lambda row: row.get("status") == OPTED_OUT) * self._total
            return self.pages_of(opted_out), f"about {opted_out:,.0f} opted out"
        if since is None:
            return self.pages_of(self._total), f"about {self._total:,} contacts"
        rows, pages = self.sample_records(context, _PAGES_ASKED)
        if pages is not None:
            return pages, f"{len(rows):,} have changed"
        changed = self._total * self._share(
            lambda row: timestamps.is_since(row.get("modified_date"), since)
        )
        requests = max(_PAGES_ASKED + 1, self.pages_of(changed))
        return requests, f"about {changed:,.0f} have changed"

    @cached_property
    def _sample(self) -> list[Record]:
        """Some contacts, changed or not."""
        rows, _ = self.sample_records({"status": ALL, "since": None})
        return rows

    @cached_property
    def _total(self) -> int:
        """Estimate the number of contacts from the counts of the lists."""
        if len(self._sample) < PAGE:
            return len(self._sample)
        lists = self.client.get(Lists.path, Lists.envelope)
        counted = sum(row.get("contact_count") or 0 for row in lists)
        on_lists = sum(len(row.get("lists") or ()) for row in self._sample)
        return round(counted * len(self._sample) / on_lists) if on_lists else len(self._sample)

    def _share(self, is_counted: Callable[[Record], bool]) -> float:
        return sum(map(is_counted, self._sample)) / max(len(self._sample), 1)

    # -- records -------------------------------------------------------------------------------

    @override
    def preprocess_record(self, row: Record, context: Context | None) -> Record | None:
        status, since = self._pass_of(context)
        return row if since is None or _is_wanted(row, since, status) else None


def _is_wanted(row: Record, since: dt.datetime, status: str) -> bool:
    # Filtered again here: the filter may get lost after the first page (docs/api/v2.md §2.3).
    has_changed = timestamps.is_since(row.get("modified_date"), since)
    if status == ALL:
        return has_changed
    # What has changed was in the first pass already.
    return not has_changed and any(
        timestamp >= since
        for email in envelopes.objects(row.get("email_addresses"))
        if (timestamp := timestamps.parse_or_none(email.get("opt_out_date")))
    )
