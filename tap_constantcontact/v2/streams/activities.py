"""Bulk jobs: imports, exports, removals."""

from __future__ import annotations

from typing import TYPE_CHECKING

from typing_extensions import override

from tap_constantcontact.http import envelopes
from tap_constantcontact.stream import ConstantContactStream

if TYPE_CHECKING:
    from collections.abc import Iterable

    import requests
    from singer_sdk.helpers.types import Context, Record


class Activities(ConstantContactStream):
    """The last 50 jobs of the last 14 days (docs/api/v2.md §6).

    Everything that the API still lists is requested in each run: it is one request, and a job
    changes until it has ended. Only its detail has errors and warnings.
    """

    name = "activities"
    path = "/activities"
    envelope = envelopes.ARRAY
    primary_keys = ("id",)
    replication_key = "created_date"
    has_details = True
    sampled_pages = 1

    @override
    def needs_detail(self, row: Record, context: Context | None) -> bool:
        return bool(row.get("error_count"))

    @override
    def parse_response(self, response: requests.Response) -> Iterable[Record]:
        for row in self.client.with_string_ids(super().parse_response(response)):
            detail = None
            if self.needs_detail(row, self.context):
                detail = self.client.get_detail(self.detail_path(row), row["id"])
            yield {**row, **(detail or {})}

    @override
    def preprocess_record(self, row: Record, context: Context | None) -> Record | None:
        if "contacts_count" in row:  # The spelling of some responses.
            row.setdefault("contact_count", row.pop("contacts_count"))
        for field in ("errors", "warnings"):
            if isinstance(row.get(field), list):
                # Text in newer responses, objects in older ones.
                row[field] = [
                    each if isinstance(each, dict) else {"message": each}
                    for each in row[field]
                    if each is not None
                ]
        return row
