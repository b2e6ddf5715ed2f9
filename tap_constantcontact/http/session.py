"""The one way out to the API: signed, paced, counted, and with errors that tell no secrets."""

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

from tap_constantcontact.http.ahead import ReadAhead

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tap_constantcontact.http.ahead import Outlook
    from tap_constantcontact.http.credentials import Credentials
    from tap_constantcontact.http.pace import Pace
    from tap_constantcontact.http.stop import Stop


#: The variables that name certificates to trust, in the order in which they count.
CA_BUNDLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


# Before there was an API; a response that claims to be older is of a clock that is wrong.
_EARLIEST = dt.datetime(2012, 1, 1, tzinfo=dt.UTC)
#: The clocks of the API's servers differ by so much at most.
CLOCKS_DIFFER = dt.timedelta(minutes=5)


class UntrustedError(requests.RequestException):
    """The other side cannot be trusted; asking again is of no use."""


class Session(requests.Session):
    """A session that all streams send through.

    Attributes:
        calls: Attempts sent so far, those that failed included: each counts against the quota.
        answered: Whether the API has answered any call as asked.
    """

    def __init__(  # noqa: PLR0913 - all that limits calls
        self,
        credentials: Credentials,
        pace: Pace,
        stop: Stop,
        *,
        max_calls: int | None = None,
        at_once: int = 1,
        timeout: float = 60.0,
    ) -> None:
        """Share one session among all streams of a tap.

        Args:
            credentials: Sign each call.
            pace: Says when the next call may leave.
            stop: Says whether there is to be a next call.
            max_calls: How many calls may be made; None for no limit.
            at_once: How many calls may be under way.
            timeout: Seconds to wait for an answer.
        """
        super().__init__()
        for scheme in ("https://", "http://"):
            self.mount(scheme, HTTPAdapter(pool_maxsize=at_once))
        # As `requests` does where it prepares a request itself.
        self.verify = next(filter(None, map(os.environ.get, CA_BUNDLES)), True)
        self._proxies: dict[str, str] | None = None
        self.auth = credentials
        self.credentials = credentials
        self.calls = 0
        self.answered = False
        self._began = dt.datetime.now(dt.UTC)
        self._clock_ahead: dt.timedelta | None = None
        self._not_before = _EARLIEST
        self._pace = pace
        self._stop = stop
        self._max_calls = max_calls
        self._timeout = timeout
        self._ahead = ReadAhead(self._transmit, at_once, pace, self._note_sent, lambda: self.left)
        self._is_sequential = at_once == 1

    def expect(self, outlooks: Iterable[Outlook]) -> None:
        """Make calls ahead of time, by what is going to be asked for, one outlook after another."""
        self._ahead.expect(outlooks)

    def give_up(self, url: str) -> None:
        """Note that a failed request is not going to be repeated in this run."""
        self._ahead.give_up(url)

    @override
    def close(self) -> None:
        self._ahead.close()
        super().close()

    @property
    def left(self) -> int | None:
        """How many calls may still be made; None for no limit."""
        return None if self._max_calls is None else self._max_calls - self.calls

    @override
    def send(self, request: requests.PreparedRequest, **_: Any) -> requests.Response:
        """Make one attempt and read its whole body, or take the answer if it was made already.

        Raises:
            RunStopped: If the calls are spent or the run is to end.
            requests.RequestException: Of the same kind as the library's, but with a message that
                names neither the URL nor what is in it.
        """
        try:
            with self._stop.waiting():
                if self._is_sequential:
                    self._note_sent()
                    self._pace.wait()
                    response = self._transmit(request)
                else:
                    response = self._ahead.take(request)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            failure = self._cleaned(error)
        else:
            self.answered = self.answered or response.ok
            self._compare_clocks(response)
            return response
        # Raised out here so that the library's own error, which quotes the URL, is not its context.
        raise failure

    def _note_sent(self) -> None:
        if self._max_calls is not None and self.calls >= self._max_calls:
            self._stop.request(f"The run has made its {self._max_calls:,} calls (`max_calls`).")
        self.calls += 1

    def _transmit(self, request: requests.PreparedRequest) -> requests.Response:
        proxies = self._proxies_for(request)
        return super().send(request, proxies=proxies, timeout=self._timeout, allow_redirects=False)

    def _proxies_for(self, request: requests.PreparedRequest) -> dict[str, str]:
        # All calls go to one host: the environment need not be asked for each.
        if self._proxies is None:
            self._proxies = get_environ_proxies(request.url or "")
        return self._proxies

    def _compare_clocks(self, response: requests.Response) -> None:
        if self._clock_ahead is not None:
            return
        try:
            sent = parsedate_to_datetime(response.headers["Date"])
        except (KeyError, ValueError):
            return
        if sent.tzinfo is not None and sent >= self._not_before:
            self._clock_ahead = max(dt.timedelta(), dt.datetime.now(dt.UTC) - sent)

    def expect_clock_after(self, known: dt.datetime) -> None:
        """Do not believe a response that claims to be older than one of an earlier run.

        Args:
            known: The API's time at the beginning of an earlier run. One that is in the future was
                made by a machine whose clock was ahead, and says nothing.
        """
        if known <= dt.datetime.now(dt.UTC) + CLOCKS_DIFFER:
            self._not_before = max(_EARLIEST, known - CLOCKS_DIFFER)

    @property
    def api_time(self) -> dt.datetime | None:
        """When the run began by the API's clock; None before a response has told."""
        return None if self._clock_ahead is None else self.began

    @property
    def began(self) -> dt.datetime:
        """When the run began, by this machine's clock or by the API's, whichever was earlier.

        What is read is read as of the API's clock. By that of a machine that is ahead, all that
        happens until the API's has caught up would seem to have been read. Before an answer has
        told the API's time, it is this machine's. States hold milliseconds, and so does this: two
        moments that a state could not tell apart are the same here, too.
        """
        began = self._began - (self._clock_ahead or dt.timedelta())
        return began - dt.timedelta(microseconds=began.microsecond % 1000)

    def _cleaned(self, error: Exception) -> requests.RequestException:
        if fault := self._untrusted(error):
            return UntrustedError(fault)
        kind = type(error) if isinstance(error, requests.RequestException) else None
        if isinstance(error, requests.Timeout):
            text = "the API did not answer in time"
        elif isinstance(error, requests.exceptions.ProxyError):
            text = "the proxy cannot be reached"
        elif isinstance(error, requests.exceptions.SSLError):
            text = "no trusted TLS connection to the API"
        elif isinstance(error, requests.exceptions.ChunkedEncodingError):
            text = "the answer was cut off"
        elif isinstance(error, (requests.ConnectionError, urllib3.exceptions.HTTPError, OSError)):
            text = "the connection to the API failed"
        else:
            text = "the request failed"
        reason = self.credentials.clean(str(_innermost(error)))
        return (kind or requests.ConnectionError)(f"{text} ({type(error).__name__}: {reason})")

    def _untrusted(self, error: Exception) -> str | None:
        innermost = _innermost(error)
        if isinstance(innermost, ssl.SSLCertVerificationError):
            return (
                f"The certificate of the API, or of a proxy before it, is not trusted"
                f" ({innermost.verify_message}). If your network has an authority of its own, name"
                f" the file with its certificates in REQUESTS_CA_BUNDLE."
            )
        if isinstance(self.verify, str) and not os.path.exists(self.verify):  # noqa: PTH110
            return f"REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE names no file: {self.verify}."
        return None


def _innermost(error: BaseException) -> BaseException:
    """The error at the bottom, such as "connection refused": those above it quote the URL."""
    while True:
        inner = error.__cause__ or error.__context__ or getattr(error, "reason", None)
        if not isinstance(inner, BaseException):
            return error
        error = inner
