"""The envelopes of v3: the rows stand under a key of their own (API docs: v3 §1, §2.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_constantcontact.http import envelopes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tap_constantcontact.http.envelopes import Envelope


def paged(rows: str, *, cursor: str | None = None, total: str | None = None) -> Envelope:
    """A page with its rows under a key, and a next link that may be missing in four ways.

    Args:
        rows: The key.
        cursor: The field that holds a cursor where there may be no link.
        total: The field that holds the number of records on all pages.
    """
    # The contract nests the link of tags once more than that of others.
    links: tuple[Sequence[str], ...] = (("next", "href"), ("next", "next", "href"))
    return envelopes.paged(rows, "_links", *links, cursor=cursor, total=total)
