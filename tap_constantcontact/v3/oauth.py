"""The authorization server: what it is asked, and what its refusals mean (API docs: v3 §3)."""

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

#: Where the vendor's is.
AUTH_URL = "https://authz.constantcontact.com"
#: What a tap has to be allowed. The last makes the server hand out a refresh token.
SCOPES = "account_read contact_data campaign_data offline_access"

_DEVICE = "urn:ietf:params:oauth:grant-type:device_code"
_SLOWER = 5.0
# The token endpoint takes about one request per second and application (v3 §5): others may be
# served first, but not for longer than this.
_MAX_WAIT = 120.0
_MAX_PAUSE = 30.0
_A_DAY = 86400.0
# Greater values of `expires_in` are no durations, but timestamps (v3 §18).
_MAX_LIFE = 1e9
_LOG_IN = f"Log in again: {LOGIN}"


class SignInError(FatalAPIError):
    """Signing in has failed, or a token could not be renewed: what is wrong and what to do."""


class SpentTokenError(SignInError):
    """The refresh token is not good any more."""


class LostAnswerError(SignInError):
    """The server may have done what was asked, and its answer did not arrive."""


class ThrottledError(SignInError):
    """The server did nothing, since too many requests came in."""


@dataclass(frozen=True)
class Tokens:
    """What the server hands out.

    Attributes:
        access_token: For calls of the API.
        refresh_token: For new tokens; None if the server kept the old one valid, or gave none.
        issued_at: When they were asked for.
        expires_at: When the access token ends.
    """

    access_token: str = field(repr=False)
    refresh_token: str | None = field(repr=False)
    issued_at: dt.datetime
    expires_at: dt.datetime


@dataclass(frozen=True)
class DeviceCode:
    """A login that waits for a person.

    Attributes:
        device_code: What it is asked after with.
        user_code: What the person types in.
        verification_uri: Where.
        complete_uri: The same with the code in it; empty if the server has none.
        interval: Seconds between two questions.
        expires_in: Seconds until it is too late.
    """

    device_code: str = field(repr=False)
    user_code: str
    verification_uri: str
    complete_uri: str
    interval: float
    expires_in: float


@dataclass(frozen=True)
class Challenge:
    """What ties a login in a browser to who began it (RFC 7636).

    Attributes:
        verifier: Kept until the code is exchanged.
        state: Comes back with the code, so that no other's is taken.
    """

    verifier: str = field(repr=False, default_factory=lambda: secrets.token_urlsafe(48))
    state: str = field(repr=False, default_factory=lambda: secrets.token_urlsafe(24))

    @property
    def hashed(self) -> str:
        """What goes into the address of the login page."""
        digest = hashlib.sha256(self.verifier.encode()).digest()
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")


