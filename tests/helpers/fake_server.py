"""A server that answers what a test tells it to."""

from __future__ import annotations

import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Self


# Answers of these paths are arrays, of those objects; all others are paged.
_ARRAYS = re.compile(
    r"/account/verifiedemailaddresses|/lists|/activities|.*/(schedules|fees|items|promocodes)"
    r"|.*/summaryByCampaign"
)
_OBJECTS = re.compile(
    r"/account/info|.*/reports/summary|.*/preview"
    r"|(/emailmarketing/campaigns|/eventspot/events|.*/registrants|/activities)/[^/]+"
)


def rows_of(body: Any) -> list[dict[str, Any]]:
    """The objects in a body, whatever its envelope."""
    found = body.get("results", [body]) if isinstance(body, dict) else body
    assert isinstance(found, list)
    return found


def in_envelope(path: str, body: Any) -> Any:
    """A body in the envelope of its endpoint."""
    path = path.removeprefix("/v2")
    if path == "/library/info":
        return body
    if _ARRAYS.fullmatch(path):
        return rows_of(body)
    if _OBJECTS.fullmatch(path):
        return rows_of(body)[0] if rows_of(body) else {}
    is_page = isinstance(body, dict) and "results" in body
    return body if is_page else {"meta": {"pagination": {}}, "results": rows_of(body)}


def empty(path: str) -> Any:
    """What an account answers in which there is nothing but its owner."""
    path = path.removeprefix("/v2")
    if path == "/account/info":
        return {"email": "owner@example.com"}
    return {"image_root": "/"} if path == "/library/info" else in_envelope(path, [])


class Answer:
    """One answer: status, headers and body, the latter as JSON unless it is bytes."""

    def __init__(self, status: int = 200, body: Any = (), **headers: str) -> None:
        self.status = status
        self.body = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


class Scripted:
    """Answers each request with what `answer(path, params)` returns, or `posted` for a POST."""

    def __init__(
        self,
        answer: Callable[[str, dict[str, str]], Answer],
        posted: Callable[[str, dict[str, str]], Answer] | None = None,
    ) -> None:
        posted_headers = self.posted_headers = list[dict[str, str]]()
        requests = self.requests = list[tuple[str, dict[str, str], dict[str, str]]]()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                params = dict(parse_qsl(parts.query))
                requests.append((parts.path, params, dict(self.headers)))
                self._send(answer(parts.path, params))

            def _send(self, found: Answer) -> None:
                self.send_response(found.status)
                for name, value in {
                    "Content-Length": str(len(found.body)),
                    **found.headers,
                }.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(found.body)

            def do_POST(self) -> None:
                posted_headers.append(dict(self.headers))
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                self._send((posted or answer)(urlsplit(self.path).path, {}))

            def log_message(self, *_: object) -> None:
                """Keep quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.origin = f"http://127.0.0.1:{self._server.server_port}"
        self.url = f"{self.origin}/v2"
        self.v3_url = f"{self.origin}/v3"

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
