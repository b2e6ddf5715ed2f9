"""What the API's refusals mean: one table, one place (API docs: Error messages)."""

from __future__ import annotations

import datetime as dt
import enum
import re
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
    SLOW_DOWN = "wait, repeat, and ask more slowly from now on"
    BLOCKED = "something between refused; repeat, then give up"
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
_BETWEEN = (
    "Something between the tap and the API refused, such as a firewall or a proxy: the answer is"
    " not the API's own. Check the network and `api_url`"
)
_FORBIDDEN = "The access token's user lacks the right to read this."

# By the error key of the body or by the gateway's header, whatever the status: over the limit is
# a 403 today, was a 401 once and is a 429 in v3.
_TOO_FAST = (Verdict.SLOW_DOWN, "Too many calls a second for the API key")
_BY_CODE = {
    "mashery.not.authorized.over.qps": _TOO_FAST,
    "ERR_403_DEVELOPER_OVER_QPS": _TOO_FAST,
    "ERR_403_SERVICE_OVER_QPS": (Verdict.SLOW_DOWN, "Too many calls a second for the API"),
    "mashery.not.authorized.over.ratelimit": (Verdict.QUOTA, _QUOTA),
    "ERR_403_DEVELOPER_OVER_RATE": (Verdict.QUOTA, _QUOTA),
    "mashery.not.authorized.inactive": (Verdict.END, _INACTIVE),
    "ERR_403_DEVELOPER_INACTIVE": (Verdict.END, _INACTIVE),
    "ERR_403_NOT_AUTHORIZED": (Verdict.END, _INACTIVE),
}
# What the gateway's own pages say, should they come without its header.
_BY_WORDS = (
    (re.compile(rb"over\s+qps", re.IGNORECASE), "ERR_403_DEVELOPER_OVER_QPS"),
    (re.compile(rb"over\s+rate", re.IGNORECASE), "ERR_403_DEVELOPER_OVER_RATE"),
    (re.compile(rb"developer\s+inactive", re.IGNORECASE), "ERR_403_DEVELOPER_INACTIVE"),
)


def errors_of(body: bytes) -> list[tuple[str, str]]:
    """The (key, message) pairs of an error body; none if it holds nothing readable."""
    try:
        return bodies.errors(bodies.decode(body))
    except bodies.BrokenAnswerError:
        return []


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
    """Say what an answer means by its status.

    Args:
        status: The HTTP status.
        headers: The answer's headers, names in any case.
        body: The answer's body.

    Returns:
        None if the answer should be what was asked for.
    """
    if status == HTTPStatus.OK:
        return None
    errors = errors_of(body)
    wait = retry_after(headers)
    known = _by_code(headers, errors) or _by_words(status, body, errors)
    if known is None and status == HTTPStatus.TOO_MANY_REQUESTS:
        known = _TOO_FAST
    return _of_code(*known, wait) if known else _by_status(status, errors, wait, body)


def judge_broken(
    headers: Mapping[str, str], body: bytes, fault: bodies.BrokenAnswerError
) -> Refusal:
    """Say what an answer means whose status says that all is well, and whose body does not."""
    if not isinstance(fault, bodies.ErrorInAnswerError):
        return Refusal(Verdict.WAIT, f"The answer {fault}")
    errors = errors_of(body)
    if known := _by_code(headers, errors):
        return _of_code(*known, retry_after(headers))
    said = _said(errors) or "it does not say which"
    return Refusal(Verdict.WAIT, f"The answer is an error: {said}")


def _of_code(verdict: Verdict, message: str, wait: float) -> Refusal:
    if verdict is Verdict.SLOW_DOWN and wait > LONGEST_WAIT:
        return Refusal(Verdict.QUOTA, _QUOTA, wait)
    return Refusal(verdict, message, wait)


def _by_code(
    headers: Mapping[str, str], errors: list[tuple[str, str]]
) -> tuple[Verdict, str] | None:
    codes = [key for key, _ in errors]
    codes.append(headers.get("X-Mashery-Error-Code", ""))
    return next((_BY_CODE[code] for code in codes if code in _BY_CODE), None)


def _by_words(
    status: int, body: bytes, errors: list[tuple[str, str]]
) -> tuple[Verdict, str] | None:
    if status not in {HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS} or errors:
        return None
    return next((_BY_CODE[code] for words, code in _BY_WORDS if words.search(body)), None)


def _said(errors: list[tuple[str, str]]) -> str:
    return "; ".join(" ".join(f"{key}: {message}".split())[:_SHORT] for key, message in errors)


def _by_status(status: int, errors: list[tuple[str, str]], wait: float, body: bytes) -> Refusal:
    said = _said(errors)
    answer = f"HTTP {status}" + (f", {said}" if said else "")
    # The API's own word on rights and paths is JSON; what stands between sends a page of its own.
    is_foreign = bool(body.strip()) and not errors
    if status == HTTPStatus.UNAUTHORIZED:
        found = (Verdict.REPEAT_ONCE, _UNAUTHORIZED)
    elif status in {HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND} and is_foreign:
        found = (Verdict.BLOCKED, f"{_BETWEEN} ({answer})")
    elif status == HTTPStatus.FORBIDDEN:
        found = (Verdict.FORBIDDEN, f"{_FORBIDDEN} ({answer})")
    elif status in {HTTPStatus.NOT_FOUND, HTTPStatus.GONE}:
        found = (Verdict.MISSING, f"The API knows no such thing ({answer})")
    elif status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.REQUEST_TIMEOUT:
        found = (Verdict.WAIT, f"The API is in trouble ({answer})")
    elif status < HTTPStatus.MULTIPLE_CHOICES:
        found = (Verdict.WAIT, f"The API answered without what was asked for ({answer})")
    elif status < HTTPStatus.BAD_REQUEST:
        found = (Verdict.END, f"The API sends callers elsewhere ({answer}). Check `api_url`.")
    else:
        found = (Verdict.END, f"The API does not take this request ({answer})")
    return Refusal(*found, min(wait, LONGEST_WAIT))
