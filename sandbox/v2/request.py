"""A request with checked parameters, the requested page and the world.

The API is strict about query parameters, so every endpoint declares its parameters, each with a
check. A check brings the value into the form in which a page token carries it; that way an
endpoint need not care whether it answers a first page or a later one.
"""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, TypeVar
from urllib.parse import parse_qsl, urlencode

from sandbox.checks import Check, timestamp
from sandbox.v2.errors import (
    bad_limit,
    bad_parameter,
    bad_token,
    missing,
    next_not_alone,
    unknown_parameter,
)

if TYPE_CHECKING:
    from sandbox.fault_config import FaultConfig
    from sandbox.world.world import World

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Paging:
    """Page size and tokens of a collection.

    Attributes:
        counts: What the position in a token counts: rows, pages, or nothing at all but the id
            of the next page's first row.
        position: The position's name in a token.
        first: The position of the first page.
        default: Rows on a page where the caller does not say.
        most: The highest `limit` that the API takes.
        size: The page size's name in a token.
    """

    counts: Literal["ids", "rows", "pages"]
    position: str
    first: int
    default: int
    most: int
    size: str = "limit"

    def index(self, position: int, limit: int) -> int:
        """Return the number of rows before a position."""
        return (position - self.first) * (limit if self.counts == "pages" else 1)

    def after(self, position: int, limit: int) -> int:
        """Return the position after a full page."""
        return position + (1 if self.counts == "pages" else limit)


BY_CONTACT: Final = Paging("ids", "startAt", 0, default=50, most=500)
BY_CAMPAIGN_PAGE: Final = Paging("pages", "pageNum", 1, default=50, most=50, size="pageSize")
BY_REPORT_ROW: Final = Paging("rows", "startAt", 1, default=500, most=500)
BY_EVENT: Final = Paging("rows", "offset", 0, default=50, most=50)
BY_REGISTRANT: Final = Paging("rows", "offset", 0, default=50, most=500)
BY_FOLDER: Final = Paging("rows", "offset", 0, default=50, most=50)
BY_FILE: Final = Paging("rows", "offset", 0, default=50, most=1000)
BY_TRASHED_FILE: Final = Paging("rows", "offset", 0, default=50, most=50)


@dataclass(slots=True)
class ApiRequest:
    """A request that has reached its endpoint."""

    world: "World"
    faults: "FaultConfig"
    path: str
    ids: Mapping[str, str]
    given: Mapping[str, str]
    paging: Paging
    position: int
    limit: int

    def text(self, name: str, default: str) -> str:
        """Return the text of a parameter."""
        return self.given.get(name, default)

    def flag(self, name: str) -> bool:
        """Return the boolean of a parameter. The default is False."""
        return self.given.get(name) == "true"

    def since(self, name: str) -> int | None:
        """Return the time of a parameter, in milliseconds since 1970."""
        value = self.given.get(name)
        return None if value is None else int(value)

    def find(self, things: Mapping[str, _T], name: str) -> _T:
        """Return the object of an id in the path.

        Args:
            things: Objects by id.
            name: Name of the id in the path.

        Returns:
            The object.

        Raises:
            ApiError: There is none.
        """
        id_ = self.ids[name]
        if id_ not in things:
            raise missing(id_, name)
        return things[id_]


NOT_PAGED: Final = Paging("rows", "", 0, default=0, most=0)


def read_parameters(
    params: Mapping[str, str],
    known: Mapping[str, Check],
    paging: Paging,
) -> tuple[dict[str, str], int, int]:
    """Check the query parameters as strictly as the API does.

    Args:
        params: Parameters of the request, without credentials.
        known: Parameters of the endpoint besides paging.
        paging: The endpoint's way of paging.

    Returns:
        The parameters in plain form, the position asked for and the page size.

    Raises:
        ApiError: A parameter is unknown, or its value cannot be.
    """
    paged = paging is not NOT_PAGED
    if paged and "next" in params:
        if len(params) > 1:
            raise next_not_alone()
        return _read_token(params["next"], known, paging)
    given = {}
    limit = paging.default
    for name, value in params.items():
        if name == "limit" and paged:
            limit = _read_limit(value, paging.most)
        elif name in known:
            try:
                given[name] = known[name](value)
            except ValueError as error:
                raise bad_parameter(name, str(error)) from None
        else:
            raise unknown_parameter(name)
    return given, paging.first, limit


def _read_limit(value: str, most: int) -> int:
    if not (value.isascii() and value.isdigit() and 1 <= int(value) <= most):
        raise bad_limit(most)
    return int(value)


def write_token(fields: Mapping[str, str | int]) -> str:
    """Return a page token: a query string in URL-safe base64 without padding."""
    return base64.urlsafe_b64encode(urlencode(fields).encode()).decode().rstrip("=")


def _read_token(
    token: str,
    known: Mapping[str, Check],
    paging: Paging,
) -> tuple[dict[str, str], int, int]:
    try:
        plain = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode()
        fields = dict(parse_qsl(plain, strict_parsing=True))
        position = int(fields.pop(paging.position))
        limit = _read_limit(fields.pop(paging.size), paging.most)
    except (binascii.Error, UnicodeDecodeError, ValueError, KeyError):
        raise bad_token() from None
    if position < paging.first or not all(
        name in known and (known[name] is not timestamp or value.isdecimal())
        for name, value in fields.items()
    ):
        raise bad_token()
    return fields, position, limit
