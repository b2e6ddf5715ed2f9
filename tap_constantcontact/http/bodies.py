"""What an API's bodies hold, by the envelope of each endpoint.

An endpoint has one envelope, and nothing else passes for data: what looks like an empty page may be
an error in disguise, and rows that it stands for would be lost without a sound.
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

#: Fields by which an answer says that it is an error, whatever its status (API docs: Errors).
_ERROR_FIELDS = frozenset({"error_key", "error_message", "fault"})


class Page(NamedTuple):
    """An answer that was read.

    Attributes:
        rows: The objects in it.
        next_link: Leads to the next page; None on the last one.
        left_out: How many nulls stood where objects should be.
        total: Number of records on all pages; None if the response does not say.
        as_dict: Makes a dict of a row whose values are known to be as the schema says, the form
            of dates apart; None if the rows are dicts, and may hold anything.
    """

    rows: list[Any]
    next_link: str | None = None
    left_out: int = 0
    total: int | None = None
    as_dict: Callable[[Any], dict[str, Any]] | None = None


@dataclass(frozen=True)
class Envelope:
    """How an endpoint wraps what it sends.

    Attributes:
        open: Takes the objects out of a decoded body; raises `BrokenAnswerError` if that is in
            another envelope.
        rows: The field that holds the rows; None where there is no such field.
        head: The field that holds the next link somewhere inside; None where there is none.
        links: The fields, each inside the one before, that lead to it from there: the usual way,
            and others that have been seen.
        cursor: The field that holds a cursor instead of a link; None where there is none.
    """

    open: Callable[[Any], Page]
    rows: str | None = None
    head: str | None = None
    links: Sequence[Sequence[str]] = ()
    cursor: str | None = None


class BrokenAnswerError(ValueError):
    """An answer that is not what was asked for, although its status says so."""


class ErrorInAnswerError(BrokenAnswerError):
    """An answer that is an error, although its status says otherwise."""


def paged(
    rows: str,
    head: str,
    *links: Sequence[str],
    cursor: str | None = None,
    total: str | None = None,
) -> Envelope:
    """The envelope of an object that holds rows, and somewhere inside it a next link.

    Args:
        rows: The field that holds the rows.
        head: The field that holds the next link somewhere inside.
        links: The fields that lead to it from there.
        cursor: The field that holds the value of the parameter `next` for the next page, where
            there may be no link.
        total: The field that holds the number of records on all pages.
    """

    def read(body: Any) -> Page:
        if not isinstance(body, dict) or rows not in body:
            raise _broken(body, "is no page")
        if _is_error(body):
            raise ErrorInAnswerError
        link = next_link(body.get(head), links) or _cursor_link(body.get(cursor or ""))
        page = _page_of(body[rows], link)
        return page._replace(total=count_of(body.get(total or "")))

    return Envelope(read, rows, head, links, cursor)


def _cursor_link(cursor: Any) -> str | None:
    """A link to the next page of the same list, which has but the parameter that a cursor fills."""
    if cursor is None or cursor == "":
        return None
    if not isinstance(cursor, (str, int)) or isinstance(cursor, bool):
        msg = "has a cursor that is no text"
        raise BrokenAnswerError(msg)
    return f"?{urlencode({'next': cursor})}"


def _array(body: Any) -> Page:
    """Read a bare array."""
    if not isinstance(body, list):
        raise _broken(body, "is no array")
    return _page_of(body)


def _one(body: Any) -> Page:
    """Read a bare object."""
    if not isinstance(body, dict):
        raise _broken(body, "is no object")
    return _page_of([body])


def of(thing_id: str, key: str = "id") -> Envelope:
    """The envelope of a bare object that has a certain id."""

    def read(body: Any) -> Page:
        page = _one(body)
        if id_of(page.rows[0].get(key)) != thing_id:
            msg = "is not about what was asked for"
            raise BrokenAnswerError(msg)
        return page

    return Envelope(read)


def _one_or_array(body: Any) -> Page:
    """Read one object that comes bare or in an array, as the library's usage does."""
    return _one(body[0] if isinstance(body, list) and len(body) == 1 else body)


ARRAY = Envelope(_array)
ONE = Envelope(_one)
ONE_OR_ARRAY = Envelope(_one_or_array)


def next_link(found: Any, paths: Sequence[Sequence[str]]) -> str | None:
    """The link to the next page; None on the last page, which has none on any path.

    Raises:
        BrokenAnswerError: If there is something in its place that is no link.
    """
    return next(filter(None, (_at_end_of(path, found) for path in paths)), None)


def _at_end_of(path: Sequence[str], found: Any) -> str | None:
    for name in path:
        if found is None:
            return None
        if not isinstance(found, dict):
            msg = "has no proper next link"
            raise BrokenAnswerError(msg)
        found = found.get(name)
    if found is not None and not isinstance(found, str):
        msg = "has a next link that is no text"
        raise BrokenAnswerError(msg)
    return found or None


