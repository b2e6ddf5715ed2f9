"""Pages: the envelope, the link to the next page, and cutting a collection into pages."""

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from sandbox.v2.request import ApiRequest, write_token

_T = TypeVar("_T")


def envelope(rows: Iterable[bytes], link: str | None) -> bytes:
    """Wrap rows that are JSON already.

    Args:
        rows: One JSON text a row.
        link: Link to the next page; None for an empty `pagination` object.

    Returns:
        The body of a page.
    """
    pagination = b'"next_link":"%s"' % link.encode() if link else b""
    return b'{"meta":{"pagination":{%s}},"results":[%s]}' % (pagination, b",".join(rows))


def next_link(request: ApiRequest, position: int, lost: Iterable[str] = ()) -> str:
    """Return the link to a later page.

    It is relative to the host, contains no API key, and has one parameter `next`.

    Args:
        request: The request.
        position: Start of the later page.
        lost: Parameters that do not survive paging.

    Returns:
        A link such as `/v2/contacts?next=c3RhcnRBdD0yNiZsaW1pdD0yNQ`.
    """
    fields: dict[str, str | int] = {
        request.paging.position: position,
        request.paging.size: request.limit,
    }
    fields |= {name: value for name, value in request.given.items() if name not in lost}
    return f"{request.path}?next={write_token(fields)}"


def rows_sent(request: ApiRequest, *, more: bool) -> int:
    """Return the number of rows of a page: sometimes the API sends one too many.

    The extra row is the look-ahead row that shows that there is a next page. It is also
    the first row of that page.
    """
    return request.limit + 1 if more and request.faults.extra_row else request.limit


def page(request: ApiRequest, rows: Sequence[_T], encode: Callable[[_T], bytes]) -> bytes:
    """Cut one page out of a collection that is paged by position.

    Args:
        request: The request.
        rows: The whole collection, filtered and in order.
        encode: Turns a row into JSON.

    Returns:
        The body of the page.
    """
    begin = request.paging.index(request.position, request.limit)
    more = len(rows) > begin + request.limit
    link = (
        next_link(request, request.paging.after(request.position, request.limit)) if more else None
    )
    return envelope(map(encode, rows[begin : begin + rows_sent(request, more=more)]), link)
