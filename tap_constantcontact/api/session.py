"""The one way out to the API: signed, paced, counted, and with errors that tell no secrets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import requests
import urllib3
from typing_extensions import override

if TYPE_CHECKING:
    from tap_constantcontact.api.credentials import Credentials
    from tap_constantcontact.api.pace import Pace
    from tap_constantcontact.api.stop import Stop


class Session(requests.Session):
    """A session that all streams send through.

    Attributes:
        calls: Attempts sent so far, those that failed included: each counts against the quota.
        answered: Whether the API has answered any call as asked.
    """

    def __init__(
        self, credentials: Credentials, pace: Pace, stop: Stop, max_calls: int | None = None
    ) -> None:
        """Share one session among all streams of a tap.

        Args:
            credentials: Sign each call.
            pace: Says when the next call may leave.
            stop: Says whether there is to be a next call.
            max_calls: How many calls may be made; None for no limit.
        """
        super().__init__()
        self.auth = credentials
        self.credentials = credentials
        self.calls = 0
        self.answered = False
        self._pace = pace
        self._stop = stop
        self._max_calls = max_calls

    @override
    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        """Send one attempt and read its whole body.

        Raises:
            RunStopped: If the calls are spent or the run is to end.
            requests.RequestException: Of the same kind as the library's, but with a message that
                names neither the URL nor what is in it.
        """
        if self._max_calls is not None and self.calls >= self._max_calls:
            self._stop.request(f"The run has made its {self._max_calls:,} calls (`max_calls`).")
        try:
            with self._stop.waiting():
                self._pace.wait()
                self.calls += 1
                response = super().send(request, **kwargs)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            failure = self._cleaned(error)
        else:
            self.answered = self.answered or response.ok
            return response
        # Raised out here so that the library's own error, which quotes the URL, is not its context.
        raise failure

    def _cleaned(self, error: Exception) -> requests.RequestException:
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


def _innermost(error: BaseException) -> BaseException:
    """The error at the bottom, such as "connection refused": those above it quote the URL."""
    while True:
        inner = error.__cause__ or error.__context__ or getattr(error, "reason", None)
        if not isinstance(inner, BaseException):
            return error
        error = inner
