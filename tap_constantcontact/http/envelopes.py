"""Envelopes of response bodies.

Each endpoint has one envelope, and nothing else passes for data: what looks like an empty page may
be an error, and its records would be lost silently.
"""

from __future__ import annotations

import functools
import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlencode

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

#: Fields of an error, whatever the status (docs/api/v2.md §2.6).
_ERROR_FIELDS = frozenset({"error_key", "error_message", "fault"})


class Page(NamedTuple):
    """One page of a response.

    Attributes:
        rows: Its objects.
        next_link: Link to the next page; None on the last one.
        left_out: Number of nulls in place of objects.
        total: Number of records on all pages; None if the response does not contain it.
        as_dict: Converts a row whose values are valid, except for the format of dates, to a dict;
            None if the rows are dicts with any values.
    """

    rows: list[Any]
    next_link: str | None = None
    left_out: int = 0
    total: int | None = None
    as_dict: Callable[[Any], dict[str, Any]] | None = None


@dataclass(frozen=True)
class Envelope:
    """The structure of a response body.

    Attributes:
        open: Returns the page of a decoded body; raises `InvalidResponseError` for another
            envelope.
        rows: Field with the rows; None if there is none.
        head: Field that contains the next link; None if there is none.
        links: Paths of fields from there to the link: the usual one, and others that were observed.
        cursor: Field with a cursor instead of a link; None if there is none.
    """

    open: Callable[[Any], Page]
    rows: str | None = None
    head: str | None = None
    links: Sequence[Sequence[str]] = ()
    cursor: str | None = None


class InvalidResponseError(ValueError):
    """A response that is not valid, although its status is a success."""


class ErrorBodyError(InvalidResponseError):
    """A response that contains an error, although its status is a success."""


def paged(
    rows: str,
    head: str,
    *links: Sequence[str],
    cursor: str | None = None,
    total: str | None = None,
) -> Envelope:
    """Return the envelope of an object with rows and a next link.

    Args:
        rows: Field with the rows.
        head: Field that contains the next link.
        links: Paths of fields from there to the link.
        cursor: Field with the value of the parameter `next` for the next page, where there may be
            no link.
        total: Field with the number of records on all pages.
    """

    def read(body: Any) -> Page:
        if not isinstance(body, dict) or rows not in body:
            raise _broken(body, "is not a page")
        if _is_error(body):
            raise ErrorBodyError
        link = next_link(body.get(head), links) or _cursor_link(body.get(cursor or ""))
        page = _page_of(body[rows], link)
        return page._replace(total=count_of(body.get(total or "")))

    return Envelope(read, rows, head, links, cursor)


def _cursor_link(cursor: Any) -> str | None:
    """Return a link to the next page that contains only the parameter for a cursor."""
    if cursor is None or cursor == "":
        return None
    if not isinstance(cursor, (str, int)) or isinstance(cursor, bool):
        msg = "has a cursor that is not text"
        raise InvalidResponseError(msg)
    return f"?{urlencode({'next': cursor})}"


def _array(body: Any) -> Page:
    """Read a bare array."""
    if not isinstance(body, list):
        raise _broken(body, "is not an array")
    return _page_of(body)


def _one(body: Any) -> Page:
    """Read a bare object."""
    if not isinstance(body, dict):
        raise _broken(body, "is not an object")
    return _page_of([body])


def of(thing_id: str, key: str = "id") -> Envelope:
    """Return the envelope of a bare object with a certain id."""

    def read(body: Any) -> Page:
        page = _one(body)
        if id_of(page.rows[0].get(key)) != thing_id:
            msg = "has another id than requested"
            raise InvalidResponseError(msg)
        return page

    return Envelope(read)


def _one_or_array(body: Any) -> Page:
    """Read one object, bare or in an array, as in the library's usage."""
    return _one(body[0] if isinstance(body, list) and len(body) == 1 else body)


ARRAY = Envelope(_array)
ONE = Envelope(_one)
ONE_OR_ARRAY = Envelope(_one_or_array)


def next_link(value: Any, paths: Sequence[Sequence[str]]) -> str | None:
    """Return the link to the next page; None on the last page.

    Raises:
        InvalidResponseError: If its place holds something else.
    """
    return next(filter(None, (_at_end_of(path, value) for path in paths)), None)


def _at_end_of(path: Sequence[str], value: Any) -> str | None:
    for name in path:
        if value is None:
            return None
        if not isinstance(value, dict):
            msg = "has an invalid next link"
            raise InvalidResponseError(msg)
        value = value.get(name)
    if value is not None and not isinstance(value, str):
        msg = "has a next link that is not text"
        raise InvalidResponseError(msg)
    return value or None


def is_cursor(link: str) -> bool:
    """Return whether a next link is only a parameter to add to the first request."""
    return link.startswith("?")