def is_cursor(link: str) -> bool:
    """Whether a next link is but a parameter to be added to the first request."""
    return link.startswith("?")


def link_of(body: bytes, envelope: Envelope) -> str | None:
    """The next link in a page of which nothing else is wanted; None if there is none to be read."""
    try:
        if not envelope.head:
            return None
        found = _head(envelope.head, envelope.cursor).decode(body)
        return next_link(found.head, envelope.links) or _cursor_link(found.cursor)
    except ValueError:
        return None


@functools.cache
def _head(name: str, cursor: str | None) -> msgspec.json.Decoder[Any]:
    fields = {"head": name, "cursor": cursor or "there is no cursor"}
    page = msgspec.defstruct("Page", [(each, Any, None) for each in fields], rename=fields)
    return msgspec.json.Decoder(page)


def objects(value: Any) -> list[dict[str, Any]]:
    """The objects in a field that should hold an array of them; others are passed over."""
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def fields_of(value: Any) -> dict[str, Any]:
    """The fields of what should be an object; none if it is not."""
    return value if isinstance(value, dict) else {}


# Of a 64-bit number.
_MOST_DIGITS = 18


def count_of(value: Any) -> int | None:
    """A count, which may come as text; None if it is not a count."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        return None
    text = str(value).removesuffix(".0")
    return int(text) if text.isdecimal() and len(text) <= _MOST_DIGITS else None


def id_of(value: Any) -> str | None:
    """An id as text, whatever kind of scalar it came as; None if it is none."""
    is_scalar = isinstance(value, (str, int, float)) and not isinstance(value, bool)
    return str(value) or None if is_scalar else None


def identified(
    rows: Iterable[dict[str, Any]], missing: Callable[[], object], key: str = "id"
) -> Iterator[dict[str, Any]]:
    """Objects with their ids as text; those without one are left out, and `missing` is told."""
    for row in rows:
        if (found := id_of(row.get(key))) is None:
            missing()
        else:
            yield {**row, key: found}


def errors(body: Any) -> list[tuple[str, str]]:
    """The (key, message) pairs of an error body: an array, a bare object, or nothing readable."""
    found = [body] if isinstance(body, dict) else objects(body)
    # Some reports wrap their errors in their own envelope.
    found += [inner for each in found for inner in objects(each.get("errors"))]
    pairs = [(str(e.get("error_key") or ""), str(e.get("error_message") or "")) for e in found]
    return [pair for pair in pairs if any(pair)]


def _page_of(rows: Any, link: str | None = None) -> Page:
    if not isinstance(rows, list):
        msg = "holds no array of rows"
        raise BrokenAnswerError(msg)
    found = [row for row in rows if row is not None]
    if not all(isinstance(row, dict) for row in found) or (rows and not found):
        msg = "holds rows that are no objects"
        raise BrokenAnswerError(msg)
    if any(map(_is_error, found)):
        raise ErrorInAnswerError
    return Page(found, link, len(rows) - len(found))


def _is_error(body: dict[str, Any]) -> bool:
    return not _ERROR_FIELDS.isdisjoint(body)


def _broken(body: Any, fault: str) -> BrokenAnswerError:
    found: Sequence[Any] = body if isinstance(body, list) else [body]
    if any(isinstance(each, dict) and _is_error(each) for each in found):
        return ErrorInAnswerError()
    return BrokenAnswerError(fault)


def _finite(text: str) -> float | None:
    number = float(text)
    return number if math.isfinite(number) else None


def decode(body: bytes) -> Any:
    """Read a JSON body.

    Text that is almost JSON (broken surrogates, a byte order mark, bytes that are not UTF-8, raw
    line breaks and tabs, numbers beyond a float) is mended rather than refused: one odd name must
    not stop an account. U+0000 is taken out of every text: no warehouse of note holds it.

    Raises:
        BrokenAnswerError: If the body is no JSON, such as one that was cut off.
    """
    try:
        found = _decode(body)
        return _without_nul(found) if holds_nul(body) else found
    except (ValueError, RecursionError) as error:
        msg = "is no JSON"
        raise BrokenAnswerError(msg) from error


def _decode(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except ValueError:
        loose = json.loads(
            body.decode("utf-8-sig", "replace"),
            strict=False,
            parse_constant=lambda _: None,
            parse_float=_finite,
        )
        return msgspec.json.decode(json.dumps(loose, ensure_ascii=False).encode("utf-8", "replace"))


def holds_nul(body: bytes) -> bool:
    """Whether a body may hold U+0000 in a text."""
    return b"\\u0000" in body or b"\0" in body


def _without_nul(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\0", "")
    if isinstance(value, list):
        return [_without_nul(each) for each in value]
    if isinstance(value, dict):
        return {_without_nul(name): _without_nul(each) for name, each in value.items()}
    return value
