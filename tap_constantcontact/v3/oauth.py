"""The authorization server: what it is asked, and what its refusals mean (API docs: v3 §3)."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import secrets
import time
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import requests
from singer_sdk.exceptions import FatalAPIError

from tap_constantcontact.http.refusals import retry_after

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

#: Where the vendor's is.
AUTH_URL = "https://authz.constantcontact.com"
#: What a tap has to be allowed. The last makes the server hand out a refresh token.
SCOPES = "account_read contact_data campaign_data offline_access"

_DEVICE = "urn:ietf:params:oauth:grant-type:device_code"
_SLOWER = 5.0
# The token endpoint takes about one call a second (v3 §5).
_PATIENCE = 5
_LOG_IN = "Log in again: tap-constantcontact --login"


class SignInError(FatalAPIError):
    """Signing in has failed, or a token could not be renewed: what is wrong and what to do."""


class SpentTokenError(SignInError):
    """The refresh token is not good any more."""


class LostAnswerError(SignInError):
    """The server may have done what was asked, and its answer did not arrive."""


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
    ) -> None:
        """Ask nothing yet.

        Args:
            url: Its base.
            client_id: Names the application.
            client_secret: Of applications of the code flow only.
            timeout: Seconds to wait for an answer.
            clock: The time.
            sleep: Waits for so many seconds.
        """
        self._base = f"{url.rstrip('/')}/oauth2/default/v1"
        self._client_id = client_id
        self._secret = client_secret
        self._timeout = timeout
        self._clock = clock
        self._sleep = sleep

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
            status, said = self._post("/token", form)
            if status == HTTPStatus.OK:
                return self._tokens(said)
            match said.get("error"):
                case "authorization_pending":
                    continue
                case "slow_down":
                    interval += _SLOWER
                case "access_denied":
                    msg = "The login was refused. Run --login again, and agree."
                    raise SignInError(msg)
                case "expired_token":
                    break
                case _:
                    raise self._refusal(status, said)
        msg = "Nobody answered in time. Run --login again, and open the address it shows."
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
        return self._tokens(self._ask("/token", {**form, "code_verifier": challenge.verifier}))

    # -- renewing ---------------------------------------------------------------------------

    def refresh(self, refresh_token: str) -> Tokens:
        """New tokens for a refresh token, which may be spent by that. Never repeated blindly.

        Raises:
            SpentTokenError: It is not good any more.
            LostAnswerError: Nobody knows whether it was spent.
            SignInError: The server refuses.
        """
        form = {"grant_type": "refresh_token", "refresh_token": refresh_token}
        return self._tokens(self._ask("/token", form), is_login=False)

    # -- one question -----------------------------------------------------------------------

    def _ask(self, path: str, form: Mapping[str, str]) -> dict[str, Any]:
        status, said = self._post(path, form)
        if status != HTTPStatus.OK:
            raise self._refusal(status, said)
        return said

    def _post(self, path: str, form: Mapping[str, str]) -> tuple[int, dict[str, Any]]:
        """Ask; refusals for pace, which change nothing, are waited out."""
        for _ in range(_PATIENCE):
            try:
                response = requests.post(
                    f"{self._base}{path}",
                    data=dict(form) if self._secret else {**form, "client_id": self._client_id},
                    auth=(self._client_id, self._secret) if self._secret else None,
                    headers={"Accept": "application/json"},
                    timeout=self._timeout,
                    allow_redirects=False,
                )
            except requests.RequestException as error:
                msg = f"The authorization server did not answer ({type(error).__name__})."
                raise LostAnswerError(msg) from None
            if response.status_code != HTTPStatus.TOO_MANY_REQUESTS:
                break
            self._sleep(max(1.0, retry_after(response.headers)))
        if response.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
            msg = f"The authorization server is in trouble (HTTP {response.status_code})."
            raise LostAnswerError(msg)
        try:
            said = response.json()
        except ValueError:
            said = None
        if response.status_code == HTTPStatus.OK and not isinstance(said, dict):
            msg = "The authorization server's answer cannot be read."
            raise LostAnswerError(msg)
        return response.status_code, said if isinstance(said, dict) else {}

    def _tokens(self, said: Mapping[str, Any], *, is_login: bool = True) -> Tokens:
        access, refresh = said.get("access_token"), said.get("refresh_token")
        if not isinstance(access, str) or not access:
            msg = "The authorization server's answer holds no token."
            raise LostAnswerError(msg)
        if is_login and not refresh:
            msg = (
                "The authorization server gave no refresh token. Let the application have the scope"
                " offline_access, then run --login again."
            )
            raise SignInError(msg)
        issued = self._clock()
        return Tokens(access, refresh or None, issued, issued + _life(said.get("expires_in")))

    def _refusal(self, status: int, said: Mapping[str, Any]) -> SignInError:
        """What is wrong, in words (v3 §3.7). The server's own text is not quoted."""
        error = str(said.get("error") or said.get("errorCode") or f"HTTP {status}")
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
                " device flow in the portal, or use --login --pkce if it is one of PKCE."
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


def _life(seconds: Any) -> dt.timedelta:
    """How long an access token lives: 24 hours, should the answer not say (v3 §3.6)."""
    is_number = isinstance(seconds, (int, float)) and not isinstance(seconds, bool)
    return dt.timedelta(seconds=float(seconds) if is_number else 86400.0)
