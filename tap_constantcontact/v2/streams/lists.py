"""Contact lists."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from typing_extensions import override

from tap_constantcontact.http import envelopes
from tap_constantcontact.stream import ConstantContactStream

if TYPE_CHECKING:
    from singer_sdk.helpers.types import Context


class Lists(ConstantContactStream):
    """All lists of the account, in one bare array (docs/api/v2.md §5).

    Full table although there is a filter: a list's `contact_count` changes without its
    `modified_date`, and all of them cost one call.
    """

    name = "lists"
    path = "/lists"
    envelope = envelopes.ARRAY
    primary_keys = ("id",)

    @override
    def get_url_params(
        self, context: Context | None, next_page_token: str | None
    ) -> dict[str, Any]:
        return {"include_list_id": "true"}
