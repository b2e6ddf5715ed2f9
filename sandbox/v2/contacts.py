"""Contacts, as `/contacts` and `/lists/{list_id}/contacts` show them."""

from bisect import bisect_left
from collections.abc import Callable, Iterable
from itertools import islice
from operator import attrgetter
from typing import TYPE_CHECKING, Final

from sandbox.checks import one_of
from sandbox.v2.paging import envelope, next_link, rows_sent
from sandbox.world.contacts import Contact

if TYPE_CHECKING:
    from sandbox.v2.request import ApiRequest
    from sandbox.world.world import World

STATUS_FILTER: Final = one_of("ALL", "ACTIVE", "UNCONFIRMED", "OPTOUT", "REMOVED")
"""Statuses of the filter. Contacts with other statuses are returned for `ALL` only."""

LOST_FILTERS: Final = ("modified_since", "status")
"""Parameters that later pages of contacts may ignore."""


def _filter(request: "ApiRequest", list_id: str | None) -> Callable[[Contact], bool] | None:
    """Return the filter of a request; None if it has none."""
    since = request.since("modified_since")
    status = request.text("status", "ALL")
    if since is None and status == "ALL":
        return None if list_id is None else lambda row: list_id in row.lists
    return lambda row: (
        (since is None or row.modified >= since)
        and status in ("ALL", row.status)
        and (list_id is None or list_id in row.lists)
    )


def _page(world: "World", request: "ApiRequest", list_id: str | None = None) -> bytes:
    """Cut a page by id: it begins with the contact that the token names.

    So contacts that are added or removed meanwhile shift nothing.
    """
    rows = world.contacts.rows
    begin = bisect_left(rows, request.position, key=attrgetter("number"))
    wanted = _filter(request, list_id)
    if wanted is None:
        found = rows[begin : begin + request.limit + 1]
    else:
        found = list(islice(filter(wanted, islice(rows, begin, None)), request.limit + 1))
    more = len(found) > request.limit
    link = None
    if more:
        lost = LOST_FILTERS if request.faults.lose_filter else ()
        link = next_link(request, found[request.limit].number, lost)
    return envelope(_as_sent(request, found[: rows_sent(request, more=more)]), link)


def _as_sent(request: "ApiRequest", rows: Iterable[Contact]) -> list[bytes]:
    if request.flag("include_contact_id"):
        return [row.v3 + row.body for row in rows]
    return [b"{" + row.body for row in rows]


def all_contacts(world: "World", request: "ApiRequest") -> bytes:
    """Respond to `/contacts`: by id, including removed ones unless a status is requested."""
    email = request.text("email", "")
    if not email:
        return _page(world, request)
    found = world.contacts.by_email.get(email.lower())
    wanted = _filter(request, None)
    if found is None or (wanted is not None and not wanted(found)):
        return envelope([], None)
    return envelope(_as_sent(request, [found]), None)


def contacts_of_list(world: "World", request: "ApiRequest") -> bytes:
    """Respond to `/lists/{list_id}/contacts`."""
    return _page(world, request, request.find(world.contact_lists.by_id, "list_id").id)


def one_contact(world: "World", request: "ApiRequest") -> bytes:
    """Respond to `/contacts/{contact_id}`."""
    return b"{" + request.find(world.contacts.by_id, "contact_id").body
