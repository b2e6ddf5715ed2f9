"""Lists, the account's own fields, tags and segments (docs/api/v3.md §8)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from typing_extensions import override

from tap_constantcontact.partitioned import PartitionedStream
from tap_constantcontact.stream import ConstantContactStream
from tap_constantcontact.v3.detail_on_change import DetailOnChangeStream
from tap_constantcontact.v3.envelopes import paged

if TYPE_CHECKING:
    from collections.abc import Mapping

    from singer_sdk.helpers.types import Context, Record


class Lists(ConstantContactStream):
    """All lists, deleted ones and those of text messages too, with how many are on them."""

    name = "lists"
    path = "/contact_lists"
    envelope = paged("lists", total="lists_count")
    privileges = ("contacts:lists:read",)
    primary_keys = ("list_id",)
    state_partitioning_keys = ()
    page_size = 1000
    # Lists of text messages come only if they are asked for.
    partitions: ClassVar[list[dict[str, str]]] = [
        {"channel_type": "email"},
        {"channel_type": "sms"},
    ]

    @override
    def get_url_params(
        self, context: Context | None, next_page_token: str | None
    ) -> dict[str, str]:
        return {"status": "all", "include_membership_count": "all", **(context or {})}

    @override
    def preprocess_record(self, row: Record, context: Context | None) -> Record | None:
        return {**row, **(context or {})}


class CustomFields(ConstantContactStream):
    """The fields that the account has defined; one that is deleted leaves no trace."""

    name = "custom_fields"
    path = "/contact_custom_fields"
    envelope = paged("custom_fields")
    privileges = ("contacts:read",)
    primary_keys = ("custom_field_id",)
    page_size = 100


class Tags(ConstantContactStream):
    """The account's tags, with how many contacts have them."""

    name = "tags"
    path = "/contact_tags"
    envelope = paged("tags", total="tags_count")
    privileges = ("contacts:read",)
    primary_keys = ("tag_id",)
    page_size = 500
    params: ClassVar[Mapping[str, str]] = {"include_count": "true"}


class Segments(DetailOnChangeStream):
    """Saved questions about contacts; the question itself takes a call where it was edited."""

    name = "segments"
    path = "/segments"
    envelope = paged("segments")
    privileges = ("contacts:lists:read",)
    primary_keys = ("segment_id",)
    replication_key = "edited_at"
    page_size = 1000
    listed = ("segment_id", "name", "created_at", "edited_at")


class SegmentMembers(PartitionedStream):
    """Contacts of segments.

    A segment that is still being worked out is asked for again after a while.
    """

    name = "segment_members"
    path = "/contacts"
    envelope = paged("contacts")
    privileges = ("contacts:read", "contacts:lists:read")
    primary_keys = ("segment_id", "contact_id")
    page_size = 500
    context_label = "segments"
    parents_path = Segments.path
    parents_stream = Segments.name
    parents_envelope = Segments.envelope
    parents_page_size = Segments.page_size
    parent_id_field = "segment_id"
    parent_field = "segment_id"

    @override
    def get_url_params(
        self, context: Context | None, next_page_token: str | None
    ) -> dict[str, Any]:
        # The API rejects further parameters.
        return {"segment_id": context["segment_id"]} if context else {}

    @override
    def preprocess_record(self, row: Record, context: Context | None) -> Record | None:
        return {key: row.get(key) for key in self.api_keys}
