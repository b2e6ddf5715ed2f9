"""The server: the API and its controls on a port of this machine, in a thread of its own."""

import asyncio
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.types import ASGIApp, Receive, Scope, Send

from sandbox.account import Account
from sandbox.control import Control
from sandbox.fault_config import FaultConfig
from sandbox.fault_injector import Limits
from sandbox.http import Call, Reply
from sandbox.state import Interfere, Observe, State
from sandbox.v2 import app as v2
from sandbox.v3 import app as v3
from sandbox.v3 import oauth as signing_in
from sandbox.v3.oauth import OAuth

__all__ = ["Call", "Reply", "Sandbox", "serve", "serve_accounts"]

_HOST: Final = "127.0.0.1"
_PATIENCE: Final = 10.0


class Sandbox:
    """A sandbox that is running."""

    def __init__(self, state: State, oauth: OAuth, port: int) -> None:
        """Create the handle of a running sandbox.

        Args:
            state: State of the sandbox.
            oauth: The authorization server of v3, at the sandbox's origin.
            port: Where it is served.
        """
        self._state = state
        self.oauth = oauth
        self.origin = f"http://{_HOST}:{port}"
        self.url = f"{self.origin}{v2.PREFIX}"
        self.v3_url = f"{self.origin}{v3.PREFIX}"

    @property
    def account(self) -> Account:
        """The account being served; may be changed and replaced."""
        return self._state.account

    @account.setter
    def account(self, account: Account) -> None:
        self._state.account = account

    @property
    def faults(self) -> FaultConfig:
        """The current faults; may be changed and replaced."""
        return self._state.faults

    @faults.setter
    def faults(self, faults: FaultConfig) -> None:
        self._state.faults = faults

    @property
    def calls(self) -> list[Call]:
        """All requests so far in order of arrival, rejected ones included."""
        return self._state.calls

    @property
    def interfere(self) -> Interfere | None:
        """Called with every accepted request and its endpoint.

        It may change the account first, or respond itself.
        """
        return self._state.interfere

    @interfere.setter
    def interfere(self, interfere: Interfere | None) -> None:
        self._state.interfere = interfere

    @property
    def observe(self) -> Observe | None:
        """Called with every accepted request of v3 and its response before faults."""
        return self._state.observe

    @observe.setter
    def observe(self, observe: Observe | None) -> None:
        self._state.observe = observe

    def wait_for_calls(self, count: int, patience: float = 60.0) -> bool:
        """Wait until a number of requests have arrived; return whether they have in time."""
        with self._state.arrival:
            return self._state.arrival.wait_for(lambda: len(self.calls) >= count, patience)

    @property
    def throttled(self) -> int:
        """Number of throttled requests."""
        return self._state.throttled

    def new_day(self) -> None:
        """Reset the daily quota."""
        self._state.calls_today = 0


