"""Ids of v2 and v3, for the migration (docs/api/v3.md §17)."""

from __future__ import annotations

import csv
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from typing_extensions import override

from tap_constantcontact.stream import ConstantContactStream
from tap_constantcontact.v3.batches import batched
from tap_constantcontact.v3.envelopes import paged

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from singer_sdk.helpers.types import Context, Record


class _Kind(NamedTuple):
    """The lookup of ids of one kind.

    Attributes:
        path: Its path.
        parameter: The parameter with the old ids.
        id_field: The field with the old id.
        max_ids: Number of ids that a request takes.
        v3: The field with the new id.
    """

    path: str
    parameter: str
    id_field: str
    max_ids: int
    v3: str


_KINDS = {
    "contact": _Kind(
        "/contacts/contact_id_xrefs", "sequence_ids", "sequence_id", 500, "contact_id"
    ),
    "list": _Kind("/contact_lists/list_id_xrefs", "sequence_ids", "sequence_id", 500, "list_id"),
    "campaign": _Kind(
        "/emails/campaign_id_xrefs",
        "v2_email_campaign_ids",
        "v2_email_campaign_id",
        50,
        "campaign_id",
    ),
}


class IdMap(ConstantContactStream):
    """The ids of a file, looked up; those that v3 does not know are left out.

    Nothing leads from v3 back to v2, so this has to be read while the old ids are at hand. The
    vendor means to take these calls away.
    """

    name = "id_map"
    path = "/contacts/contact_id_xrefs"
    envelope = paged("xrefs")
    privileges = ("contacts:read", "contacts:lists:read", "campaign:read")
    primary_keys = ("kind", "v2_id")
    state_partitioning_keys = ()
    context_label = "batches of ids"

    @cached_property
    def _batches(self) -> Sequence[tuple[str, list[str]]]:
        """The ids of the file, by kind, as many at once as a request takes."""
        with Path(self.config["id_map_file"]).expanduser().open(newline="") as file:
            rows = [(row["kind"], row["id"]) for row in csv.DictReader(file)]
        return [
            (kind, batch)
            for kind, lookup in _KINDS.items()
            for batch in batched(_once(rows, kind), lookup.max_ids)
        ]

    @property
    @override
    def fields(self) -> frozenset[str]:
        """Fields of the API's objects, which the records do not have."""
        return frozenset(lookup.id_field for lookup in _KINDS.values())

    @property
    @override
    def partitions(self) -> list[dict[str, Any]]:
        """The batches of ids."""
        return [{"kind": kind, "ids": ids} for kind, ids in self._batches]

    @override
    def get_url(self, context: Context | None) -> str:
        lookup = _KINDS[context["kind"]] if context else _KINDS["contact"]
        ids = ",".join(context["ids"]) if context else ""
        return f"{self.url_base}{lookup.path}?{lookup.parameter}={ids}"

    @override
    def preprocess_record(self, row: Record, context: Context | None) -> Record | None:
        context = context or {}
        lookup = _KINDS[context["kind"]]
        # The API returns old ids with leading zeros.
        requested = {int(each): each for each in context["ids"]}
        old_id = str(row.get(lookup.id_field))
        if not old_id.isdecimal() or int(old_id) not in requested:
            return None
        return {
            "kind": context["kind"],
            "v2_id": requested[int(old_id)],
            "v3_id": row.get(lookup.v3),
            "campaign_activity_id": row.get("campaign_activity_id"),
        }


def _once(rows: Iterable[tuple[str, str]], kind: str) -> list[str]:
    return list(dict.fromkeys(result for each, result in rows if each == kind))
