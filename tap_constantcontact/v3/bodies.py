"""The envelopes of v3: the rows stand under a key of their own (API docs: v3 §1, §2.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_constantcontact.http import bodies

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tap_constantcontact.http.bodies import Envelope


def paged(rows: str, *others: Sequence[str]) -> Envelope:
    """A page with its rows under a key, and a next link that may be missing in four ways.

    Args:
        rows: The key.
        others: Where else in `_links` the next one may stand.
    """
    return bodies.paged(rows, "_links", ("next", "href"), *others)
