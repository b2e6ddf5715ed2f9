"""What the API's refusals mean: one table, one place (API docs: Error messages)."""

from __future__ import annotations

import datetime as dt
import enum
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING

from tap_constantcontact.api import bodies

if TYPE_CHECKING:
    from collections.abc import Mapping

# A wait that the API asks for and that is longer than this is no pause but the end of the day.
LONGEST_WAIT = 300.0
_SHORT = 200


class Verdict(enum.Enum):
    """What to do about a refusal."""

    WAIT = "wait and repeat"
    REPEAT_ONCE = "repeat once, if anything was answered before"
    QUOTA = "stop for today"
    FORBIDDEN = "the token's user lacks the right"
    MISSING = "there is no such thing"
    END = "give up"


@dataclass(frozen=True)
class Refusal:
    """An answer that is not what was asked for.

    Attributes:
        verdict: What to do about it.
        message: What a person should read: what is wrong and what to do.
        wait: Seconds that the API asks to wait; 0 where it names none.
    """

    verdict: Verdict
    message: str
    wait: float = 0.0


_INACTIVE = (
    "The API key is wrong or inactive. Check `api_key`; a new key takes up to 15 minutes to work."
)
_QUOTA = "The API key's calls for today are used up. The next run goes on from here."
_UNAUTHORIZED = (
    "The access token is wrong or has expired. Check `access_token`, or make a new one for the"
    " account."
)
_FORBIDDEN = "The access token's user lacks the right to read this."

# By the error key of the body or by the gateway's header, whatever the status: over the limit is
# a 403 today, was a 401 once and is a 429 in v3.
_BY_CODE = {
    "mashery.not.authorized.over.qps": (Verdict.WAIT, "Too many calls a second for the API key"),
    "ERR_403_DEVELOPER_OVER_QPS": (Verdict.WAIT, "Too many calls a second for the API key"),
    "ERR_403_SERVICE_OVER_QPS": (Verdict.WAIT, "Too many calls a second for the API"),
    "mashery.not.authorized.over.ratelimit": (Verdict.QUOTA, _QUOTA),
    "ERR_403_DEVELOPER_OVER_RATE": (Verdict.QUOTA, _QUOTA),
    "mashery.not.authorized.inactive": (Verdict.END, _INACTIVE),
    "ERR_403_DEVELOPER_INACTIVE": (Verdict.END, _INACTIVE),
    "ERR_403_NOT_AUTHORIZED": (Verdict.END, _INACTIVE),
}


def errors_of(body: bytes) -> list[tuple[str, str]]:
    """The (key, message) pairs of an error body: an array, a bare object, or nothing readable."""
    try:
        found = bodies.rows(bodies.decode(body))
    except ValueError:
        return []
    return [(str(e.get("error_key") or ""), str(e.get("error_message") or "")) for e in found]


def retry_after(headers: Mapping[str, str], now: dt.datetime | None = None) -> float:
    """Seconds that a `Retry-After` header asks to wait: a number, or a date; 0 if there is none."""
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


def judge(status: int, headers: Mapping[str, str], body: bytes) -> Refusal | None:
    """Say what an answer means.

    Args:
        status: The HTTP status.
        headers: The answer's headers, names in any case.
        body: The answer's body.

    Returns:
        None if the answer is what was asked for.
    """
    if status == HTTPStatus.OK:
        return None
    errors = errors_of(body)
    wait = retry_after(headers)
    known = _by_code(headers, errors)
    if known is None and status == HTTPStatus.TOO_MANY_REQUESTS:
        known = (Verdict.WAIT, "Too many calls for the API key")
    if known is not None:
        verdict, message = known
        if verdict is Verdict.WAIT and wait > LONGEST_WAIT:
            verdict, message = Verdict.QUOTA, _QUOTA
        return Refusal(verdict, message, wait)
    return _by_status(status, errors, wait)


def _by_code(
    headers: Mapping[str, str], errors: list[tuple[str, str]]
) -> tuple[Verdict, str] | None:
    codes = [key for key, _ in errors]
    codes.append(headers.get("X-Mashery-Error-Code", ""))
    return next((_BY_CODE[code] for code in codes if code in _BY_CODE), None)


def _by_status(status: int, errors: list[tuple[str, str]], wait: float) -> Refusal:
    said = "; ".join(f"{key}: {message}"[:_SHORT] for key, message in errors)
    answer = f"HTTP {status}" + (f", {said}" if said else "")
    if status == HTTPStatus.UNAUTHORIZED:
        return Refusal(Verdict.REPEAT_ONCE, _UNAUTHORIZED)
    if status == HTTPStatus.FORBIDDEN:
        return Refusal(Verdict.FORBIDDEN, f"{_FORBIDDEN} ({answer})")
    if status in {HTTPStatus.NOT_FOUND, HTTPStatus.GONE}:
        return Refusal(Verdict.MISSING, f"The API knows no such thing ({answer})")
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.REQUEST_TIMEOUT:
        return Refusal(Verdict.WAIT, f"The API is in trouble ({answer})", min(wait, LONGEST_WAIT))
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        return Refusal(Verdict.END, f"The API sends callers elsewhere ({answer}). Check `api_url`.")
    return Refusal(Verdict.END, f"The API does not take this request ({answer})")
