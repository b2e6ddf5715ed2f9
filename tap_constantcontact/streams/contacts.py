"""People."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from typing_extensions import override

from tap_constantcontact.api import times
from tap_constantcontact.client import ConstantContactStream

if TYPE_CHECKING:
    import datetime as dt

    from singer_sdk.helpers.types import Context, Record


class Contacts(ConstantContactStream):
    """Contacts in every status, with the lists they are on (API docs: Contacts collection).

    Nobody documents that an unsubscribe moves `modified_date`. So a run that starts at a bookmark
    also passes over all opt-outs and takes those that are newer than the bookmark.
    """

    name = "contacts"
    path = "/contacts"
    primary_keys = ("id",)
    replication_key = "modified_date"
    # One bookmark for both passes.
    state_partitioning_keys = ()
    page_size = 500
    shapes_pages = True

    @property
    @override
    def partitions(self) -> list[dict[str, str]]:
        """The passes of a run."""
        return [{"status": status} for status in (("ALL", "OPTOUT") if self.bookmark else ("ALL",))]

    @override
    def get_url_params(
        self, context: Context | None, next_page_token: str | None
    ) -> dict[str, Any]:
        status = context["status"] if context else "ALL"
        params = {"status": status, "include_contact_id": "true"}
        if status == "ALL" and self.since:
            params["modified_since"] = times.write(self.since)
        return params

    @override
    def adapt(self, row: Record, context: Context | None) -> Record | None:
        return row if self.since is None or self._is_wanted(row, self.since, context) else None

    def _is_wanted(self, row: Record, since: dt.datetime, context: Context | None) -> bool:
        # Asked for again here: the filter may get lost after the first page (Pagination).
        modified = times.parse_or_none(row.get("modified_date"))
        changed = modified is None or modified >= since
        if context is None or context["status"] == "ALL":
            return changed
        # What has changed was in the first pass already.
        return not changed and any(
            moment >= since
            for email in row.get("email_addresses") or ()
            if (moment := times.parse_or_none(email.get("opt_out_date")))
        )
