"""What refusals mean: by an API's own table, and by what all of them have in common."""

from __future__ import annotations

import datetime as dt
import enum
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, TypeAlias

from tap_constantcontact.http import bodies

if TYPE_CHECKING:
    import re
    from collections.abc import Mapping, Sequence

#: What to do, and what to say.
Meaning: TypeAlias = tuple["Verdict", str]

# A wait that the API asks for and that is longer than this is no pause but the end of the day.
LONGEST_WAIT = 300.0
#: Statuses of answers that hold what was asked for. The second is in a contract, and nowhere else.
GOOD = frozenset({HTTPStatus.OK, 209})
#: Those of answers that say that there is no such thing.
MISSING = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.GONE, HTTPStatus.CONFLICT})


class Verdict(enum.Enum):
    """What to do about a refusal."""

    WAIT = "wait and repeat"
    SLOW_DOWN = "wait, repeat, and ask more slowly from now on"
    PENDING = "wait and repeat, as long as it takes"
    BLOCKED = "something between refused; repeat, then give up"
    REPEAT_ONCE = "repeat once, if anything was answered before"
    QUOTA = "stop for today"
    FORBIDDEN = "the token's user lacks the right"
    MISSING = "there is no such thing"
    REDIRECTED = "the API is elsewhere"
    REJECTED = "the API rejects what this request asks for"
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


_BETWEEN = (
    "Something between the tap and the API refused, such as a firewall or a proxy: the answer is"
    " not the API's own. Check the network and `api_url`"
)
_FORBIDDEN = "The access token's user lacks the right to read this."
TOO_FAST = (Verdict.SLOW_DOWN, "Too many calls a second for the API key")


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


@dataclass(frozen=True)
class RefusalTable:
    """What the refusals of one API mean.

    Attributes:
        by_code: By the error key of the body or by the gateway's header, whatever the status.
        by_words: What the gateway's own pages say, should they come without its header, each with
            the code that it stands for.
        quota: What to say when the day's calls are used up.
        unauthorized: What to say when the token is not taken.
        code_header: The gateway's header.
    """

    by_code: Mapping[str, Meaning]
    by_words: Sequence[tuple[re.Pattern[bytes], str]]
    quota: str
    unauthorized: str
    code_header: str

    def judge(self, status: int, headers: Mapping[str, str], body: bytes) -> Refusal | None:
        """Say what an answer means by its status.

        Args:
            status: The HTTP status.
            headers: The answer's headers, names in any case.
            body: The answer's body.

        Returns:
            None if the answer should be what was asked for.
        """
        if status in GOOD:
            return None
        errors = errors_of(body)
        wait = retry_after(headers)
        known = self._by_code(headers, errors) or self._by_words(status, body, errors)
        if known is None and status == HTTPStatus.TOO_MANY_REQUESTS:
            known = TOO_FAST
        if known is None:
            known = self._by_status(status, errors, body)
            return Refusal(*known, min(wait, LONGEST_WAIT))
        return self._of_code(*known, wait)

    def judge_broken(
        self, headers: Mapping[str, str], body: bytes, fault: bodies.BrokenAnswerError
    ) -> Refusal:
        """Say what an answer means whose status says that all is well, and whose body does not."""
        if not isinstance(fault, bodies.ErrorInAnswerError):
            return Refusal(Verdict.WAIT, f"The answer {fault}")
        errors = errors_of(body)
        if known := self._by_code(headers, errors):
            return self._of_code(*known, retry_after(headers))
        said = _said(errors) or "it does not say which"
        return Refusal(Verdict.WAIT, f"The answer is an error: {said}")

    def _of_code(self, verdict: Verdict, message: str, wait: float) -> Refusal:
        if verdict is Verdict.SLOW_DOWN and wait > LONGEST_WAIT:
            return Refusal(Verdict.QUOTA, self.quota, wait)
        return Refusal(verdict, message, wait)

    def _by_code(self, headers: Mapping[str, str], errors: list[tuple[str, str]]) -> Meaning | None:
        codes = [key for key, _ in errors]
        codes.append(headers.get(self.code_header, ""))
        return next((self.by_code[code] for code in codes if code in self.by_code), None)

    def _by_words(self, status: int, body: bytes, errors: list[tuple[str, str]]) -> Meaning | None:
        if status not in {HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS} or errors:
            return None
        return next(
            (self.by_code[code] for words, code in self.by_words if words.search(body)), None
        )

    def _by_status(self, status: int, errors: list[tuple[str, str]], body: bytes) -> Meaning:
        said = _said(errors)
        answer = f"HTTP {status}" + (f", {said}" if said else "")
        # The API's own word on rights and paths is JSON; what stands between sends a page of its
        # own.
        is_foreign = bool(body.strip()) and not errors
        if status == HTTPStatus.ACCEPTED:
            found = (Verdict.PENDING, "The API is still working out what was asked for")
        elif status == HTTPStatus.UNAUTHORIZED:
            found = (Verdict.REPEAT_ONCE, self.unauthorized)
        elif status in {HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND} and is_foreign:
            found = (Verdict.BLOCKED, f"{_BETWEEN} ({answer})")
        elif status == HTTPStatus.FORBIDDEN:
            found = (Verdict.FORBIDDEN, f"{_FORBIDDEN} ({answer})")
        elif status in MISSING:
            found = (Verdict.MISSING, f"The API knows no such thing ({answer})")
        elif status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.REQUEST_TIMEOUT:
            found = (Verdict.WAIT, f"The API is in trouble ({answer})")
        elif status < HTTPStatus.MULTIPLE_CHOICES:
            found = (Verdict.WAIT, f"The API answered without what was asked for ({answer})")
        elif status < HTTPStatus.BAD_REQUEST:
            found = (Verdict.REDIRECTED, f"Unexpected redirect ({answer}). Check `api_url`.")
        else:
            found = (Verdict.REJECTED, f"The API rejected the request ({answer})")
        return found


def _said(errors: list[tuple[str, str]]) -> str:
    return "; ".join(" ".join(f"{key}: {message}".split()) for key, message in errors)
