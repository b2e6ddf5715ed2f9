"""Interpretation of error responses, by a table for each API and by rules that both share."""

from __future__ import annotations

import datetime as dt
import enum
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, TypeAlias

from tap_constantcontact.http import envelopes

if TYPE_CHECKING:
    import re
    from collections.abc import Mapping, Sequence

#: What to do, and the message.
ErrorMapping: TypeAlias = tuple["ResponseAction", str]

# A longer wait than this means that the daily quota is exhausted.
MAX_WAIT = 300.0
#: Success statuses. The second appears in a contract only.
SUCCESS = frozenset({HTTPStatus.OK, 209})
#: Statuses for an object that does not exist.
NOT_FOUND = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.GONE, HTTPStatus.CONFLICT})


class ResponseAction(enum.Enum):
    """Reaction to an error response."""

    RETRY = "wait and retry"
    RATE_LIMITED = "wait, retry, and reduce the request rate"
    POLL = "wait and retry until the result is ready"
    RETRY_PROXY = "blocked before the API; retry, then fail"
    REFRESH_TOKEN_THEN_RETRY = "refresh the token and retry once"  # noqa: S105 - no password
    QUOTA_EXHAUSTED = "stop for today"
    FORBIDDEN = "the token's user lacks the privilege"
    NOT_FOUND = "the object does not exist"
    REDIRECTED = "the API has another address"
    REJECTED = "the API rejects the request"
    FAIL = "fail"


@dataclass(frozen=True)
class ErrorResolution:
    """The meaning of an error response.

    Attributes:
        action: Reaction to it.
        message: What happened and what to do.
        wait: Seconds to wait, as the API requests; 0 if it does not.
    """

    action: ResponseAction
    message: str
    wait: float = 0.0


_BLOCKED = (
    "The request was blocked before it reached the API, for example by a firewall or proxy. Check"
    " the network and `api_url`"
)
_FORBIDDEN = "The access token is not authorized to read this"
RATE_LIMITED_MESSAGE = (ResponseAction.RATE_LIMITED, "Too many requests per second for the API key")


def errors_in(body: bytes) -> list[tuple[str, str]]:
    """Return the (key, message) pairs of an error body; none if it is not readable."""
    try:
        return envelopes.errors(envelopes.decode(body))
    except envelopes.InvalidResponseError:
        return []


def retry_after(headers: Mapping[str, str], now: dt.datetime | None = None) -> float:
    """Return the seconds in a `Retry-After` header, which is a number or a date; 0 without one."""
    text = headers.get("Retry-After", "").strip()
    if text.isdecimal():
        return float(text)
    try:
        until = parsedate_to_datetime(text)
    except ValueError:
        return 0.0
    if until.tzinfo is None:
        until = until.replace(tzinfo=dt.UTC)
    return max(0.0, (until - (now or dt.datetime.now(dt.UTC))).total_seconds())


@dataclass(frozen=True)
class ErrorHandler:
    """The error responses of one API.

    Attributes:
        by_code: Meanings by the error key of the body or the gateway's header, whatever the status.
        by_text: Texts of the gateway's own pages, which may come without its header, each with the
            code that it stands for.
        quota: Message for an exhausted daily quota.
        unauthorized: Message for a rejected token.
        code_header: The gateway's header.
    """

    by_code: Mapping[str, ErrorMapping]
    by_text: Sequence[tuple[re.Pattern[bytes], str]]
    quota: str
    unauthorized: str
    code_header: str

    def resolve(
        self, status: int, headers: Mapping[str, str], body: bytes
    ) -> ErrorResolution | None:
        """Interpret a response by its status.

        Args:
            status: The HTTP status.
            headers: Headers of the response, names in any case.
            body: Body of the response.

        Returns:
            None for a success.
        """
        if status in SUCCESS:
            return None
        errors = errors_in(body)
        wait = retry_after(headers)
        mapping = self._resolve_code(headers, errors) or self._resolve_text(status, body, errors)
        if mapping is None and status == HTTPStatus.TOO_MANY_REQUESTS:
            mapping = RATE_LIMITED_MESSAGE
        if mapping is None:
            mapping = self._resolve_status(status, errors, body)
            return ErrorResolution(*mapping, min(wait, MAX_WAIT))
        return self._resolve_known_code(*mapping, wait)

    def resolve_invalid(
        self, headers: Mapping[str, str], body: bytes, fault: envelopes.InvalidResponseError
    ) -> ErrorResolution:
        """Interpret a response whose status is a success and whose body is not."""
        if not isinstance(fault, envelopes.ErrorBodyError):
            return ErrorResolution(ResponseAction.RETRY, f"The response {fault}")
        errors = errors_in(body)
        if mapping := self._resolve_code(headers, errors):
            return self._resolve_known_code(*mapping, retry_after(headers))
        said = _error_text(errors) or "unknown error"
        return ErrorResolution(ResponseAction.RETRY, f"The response is an error: {said}")

    def _resolve_known_code(
        self, action: ResponseAction, message: str, wait: float
    ) -> ErrorResolution:
        if action is ResponseAction.RATE_LIMITED and wait > MAX_WAIT:
            return ErrorResolution(ResponseAction.QUOTA_EXHAUSTED, self.quota, wait)
        return ErrorResolution(action, message, wait)

    def _resolve_code(
        self, headers: Mapping[str, str], errors: list[tuple[str, str]]
    ) -> ErrorMapping | None:
        codes = [key for key, _ in errors]
        codes.append(headers.get(self.code_header, ""))
        return next((self.by_code[code] for code in codes if code in self.by_code), None)

    def _resolve_text(
        self, status: int, body: bytes, errors: list[tuple[str, str]]
    ) -> ErrorMapping | None:
        if status not in {HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS} or errors:
            return None
        return next(
            (self.by_code[code] for words, code in self.by_text if words.search(body)), None
        )

    def _resolve_status(
        self, status: int, errors: list[tuple[str, str]], body: bytes
    ) -> ErrorMapping:
        said = _error_text(errors)
        answer = f"HTTP {status}" + (f", {said}" if said else "")
        # Errors of the API itself are JSON. Firewalls and proxies send a page.
        is_foreign = bool(body.strip()) and not errors
        if status == HTTPStatus.ACCEPTED:
            result = (ResponseAction.POLL, "The API is still preparing the result")
        elif status == HTTPStatus.UNAUTHORIZED:
            result = (ResponseAction.REFRESH_TOKEN_THEN_RETRY, self.unauthorized)
        elif status in {HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND} and is_foreign:
            result = (ResponseAction.RETRY_PROXY, f"{_BLOCKED} ({answer})")
        elif status == HTTPStatus.FORBIDDEN:
            result = (ResponseAction.FORBIDDEN, f"{_FORBIDDEN} ({answer})")
        elif status in NOT_FOUND:
            result = (ResponseAction.NOT_FOUND, f"Not found ({answer})")
        elif status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.REQUEST_TIMEOUT:
            result = (ResponseAction.RETRY, f"API server error ({answer})")
        elif status < HTTPStatus.MULTIPLE_CHOICES:
            result = (
                ResponseAction.RETRY,
                f"Empty response ({answer})",
            )
        elif status < HTTPStatus.BAD_REQUEST:
            result = (
                ResponseAction.REDIRECTED,
                f"Unexpected redirect ({answer}). Check `api_url`.",
            )
        else:
            result = (ResponseAction.REJECTED, f"The API rejected the request ({answer})")
        return result


def _error_text(errors: list[tuple[str, str]]) -> str:
    return "; ".join(" ".join(f"{key}: {message}".split()) for key, message in errors)
