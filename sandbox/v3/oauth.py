"""The authorization server of v3: device, PKCE and code flow, refresh, and their failures."""

import asyncio
import base64
import hashlib
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import monotonic
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, urlencode

import msgspec
from starlette.types import Receive, Scope, Send

from sandbox.http import Reply, send_reply

if TYPE_CHECKING:
    from collections.abc import Callable

PREFIX: Final = "/oauth2/default/v1"
DEVICE_GRANT: Final = "urn:ietf:params:oauth:grant-type:device_code"


@dataclass(slots=True)
class Application:
    """An application that is registered in the vendor's portal.

    Attributes:
        secret: Only applications of the code flow have one.
        rotating: Whether each use of a refresh token gives a new one and ends the old.
        scopes: Scopes that it may request.
    """

    client_id: str = "sandbox-client"
    secret: str | None = None
    rotating: bool = True
    scopes: str = "account_read contact_data campaign_data offline_access"


@dataclass(slots=True)
class Device:
    """A pending login; `agreed` is None until a person has approved or rejected it."""

    user_code: str
    scope: str
    agreed: bool | None = None


@dataclass(slots=True)
class Granted:
    """A granted authorization.

    Attributes:
        refresh_token: The newest; empty without offline access.
        spent: Those that were used.
        access: Access tokens, each with its end by the server's clock.
        ended: Whether a spent token was presented again, which ends it all.
    """

    refresh_token: str
    scope: str
    spent: dict[str, float] = field(default_factory=dict)
    access: dict[str, float] = field(default_factory=dict)
    ended: bool = False


class _RefusedError(Exception):
    def __init__(self, error: str, status: int = 400, description: str = "") -> None:
        super().__init__(error)
        self.reply = Reply(
            status,
            msgspec.json.encode({"error": error, "error_description": description or error}),
        )