class _Server(uvicorn.Server):
    """A uvicorn server that signals its start and stops at once."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._end: asyncio.Event | None = None

    async def main_loop(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._end = asyncio.Event()
        self.up.set()
        await self._end.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # As uvicorn does, but without its pause of a tenth of a second: tests start many servers.
        # What was accepted a moment ago has to become a connection before its server is closed, or
        # asyncio loses it with its socket open.
        loop = asyncio.get_running_loop()
        for server in self.servers:
            for listener in server.sockets:
                loop.remove_reader(listener)
        await _turns()
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        await _turns()
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        await _turns()

    def stop(self) -> None:
        if self._loop is not None and self._end is not None:
            self._loop.call_soon_threadsafe(self._end.set)


async def _turns() -> None:
    """Give the loop the turns that it takes to close what is to be closed."""
    for _ in range(3):
        await asyncio.sleep(0)


def _listener(port: int) -> socket.socket:
    # Only for a socket that is expressly TCP does asyncio switch off Nagle's algorithm, which would
    # hold back the body of every answer for 40 ms.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((_HOST, port))
    except OSError:
        listener.close()
        raise
    return listener


@contextmanager
def serve(  # noqa: PLR0913 - what is served, and to whom
    account: Account | None = None,
    faults: FaultConfig | None = None,
    *,
    api_key: str = "key",
    access_token: str = "token",  # noqa: S107 - the made-up token of a made-up account
    oauth: OAuth | None = None,
    port: int = 0,
) -> Iterator[Sandbox]:
    """Serve an account on this machine for as long as the `with` block lasts.

    Args:
        account: The account; without one, one of the default size.
        faults: What goes wrong; without it, nothing.
        api_key: The API key that is accepted.
        access_token: The access token that is accepted.
        oauth: The authorization server of v3. Default: one that accepts the usual application.
        port: The port; 0 takes any free one.

    Yields:
        The running sandbox.

    Raises:
        OSError: The port is taken.
        RuntimeError: The server did not start.
    """
    state = State(account or Account(), faults or FaultConfig(), api_key, access_token)
    oauth = oauth or OAuth()
    limits = Limits(state)
    mounts = [
        Mount(v2.PREFIX, v2.ApiApp(state, limits)),
        Mount(v3.PREFIX, v3.ApiApp(state, limits, oauth)),
        Mount(signing_in.PREFIX, oauth),
    ]
    app = Starlette(routes=[*Control(state).routes, *mounts])
    with _listening(app, port) as number:
        yield Sandbox(state, oauth, number)


@contextmanager
def serve_accounts(
    accounts: Mapping[str, Account],
    faults: FaultConfig | None = None,
    *,
    api_key: str = "key",
    port: int = 0,
) -> Iterator[dict[str, Sandbox]]:
    """Serve several accounts of one key, which share its rate limit and its daily quota.

    Args:
        accounts: By the access token that selects them.
        faults: Rate limit and quota of the key; without it, none.
        api_key: The API key of v2 that is accepted.
        port: The port; 0 takes any free one.

    Yields:
        The sandboxes by access token, each with the requests of its account. Faults other than rate
        limit and quota are those of an account.

    Raises:
        OSError: The port is taken.
        RuntimeError: The server did not start.
    """
    oauth = OAuth()
    states = {
        token: State(account, FaultConfig(), api_key, token) for token, account in accounts.items()
    }
    first = next(iter(states.values()))
    limits = Limits(State(first.account, faults or FaultConfig(), api_key, ""))
    v2_apps = {token: v2.ApiApp(state, limits) for token, state in states.items()}
    v3_apps = {token: v3.ApiApp(state, limits, oauth) for token, state in states.items()}
    mounts = [Mount(v2.PREFIX, _ByToken(v2_apps)), Mount(v3.PREFIX, _ByToken(v3_apps))]
    with _listening(Starlette(routes=mounts), port) as number:
        yield {token: Sandbox(state, oauth, number) for token, state in states.items()}


class _ByToken:
    """Passes each request to the account of its access token."""

    def __init__(self, apps: Mapping[str, ASGIApp]) -> None:
        self._apps = apps
        self._first = next(iter(apps.values()))  # It rejects any other token.

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        header = dict(scope["headers"]).get(b"authorization", b"").decode("latin-1")
        app = self._apps.get(header.partition(" ")[2], self._first)
        await app(scope, receive, send)


@contextmanager
def _listening(app: ASGIApp, port: int) -> Iterator[int]:
    """Run a server, and yield its port."""
    config = uvicorn.Config(
        app,
        http="h11",
        loop="asyncio",
        ws="none",
        lifespan="off",
        log_config=None,
        # A connection that is cut on purpose would be logged as an error.
        log_level="critical",
        access_log=False,
        server_header=False,
        date_header=False,
        timeout_keep_alive=60,
        timeout_graceful_shutdown=1,
    )
    server = _Server(config)
    with _listener(port) as listener:
        thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
        thread.start()
        if not server.up.wait(_PATIENCE):
            msg = "the sandbox did not start"
            raise RuntimeError(msg)
        try:
            yield listener.getsockname()[1]
        finally:
            server.stop()
            thread.join(_PATIENCE)
