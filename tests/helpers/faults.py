"""Faults that tests inject into the responses of a sandbox."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from singer_sdk.exceptions import FatalAPIError

from helpers.runner import Collector, Output
from helpers.v3 import read
from sandbox import Reply

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox import Call, Sandbox

    Matches = Callable[[Call], bool]


def respond(box: Sandbox, matches: Matches, status: int, body: Any) -> list[str]:
    """Answer matching requests with a status and a body; returns the paths, as they come in."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    paths: list[str] = []

    def interfere(call: Call, _: object) -> Reply | None:
        if not matches(call):
            return None
        paths.append(call.path)
        return Reply(status, content)

    box.interfere = interfere
    return paths


def rewrite(box: Sandbox, edit: Callable[[Call, Any], Any]) -> None:
    """Change the JSON of good responses."""
    # Such responses are not the contract's.
    box.observe = None

    def interfere(call: Call, real: Callable[[], Reply]) -> Reply | None:
        reply = real()
        if reply.status != 200:
            return reply
        return reply._replace(body=json.dumps(edit(call, json.loads(reply.body))).encode())

    box.interfere = interfere


def sync_or_fail(
    box: Sandbox, *streams: str, **options: Any
) -> tuple[Output, FatalAPIError | None]:
    """Sync streams of v3; returns what was written, and the error if the exit code would be 1."""
    into = Collector()
    try:
        read(box, *streams, into=into, **options)
    except FatalAPIError as error:
        return into.output, error
    return into.output, None


def ends_with(end: str) -> Matches:
    return lambda call: call.path.endswith(end)
