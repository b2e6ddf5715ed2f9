"""Envelopes of v3: the rows are in a field of their own (docs/api/v3.md §1, §2.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_constantcontact.http import envelopes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tap_constantcontact.http.envelopes import Envelope


def paged(rows: str, *, cursor: str | None = None, total: str | None = None) -> Envelope:
    """Return the envelope of a page. Its next link may be missing in four ways.

    Args:
        rows: Field with the rows.
        cursor: Field with a cursor where there may be no link.
        total: Field with the number of records on all pages.
    """
    # In the contract, the link of tags is nested one level deeper than others.
    links: tuple[Sequence[str], ...] = (("next", "href"), ("next", "next", "href"))
    return envelopes.paged(rows, "_links", *links, cursor=cursor, total=total)
