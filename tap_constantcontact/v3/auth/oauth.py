"""OAuth client: requests to the authorization server, and its errors (docs/api/v3.md §3)."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import random
import re
import secrets
import time
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import requests
from singer_sdk.exceptions import FatalAPIError

from tap_constantcontact.http.error_handler import retry_after
from tap_constantcontact.meltano import LOGIN

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

#: The vendor's base URL.
AUTH_URL = "https://authz.constantcontact.com"
#: Scopes of a tap. The last one makes the server issue a refresh token.
SCOPES = "account_read contact_data campaign_data offline_access"

_DEVICE = "urn:ietf:params:oauth:grant-type:device_code"
_SLOWER = 5.0
# The token endpoint accepts about one request per second and application (docs/api/v3.md §5).
# Seconds to wait for it at most.
_MAX_WAIT = 120.0
_MAX_PAUSE = 30.0
_A_DAY = 86400.0
# Larger values of `expires_in` are timestamps, not durations (docs/api/v3.md §18).
_MAX_LIFE = 1e9
_LOG_IN = f"Log in again: {LOGIN}"


class SignInError(FatalAPIError):
    """The login failed, or a token could not be refreshed."""


class InvalidGrantError(SignInError):
    """The refresh token is not valid any more."""


class TokenResponseLostError(SignInError):
    """The server may have processed a request whose response was lost."""


class ThrottledError(SignInError):
    """The server rejected a request because of its rate limit, and changed nothing."""


@dataclass(frozen=True)
class Tokens:
    """A token response.

    Attributes:
        access_token: Token for requests to the API.
        refresh_token: Token for new tokens; None if the old one stays valid, or there is none.
        issued_at: Time of the request.
        expires_at: End of the access token.
    """

    access_token: str = field(repr=False)
    refresh_token: str | None = field(repr=False)
    issued_at: dt.datetime
    expires_at: dt.datetime


@dataclass(frozen=True)
class DeviceCode:
    """A pending login on another device.

    Attributes:
        device_code: Identifies the login to the server.
        user_code: Code that the person enters.
        verification_uri: Page for the code.
        complete_uri: The same with the code; empty if the server has none.
        interval: Seconds between two polls.
        expires_in: Seconds until the code expires.
    """

    device_code: str = field(repr=False)
    user_code: str
    verification_uri: str
    complete_uri: str
    interval: float
    expires_in: float


@dataclass(frozen=True)
class PkceChallenge:
    """Binds a login in a browser to its initiator (RFC 7636).

    Attributes:
        verifier: Secret for the exchange of the code.
        state: Returned with the code, to reject others.
    """

    verifier: str = field(repr=False, default_factory=lambda: secrets.token_urlsafe(48))
    state: str = field(repr=False, default_factory=lambda: secrets.token_urlsafe(24))

    @property
    def code_challenge(self) -> str:
        """The code challenge for the URL of the login page."""
        digest = hashlib.sha256(self.verifier.encode()).digest()
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")


class OAuthClient:
    """A client of the authorization server, for one application."""

    def __init__(  # noqa: PLR0913 - who asks, and how time passes
        self,
        url: str,
        client_id: str,
        client_secret: str | None = None,
        *,
        timeout: float = 60.0,
        clock: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
        sleep: Callable[[float], None] = time.sleep,
        notice: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Create a client.

        Args:
            url: Base URL of the server.
            client_id: The application.
            client_secret: For applications of the authorization code flow only.
            timeout: Seconds to wait for a response.
            clock: Returns the time.
            sleep: Waits for a number of seconds.
            notice: Prints a line when the server makes the tap wait.
        """
        self._base = f"{url.rstrip('/')}/oauth2/default/v1"
        self._client_id = client_id
        self._secret = client_secret
        self._timeout = timeout
        self._clock = clock
        self._sleep = sleep
        self._notice = notice

    # -- login ---------------------------------------------------------------------------------

    def begin_device(self) -> DeviceCode:
        """Start a login on another device (docs/api/v3.md §3.5).

        Raises:
            SignInError: The server rejects the request.
        """
        response = self._ask("/device/authorize", {"scope": SCOPES})
        try:
            return DeviceCode(
                device_code=str(response["device_code"]),
                user_code=str(response["user_code"]),
                verification_uri=str(response["verification_uri"]),
                complete_uri=str(response.get("verification_uri_complete") or ""),
                interval=float(response.get("interval") or _SLOWER),
                expires_in=float(response.get("expires_in") or 600),
            )
        except (KeyError, TypeError, ValueError):
            msg = "The response of the authorization server contains no code. Check `auth_url`."
            raise SignInError(msg) from None

    def wait_for_device(self, code: DeviceCode) -> Tokens:
        """Poll until the person has agreed.

        Raises:
            SignInError: The login was denied, or not completed in time.
        """
        interval, waited = code.interval, 0.0
        while waited < code.expires_in:
            self._sleep(interval)
            waited += interval
            form = {"grant_type": _DEVICE, "device_code": code.device_code}
            try:
                status, response = self._post("/token", form)
            except (TokenResponseLostError, ThrottledError) as error:
                # Server errors do not end the login: the code stays valid.
                self._notice(f"{error} Still waiting for the login.")
                continue
            if status == HTTPStatus.OK:
                return self._tokens(response)
            match response.get("error"):
                case "authorization_pending":
                    continue
                case "slow_down":
                    interval += _SLOWER
                case "access_denied":
                    msg = f"The login was denied. Run {LOGIN} again, and agree."
                    raise SignInError(msg)
                case "expired_token":
                    break
                case _:
                    raise self._error(status, response, is_login=True)
        msg = f"The login was not completed in time. Run {LOGIN} again, and open its address."
        raise SignInError(msg)

    def authorize_url(self, challenge: PkceChallenge, redirect_uri: str) -> str:
        """Return the URL of the login page in a browser (docs/api/v3.md §3.3)."""
        query = {
            "client_id": self._client_id,
            "redirect_uri": redirect_uri,
            "response_type": "code",
            "scope": SCOPES,
            "state": challenge.state,
            "code_challenge": challenge.code_challenge,
            "code_challenge_method": "S256",
        }
        return f"{self._base}/authorize?{urlencode(query)}"

    def exchange(self, code: str, challenge: PkceChallenge, redirect_uri: str) -> Tokens:
        """Exchange the code of the login page for tokens."""
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri}
        form["code_verifier"] = challenge.verifier
        return self._tokens(self._ask("/token", form, is_login=True))

    # -- refresh -------------------------------------------------------------------------------

    def refresh(self, refresh_token: str, *, is_urgent: bool = True) -> Tokens:
        """Exchange a refresh token, which may become invalid by that. Never retried blindly.

        Args:
            refresh_token: The refresh token.
            is_urgent: Whether to wait for a busy server.

        Raises:
            ThrottledError: The server is busy.
            InvalidGrantError: The token is not valid any more.
            TokenResponseLostError: The token may have become invalid.
            SignInError: The server rejects the request.
        """
        form = {"grant_type": "refresh_token", "refresh_token": refresh_token}
        return self._tokens(self._ask("/token", form, is_urgent=is_urgent), is_login=False)

    # -- requests ------------------------------------------------------------------------------

    def _ask(
        self, path: str, form: Mapping[str, str], *, is_login: bool = False, is_urgent: bool = True
    ) -> dict[str, Any]:
        status, response = self._post(path, form, is_urgent=is_urgent)
        if status != HTTPStatus.OK:
            raise self._error(status, response, is_login=is_login)
        return response

    def _post(
        self, path: str, form: Mapping[str, str], *, is_urgent: bool = True
    ) -> tuple[int, dict[str, Any]]:
        """Send a request, and wait if the server throttles it, which changes nothing."""
        waited = 0.0
        while True:
            response = self._send(path, form)
            if response.status_code != HTTPStatus.TOO_MANY_REQUESTS:
                break
            pause = min(max(1.0, retry_after(response.headers)), _MAX_PAUSE)
            if not is_urgent or waited + pause > _MAX_WAIT:
                msg = f"Too many requests to {self._base}{path} (HTTP 429). Try again later."
                raise ThrottledError(msg)
            # All waiting clients received the same number of seconds.
            pause += random.uniform(0, 1 + waited / 4)  # noqa: S311 - no secret
            self._notice(f"Too many requests to {self._base}{path}: waiting {pause:.0f} seconds.")
            self._sleep(pause)
            waited += pause
        if response.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
            msg = f"{self._base}{path} failed (HTTP {response.status_code})."
            raise TokenResponseLostError(msg)
        try:
            body = response.json()
        except (ValueError, RecursionError):
            body = None
        if response.status_code == HTTPStatus.OK and not isinstance(body, dict):
            msg = f"The response of {self._base}{path} is not a JSON object."
            raise TokenResponseLostError(msg)
        return response.status_code, body if isinstance(body, dict) else {}

    def _send(self, path: str, form: Mapping[str, str]) -> requests.Response:
        try:
            return requests.post(
                f"{self._base}{path}",
                data=dict(form) if self._secret else {**form, "client_id": self._client_id},
                # Otherwise `requests` would look for a password in ~/.netrc.
                auth=(self._client_id, self._secret) if self._secret else _as_it_is,
                headers={"Accept": "application/json"},
                timeout=self._timeout,
                allow_redirects=False,
            )
        except requests.RequestException as error:
            msg = f"{self._base}{path} did not respond ({type(error).__name__})."
            raise TokenResponseLostError(msg) from None

    def _tokens(self, response: Mapping[str, Any], *, is_login: bool = True) -> Tokens:
        access, refresh = (_token(response.get(name)) for name in ("access_token", "refresh_token"))
        if not access and (is_login or not refresh):
            msg = f"The response of {self._base}/token contains no access token."
            raise TokenResponseLostError(msg)
        if is_login and not refresh:
            msg = (
                "The authorization server returned no refresh token. Allow the scope"
                " offline_access for the"
                f" application, then run {LOGIN} again."
            )
            raise SignInError(msg)
        issued = self._clock()
        # A new refresh token without an access token is stored: the old one is not valid any more.
        life = _life(response.get("expires_in")) if access else dt.timedelta()
        return Tokens(access or "", refresh, issued, issued + life)

    def _error(self, status: int, response: Mapping[str, Any], *, is_login: bool) -> SignInError:
        """Return an error with advice (docs/api/v3.md §3.7). The server's own text is not shown."""
        code = response.get("error") or response.get("errorCode")
        is_code = isinstance(code, str) and _IS_CODE(code)
        error = code if isinstance(code, str) and is_code else f"HTTP {status}"
        if error == "invalid_grant" and is_login:
            msg = f"The login code has expired, or was used before. Run {LOGIN} again."
            return SignInError(msg)
        if error == "invalid_grant":
            return InvalidGrantError(
                "The refresh token was used before, was revoked, or has not been used for 180"
                f" days. {_LOG_IN}"
            )
        text = _ADVICE.get(
            error, "The authorization server rejects the request. Check `client_id`, `auth_url`"
        )
        return SignInError(f"{text} ({error})")