class AuthServer:
    """An authorization server, asked by one application."""

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
        """Ask nothing yet.

        Args:
            url: Its base.
            client_id: Names the application.
            client_secret: Of applications of the code flow only.
            timeout: Seconds to wait for an answer.
            clock: The time.
            sleep: Waits for so many seconds.
            notice: Takes a line when the server makes the tap wait.
        """
        self._base = f"{url.rstrip('/')}/oauth2/default/v1"
        self._client_id = client_id
        self._secret = client_secret
        self._timeout = timeout
        self._clock = clock
        self._sleep = sleep
        self._notice = notice

    # -- logging in -------------------------------------------------------------------------

    def begin_device(self) -> DeviceCode:
        """Begin a login on another device (v3 §3.5).

        Raises:
            SignInError: The server refuses.
        """
        said = self._ask("/device/authorize", {"scope": SCOPES})
        try:
            return DeviceCode(
                device_code=str(said["device_code"]),
                user_code=str(said["user_code"]),
                verification_uri=str(said["verification_uri"]),
                complete_uri=str(said.get("verification_uri_complete") or ""),
                interval=float(said.get("interval") or _SLOWER),
                expires_in=float(said.get("expires_in") or 600),
            )
        except (KeyError, TypeError, ValueError):
            msg = "The authorization server's answer holds no code. Check `auth_url`."
            raise SignInError(msg) from None

    def wait_for_device(self, code: DeviceCode) -> Tokens:
        """Ask until the person has agreed.

        Raises:
            SignInError: The person has refused, or did not answer in time.
        """
        interval, waited = code.interval, 0.0
        while waited < code.expires_in:
            self._sleep(interval)
            waited += interval
            form = {"grant_type": _DEVICE, "device_code": code.device_code}
            try:
                status, said = self._post("/token", form)
            except (LostAnswerError, ThrottledError) as error:
                # The code is good until it ends.
                self._notice(f"{error} Still waiting for the login.")
                continue
            if status == HTTPStatus.OK:
                return self._tokens(said)
            match said.get("error"):
                case "authorization_pending":
                    continue
                case "slow_down":
                    interval += _SLOWER
                case "access_denied":
                    msg = f"The login was refused. Run {LOGIN} again, and agree."
                    raise SignInError(msg)
                case "expired_token":
                    break
                case _:
                    raise self._refusal(status, said, is_login=True)
        msg = f"Nobody answered in time. Run {LOGIN} again, and open the address it shows."
        raise SignInError(msg)

    def authorize_url(self, challenge: Challenge, redirect_uri: str) -> str:
        """The address of the login page in a browser (v3 §3.3)."""
        query = {
            "client_id": self._client_id,
            "redirect_uri": redirect_uri,
            "response_type": "code",
            "scope": SCOPES,
            "state": challenge.state,
            "code_challenge": challenge.hashed,
            "code_challenge_method": "S256",
        }
        return f"{self._base}/authorize?{urlencode(query)}"

    def exchange(self, code: str, challenge: Challenge, redirect_uri: str) -> Tokens:
        """Tokens for the code that came back from the login page.

        Raises:
            SignInError: The server refuses.
        """
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri}
        form["code_verifier"] = challenge.verifier
        return self._tokens(self._ask("/token", form, is_login=True))

    # -- renewing ---------------------------------------------------------------------------

    def refresh(self, refresh_token: str, *, is_urgent: bool = True) -> Tokens:
        """New tokens for a refresh token, which may be spent by that. Never repeated blindly.

        Args:
            refresh_token: The refresh token.
            is_urgent: Whether to wait where the server is busy.

        Raises:
            ThrottledError: The server is busy.
            SpentTokenError: It is not good any more.
            LostAnswerError: Nobody knows whether it was spent.
            SignInError: The server refuses.
        """
        form = {"grant_type": "refresh_token", "refresh_token": refresh_token}
        return self._tokens(self._ask("/token", form, is_urgent=is_urgent), is_login=False)

    # -- one question -----------------------------------------------------------------------

    def _ask(
        self, path: str, form: Mapping[str, str], *, is_login: bool = False, is_urgent: bool = True
    ) -> dict[str, Any]:
        status, said = self._post(path, form, is_urgent=is_urgent)
        if status != HTTPStatus.OK:
            raise self._refusal(status, said, is_login=is_login)
        return said

    def _post(
        self, path: str, form: Mapping[str, str], *, is_urgent: bool = True
    ) -> tuple[int, dict[str, Any]]:
        """Ask; where too many do so at once, which changes nothing, wait for a turn."""
        waited = 0.0
        while True:
            response = self._send(path, form)
            if response.status_code != HTTPStatus.TOO_MANY_REQUESTS:
                break
            pause = min(max(1.0, retry_after(response.headers)), _MAX_PAUSE)
            if not is_urgent or waited + pause > _MAX_WAIT:
                msg = f"Too many requests to {self._base}{path} (HTTP 429). Try again later."
                raise ThrottledError(msg)
            # All who wait were told the same time.
            pause += random.uniform(0, 1 + waited / 4)  # noqa: S311 - no secret
            self._notice(f"Too many requests to {self._base}{path}: waiting {pause:.0f} seconds.")
            self._sleep(pause)
            waited += pause
        if response.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
            msg = f"{self._base}{path} failed (HTTP {response.status_code})."
            raise LostAnswerError(msg)
        try:
            said = response.json()
        except ValueError:
            said = None
        if response.status_code == HTTPStatus.OK and not isinstance(said, dict):
            msg = f"The response of {self._base}{path} is not a JSON object."
            raise LostAnswerError(msg)
        return response.status_code, said if isinstance(said, dict) else {}

    def _send(self, path: str, form: Mapping[str, str]) -> requests.Response:
        try:
            return requests.post(
                f"{self._base}{path}",
                data=dict(form) if self._secret else {**form, "client_id": self._client_id},
                # Without any, `requests` would look for a password in ~/.netrc.
                auth=(self._client_id, self._secret) if self._secret else _as_it_is,
                headers={"Accept": "application/json"},
                timeout=self._timeout,
                allow_redirects=False,
            )
        except requests.RequestException as error:
            msg = f"{self._base}{path} did not respond ({type(error).__name__})."
            raise LostAnswerError(msg) from None

    def _tokens(self, said: Mapping[str, Any], *, is_login: bool = True) -> Tokens:
        access, refresh = (_token(said.get(name)) for name in ("access_token", "refresh_token"))
        if not access and (is_login or not refresh):
            msg = f"The response of {self._base}/token contains no access token."
            raise LostAnswerError(msg)
        if is_login and not refresh:
            msg = (
                "The authorization server gave no refresh token. Let the application have the scope"
                f" offline_access, then run {LOGIN} again."
            )
            raise SignInError(msg)
        issued = self._clock()
        # A new refresh token without an access token is kept all the same: the old one is spent.
        life = _life(said.get("expires_in")) if access else dt.timedelta()
        return Tokens(access or "", refresh, issued, issued + life)

    def _refusal(self, status: int, said: Mapping[str, Any], *, is_login: bool) -> SignInError:
        """What is wrong, in words (v3 §3.7). The server's own text is not quoted."""
        code = said.get("error") or said.get("errorCode")
        is_code = isinstance(code, str) and _IS_CODE(code)
        error = code if isinstance(code, str) and is_code else f"HTTP {status}"
        if error == "invalid_grant" and is_login:
            msg = f"The login code has expired, or was used already. Run {LOGIN} again."
            return SignInError(msg)
        if error == "invalid_grant":
            return SpentTokenError(
                f"The refresh token is spent, was revoked, or was not used for 180 days. {_LOG_IN}"
            )
        known = {
            "invalid_client": (
                "The authorization server does not know this application. Check `client_id`, and"
                " `client_secret` if the application has one."
            ),
            "unauthorized_client": (
                "The application is not registered for this way of logging in. Make it one of the"
                f" device flow in the portal, or run {LOGIN} --pkce if it is one of PKCE."
            ),
            "invalid_scope": (
                "The application may not have one of the scopes account_read, contact_data,"
                " campaign_data, offline_access. Allow them in the portal."
            ),
            "access_denied": (
                "The login was refused. Applications made since July 2026 can be granted only by"
                " the user who made them, until the vendor's support approves them."
            ),
        }
        text = known.get(error, "The authorization server refuses. Check `client_id`, `auth_url`")
        return SignInError(f"{text} ({error})")


# Error codes of OAuth and of servers of this make: the server's own words are not shown.
_IS_CODE = re.compile(r"[A-Za-z0-9_]{1,40}").fullmatch


def _as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def _token(value: Any) -> str | None:
    """A token, if it is one that a header and a form can hold."""
    is_token = isinstance(value, str) and value.isascii() and value.isprintable()
    return value if is_token and value and " " not in value else None


def _life(seconds: Any) -> dt.timedelta:
    """How long an access token lives: 24 hours, should the response not say (v3 §3.6)."""
    try:
        number = float(seconds) if not isinstance(seconds, bool) else _A_DAY
    except (TypeError, ValueError, OverflowError):
        number = _A_DAY
    return dt.timedelta(seconds=number if 0 < number < _MAX_LIFE else _A_DAY)
