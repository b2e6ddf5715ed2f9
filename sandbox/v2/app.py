"""The ASGI application: credentials, limits of a key, faults, and then the endpoint.

This is a plain ASGI application. It is passed on every call, also by benchmarks, so it does
without the comfort of a request object.
"""

import asyncio
import logging
from time import monotonic
from typing import Final, TypeAlias
from urllib.parse import parse_qsl

from starlette.types import Receive, Scope, Send

from sandbox.fault_injector import HTML, FaultInjector, Limits
from sandbox.http import Call, Reply, send_reply
from sandbox.state import State
from sandbox.v2 import errors
from sandbox.v2.errors import ApiError
from sandbox.v2.request import ApiRequest, read_parameters
from sandbox.v2.routes import ROUTES, Route

LOG: Final = logging.getLogger("sandbox")

PREFIX: Final = "/v2"

_JSON: Final = "application/json"
_ACCEPTED: Final = ("*/*", "application/*", _JSON)

_Path: TypeAlias = tuple[Route, dict[str, str]]


def _fault(status: int, key: str, message: str) -> Reply:
    return Reply(status, ApiError(status, key, message).body)


_FAILURES: Final = (
    _fault(500, "http.status.internal_server_error", "An internal error has occurred."),
    Reply(502, b"<html><body><h1>502 Bad Gateway</h1></body></html>", HTML),
    Reply(503, b"", "text/plain"),
    Reply(504, b"<html><body><h1>504 Gateway Time-out</h1></body></html>", HTML),
    _fault(522, "http.status.connection_timed_out", "Connection timed out. Please retry."),
)
"""Failures of requests, in turn."""


class ApiApp:
    """The ASGI application below `/v2`."""

    def __init__(self, state: State, limits: Limits) -> None:
        """Serve a world.

        Args:
            state: State of the sandbox.
            limits: Limits of the key.
        """
        self._state = state
        self._limits = limits
        self._mishaps = FaultInjector(state, _FAILURES)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Respond to a request."""
        params = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
        key = params.pop("api_key", None)
        token = params.pop("access_token", None)
        call = Call(scope["method"], scope["path"], params, 0, monotonic())
        self._state.note(call)
        try:
            self._check_key(key, call.at)
            if self._state.faults.latency:
                await asyncio.sleep(self._state.faults.latency)
            headers = dict(scope["headers"])
            self._check_token(headers.get(b"authorization", b"").decode("latin-1"), token)
            accept = headers.get(b"accept", b"*/*").decode("latin-1")
            reply = self._mishaps.befall(call, lambda: self._answer(call, accept))
        except ApiError as refusal:
            headers_ = tuple(refusal.headers.items())
            reply = Reply(refusal.status, refusal.body, headers=headers_)
        except Exception:
            LOG.exception("the sandbox itself is at fault: %s %s", call.method, call.path)
            reply = _FAILURES[0]
        call.status = reply.status
        await send_reply(reply, self._state.account.now(), send)

    def _check_key(self, key: str | None, at: float) -> None:
        """Check what the gateway checks before the API."""
        state, faults = self._state, self._state.faults
        if key != state.api_key:
            raise errors.inactive_key()
        exceeded = self._limits.exceeded(at)
        if exceeded == "throttle":
            raise errors.over_qps(faults.retry_after)
        if exceeded == "quota":
            raise errors.over_quota(faults.retry_after)

    def _check_token(self, header: str, token: str | None) -> None:
        """Check the access token; the header counts more than the query parameter."""
        scheme, _, value = header.partition(" ")
        if scheme.lower() == "bearer":
            token = value.strip()
        if not token:
            raise errors.no_token()
        due = self._mishaps.due("unauthorized", self._state.faults.unauthorized_every)
        if due or token != self._state.access_token:
            raise errors.wrong_token()

    def _answer(self, call: Call, accept: str) -> Reply:
        route, ids = _find(call.path.removeprefix(PREFIX))
        if call.method != "GET":
            raise errors.wrong_method(call.method)
        if not _accepts_json(accept):
            raise errors.not_acceptable()
        faults = self._state.faults
        if route.area in faults.denied_products:
            raise errors.no_right()
        for name, value in ids.items():
            if value in faults.vanish:
                raise errors.missing(value, name)
        given, position, limit = read_parameters(call.params, route.parameters, route.paging)
        world = self._state.account
        request = ApiRequest(world, faults, call.path, ids, given, route.paging, position, limit)
        with world.lock:
            return Reply(200, route.answer(world, request))


def _find(path: str) -> _Path:
    for route in ROUTES:
        if found := route.match(path):
            return route, found.groupdict()
    if path.endswith("/") and any(route.match(path.rstrip("/")) for route in ROUTES):
        raise errors.slash_at_end()
    raise errors.no_such_path(path)


def _accepts_json(accept: str) -> bool:
    return any(kind.partition(";")[0].strip() in _ACCEPTED for kind in accept.split(","))
