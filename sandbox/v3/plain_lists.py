"""Lists of v3 without filters, each declared once: its path, its records and their keys."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from sandbox.v3.request import WHOLE, ApiRequest, Limit, by_key, seconds
from sandbox.world import timestamps
from sandbox.world.groups import CustomField
from sandbox.world.world import World


@dataclass(frozen=True)
class PlainList:
    """A list.

    Attributes:
        stream: Name of the stream of its records.
        path: Its path below `/v3`.
        field: Field of the response with the records.
        key: Field that identifies a record.
        records: Returns all records of an account, in the order of the list.
        scope: OAuth scope that the token needs.
        privilege: Privilege that the user needs.
        limit: Default and largest page size.
    """

    stream: str
    path: str
    field: str
    key: str
    records: Callable[[World], Sequence[dict[str, Any]]]
    scope: str
    privilege: str
    limit: Limit = WHOLE

    def respond(self, world: World, request: ApiRequest) -> bytes:
        """Return a page."""
        records, encode = self.records(world), msgspec.json.encode
        return by_key(request, self.field, records, lambda row: str(row[self.key]), encode)

    def keys(self, world: World) -> Iterator[Any]:
        """Return the keys of all records."""
        return (record[self.key] for record in self.records(world))


def _custom_fields(world: World) -> list[dict[str, Any]]:
    newest_first = sorted(world.groups.fields, key=lambda field: field.created, reverse=True)
    return [_custom_field(field) for field in newest_first]


def _custom_field(field: CustomField) -> dict[str, Any]:
    row: dict[str, Any] = {
        "custom_field_id": field.uuid,
        "label": field.label,
        "name": field.label.lower().replace(" ", "_"),
        "type": field.kind,
        "version": 1,
        "created_at": seconds(field.created),
        "updated_at": seconds(field.modified),
    }
    if field.kind == "number":
        row["metadata"] = {"allow_negative": False, "decimal_places": 0, "integer": True}
    if field.choices:
        row["metadata"] = {"display_type": "dropdown"}
        row["choices"] = [
            {
                "custom_field_id": field.uuid,
                "choice_id": number,
                "choice_label": label,
                "display_order": number,
                "created_at": timestamps.text(field.created),
                "updated_at": timestamps.text(field.created),
            }
            for number, label in enumerate(field.choices, start=1)
        ]
    return row


PLAIN_LISTS: Final = (
    PlainList(
        stream="custom_fields",
        path="/contact_custom_fields",
        field="custom_fields",
        key="custom_field_id",
        records=_custom_fields,
        scope="contact_data",
        privilege="contacts:read",
        limit=Limit(50, 100),
    ),
)
