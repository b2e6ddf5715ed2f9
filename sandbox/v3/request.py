"""A request of v3, and its pages.

Unknown parameters of an endpoint are ignored silently (docs/api/v3.md §2.1). A cursor is plain
base64 of a query string with all parameters of the first request (docs/api/v3.md §2.2).
"""

import base64
import binascii
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import parse_qsl, urlencode

import msgspec

from sandbox.checks import Check
from sandbox.v3.errors import bad_cursor, bad_limit, bad_parameter, missing
from sandbox.world import timestamps

if TYPE_CHECKING:
    from sandbox.fault_config import FaultConfig
    from sandbox.world.world import World

_T = TypeVar("_T")

_POSITION: Final = "next"


@dataclass(frozen=True, slots=True)
class Limit:
    """Default and largest page size.

    Attributes:
        is_fixed: Whether requests cannot change it.
    """

    default: int
    most: int
    is_fixed: bool = False


WHOLE: Final = Limit(0, 0)
"""What comes whole."""


@dataclass(slots=True)
class ApiRequest:
    """A request that has reached its endpoint.

    Attributes:
        given: The parameters of the endpoint, each in its plain form.
        limit: Number of rows of the page.
        position: Start of the page, from the cursor; empty for the first page.
    """

    world: "World"
    faults: "FaultConfig"
    path: str
    ids: Mapping[str, str]
    given: Mapping[str, str]
    limit: int
    position: str

    def text(self, name: str, default: str = "") -> str:
        """Return the text of a parameter."""
        return self.given.get(name, default)

    def words(self, name: str, default: str = "") -> set[str]:
        """Return the words of a parameter."""
        return set(filter(None, self.text(name, default).split(",")))

    def timestamp(self, name: str) -> int | None:
        """Return the time of a parameter."""
        return int(self.given[name]) if name in self.given else None

    def needed(self, name: str) -> str:
        """Return a required parameter."""
        if name not in self.given:
            why = "is required"
            raise bad_parameter(name, why)
        return self.given[name]

    def find(self, things: Mapping[Any, _T], name: str) -> _T:
        """Return the object of the path."""
        found = things.get(self.ids[name])
        if found is None:
            raise missing()
        return found


def read(
    params: Mapping[str, str], parameters: Mapping[str, Check], limit: Limit
) -> tuple[dict[str, str], int, str]:
    """Return the parameters of a request, or of the request that its cursor continues.

    Args:
        params: All of them.
        parameters: Parameters of the endpoint besides paging.
        limit: Its page sizes.

    Returns:
        The known ones in plain form, the size of the page, and where it begins.

    Raises:
        APIError: One has a value that cannot be.
    """
    if "cursor" in params and limit is not WHOLE:
        params = _opened(params["cursor"])
    given = {}
    for name in parameters.keys() & params.keys():
        try:
            given[name] = parameters[name](params[name])
        except ValueError as error:
            raise bad_parameter(name, f"is {error}") from None
    size = str(limit.default) if limit.is_fixed else params.get("limit", str(limit.default))
    if limit is not WHOLE and not (size.isdecimal() and 1 <= int(size) <= limit.most):
        raise bad_limit(limit.most)
    return given, int(size) if limit is not WHOLE else 0, params.get(_POSITION, "")


def _opened(cursor: str) -> dict[str, str]:
    try:
        plain = base64.b64decode(cursor, validate=True).decode()
        return dict(parse_qsl(plain, strict_parsing=True))
    except (binascii.Error, UnicodeDecodeError, ValueError):
        raise bad_cursor() from None


def cursor_link(request: ApiRequest, position: str) -> str:
    """The link to a later page: a path with `/v3`, and a cursor that holds the filters."""
    fields = {"limit": str(request.limit), _POSITION: position}
    fields |= {name: _as_given(name, value) for name, value in request.given.items()}
    cursor = base64.b64encode(urlencode(fields).encode()).decode()
    return f"{request.path}?{urlencode({'cursor': cursor})}"


def _as_given(name: str, value: str) -> str:
    is_time = name.endswith(("_after", "_before")) or name in {"start_at", "end_at", "start", "end"}
    return timestamps.text(int(value)) if is_time else value


_LAST_PAGES: Final[tuple[dict[str, Any], ...]] = (
    {},
    {"_links": {}},
    {"_links": {"next": {"href": None}}},
    {"_links": {"next": None}},
)
"""The ways in which a last page says that it is one (docs/api/v3.md §2.2)."""


def envelope(
    request: ApiRequest, key: str, rows: Iterable[bytes], link: str | None, **beside: Any
) -> bytes:
    """A page: rows that are JSON already, under their key, and a link to the next page."""
    found = list(rows)
    links: dict[str, Any] = {"_links": {"next": {"href": link}}}
    if link is None:
        links = _LAST_PAGES[(len(request.path) + len(found)) % len(_LAST_PAGES)]
    tail = b"".join(
        b',"%s":%s' % (name.encode(), msgspec.json.encode(value))
        for name, value in {**beside, **links}.items()
    )
    return b'{"%s":[%s]%s}' % (key.encode(), b",".join(found), tail)


def by_number(
    request: ApiRequest, key: str, rows: Sequence[_T], encode: Callable[[_T], bytes], **beside: Any
) -> bytes:
    """A page by its number: rows that come or go shift those after them."""
    number = int(request.position) if request.position.isdecimal() else 1
    begin = (number - 1) * request.limit
    more = len(rows) > begin + request.limit
    link = cursor_link(request, str(number + 1)) if more else None
    return envelope(request, key, map(encode, rows[begin : begin + request.limit]), link, **beside)


def by_key(
    request: ApiRequest,
    key: str,
    rows: Sequence[_T],
    id_of: Callable[[_T], str],
    encode: Callable[[_T], bytes],
    **beside: Any,
) -> bytes:
    """A page that begins behind the row that the cursor names."""
    begin = 0
    if request.position:
        begin = next(
            (place + 1 for place, row in enumerate(rows) if id_of(row) == request.position),
            len(rows),
        )
    found = rows[begin : begin + request.limit]
    more = len(rows) > begin + request.limit
    link = cursor_link(request, id_of(found[-1])) if more else None
    return envelope(request, key, map(encode, found), link, **beside)


def seconds(timestamp: int) -> str:
    """Write a time as contacts have it: to the second."""
    return f"{timestamps.text(timestamp)[:19]}Z"


def minutes(timestamp: int) -> str:
    """Write a time as reports have it: cut to the minute."""
    return timestamps.text(timestamp - timestamp % timestamps.MINUTE)
