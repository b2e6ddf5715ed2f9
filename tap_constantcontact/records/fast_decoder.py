"""Fast decoding of pages that conform to their schema.

Nearly all pages of the large streams contain only fields of the schema, with values of the expected
type. Nothing in such a page has to be dropped or converted, except for timestamps. To find out, a
page is decoded into types compiled from the schema, which is faster than decoding it into dicts.
"""

from __future__ import annotations

from types import GenericAlias
from typing import TYPE_CHECKING, Any

import msgspec

from tap_constantcontact.http.envelopes import Page, holds_nul, next_link

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_constantcontact.http.envelopes import Envelope

_PLAIN: Mapping[str, Any] = {
    "string": str,
    "integer": int,
    "number": int | float,
    "boolean": bool,
}


class FastPageDecoder:
    """Decodes pages whose rows conform to a schema."""

    def __init__(self, schema: Mapping[str, Any], envelope: Envelope) -> None:
        """Compile a schema.

        Args:
            schema: JSON schema of a record.
            envelope: Envelope of the pages, with the names of the fields for rows and next link.
        """
        row = _type(schema, "Row")
        self._links = envelope.links
        page = msgspec.defstruct(
            "Page",
            [("rows", GenericAlias(list, row)), ("head", Any, None)],
            rename={"rows": envelope.rows or "", "head": envelope.head or ""},
            forbid_unknown_fields=True,
        )
        self._decoder = msgspec.json.Decoder(page)
        self._empty = row()

    def read(self, body: bytes) -> Page | None:
        """Decode a page; None if it does not conform or is not a page."""
        try:
            result: Any = self._decoder.decode(body)
            link = next_link(result.head, self._links)
        except (ValueError, RecursionError):
            return None
        if self._empty in result.rows or holds_nul(body):
            return None
        return Page(result.rows, link, as_dict=msgspec.to_builtins)


def _type(schema: Mapping[str, Any], name: str) -> Any:
    """Return the type of values that are never null."""
    kinds = schema.get("type", ())
    kinds = {kinds} if isinstance(kinds, str) else set(kinds)
    kinds.discard("null")
    if len(kinds) != 1:
        return Any
    (kind,) = kinds
    if kind == "array":
        return GenericAlias(list, _type(schema.get("items", {}), name))
    if kind != "object":
        return _PLAIN.get(kind, Any)
    if not schema.get("properties"):
        return dict[str, Any]
    fields = [
        (field, _type(each, f"{name}_{field}") | None | msgspec.UnsetType, msgspec.UNSET)
        for field, each in schema["properties"].items()
    ]
    return msgspec.defstruct(name, fields, forbid_unknown_fields=True, gc=False)
