"""Retries, and the errors that end them."""

from __future__ import annotations

import contextlib
import itertools
import random
from typing import TYPE_CHECKING, Any

import backoff
import requests
from singer_sdk.exceptions import FatalAPIError, RetriableAPIError

from tap_constantcontact.http import error_handler
from tap_constantcontact.http.error_handler import ResponseAction

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from backoff.types import Details
    from singer_sdk.helpers.types import RequestFunc

MAX_TRIES = 6
#: The time for which another client may use the rate limit.
MAX_TRIES_TRANSIENT = 30
#: The time that the API may need to compute a result: some ten minutes.
MAX_TRIES_NOT_READY = 15
MAX_BACKOFF = 60.0

_RETRIED = (
    RetriableAPIError,
    requests.ConnectionError,
    requests.Timeout,
    requests.exceptions.ChunkedEncodingError,
    requests.exceptions.ContentDecodingError,
)


class TransientError(RetriableAPIError):
    """An error that a retry may resolve."""


class RateLimitError(TransientError):
    """Too many requests per second, by this run or by another client with the same key."""


class NotReadyError(TransientError):
    """A result that the API is still computing."""


class APIError(FatalAPIError):
    """An error response that no retry resolves."""


class NotFoundError(APIError):
    """An object or a path that does not exist."""


class ForbiddenError(APIError):
    """A request that the token is not authorized for."""


class RejectedError(APIError):
    """A request that the API rejects as invalid."""


class UnauthorizedError(APIError):
    """Credentials that the API rejects."""


class QuotaExhaustedError(APIError):
    """An exhausted daily quota."""


class RedirectError(APIError):
    """An unexpected redirect: the base URL is wrong."""


#: Errors by the reaction to a response.
API_ERRORS: dict[ResponseAction, type[APIError]] = {
    ResponseAction.NOT_FOUND: NotFoundError,
    ResponseAction.FORBIDDEN: ForbiddenError,
    ResponseAction.REJECTED: RejectedError,
    ResponseAction.REFRESH_TOKEN_THEN_RETRY: UnauthorizedError,
    ResponseAction.FAIL: UnauthorizedError,
    ResponseAction.QUOTA_EXHAUSTED: QuotaExhaustedError,
    ResponseAction.REDIRECTED: RedirectError,
}


class ExhaustedError(FatalAPIError):
    """A request that failed in each attempt."""


class PaginationError(FatalAPIError):
    """A list whose next page cannot be requested."""


class MissingRecordsError(FatalAPIError):
    """An object without records that it must have."""


_ERRORS_OF_ONE_OBJECT = (
    NotFoundError,
    RejectedError,
    ExhaustedError,
    PaginationError,
    MissingRecordsError,
)


def concerns_one_object(error: FatalAPIError) -> bool:
    """Return whether a failure says nothing about requests for other objects.

    An exhausted quota, a rejected token or an untrusted certificate end the run. A report that
    always returns 500 does not.
    """
    return isinstance(error, _ERRORS_OF_ONE_OBJECT)


def with_retries(
    call: RequestFunc,
    notice: Callable[[Details], None],
) -> RequestFunc:
    """Return a call with retries and exponential backoff.

    Args:
        call: Makes one attempt.
        notice: Is called before each retry.
    """
    patient = call
    for kind, max_tries in (
        (RateLimitError, MAX_TRIES_TRANSIENT),
        (NotReadyError, MAX_TRIES_NOT_READY),
    ):
        patient = backoff.on_exception(
            exponential_backoff,
            kind,
            max_tries=max_tries,
            jitter=_jitter,
            on_backoff=notice,
            logger=None,
        )(patient)
    return backoff.on_exception(
        exponential_backoff,
        _RETRIED,
        max_tries=MAX_TRIES,
        giveup=lambda error: isinstance(error, TransientError),
        jitter=backoff.random_jitter,
        on_backoff=notice,
        logger=None,
    )(patient)


def exponential_backoff() -> Generator[float, Any, None]:
    """Yield the seconds to wait before each retry: doubling, and at least what the API requests."""
    error = yield 0.0
    for tries in itertools.count():
        response = getattr(error, "response", None)
        asked = error_handler.retry_after(response.headers) if response is not None else 0.0
        error = yield max(min(2.0**tries, MAX_BACKOFF), min(asked, error_handler.MAX_WAIT))


@contextlib.contextmanager
def raise_when_exhausted() -> Iterator[None]:
    """Raise the last error with advice when all retries have failed.

    Raises:
        FatalAPIError: All retries have failed.
    """
    try:
        yield
    except _RETRIED as error:
        # Too many requests per second concern the run, not one object.
        kind = FatalAPIError if isinstance(error, RateLimitError) else ExhaustedError
        cause: Exception | None = None
        failure = kind(
            f"{error}. Giving up after {tries_for(error)} attempts. If the problem persists, check"
            f" {_advice(error)}. The next run resumes from the last state."
        )
    except requests.RequestException as error:
        failure, cause = FatalAPIError(str(error)), error
    else:
        return
    raise failure from cause


def tries_for(error: object) -> int:
    """Return the number of attempts for this kind of error."""
    if isinstance(error, NotReadyError):
        return MAX_TRIES_NOT_READY
    return MAX_TRIES_TRANSIENT if isinstance(error, TransientError) else MAX_TRIES


def _advice(error: object) -> str:
    if isinstance(error, RateLimitError):
        return "other clients of the key, or lower `requests_per_second`"
    if isinstance(error, NotReadyError):
        return "the segment in the product"
    return "`api_url` and your network"


def _jitter(seconds: float) -> float:
    return seconds + random.uniform(0, 0.3)  # noqa: S311 - no secret
