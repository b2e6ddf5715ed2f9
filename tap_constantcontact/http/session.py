"""HTTP session: authentication, rate limit, request count, and errors without secrets."""

from __future__ import annotations

import datetime as dt
import os
import ssl
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.utils import get_environ_proxies
from typing_extensions import override

from tap_constantcontact.budget.ledger import BudgetExhaustedError, LeaseEndedError
from tap_constantcontact.http.prefetch import Prefetcher
from tap_constantcontact.http.retries import QuotaExhaustedError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tap_constantcontact.http.authenticator import Authenticator
    from tap_constantcontact.http.prefetch import RequestForecast
    from tap_constantcontact.http.rate_limiter import RateLimiter
    from tap_constantcontact.http.shutdown import ShutdownRequest


#: Environment variables with a file of trusted certificates, in order of precedence.
CA_BUNDLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


# The API did not exist before. A response with an older date comes from a wrong clock.
_EARLIEST = dt.datetime(2012, 1, 1, tzinfo=dt.UTC)
#: Largest difference between the clocks of the API's servers.
MAX_CLOCK_SKEW = dt.timedelta(minutes=5)

_BUDGET_EXHAUSTED = (
    "The budget of the key is exhausted for today (`budget_store`). The next run after 00:00 UTC"
    " resumes from the last state."
)


class CertificateError(requests.RequestException):
    """An untrusted certificate. A retry would not help."""


