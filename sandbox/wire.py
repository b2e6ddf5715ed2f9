"""Answers on their way out."""

from collections.abc import Iterable
from datetime import datetime
from email.utils import format_datetime

from starlette.types import Send

from sandbox.state import Reply


def _encoded(headers: Iterable[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode(), value.encode()) for name, value in headers]


async def send_reply(reply: Reply, now: datetime, send: Send) -> None:
    """Send an answer; a cut one promises the whole body and stops half-way.

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
