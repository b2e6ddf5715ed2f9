"""The way in to the API: credentials, the limits of a key, trouble, and then the endpoint.

This is a plain ASGI application. It is passed on every call, also by benchmarks, so it does
without the comfort of a request object.
"""

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from email.utils import format_datetime
from threading import Condition
from time import monotonic
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias
from urllib.parse import parse_qsl

from starlette.types import Receive, Scope, Send

from sandbox import refusals
from sandbox.asking import Ask, read_parameters
from sandbox.refusals import ApiError
from sandbox.routes import ROUTES, Route

if TYPE_CHECKING:
    from sandbox.account import Account
    from sandbox.trouble import Trouble

LOG: Final = logging.getLogger("sandbox")

PREFIX: Final = "/v2"

_JSON: Final = "application/json"
_HTML: Final = "text/html; charset=utf-8"
_ACCEPTED: Final = ("*/*", "application/*", _JSON)

_Path: TypeAlias = tuple[Route, dict[str, str]]


@dataclass(slots=True)
class Call:
    """One call, as it is remembered.

    Attributes:
        params: The query parameters without the API key and the access token.
        status: The HTTP status of the answer; 0 while there is none yet.
        at: When it came in, by the monotonic clock.
    """

    method: str
    path: str
    params: dict[str, str]
    status: int
    at: float


class Reply(NamedTuple):
    """An answer on its way out.

    Attributes:
        cut: Whether the connection breaks in the middle of the body.
    """

    status: int
    body: bytes
    content_type: str = _JSON
    headers: tuple[tuple[str, str], ...] = ()
    cut: bool = False


Interfere: TypeAlias = Callable[[Call, Callable[[], Reply]], Reply | None]


def _fault(status: int, key: str, message: str) -> Reply:
    return Reply(status, ApiError(status, key, message).body)


_FAILURES: Final = (
    _fault(500, "http.status.internal_server_error", "An internal error has occurred."),
    Reply(502, b"<html><body><h1>502 Bad Gateway</h1></body></html>", _HTML),
    Reply(503, b"", "text/plain"),
    Reply(504, b"<html><body><h1>504 Gateway Time-out</h1></body></html>", _HTML),
    _fault(522, "http.status.connection_timed_out", "Connection timed out. Please retry."),
)
"""The ways in which calls fail, one after the other."""


@dataclass(slots=True)
class State:
    """What the sandbox serves, and what it has seen so far.

    Attributes:
        account: May be changed and replaced at any time.
        trouble: May be changed and replaced at any time.
        calls: Every call in order of arrival, refused ones too.
        arrival: Notified of every call.
        interfere: Called with every call that would be answered and with what answers it, to let
            something happen before that, or to answer in its place.
        refusals: How many calls came too fast.
        calls_today: How many calls count towards the day's quota.
    """

    account: "Account"
    trouble: "Trouble"
    api_key: str
    access_token: str
    calls: list[Call] = field(default_factory=list)
    arrival: Condition = field(default_factory=Condition)
    interfere: "Interfere | None" = None
    refusals: int = 0
    calls_today: int = 0


