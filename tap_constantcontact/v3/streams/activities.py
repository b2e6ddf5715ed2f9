"""Bulk jobs: imports, exports, removals (docs/api/v3.md §9)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from typing_extensions import override

from tap_constantcontact.stream import ConstantContactStream
from tap_constantcontact.v3.envelopes import paged

if TYPE_CHECKING:
    from singer_sdk.helpers.types import Context, Record


class Activities(ConstantContactStream):
    """The jobs of the last ten days: all that the API still shows is read each time."""

    name = "activities"
    path = "/activities"
    envelope = paged("activities")
    # Reading them takes the right to write.
    privileges = ("contacts:write",)
    primary_keys = ("activity_id",)
    page_size = 500

    @override
    def preprocess_record(self, row: Record, context: Context | None) -> Record | None:
        links = row.get("_links")
        if not isinstance(links, dict):
            return row
        # In a list, `self` is the last row's of the page.
        return {**row, "_links": {name: link for name, link in links.items() if name != "self"}}