# By error code (docs/api/v3.md §3.7).
_ADVICE = {
    "invalid_client": (
        "The authorization server does not recognize this application. Check `client_id`,"
        " and `client_secret` if the application has one."
    ),
    "unauthorized_client": (
        "The application is not registered for this flow. Select the device flow in the"
        f" portal, or run {LOGIN} --pkce if it is registered for PKCE."
    ),
    "invalid_scope": (
        "The application is not allowed to use one of the scopes account_read,"
        " contact_data, campaign_data, offline_access. Allow them in the portal."
    ),
    "access_denied": (
        "The login was denied. Applications created since July 2026 accept only the user"
        " who created them, until the vendor's support approves them."
    ),
}
# Error codes of OAuth and similar servers. Other texts are not shown.
_IS_CODE = re.compile(r"[A-Za-z0-9_]{1,40}").fullmatch


def _as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def _token(value: Any) -> str | None:
    """Return a token that fits into a header and a form; None for anything else."""
    is_token = isinstance(value, str) and value.isascii() and value.isprintable()
    return value if is_token and value and " " not in value else None


def _life(seconds: Any) -> dt.timedelta:
    """Return the lifetime of an access token.

    24 hours unless the response contains it (docs/api/v3.md §3.6).
    """
    try:
        number = float(seconds) if not isinstance(seconds, bool) else _A_DAY
    except (TypeError, ValueError, OverflowError):
        number = _A_DAY
    return dt.timedelta(seconds=number if 0 < number < _MAX_LIFE else _A_DAY)
