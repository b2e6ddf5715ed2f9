"""Pages: the envelope, the link to the next page, and cutting a collection into pages."""

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from sandbox.v2.asking import Ask, write_token

_T = TypeVar("_T")


def envelope(rows: Iterable[bytes], link: str | None) -> bytes:
    """Wrap rows that are JSON already.

    Args:
        rows: One JSON text a row.
        link: Where the next page is; without one the API sends an empty `pagination` object.

    Returns:
        The body of a page.
    """
    pagination = b'"next_link":"%s"' % link.encode() if link else b""
    return b'{"meta":{"pagination":{%s}},"results":[%s]}' % (pagination, b",".join(rows))


def next_link(ask: Ask, position: int, lost: Iterable[str] = ()) -> str:
    """Write the link to a later page.

    It is relative to the host, holds no API key, and says all in its one parameter `next`.

    Args:
        ask: The call being answered.
        position: Where the later page begins.
        lost: Parameters that do not survive paging.

    Returns:
        A link such as `/v2/contacts?next=c3RhcnRBdD0yNiZsaW1pdD0yNQ`.
    """
    fields: dict[str, str | int] = {ask.paging.position: position, ask.paging.size: ask.limit}
    fields |= {name: value for name, value in ask.given.items() if name not in lost}
    return f"{ask.path}?next={write_token(fields)}"


def rows_sent(ask: Ask, *, more: bool) -> int:
    """Say how many rows this page holds: now and then the API sends one too many.

    The extra row is the look-ahead row that shows that there is a next page. It comes again as
    the first row of that page.
    """
    return ask.limit + 1 if more and ask.trouble.extra_row else ask.limit


def page(ask: Ask, rows: Sequence[_T], encode: Callable[[_T], bytes]) -> bytes:
    """Cut one page out of a collection that is paged by position.

    Args:
        ask: The call being answered.
        rows: The whole collection, filtered and in order.
        encode: Turns a row into JSON.

    Returns:
        The body of the page.
    """
    begin = ask.paging.index(ask.position, ask.limit)
    more = len(rows) > begin + ask.limit
    link = next_link(ask, ask.paging.after(ask.position, ask.limit)) if more else None
    return envelope(map(encode, rows[begin : begin + rows_sent(ask, more=more)]), link)
