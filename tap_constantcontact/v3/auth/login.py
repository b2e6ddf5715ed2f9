"""Interactive login: on any device, or in the browser of this machine."""

from __future__ import annotations

import time
import webbrowser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from typing_extensions import override

from tap_constantcontact.meltano import LOGIN
from tap_constantcontact.v3.auth.oauth import PkceChallenge, SignInError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_constantcontact.v3.auth.oauth import OAuthClient, Tokens

#: Port of the redirect URI, which is registered in the vendor's portal exactly.
REDIRECT_PORT = 17630
# Seconds for which a login page may stay open.
_TIMEOUT_SECONDS = 300.0
_POLL_SECONDS = 0.2
_SEEN = "You are logged in. This page can be closed."
_NOT_SEEN = "The login has failed; the terminal says why. This page can be closed."


def by_device(server: OAuthClient, say: Callable[[str], None]) -> Tokens:
    """Log in on any device: works over SSH and in containers (docs/api/v3.md §3.5).

    Raises:
        SignInError: The login was denied, or not completed in time.
    """
    code = server.begin_device()
    say(f"Open {code.complete_uri or code.verification_uri} in any browser, log in, and agree.")
    say(f"If it asks for a code: {code.user_code}")
    say(f"Waiting for the login ({code.expires_in / 60:.0f} minutes at most; Ctrl-C ends it).")
    return server.wait_for_device(code)


def by_browser(
    server: OAuthClient,
    say: Callable[[str], None],
    *,
    open_page: Callable[[str], object] | None = None,
    port: int | None = None,
    timeout: float = _TIMEOUT_SECONDS,
) -> Tokens:
    """Log in in the browser of this machine, which is redirected to loopback (docs/api/v3.md §3.3).

    Args:
        server: The OAuth client.
        say: Prints a line.
        open_page: Opens the login page; this machine's default browser if not given.
        port: Port of the redirect URI; the registered one if not given.
        timeout: Seconds to wait for the redirect.

    Raises:
        SignInError: The login was denied, not completed in time, or the port is in use.
    """
    challenge = PkceChallenge()
    port = REDIRECT_PORT if port is None else port
    try:
        waiting = _CallbackServer(port, challenge.state, timeout)
    except OSError:
        msg = f"Port {port} of this machine is in use. The browser must be redirected to it."
        raise SignInError(msg) from None
    with waiting:
        page = server.authorize_url(challenge, waiting.address)
        say(f"If no browser opens, open this: {page}")
        say(f"Waiting for the login ({timeout / 60:.0f} minutes at most; Ctrl-C ends it).")
        (open_page or webbrowser.open)(page)
        return server.exchange(waiting.code(), challenge, waiting.address)


class _CallbackServer(ThreadingHTTPServer):
    """Waits on loopback for the redirect of the browser.

    Browsers open connections without a request, so each connection has its own thread.
    """

    daemon_threads = True

    def __init__(self, port: int, state: str, timeout: float) -> None:
        super().__init__(("127.0.0.1", port), _CallbackHandler)
        self.timeout = _POLL_SECONDS
        self.state = state
        self.found: dict[str, str] | None = None
        self._ends = time.monotonic() + timeout

    @property
    def address(self) -> str:
        return f"http://localhost:{self.server_port}/"

    def code(self) -> str:
        # Other requests, such as for an icon, are ignored.
        while self.found is None and time.monotonic() < self._ends:
            self.handle_request()
        if self.found is None:
            msg = f"The login was not completed in time. Run {LOGIN} again."
            raise SignInError(msg)
        if "code" not in self.found:
            msg = f"The login was denied ({self.found.get('error', 'no reason given')})."
            raise SignInError(msg)
        return self.found["code"]


class _CallbackHandler(BaseHTTPRequestHandler):
    server: _CallbackServer

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
        """Log nothing: the URL contains the code."""
