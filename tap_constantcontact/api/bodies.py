"""What the API's bodies hold."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable


class Page(NamedTuple):
    """An answer that was read.

    Attributes:
        rows: The objects in it.
        next_link: Leads to the next page; None on the last one.
        as_dict: Makes a dict of a row whose values are known to be as the schema says, the form
            of dates apart; None if the rows are dicts, and may hold anything.
    """

    rows: list[Any]
    next_link: str | None
    as_dict: Callable[[Any], dict[str, Any]] | None = None


def read(body: bytes) -> Page:
    """Read an answer.

    Raises:
        ValueError: If the body is no JSON, or none that holds objects.
    """
    found = decode(body)
    return Page(rows(found), next_link(found))


def _finite(text: str) -> float | None:
    number = float(text)
    return number if math.isfinite(number) else None


def decode(body: bytes) -> Any:
    """Read a JSON body.

    Text that is almost JSON (broken surrogates, a byte order mark, bytes that are not UTF-8,
    numbers beyond a float) is mended rather than refused: one odd name must not stop an account.

    Raises:
        ValueError: If the body is no JSON, such as one that was cut off.
    """
    try:
        return msgspec.json.decode(body)
    except ValueError:
        loose = json.loads(
            body.decode("utf-8-sig", "replace"),
            parse_constant=lambda _: None,
            parse_float=_finite,
        )
        return msgspec.json.decode(json.dumps(loose, ensure_ascii=False).encode("utf-8", "replace"))


def rows(body: Any) -> list[dict[str, Any]]:
    """The objects in a body: a page's results, a bare array, or one bare object.

    Raises:
        ValueError: If the body is none of these.
    """
    found = body.get("results", [body]) if isinstance(body, dict) else body
    if found is None:
        return []
    if isinstance(found, list) and all(isinstance(row, dict) for row in found):
        return found
    msg = "neither a page, nor an array of objects, nor an object"
    raise ValueError(msg)


def next_link(body: Any) -> str | None:
    """The link to the next page; None on the last page, whose `pagination` is empty."""
    try:
        link = body["meta"]["pagination"]["next_link"]
    except (KeyError, TypeError):
        return None
    return link if isinstance(link, str) and link else None
