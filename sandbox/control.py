"""Control from outside while the sandbox runs: `/sandbox`, without credentials."""

from dataclasses import asdict
from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.state import State
from sandbox.v2 import app as v2
from sandbox.v3 import app as v3
from sandbox.world.changes import CHANGES
from sandbox.world.truth import truth

_ABOUT: Final = (
    "A fictional Constant Contact account behind both APIs. "
    "GET /sandbox/counts, /sandbox/calls and /sandbox/truth to look, "
    "POST /sandbox/change to let things happen, "
    "PUT /sandbox/faults to make things go wrong, POST /sandbox/new-day to reset the quota."
)


def _reply(content: object, status: int = 200) -> Response:
    return Response(msgspec.json.encode(content), status, media_type="application/json")


def _refuse(message: str) -> Response:
    return _reply({"error": message}, 400)


class Control:
    """The endpoints below `/sandbox`."""

    def __init__(self, state: State) -> None:
        """Control a sandbox.

        Args:
            state: State of the sandbox.
        """
        self._state = state
        self.routes = [
            Route("/sandbox", self._about, methods=["GET"]),
            Route("/sandbox/counts", self._counts, methods=["GET"]),
            Route("/sandbox/truth", self._truth, methods=["GET"]),
            Route("/sandbox/calls", self._calls, methods=["GET"]),
            Route("/sandbox/change", self._change, methods=["POST"]),
            Route("/sandbox/faults", self._trouble, methods=["PUT"]),
            Route("/sandbox/new-day", self._new_day, methods=["POST"]),
        ]

    async def _about(self, request: Request) -> Response:
        state = self._state
        return _reply(
            {
                "about": _ABOUT,
                "api_url": f"{request.url.scheme}://{request.url.netloc}{v2.PREFIX}",
                "v3_api_url": f"{request.url.scheme}://{request.url.netloc}{v3.PREFIX}",
                "auth_url": f"{request.url.scheme}://{request.url.netloc}",
                "calls": len(state.calls),
                "calls_today": state.calls_today,
                "throttled": state.throttled,
                "counts": state.account.counts(),
                "changes": list(CHANGES),
                "faults": state.faults,
            },
        )

    async def _counts(self, _request: Request) -> Response:
        return _reply(self._state.account.counts())

    async def _truth(self, _request: Request) -> Response:
        return _reply(truth(self._state.account))

    async def _calls(self, _request: Request) -> Response:
        return _reply([asdict(call) for call in self._state.calls])

    async def _change(self, request: Request) -> Response:
        try:
            wanted = msgspec.json.decode(await request.body(), type=dict[str, int])
        except msgspec.DecodeError as error:
            return _refuse(str(error))
        if unknown := wanted.keys() - CHANGES.keys():
            return _refuse(f"{min(unknown)} is none of: {', '.join(CHANGES)}")
        account = self._state.account
        return _reply({name: CHANGES[name](account, count) for name, count in wanted.items()})

    async def _trouble(self, request: Request) -> Response:
        try:
            fields = msgspec.json.decode(await request.body(), type=dict[str, Any])
            self._state.faults.change(fields)
        except ValueError as error:  # msgspec's own errors are ValueErrors, too
            return _refuse(str(error))
        return _reply(self._state.faults)

    async def _new_day(self, _request: Request) -> Response:
        self._state.calls_today = 0
        return _reply({"calls_today": 0})
