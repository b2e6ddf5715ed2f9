"""Logging in, with a person at hand: on any device, or in this machine's browser."""

from __future__ import annotations

import time
import webbrowser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from typing_extensions import override

from tap_constantcontact.meltano import LOGIN
from tap_constantcontact.v3.oauth import Challenge, SignInError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_constantcontact.v3.oauth import AuthServer, Tokens

#: Where the browser comes back to. It is registered in the vendor's portal, to the letter.
REDIRECT_PORT = 17630
# So long a login page may stay open.
_PATIENCE = 300.0
_LOOK_EVERY = 0.2
_SEEN = "You are logged in. This page can be closed."
_NOT_SEEN = "The login has failed; the terminal says why. This page can be closed."


def by_device(server: AuthServer, say: Callable[[str], None]) -> Tokens:
    """Log in on any device: works over SSH and in containers (API docs: v3 §3.5).

    Raises:
        SignInError: The person has refused, or nobody answered.
    """
    code = server.begin_device()
    say(f"Open {code.complete_uri or code.verification_uri} in any browser, log in, and agree.")
    say(f"If it asks for a code: {code.user_code}")
    say(f"Waiting for the login ({code.expires_in / 60:.0f} minutes at most; Ctrl-C ends it).")
    return server.wait_for_device(code)


def by_browser(
    server: AuthServer,
    say: Callable[[str], None],
    *,
    open_page: Callable[[str], object] | None = None,
    port: int | None = None,
    patience: float = _PATIENCE,
) -> Tokens:
    """Log in in this machine's browser, which comes back to loopback (API docs: v3 §3.3).

    Args:
        server: The authorization server.
        say: Tells the person what to do.
        open_page: Opens the login page, if not this machine's usual browser.
        port: Where the browser comes back to, if not the usual port.
        patience: Seconds to wait for it.

    Raises:
        SignInError: The person has refused, nobody answered, or the port is taken.
    """
    challenge = Challenge()
    port = REDIRECT_PORT if port is None else port
    try:
        waiting = _Waiting(port, challenge.state, patience)
    except OSError:
        msg = f"Port {port} of this machine is taken, where the browser would come back to."
        raise SignInError(msg) from None
    with waiting:
        page = server.authorize_url(challenge, waiting.address)
        say(f"If no browser opens, open this: {page}")
        say(f"Waiting for the login ({patience / 60:.0f} minutes at most; Ctrl-C ends it).")
        (open_page or webbrowser.open)(page)
        return server.exchange(waiting.code(), challenge, waiting.address)


class _Waiting(ThreadingHTTPServer):
    """Waits on loopback for the browser to come back, once.

    Browsers open connections that they send nothing on: each request has a thread of its own.
    """

    daemon_threads = True

    def __init__(self, port: int, state: str, patience: float) -> None:
        super().__init__(("127.0.0.1", port), _Back)
        self.timeout = _LOOK_EVERY
        self.state = state
        self.found: dict[str, str] | None = None
        self._ends = time.monotonic() + patience

    @property
    def address(self) -> str:
        return f"http://localhost:{self.server_port}/"

    def code(self) -> str:
        # What is not the answer to this login, such as a browser's ask for an icon, is passed over.
        while self.found is None and time.monotonic() < self._ends:
            self.handle_request()
        if self.found is None:
            msg = f"Nobody answered in time. Run {LOGIN} again."
            raise SignInError(msg)
        if "code" not in self.found:
            msg = f"The login was refused ({self.found.get('error', 'no reason given')})."
            raise SignInError(msg)
        return self.found["code"]


class _Back(BaseHTTPRequestHandler):
    server: _Waiting

    def do_GET(self) -> None:
        query = {name: held[0] for name, held in parse_qs(urlsplit(self.path).query).items()}
        is_mine = query.get("state") == self.server.state and query.keys() & {"code", "error"}
        if is_mine:
            self.server.found = query
        text = (_SEEN if is_mine and "code" in query else _NOT_SEEN).encode()
        self.send_response(200 if is_mine else 404)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    @override
    def log_message(self, format: str, *args: object) -> None:
        """Keep the code out of the terminal."""