class Session(requests.Session):
    """The session that all streams share.

    Attributes:
        calls: Requests sent, failed attempts included: each counts against the quota.
        has_succeeded: Whether any request has succeeded.
    """

    def __init__(  # noqa: PLR0913 - all that limits calls
        self,
        authenticator: Authenticator,
        rate_limiter: RateLimiter,
        shutdown: ShutdownRequest,
        *,
        max_requests: int | None = None,
        max_concurrency: int = 1,
        timeout: float = 60.0,
    ) -> None:
        """Open a session.

        Args:
            authenticator: Signs each request.
            rate_limiter: Delays each request.
            shutdown: Ends the run.
            max_requests: Maximum number of requests; None for no limit.
            max_concurrency: Maximum number of requests in flight.
            timeout: Seconds to wait for a response.
        """
        super().__init__()
        self.headers["Accept"] = "application/json"
        for scheme in ("https://", "http://"):
            self.mount(scheme, HTTPAdapter(pool_maxsize=max_concurrency))
        # As `requests` does for requests that it prepares itself.
        self.verify = next(filter(None, map(os.environ.get, CA_BUNDLES)), True)
        self._proxies: dict[str, str] | None = None
        self.auth = authenticator
        self.authenticator = authenticator
        self.calls = 0
        self.has_succeeded = False
        self._started_at = dt.datetime.now(dt.UTC)
        self._clock_skew: dt.timedelta | None = None
        self._not_before = _EARLIEST
        self._rate_limiter = rate_limiter
        self._shutdown = shutdown
        self._max_requests = max_requests
        self._timeout = timeout
        self._prefetcher = Prefetcher(
            self._transmit,
            max_concurrency,
            rate_limiter,
            self._before_sending,
            lambda: self.requests_left,
        )
        self._is_sequential = max_concurrency == 1

    def schedule(self, forecasts: Iterable[RequestForecast]) -> None:
        """Prefetch the requests of forecasts, one forecast after another."""
        self._prefetcher.schedule(forecasts)

    def cancel(self, url: str) -> None:
        """Cancel the forecasts that depend on a request that failed for good."""
        self._prefetcher.cancel(url)

    @override
    def close(self) -> None:
        self._prefetcher.close()
        self._rate_limiter.close()
        super().close()

    @property
    def requests_left(self) -> int | None:
        """Number of requests that the run may still send; None for no limit."""
        own = None if self._max_requests is None else self._max_requests - self.calls
        limits = (own, self._rate_limiter.budget.left)
        return min((limit for limit in limits if limit is not None), default=None)

    @override
    def send(self, request: requests.PreparedRequest, **_: Any) -> requests.Response:
        """Send a request and read its whole body, or return a prefetched response.

        Raises:
            SyncStopped: The requests of this run are spent, or the run must end.
            requests.RequestException: As in the library, with a message that contains neither the
                URL nor the cause's text.
        """
        try:
            with self._shutdown.waiting():
                if self._is_sequential:
                    self._before_sending()
                    response = self._transmit(request)
                else:
                    response = self._prefetcher.get_response(request)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            failure = self._redacted_error(error)
        else:
            self.has_succeeded = self.has_succeeded or response.ok
            self._measure_clock_skew(response)
            return response
        # Raised here so that the library's error, which contains the URL, is not its context.
        raise failure

    def _before_sending(self) -> None:
        """Wait until a request may be sent, and count it."""
        if self._max_requests is not None and self.calls >= self._max_requests:
            self._shutdown.request(
                f"The run has sent its {self._max_requests:,} requests (`max_requests`)."
            )
        try:
            self._rate_limiter.wait()
        except LeaseEndedError:
            self._shutdown.request(
                f"The run has sent {self.calls:,} requests, and has none left of its share of the"
                " budget."
            )
        except BudgetExhaustedError:
            raise QuotaExhaustedError(_BUDGET_EXHAUSTED) from None
        self.calls += 1

    def _transmit(self, request: requests.PreparedRequest) -> requests.Response:
        proxies = self._proxies_for(request)
        return super().send(request, proxies=proxies, timeout=self._timeout, allow_redirects=False)

    def _proxies_for(self, request: requests.PreparedRequest) -> dict[str, str]:
        # All requests go to one host: reading the environment once is enough.
        if self._proxies is None:
            self._proxies = get_environ_proxies(request.url or "")
        return self._proxies

    def _measure_clock_skew(self, response: requests.Response) -> None:
        if self._clock_skew is not None:
            return
        try:
            sent = parsedate_to_datetime(response.headers["Date"])
        except (KeyError, ValueError):
            return
        if sent.tzinfo is not None and sent >= self._not_before:
            self._clock_skew = max(dt.timedelta(), dt.datetime.now(dt.UTC) - sent)

    def expect_clock_after(self, api_time: dt.datetime) -> None:
        """Reject dates of responses that are older than in an earlier run.

        Args:
            api_time: The API's time at the start of an earlier run. One in the future comes from a
                machine with a fast clock, and is ignored.
        """
        if api_time <= dt.datetime.now(dt.UTC) + MAX_CLOCK_SKEW:
            self._not_before = max(_EARLIEST, api_time - MAX_CLOCK_SKEW)

    @property
    def api_time(self) -> dt.datetime | None:
        """The start of the run by the API's clock; None before the first response."""
        return None if self._clock_skew is None else self.started_at

    @property
    def started_at(self) -> dt.datetime:
        """The start of the run, by this machine's clock or the API's, whichever is earlier.

        Data is read as of the API's clock. With a fast local clock, everything that happens until
        the API's clock catches up would seem synced. Before the first response, this is the local
        time. Rounded to milliseconds, as in the state: timestamps that a state cannot distinguish
        are equal here too.
        """
        started_at = self._started_at - (self._clock_skew or dt.timedelta())
        return started_at - dt.timedelta(microseconds=started_at.microsecond % 1000)

    def _redacted_error(self, error: Exception) -> requests.RequestException:
        if fault := self._certificate_error(error):
            return CertificateError(fault)
        kind = type(error) if isinstance(error, requests.RequestException) else None
        if isinstance(error, requests.Timeout):
            text = "the API did not respond in time"
        elif isinstance(error, requests.exceptions.ProxyError):
            text = "the proxy is not reachable"
        elif isinstance(error, requests.exceptions.SSLError):
            text = "no trusted TLS connection to the API"
        elif isinstance(error, requests.exceptions.ChunkedEncodingError):
            text = "the response was truncated"
        elif isinstance(error, (requests.ConnectionError, urllib3.exceptions.HTTPError, OSError)):
            text = "the connection to the API failed"
        else:
            text = "the request failed"
        reason = self.authenticator.redact(str(_root_cause(error)))
        return (kind or requests.ConnectionError)(f"{text} ({type(error).__name__}: {reason})")

    def _certificate_error(self, error: Exception) -> str | None:
        innermost = _root_cause(error)
        if isinstance(innermost, ssl.SSLCertVerificationError):
            return (
                f"The certificate of the API, or of a proxy, is not trusted"
                f" ({innermost.verify_message}). If your network has its own certificate authority,"
                f" set REQUESTS_CA_BUNDLE to the file with its certificates."
            )
        if isinstance(self.verify, str) and not os.path.exists(self.verify):  # noqa: PTH110
            return f"REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE is not a file: {self.verify}."
        return None


def _root_cause(error: BaseException) -> BaseException:
    """Return the innermost error, such as "no route to host". The outer ones contain the URL."""
    while True:
        inner = error.__cause__ or error.__context__ or getattr(error, "reason", None)
        if not isinstance(inner, BaseException):
            return error
        error = inner