class OAuth:
    """The server, as an ASGI application below `/oauth2/default/v1`.

    Attributes:
        application: The registered application.
        life: Lifetime of an access token, in seconds.
        grace: Seconds in which a spent refresh token is forgiven.
        throttle: Whether more than one request per second to the token endpoint is throttled.
        lose_answers: Number of the next responses of the token endpoint that are lost.
        delay: Seconds that a refresh takes.
        agrees: What the person answers to a login at once; None if it waits for `answer`.
        interval: Seconds that a device has to wait between two questions.
        refreshes: How many refreshes were made.
        most_at_once: Largest number of requests in flight.
        under_way: How many are at the moment.
        invalid_grants: Number of requests with an invalid token.
    """

    def __init__(self, application: Application | None = None) -> None:
        """Start without grants."""
        self.application = application or Application()
        self.life = 86400.0
        self.grace = 0.0
        self.throttle = False
        self.lose_answers = 0
        self.delay = 0.0
        self.agrees: bool | None = None
        self.interval: float = 5
        self.refreshes = 0
        self.most_at_once = 0
        self.invalid_grants = 0
        self.clock: Callable[[], float] = monotonic
        self.devices: dict[str, Device] = {}
        self.codes: dict[str, dict[str, str]] = {}
        self.granted: list[Granted] = []
        self.under_way = 0
        self._last_call = float("-inf")

    # -- what a person does -----------------------------------------------------------------

    def answer(self, user_code: str, *, agree: bool = True) -> None:
        """Approve or reject the login of a code."""
        for device in self.devices.values():
            if device.user_code == user_code:
                device.agreed = agree

    def grant(self) -> str:
        """Log in elsewhere, and return the refresh token."""
        return self._granted(self.application.scopes).refresh_token

    def remember(self, refresh_token: str) -> None:
        """Add a grant of an earlier run."""
        self.granted.append(Granted(refresh_token, self.application.scopes))

    def access(self) -> str:
        """Log in elsewhere, and return an access token."""
        granted = self._granted(self.application.scopes)
        self._tokens(granted)
        return next(iter(granted.access))

    def is_good(self, access_token: str) -> bool:
        """Return whether an access token is valid."""
        return self.scopes_of(access_token) is not None

    def scopes_of(self, access_token: str) -> frozenset[str] | None:
        """Return the grant of an access token; None if it is invalid."""
        for each in self.granted:
            if not each.ended and each.access.get(access_token, 0) > self.clock():
                return frozenset(each.scope.split())
        return None

    # -- calls ------------------------------------------------------------------------------

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Respond to a request."""
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        form = {name: values[0] for name, values in parse_qs(body.decode("latin-1")).items()}
        headers = dict(scope["headers"])
        path = scope["path"].removeprefix(PREFIX)
        lost = False
        try:
            if path == "/token" and scope["method"] == "POST":
                reply = self._slow_down() or await self._token(form, headers)
                lost = self.lose_answers > 0
                self.lose_answers -= lost
            elif path == "/device/authorize" and scope["method"] == "POST":
                reply = self._device(form, headers.get(b"host", b"").decode("latin-1"))
            elif path == "/activate" and scope["method"] == "GET":
                query = parse_qs(scope["query_string"].decode("latin-1"))
                self.answer(query.get("user_code", [""])[0])
                reply = Reply(200, b"You have agreed.", "text/plain")
            elif path == "/authorize" and scope["method"] == "GET":
                query = parse_qs(scope["query_string"].decode("latin-1"))
                reply = self._authorize({name: values[0] for name, values in query.items()})
            else:
                reply = Reply(405, b'{"errorCode":"E0000022","errorSummary":"Not supported"}')
        except _RefusedError as refused:
            reply = refused.reply
        await send_reply(reply._replace(cut=lost), datetime.now(UTC), send)

    def _slow_down(self) -> Reply | None:
        before, self._last_call = self._last_call, monotonic()
        if self.throttle and self._last_call < before + 1:
            return Reply(429, b"", headers=(("retry-after", "1"),))
        return None

    def _check_client(self, form: dict[str, str], headers: dict[bytes, bytes]) -> None:
        client_id, secret = form.get("client_id"), None
        scheme, _, value = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
        if scheme.lower() == "basic":
            client_id, _, secret = base64.b64decode(value).decode().partition(":")
        known = self.application
        if client_id != known.client_id or secret != known.secret:
            error = "invalid_client"
            raise _RefusedError(error, 401)

    async def _token(self, form: dict[str, str], headers: dict[bytes, bytes]) -> Reply:
        self._check_client(form, headers)
        kind = form.get("grant_type")
        if kind == "refresh_token":
            return await self._refresh(form.get("refresh_token", ""))
        if kind == DEVICE_GRANT:
            return self._poll(form.get("device_code", ""))
        if kind == "authorization_code":
            return self._exchange(form)
        error = "unsupported_grant_type"
        raise _RefusedError(error)

    async def _refresh(self, token: str) -> Reply:
        self.under_way += 1
        self.most_at_once = max(self.most_at_once, self.under_way)
        try:
            await asyncio.sleep(self.delay)
            self.refreshes += 1
            return self._turned(token)
        finally:
            self.under_way -= 1

    def _turned(self, token: str) -> Reply:
        for granted in self.granted:
            if granted.ended or token not in {granted.refresh_token, *granted.spent}:
                continue
            if token != granted.refresh_token and self.clock() > granted.spent[token] + self.grace:
                granted.ended = (
                    True  # A spent token that comes back looks stolen (docs/api/v3.md §3.6).
                )
                break
            if self.application.rotating:
                granted.spent[granted.refresh_token] = self.clock()
                granted.refresh_token = secrets.token_urlsafe(32)
            return self._tokens(granted)
        self.invalid_grants += 1
        error = "invalid_grant"
        raise _RefusedError(error, description="The refresh token is invalid or expired.")

    def _device(self, form: dict[str, str], host: str) -> Reply:
        if form.get("client_id") != self.application.client_id:
            error = "invalid_client"
            raise _RefusedError(error, 401)
        scope = self._scope(form.get("scope", ""))
        code, user_code = secrets.token_urlsafe(24), secrets.token_hex(4).upper()
        self.devices[code] = Device(user_code, scope, self.agrees)
        # Opening this page is consent: the sandbox has one user.
        page = f"http://{host}{PREFIX}/activate"
        return _answer(
            {
                "device_code": code,
                "user_code": user_code,
                "verification_uri": page,
                "verification_uri_complete": f"{page}?user_code={user_code}",
                "expires_in": 600,
                "interval": self.interval,
            }
        )

    def _poll(self, code: str) -> Reply:
        device = self.devices.get(code)
        if device is None:
            error = "expired_token"
            raise _RefusedError(error)
        if device.agreed is None:
            error = "authorization_pending"
            raise _RefusedError(error)
        del self.devices[code]
        if not device.agreed:
            error = "access_denied"
            raise _RefusedError(error)
        return self._tokens(self._granted(device.scope))

    def _authorize(self, query: dict[str, str]) -> Reply:
        """Redirect the browser at once: the sandbox approves every login."""
        code = secrets.token_urlsafe(16)
        self.codes[code] = query
        back = urlencode({"code": code, "state": query.get("state", "")})
        location = f"{query.get('redirect_uri', '')}?{back}"
        return Reply(302, b"", headers=(("location", location),))

    def _exchange(self, form: dict[str, str]) -> Reply:
        asked = self.codes.pop(form.get("code", ""), None)
        hashed = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(hashed).decode().rstrip("=")
        is_same = asked and asked.get("redirect_uri") == form.get("redirect_uri")
        if not asked or not is_same or asked.get("code_challenge", challenge) != challenge:
            error = "invalid_grant"
            raise _RefusedError(error)
        return self._tokens(self._granted(self._scope(asked.get("scope", ""))))

    def _scope(self, wanted: str) -> str:
        if not set(wanted.split()) <= set(self.application.scopes.split()):
            error = "invalid_scope"
            raise _RefusedError(error)
        return wanted

    def _granted(self, scope: str) -> Granted:
        refresh = secrets.token_urlsafe(32) if "offline_access" in scope.split() else ""
        self.granted.append(Granted(refresh, scope))
        return self.granted[-1]

    def _tokens(self, granted: Granted) -> Reply:
        access = f"eyJraWQiOiJ4eXoifQ.e30.{secrets.token_urlsafe(24)}"
        granted.access[access] = self.clock() + self.life
        said: dict[str, Any] = {
            "token_type": "Bearer",
            "expires_in": self.life,
            "access_token": access,
            "scope": granted.scope,
        }
        if granted.refresh_token:
            said["refresh_token"] = granted.refresh_token
        return _answer(said)


def _answer(said: dict[str, Any]) -> Reply:
    return Reply(200, msgspec.json.encode(said))