def link_of(body: bytes, envelope: Envelope) -> str | None:
    """Return the next link of a page whose rows are not needed; None if there is none."""
    try:
        if not envelope.head:
            return None
        result = _head(envelope.head, envelope.cursor).decode(body)
        return next_link(result.head, envelope.links) or _cursor_link(result.cursor)
    except (ValueError, RecursionError):
        return None


@functools.cache
def _head(name: str, cursor: str | None) -> msgspec.json.Decoder[Any]:
    fields = {"head": name, "cursor": cursor or "there is no cursor"}
    page = msgspec.defstruct("Page", [(field, Any, None) for field in fields], rename=fields)
    return msgspec.json.Decoder(page)


def objects(value: Any) -> list[dict[str, Any]]:
    """Return the objects in an array; other values are skipped."""
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def fields_of(value: Any) -> dict[str, Any]:
    """Return the fields of an object; none for any other value."""
    return value if isinstance(value, dict) else {}


# Digits of a 64-bit number.
_MAX_DIGITS = 18


def count_of(value: Any) -> int | None:
    """Return a count, which may be text; None for any other value."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        return None
    text = str(value).removesuffix(".0")
    return int(text) if text.isdecimal() and len(text) <= _MAX_DIGITS else None


def id_of(value: Any) -> str | None:
    """Return an id as text, whatever kind of scalar it is; None for any other value."""
    is_scalar = isinstance(value, (str, int, float)) and not isinstance(value, bool)
    return str(value) or None if is_scalar else None


def with_string_ids(
    rows: Iterable[dict[str, Any]], missing: Callable[[], object], key: str = "id"
) -> Iterator[dict[str, Any]]:
    """Yield objects with their ids as text.

    Objects without an id are skipped, and `missing` is called.
    """
    for row in rows:
        if (result := id_of(row.get(key))) is None:
            missing()
        else:
            yield {**row, key: result}


def errors(body: Any) -> list[tuple[str, str]]:
    """Return the (key, message) pairs of an error body: an array, a bare object, or neither."""
    result = [body] if isinstance(body, dict) else objects(body)
    # Some reports wrap errors in their own envelope.
    result += [inner for each in result for inner in objects(each.get("errors"))]
    pairs = [(str(e.get("error_key") or ""), str(e.get("error_message") or "")) for e in result]
    return [pair for pair in pairs if any(pair)]


def _page_of(rows: Any, link: str | None = None) -> Page:
    if not isinstance(rows, list):
        msg = "contains no array of rows"
        raise InvalidResponseError(msg)
    result = [row for row in rows if row is not None]
    if not all(isinstance(row, dict) for row in result) or (rows and not result):
        msg = "contains rows that are not objects"
        raise InvalidResponseError(msg)
    if any(map(_is_error, result)):
        raise ErrorBodyError
    return Page(result, link, len(rows) - len(result))


def _is_error(body: dict[str, Any]) -> bool:
    return not _ERROR_FIELDS.isdisjoint(body)


def _broken(body: Any, fault: str) -> InvalidResponseError:
    result: Sequence[Any] = body if isinstance(body, list) else [body]
    if any(isinstance(each, dict) and _is_error(each) for each in result):
        return ErrorBodyError()
    return InvalidResponseError(fault)


def _parse_finite(text: str) -> float | None:
    number = float(text)
    return number if math.isfinite(number) else None


def decode(body: bytes) -> Any:
    """Decode a JSON body.

    Almost valid JSON is repaired instead of rejected, since one odd name must not stop an account:
    broken surrogates, a byte order mark, bytes that are not UTF-8, raw line breaks and tabs,
    numbers beyond a float. U+0000 is removed from every string: common warehouses cannot store it.

    Raises:
        InvalidResponseError: If the body is not valid JSON, for example truncated.
    """
    try:
        result = _decode(body)
        return _without_nul(result) if holds_nul(body) else result
    except (ValueError, RecursionError) as error:
        msg = "is not valid JSON"
        raise InvalidResponseError(msg) from error


def _decode(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except ValueError:
        loose = json.loads(
            body.decode("utf-8-sig", "replace"),
            strict=False,
            parse_constant=lambda _: None,
            parse_float=_parse_finite,
        )
        return msgspec.json.decode(json.dumps(loose, ensure_ascii=False).encode("utf-8", "replace"))


def holds_nul(body: bytes) -> bool:
    """Return whether a body may contain U+0000 in a string."""
    return b"\\u0000" in body or b"\0" in body


def _without_nul(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\0", "")
    if isinstance(value, list):
        return [_without_nul(each) for each in value]
    if isinstance(value, dict):
        return {_without_nul(name): _without_nul(each) for name, each in value.items()}
    return value
