"""Requests and responses."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from typing import NamedTuple

from starlette.types import Send

_JSON = "application/json"


@dataclass(slots=True)
class Call:
    """A logged request.

    Attributes:
        params: The query parameters without the API key and the access token.
        status: HTTP status of the response; 0 before it.
        at: Time of arrival, by the monotonic clock.
    """

    method: str
    path: str
    params: dict[str, str]
    status: int
    at: float


class Reply(NamedTuple):
    """A response.

    Attributes:
        cut: Whether the connection breaks in the middle of the body.
    """

    status: int
    body: bytes
    content_type: str = _JSON
    headers: tuple[tuple[str, str], ...] = ()
    cut: bool = False


def _encoded(headers: Iterable[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode(), value.encode()) for name, value in headers]


async def send_reply(reply: Reply, now: datetime, send: Send) -> None:
    """Send a response. A cut one has the length of the whole body, and stops half-way.

    The server closes the connection of an application that stops before it is done.
    """
    headers = (
        ("date", format_datetime(now, usegmt=True)),
        ("content-type", reply.content_type),
        ("content-length", str(len(reply.body))),
        *reply.headers,
    )
    start = {
        "type": "http.response.start",
        "status": reply.status,
        "headers": _encoded(headers),
    }
    await send(start)
    body = reply.body[: len(reply.body) // 2] if reply.cut else reply.body
    await send({"type": "http.response.body", "body": body, "more_body": reply.cut})
