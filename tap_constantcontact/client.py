"""Client of the API: requests with authentication, retries and error handling."""

from __future__ import annotations

from textwrap import shorten
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import requests
from singer_sdk.exceptions import FatalAPIError, RetriableAPIError

from tap_constantcontact.http import envelopes, retries
from tap_constantcontact.http.envelopes import InvalidResponseError, is_cursor
from tap_constantcontact.http.error_handler import ResponseAction
from tap_constantcontact.http.pagination import NextLinkPaginator
from tap_constantcontact.http.prefetch import PendingRequest
from tap_constantcontact.http.retries import (
    NotFoundError,
    NotReadyError,
    PaginationError,
    RateLimitError,
)
from tap_constantcontact.http.urls import CrossHostLinkError
from tap_constantcontact.records.parser import ResponseParser

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Iterable, Iterator
    from collections.abc import Set as AbstractSet

    from backoff.types import Details
    from singer_sdk.helpers.types import Context, Record, RequestFunc

    from tap_constantcontact.http.envelopes import Envelope, Page
    from tap_constantcontact.http.error_handler import ErrorResolution
    from tap_constantcontact.sync_run import SyncRun

_MAX_MESSAGE = 500


class ApiClient:
    """Sends the requests of one stream.

    The stream's own pages go through the SDK, which calls `with_retries` and `validate`. Everything
    else, such as details and lists of parents, is requested by its path.
    """

    def __init__(self, run: SyncRun, stream: str, logger: logging.Logger) -> None:
        """Create a client.

        Args:
            run: The run, whose session sends the requests.
            stream: Name of the stream, for progress and messages.
            logger: Logs warnings.
        """
        self.run = run
        self.stream = stream
        self.logger = logger
        self.requested_url = ""
        self._retried_unauthorized: str | None = None

    @property
    def requested_path(self) -> str:
        """The path of the last request."""
        return urlsplit(self.requested_url).path

    # -- requests by path ----------------------------------------------------------------------

    def get(
        self, path: str, envelope: Envelope, fields: AbstractSet[str] | None = None
    ) -> list[Record]:
        """Request a path.

        Args:
            path: The path, with parameters.
            envelope: Envelope of the response.
            fields: Each object has one of these fields; None if its envelope is enough.

        Raises:
            NotFoundError: The object does not exist.
        """
        return self._get(path, envelope, fields).rows

    def get_total(self, path: str, envelope: Envelope) -> int:
        """Request the number of records in a list, with a path that makes the API count them."""
        return self._get(path, envelope).total or 0

    def _get(self, path: str, envelope: Envelope, fields: AbstractSet[str] | None = None) -> Page:
        parser = ResponseParser(self.stream, envelope, fields, self.logger)
        return parser.read(self._send(self.request_for(path), parser.read))

    def get_detail(self, path: str, object_id: str, key: str = "id") -> Record | None:
        """Request an object of a list; None, with a warning, if it has vanished."""
        try:
            return self.get(path, envelopes.of(object_id, key))[0]
        except NotFoundError:
            self.logger.warning("%s has vanished from its list.", path.partition("?")[0])
            return None

    def get_pages(
        self, path: str, envelope: Envelope, fields: AbstractSet[str] | None = None
    ) -> Iterator[list[Record]]:
        """Request a list, page by page.

        Raises:
            FatalAPIError: The next links form a loop, or lead to another host.
        """
        parser = ResponseParser(self.stream, envelope, fields, self.logger)
        paginator = NextLinkPaginator(parser.read)
        request = first = self.request_for(path)

        def parse(response: requests.Response) -> Page:
            return paginator.check(parser.read(response))

        while not paginator.finished:
            response = self._send(request, parse)
            yield parser.read(response).rows
            paginator.advance(response)
            if link := paginator.current_value:
                request = self._request_to(self.follow(link, first.url or ""))

    def with_string_ids(self, rows: Iterable[Record], key: str = "id") -> Iterator[Record]:
        """Yield objects with their ids as text.

        Objects without an id are skipped with a warning.
        """
        return envelopes.with_string_ids(rows, lambda: self.warn_of_key(key), key)

    def warn_of_key(self, key: str) -> None:
        """Warn about a record without a part of its key."""
        self.logger.warning("Skipping a record without its key (%s).", key)

    def request_for(self, path: str) -> requests.PreparedRequest:
        """Return the request for a path."""
        return self._request_to(f"{self.run.api.root.url}{path}")

    def _request_to(self, url: str) -> requests.PreparedRequest:
        headers = {"User-Agent": self.run.user_agent}
        return self.run.session.prepare_request(requests.Request("GET", url, headers))

    def _send(
        self, request: requests.PreparedRequest, parse: Callable[[requests.Response], Page]
    ) -> requests.Response:
        def attempt(request: requests.PreparedRequest, _: Context | None) -> requests.Response:
            response = self.run.session.send(self.run.api.authenticator(request))
            self.validate(response, parse)
            return response

        return self.with_retries(attempt)(request, None)

    def follow(self, link: str, first_url: str) -> str:
        """Return the URL of a next link.

        Args:
            link: The link, or only a parameter to add to the first URL.
            first_url: URL of the first page.

        Raises:
            PaginationError: The link leads to another host.
        """
        if is_cursor(link):
            return f"{first_url}{'&' if '?' in first_url else '?'}{link.removeprefix('?')}"
        try:
            return self.run.api.root.follow(link, first_url.partition("?")[0])
        except CrossHostLinkError as error:
            msg = f"{error}. It was not followed, to protect your credentials."
            raise PaginationError(msg) from error

    # -- prefetching ---------------------------------------------------------------------------

    def prefetch(self, path: str) -> PendingRequest:
        """Return the request for a path."""
        return PendingRequest(self.request_for(path))

    def prefetch_pages(self, path: str, envelope: Envelope) -> PendingRequest:
        """Return the request for the first page of a list, which knows those for later pages."""
        first = self.request_for(path)

        def page(link: str) -> requests.PreparedRequest:
            return self._request_to(self.follow(link, first.url or ""))

        return following(first, envelope, page)

    def cancel_prefetch(self) -> None:
        """Cancel the forecasts that depend on the last request, which failed for good."""
        self.run.session.cancel(self.requested_url)

    # -- errors and retries --------------------------------------------------------------------

    def with_retries(self, send: RequestFunc) -> RequestFunc:
        """Return a function that sends a request and retries it.

        Args:
            send: Sends it once and validates the response.
        """

        def attempt(
            request: requests.PreparedRequest, context: Context | None
        ) -> requests.Response:
            self.run.progress.on_request(self.stream)
            self.requested_url = request.url or ""
            return send(request, context)

        repeated = retries.with_retries(attempt, self._on_backoff)

        def call(request: requests.PreparedRequest, context: Context | None) -> requests.Response:
            with self.run.shutdown.waiting():
                return repeated(request, context)

        return call

    def _on_backoff(self, details: Details) -> None:
        self.logger.warning(
            "%s. Trying again in %.1f seconds (%d of %d).",
            str(details.get("exception")).rstrip("."),
            details.get("wait", 0.0),
            details["tries"] + 1,
            retries.tries_for(details.get("exception")),
        )

    def validate(
        self, response: requests.Response, parse: Callable[[requests.Response], Page]
    ) -> None:
        """Validate a response.

        Args:
            response: The response.
            parse: Parses it; raises `InvalidResponseError` if it is not valid.

        Raises:
            FatalAPIError: It is an error that no retry resolves.
            RetriableAPIError: It is an error that a retry may resolve.
        """
        resolution = self._interpret(response, parse)
        if resolution is None:
            self._retried_unauthorized = None
            self.run.failures.note_response()
            return
        action = resolution.action
        # Redacted before it is cut: half a secret would not be recognized.
        message = shorten(self.run.api.authenticator.redact(resolution.message), _MAX_MESSAGE)
        if action is ResponseAction.RATE_LIMITED:
            self.run.rate_limiter.slow_down()
            raise RateLimitError(message, response)
        if action is ResponseAction.QUOTA_EXHAUSTED:
            self.run.rate_limiter.exhaust()
        if action is ResponseAction.POLL:
            raise NotReadyError(message, response)
        if action in {ResponseAction.RETRY, ResponseAction.RETRY_PROXY} or (
            action is ResponseAction.REFRESH_TOKEN_THEN_RETRY
            and self._should_retry_unauthorized(response.request)
        ):
            raise RetriableAPIError(message, response)
        if action is ResponseAction.NOT_FOUND:
            path = urlsplit(response.request.url or "").path
            advice = f"If this path should exist, check `api_url` ({self.run.api.root.url})."
            message = f"{message}: {path}. {advice}"
        raise retries.API_ERRORS[action](message)

    def _interpret(
        self, response: requests.Response, parse: Callable[[requests.Response], Page]
    ) -> ErrorResolution | None:
        table = self.run.api.error_handler
        if resolution := table.resolve(response.status_code, response.headers, response.content):
            return resolution
        try:
            parse(response)
        except InvalidResponseError as fault:
            return table.resolve_invalid(response.headers, response.content, fault)
        return None

    def _should_retry_unauthorized(self, rejected: requests.PreparedRequest) -> bool:
        if rejected.url == self._retried_unauthorized:
            return False
        self._retried_unauthorized = rejected.url
        return self.run.api.authenticator.renew(rejected) or self.run.session.has_succeeded


def following(
    first: requests.PreparedRequest,
    envelope: Envelope,
    page: Callable[[str], requests.PreparedRequest],
    should_stop_pagination: Callable[[requests.Response], bool] = lambda _: False,
) -> PendingRequest:
    """Return the request for a first page, which knows those for later pages by their links.

    Args:
        first: The request.
        envelope: Envelope of the pages.
        page: Returns the request for a link.
        should_stop_pagination: Returns whether the pages after a response are not needed.
    """
    seen: set[str] = set()

    def follow(response: requests.Response) -> PendingRequest | None:
        link = envelopes.link_of(response.content, envelope)
        if not link or link in seen or should_stop_pagination(response):
            return None
        seen.add(link)
        try:
            return PendingRequest(page(link), follow)
        except FatalAPIError:
            return None  # The error is handled where the response is needed.

    return PendingRequest(first, follow)
