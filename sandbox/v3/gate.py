"""The way in to v3: routing first, then the limits, the token, what its user may, and trouble."""

import asyncio
import logging
from time import monotonic
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl

from starlette.types import Receive, Scope, Send

from sandbox.mishaps import Limits, Mishaps
from sandbox.state import State
from sandbox.v3 import refusals
from sandbox.v3.asking import Ask, read
from sandbox.v3.refusals import APIError
from sandbox.v3.routes import ROUTES, Route
from sandbox.wire import Call, Reply, send_reply

if TYPE_CHECKING:
    from sandbox.v3.oauth import OAuth

LOG: Final = logging.getLogger("sandbox")

PREFIX: Final = "/v3"


class Gate:
    """The ASGI application below `/v3`."""

    def __init__(self, state: State, limits: Limits, oauth: "OAuth") -> None:
        """Stand in front of a world.

        Args:
            state: What is served and what has been seen.
            limits: The calls that an application may make.
            oauth: Knows which tokens are good.
        """
        self._state = state
        self._limits = limits
        self._oauth = oauth
        self._mishaps = Mishaps(state, refusals.FAILURES)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one call."""
        params = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
        call = Call(scope["method"], scope["path"], params, 0, monotonic())
        self._state.note(call)
        try:
            route, ids = self._routed(call)
            self._check_limits(call.at)
            if self._state.trouble.latency:
                await asyncio.sleep(self._state.trouble.latency)
            header = dict(scope["headers"]).get(b"authorization", b"").decode("latin-1")
            self._check_rights(route, header)
            reply = self._mishaps.befall(call, lambda: self._answer(call, route, ids))
        except APIError as refused:
            reply = refused.reply
        except Exception:
            LOG.exception("the sandbox itself is at fault: %s %s", call.method, call.path)
            reply = refusals.FAILURES[0]
        call.status = reply.status
        await send_reply(reply, self._state.account.now(), send)

    def _routed(self, call: Call) -> tuple[Route, dict[str, str]]:
        path = call.path.removeprefix(PREFIX)
        for route in ROUTES:
            if call.method == "GET" and (found := route.match(path)):
                return route, found.groupdict()
        raise refusals.no_such_path()

    def _check_limits(self, at: float) -> None:
        exceeded = self._limits.exceeded(at)
        wait = self._state.trouble.retry_after
        if exceeded == "throttle":
            raise refusals.throttled(wait)
        if exceeded == "quota":
            raise refusals.over_quota(wait)

    def _check_rights(self, route: Route, header: str) -> None:
        scheme, _, token = header.partition(" ")
        due = self._mishaps.due("unauthorized", self._state.trouble.unauthorized_every)
        if due or scheme.lower() != "bearer":
            raise refusals.unauthorized()
        if token != self._state.access_token:
            scopes = self._oauth.scopes_of(token)
            if scopes is None:
                raise refusals.unauthorized()
            if route.scope and route.scope not in scopes:
                raise refusals.no_right()
        if route.privilege in self._state.trouble.lack:
            raise refusals.no_right()

    def _observed(self, call: Call, reply: Reply) -> Reply:
        if self._state.observe:
            self._state.observe(call, reply)
        return reply

    def _answer(self, call: Call, route: Route, ids: dict[str, str]) -> Reply:
        if self._state.trouble.vanish.intersection(ids.values()):
            raise refusals.missing()
        given, limit, position = read(call.params, route.knows, route.limit)
        world = self._state.account
        ask = Ask(world, self._state.trouble, call.path, ids, given, limit, position)
        with world.lock:
            found = route.answer(world, ask)
        return self._observed(call, found if isinstance(found, Reply) else Reply(200, found))