class Gate:
    """The ASGI application below `/v2`."""

    def __init__(self, state: State) -> None:
        """Stand in front of an account.

        Args:
            state: What is served and what has been seen.
        """
        self._state = state
        self._arrivals: deque[float] = deque()
        self._day: date | None = None
        self._passed: Counter[str] = Counter()
        self._failed = 0
        self._spoilt = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - calls to read have no body worth waiting for
        """Answer one call."""
        params = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
        key = params.pop("api_key", None)
        token = params.pop("access_token", None)
        call = Call(scope["method"], scope["path"], params, 0, monotonic())
        with self._state.arrival:
            self._state.calls.append(call)
            self._state.arrival.notify_all()
        try:
            self._check_key(key, call.at)
            if self._state.trouble.latency:
                await asyncio.sleep(self._state.trouble.latency)
            headers = dict(scope["headers"])
            self._check_token(headers.get(b"authorization", b"").decode("latin-1"), token)
            accept = headers.get(b"accept", b"*/*").decode("latin-1")
            reply = self._failure() or self._spoil(self._interfered(call, accept))
        except ApiError as refusal:
            headers_ = tuple(refusal.headers.items())
            reply = Reply(refusal.status, refusal.body, headers=headers_)
        except Exception:
            LOG.exception("the sandbox itself is at fault: %s %s", call.method, call.path)
            reply = _FAILURES[0]
        call.status = reply.status
        await _send(reply, self._state.account.now(), send)

    def _check_key(self, key: str | None, at: float) -> None:
        """Do what the gateway does before it lets a call through to the API."""
        state, trouble = self._state, self._state.trouble
        if key != state.api_key:
            raise refusals.inactive_key()
        arrivals = self._arrivals
        while arrivals and arrivals[0] <= at - 1:
            arrivals.popleft()
        arrivals.append(at)
        if self._day != (today := datetime.now(UTC).date()):
            self._day = today
            state.calls_today = 0
        state.calls_today += 1
        if trouble.throttle is not None and len(arrivals) > trouble.throttle:
            state.refusals += 1
            raise refusals.over_qps(trouble.retry_after)
        if trouble.quota is not None and state.calls_today > trouble.quota:
            raise refusals.over_quota(trouble.retry_after)

    def _check_token(self, header: str, token: str | None) -> None:
        """Check the access token; the header counts more than the query parameter."""
        scheme, _, value = header.partition(" ")
        if scheme.lower() == "bearer":
            token = value.strip()
        if not token:
            raise refusals.no_token()
        due = self._due("unauthorized", self._state.trouble.unauthorized_every)
        if due or token != self._state.access_token:
            raise refusals.wrong_token()

    def _due(self, kind: str, every: int | None) -> bool:
        """Say whether it is this call's turn to meet a certain kind of trouble."""
        if every is None:
            return False
        self._passed[kind] += 1
        return self._passed[kind] % every == 0

    def _failure(self) -> Reply | None:
        if not self._due("fail", self._state.trouble.fail_every):
            return None
        self._failed += 1
        return _FAILURES[(self._failed - 1) % len(_FAILURES)]

    def _spoil(self, reply: Reply) -> Reply:
        """Let a good answer go bad on its way, if it is its turn."""
        if self._due("garbage", self._state.trouble.garbage_every):
            self._spoilt += 1
            if self._spoilt % 2:
                return reply._replace(body=reply.body[: len(reply.body) // 2])
            return reply._replace(body=b"<html><body>Please stand by.</body></html>")
        if self._due("drop", self._state.trouble.drop_every):
            return reply._replace(cut=True)
        return reply

    def _interfered(self, call: Call, accept: str) -> Reply:
        interfere = self._state.interfere
        reply = interfere(call, lambda: self._answer(call, accept)) if interfere else None
        return reply or self._answer(call, accept)

    def _answer(self, call: Call, accept: str) -> Reply:
        route, ids = _find(call.path.removeprefix(PREFIX))
        if call.method != "GET":
            raise refusals.wrong_method(call.method)
        if not _accepts_json(accept):
            raise refusals.not_acceptable()
        trouble = self._state.trouble
        if route.area in trouble.refuse:
            raise refusals.no_right()
        for name, value in ids.items():
            if value in trouble.vanish:
                raise refusals.missing(value, name)
        given, position, limit = read_parameters(call.params, route.knows, route.paging)
        account = self._state.account
        ask = Ask(account, trouble, call.path, ids, given, route.paging, position, limit)
        with account.lock:
            return Reply(200, route.answer(account, ask))


def _find(path: str) -> _Path:
    for route in ROUTES:
        if found := route.match(path):
            return route, found.groupdict()
    if path.endswith("/") and any(route.match(path.rstrip("/")) for route in ROUTES):
        raise refusals.slash_at_end()
    raise refusals.no_such_path(path)


def _accepts_json(accept: str) -> bool:
    return any(kind.partition(";")[0].strip() in _ACCEPTED for kind in accept.split(","))


def _encoded(headers: Iterable[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode(), value.encode()) for name, value in headers]


async def _send(reply: Reply, now: datetime, send: Send) -> None:
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
