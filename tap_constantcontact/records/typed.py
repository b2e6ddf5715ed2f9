"""Pages read at full speed, as long as the API keeps to its schemas.

Nearly all pages of the large streams hold just what the schema names, and each value is of its
kind. Of such pages nothing has to be pruned or converted, dates apart. To find that out, a page is
decoded into types made from the schema, which is less work than to decode it into anything at all.
"""

from __future__ import annotations

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


class TypedPages:
    """Reads pages whose rows are just as a schema says."""

    def __init__(self, schema: Mapping[str, Any], envelope: Envelope) -> None:
        """Compile a schema.

        Args:
            schema: JSON schema of a row.
            envelope: What pages look like: one that names the fields of its rows and next link.
        """
        row = _type(schema, "Row")
        self._links = envelope.links
        page = msgspec.defstruct(
            "Page",
            [("rows", list[row]), ("head", Any, None)],  # type: ignore[valid-type]
            rename={"rows": envelope.rows or "", "head": envelope.head or ""},
            forbid_unknown_fields=True,
        )
        self._decoder = msgspec.json.Decoder(page)
        self._empty = row()

    def read(self, body: bytes) -> Page | None:
        """Read a page; None if it is not of the schema, or no page: it takes care to tell."""
        try:
            found: Any = self._decoder.decode(body)
            link = next_link(found.head, self._links)
        except (ValueError, RecursionError):
            return None
        if self._empty in found.rows or holds_nul(body):
            return None
        return Page(found.rows, link, as_dict=msgspec.to_builtins)


def _type(schema: Mapping[str, Any], name: str) -> Any:
    """The type of values that are never null."""
    kinds = schema.get("type", ())
    kinds = {kinds} if isinstance(kinds, str) else set(kinds)
    kinds.discard("null")
    if len(kinds) != 1:
        return Any
    (kind,) = kinds
    if kind == "array":
        return list[_type(schema.get("items", {}), name)]  # type: ignore[misc]
    if kind != "object":
        return _PLAIN.get(kind, Any)
    if not schema.get("properties"):
        return dict[str, Any]
    fields = [
        (field, _type(each, f"{name}_{field}") | None | msgspec.UnsetType, msgspec.UNSET)
        for field, each in schema["properties"].items()
    ]
    return msgspec.defstruct(name, fields, forbid_unknown_fields=True, gc=False)
