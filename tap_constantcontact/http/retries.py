"""Repeating calls that failed, and the errors that say why one is not repeated any more."""

from __future__ import annotations

import contextlib
import itertools
import random
from typing import TYPE_CHECKING, Any

import backoff
import requests
from singer_sdk.exceptions import FatalAPIError, RetriableAPIError

from tap_constantcontact.http import refusals
from tap_constantcontact.http.refusals import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from backoff.types import Details
    from singer_sdk.helpers.types import RequestFunc

MAX_TRIES = 6
#: As long as somebody else may be using up the calls of each second, which ends.
MAX_TRIES_OF_WHAT_PASSES = 30
#: As long as the API may need for what it computes on request: some ten minutes.
MAX_TRIES_OF_WHAT_IS_PENDING = 15
LONGEST_BACKOFF = 60.0

_REPEATED = (
    RetriableAPIError,
    requests.ConnectionError,
    requests.Timeout,
    requests.exceptions.ChunkedEncodingError,
    requests.exceptions.ContentDecodingError,
)


class PassingError(RetriableAPIError):
    """Something that passes if it is waited for long enough."""


class TooFastError(PassingError):
    """Too many calls a second: by this run, or by somebody else who uses the same limits."""


class PendingError(PassingError):
    """What was asked for is still being worked out."""


class RefusedError(FatalAPIError):
    """The API's last word on a call.

    Attributes:
        verdict: What kind of refusal it is.
    """

    def __init__(self, message: str, verdict: Verdict) -> None:
        """Say what is wrong and what to do."""
        super().__init__(message)
        self.verdict = verdict


class ExhaustedError(FatalAPIError):
    """A request that failed in each attempt."""


class PaginationError(FatalAPIError):
    """A list of which the next page cannot be requested."""


class MissingPartError(FatalAPIError):
    """An object that lacks something without which its records cannot be read."""


def concerns_one_object(error: FatalAPIError) -> bool:
    """Whether a failure says nothing about requests for other objects.

    A used up quota, a rejected token or an unknown certificate end the run. A report that always
    answers 500 does not.
    """
    if isinstance(error, RefusedError):
        return error.verdict in {Verdict.MISSING, Verdict.REJECTED}
    return isinstance(error, (ExhaustedError, PaginationError, MissingPartError))


def repeating(
    call: RequestFunc,
    notice: Callable[[Details], None],
    jitter: Callable[[float], float],
) -> RequestFunc:
    """A call that is repeated with growing waits as long as that may help.

    Args:
        call: Makes one attempt.
        notice: Is told of each that failed and will be repeated.
        jitter: Makes of seconds to wait some that others will not choose too.
    """
    patient = call
    for kind, max_tries in (
        (TooFastError, MAX_TRIES_OF_WHAT_PASSES),
        (PendingError, MAX_TRIES_OF_WHAT_IS_PENDING),
    ):
        patient = backoff.on_exception(
            growing_waits,
            kind,
            max_tries=max_tries,
            jitter=_little_jitter,
            on_backoff=notice,
            logger=None,
        )(patient)
    return backoff.on_exception(
        growing_waits,
        _REPEATED,
        max_tries=MAX_TRIES,
        giveup=lambda error: isinstance(error, PassingError),
        jitter=jitter,
        on_backoff=notice,
        logger=None,
    )(patient)


def growing_waits() -> Generator[float, Any, None]:
    """Seconds to wait before each repeat: doubling, and never less than the API asks for."""
    error = yield 0.0
    for tries in itertools.count():
        response = getattr(error, "response", None)
        asked = refusals.retry_after(response.headers) if response is not None else 0.0
        error = yield max(min(2.0**tries, LONGEST_BACKOFF), min(asked, refusals.LONGEST_WAIT))


@contextlib.contextmanager
def giving_up() -> Iterator[None]:
    """A time at the end of which what failed for good is said in clear words.

    Raises:
        FatalAPIError: Something did.
    """
    try:
        yield
    except _REPEATED as error:
        # Too many requests per second are the run's matter, and not that of one object.
        kind = FatalAPIError if isinstance(error, TooFastError) else ExhaustedError
        cause: Exception | None = None
        failure = kind(
            f"{error}. Gave up after {tries_for(error)} tries. If it lasts, check"
            f" {_what_to_check(error)}; the next run goes on from the last state."
        )
    except requests.RequestException as error:
        failure, cause = FatalAPIError(str(error)), error
    else:
        return
    raise failure from cause


def tries_for(error: object) -> int:
    """How often a call is made in all that fails in a certain way."""
    if isinstance(error, PendingError):
        return MAX_TRIES_OF_WHAT_IS_PENDING
    return MAX_TRIES_OF_WHAT_PASSES if isinstance(error, PassingError) else MAX_TRIES


def _what_to_check(error: object) -> str:
    if isinstance(error, TooFastError):
        return "what else uses the key, or lower `requests_per_second`"
    if isinstance(error, PendingError):
        return "the segment in the product"
    return "`api_url` and the network"


def _little_jitter(seconds: float) -> float:
    return seconds + random.uniform(0, 0.3)  # noqa: S311 - no secret
