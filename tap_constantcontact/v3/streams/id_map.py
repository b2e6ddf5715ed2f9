"""Ids of v2 and v3, for the migration (docs/api/v3.md §17)."""

from __future__ import annotations

import csv
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from typing_extensions import override

from tap_constantcontact.v3.batches import batched
from tap_constantcontact.v3.envelopes import paged
from tap_constantcontact.v3.stream import V3Stream

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from singer_sdk.helpers.types import Context, Record

    from tap_constantcontact.http.prefetch import RequestForecast


class _Kind(NamedTuple):
    """The lookup of ids of one kind.

    Attributes:
        asked_by: The parameter that takes the old ids, and the field that repeats them.
        most: How many a call takes.
        v3: The field that has the new id.
    """

    path: str
    asked_by: str
    named_by: str
    most: int
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


class IdMap(V3Stream):
    """The ids of a file, looked up; those that v3 does not know are left out.

    Nothing leads from v3 back to v2, so this has to be read while the old ids are at hand. The
    vendor means to take these calls away.
    """

    name = "id_map"
    path = "/contacts/contact_id_xrefs"
    envelope = paged("xrefs")
    privileges = ("contacts:read", "contacts:lists:read", "campaign:read")
    primary_keys = ("kind", "v2_id")

    @cached_property
    def _batches(self) -> Sequence[tuple[str, list[str]]]:
        """The ids of the file, by kind, as many at once as a call takes."""
        with Path(self.config["id_map_file"]).expanduser().open(newline="") as file:
            rows = [(row["kind"], row["id"]) for row in csv.DictReader(file)]
        return [
            (kind, batch)
            for kind, how in _KINDS.items()
            for batch in batched(_once(rows, kind), how.most)
        ]

    def _path_of(self, kind: str, ids: Sequence[str]) -> str:
        return f"{_KINDS[kind].path}?{_KINDS[kind].asked_by}={','.join(ids)}"

    @override
    def fetch_records(self, context: Context | None) -> Iterable[Record]:
        for kind, ids in self._batches:
            how = _KINDS[kind]
            # Old ids come back with leading zeros.
            asked = {int(id_): id_ for id_ in ids}
            for row in self.fetch_page(self._path_of(kind, ids), self.envelope):
                old = str(row.get(how.named_by))
                if old.isdecimal() and int(old) in asked:
                    activity = row.get("campaign_activity_id")
                    yield {
                        "kind": kind,
                        "v2_id": asked[int(old)],
                        "v3_id": row.get(how.v3),
                        "campaign_activity_id": activity,
                    }

    @override
    def forecast_requests(self) -> RequestForecast:
        if self.is_requested:
            for kind, ids in self._batches:
                yield self.prefetch_detail(self._path_of(kind, ids))

    @override
    def estimate(self) -> tuple[int, str]:
        ids = sum(len(each) for _, each in self._batches)
        return len(self._batches), f"{ids:,} ids"


def _once(rows: Iterable[tuple[str, str]], kind: str) -> list[str]:
    return list(dict.fromkeys(result for each, result in rows if each == kind))
