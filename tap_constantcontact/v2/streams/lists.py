"""Contact lists."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from tap_constantcontact.http import envelopes
from tap_constantcontact.stream import ConstantContactStream

if TYPE_CHECKING:
    from collections.abc import Mapping


class Lists(ConstantContactStream):
    """All lists of the account, in one bare array (docs/api/v2.md §5).

    Full table although there is a filter: a list's `contact_count` changes without its
    `modified_date`, and all of them cost one call.
    """

    name = "lists"
    path = "/lists"
    envelope = envelopes.ARRAY
    primary_keys = ("id",)
    params: ClassVar[Mapping[str, str]] = {"include_list_id": "true"}
