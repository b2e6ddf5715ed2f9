"""The ASGI application of v3: routing, limits, the token, privileges, and faults."""

import asyncio
import logging
from time import monotonic
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl

from starlette.types import Receive, Scope, Send

from sandbox.fault_injector import FaultInjector, Limits
from sandbox.http import Call, Reply, send_reply
from sandbox.state import State
from sandbox.v3 import errors
from sandbox.v3.errors import APIError
from sandbox.v3.request import ApiRequest, read
from sandbox.v3.routes import ROUTES, Route

if TYPE_CHECKING:
    from sandbox.v3.oauth import OAuth

LOG: Final = logging.getLogger("sandbox")

PREFIX: Final = "/v3"


class ApiApp:
    """The ASGI application below `/v3`."""

    def __init__(self, state: State, limits: Limits, oauth: "OAuth") -> None:
        """Serve a world.

        Args:
            state: State of the sandbox.
            limits: Limits of the application.
            oauth: The authorization server.
        """
        self._state = state
        self._limits = limits
        self._oauth = oauth
        self._mishaps = FaultInjector(state, errors.FAILURES)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Respond to a request."""
        params = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
        call = Call(scope["method"], scope["path"], params, 0, monotonic())
        self._state.note(call)
        try:
            route, ids = self._routed(call)
            self._check_limits(call.at)
            if self._state.faults.latency:
                await asyncio.sleep(self._state.faults.latency)
            header = dict(scope["headers"]).get(b"authorization", b"").decode("latin-1")
            self._check_rights(route, header)
            reply = self._mishaps.befall(call, lambda: self._answer(call, route, ids))
        except APIError as refused:
            reply = refused.reply
        except Exception:
            LOG.exception("the sandbox itself is at fault: %s %s", call.method, call.path)
            reply = errors.FAILURES[0]
        call.status = reply.status
        await send_reply(reply, self._state.account.now(), send)

    def _routed(self, call: Call) -> tuple[Route, dict[str, str]]:
        path = call.path.removeprefix(PREFIX)
        for route in ROUTES:
            if call.method == "GET" and (found := route.match(path)):
                return route, found.groupdict()
        raise errors.no_such_path()

    def _check_limits(self, at: float) -> None:
        exceeded = self._limits.exceeded(at)
        wait = self._state.faults.retry_after
        if exceeded == "throttle":
            raise errors.throttled(wait)
        if exceeded == "quota":
            raise errors.over_quota(wait)

    def _check_rights(self, route: Route, header: str) -> None:
        scheme, _, token = header.partition(" ")
        due = self._mishaps.due("unauthorized", self._state.faults.unauthorized_every)
        if due or scheme.lower() != "bearer":
            raise errors.unauthorized()
        if token != self._state.access_token:
            scopes = self._oauth.scopes_of(token)
            if scopes is None:
                raise errors.unauthorized()
            if route.scope and route.scope not in scopes:
                raise errors.no_right()
        if route.privilege in self._state.faults.missing_privileges:
            raise errors.no_right()

    def _observed(self, call: Call, reply: Reply) -> Reply:
        if self._state.observe:
            self._state.observe(call, reply)
        return reply

    def _answer(self, call: Call, route: Route, ids: dict[str, str]) -> Reply:
        if self._state.faults.vanish.intersection(ids.values()):
            raise errors.missing()
        given, limit, position = read(call.params, route.parameters, route.limit)
        world = self._state.account
        request = ApiRequest(world, self._state.faults, call.path, ids, given, limit, position)
        with world.lock:
            found = route.answer(world, request)
        return self._observed(call, found if isinstance(found, Reply) else Reply(200, found))
