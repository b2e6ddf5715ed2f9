"""The base stream: one request, one page, one row."""

from __future__ import annotations

import datetime as dt
import itertools
import logging
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, cast

import backoff
import requests
from singer_sdk import RESTStream, StreamSchema
from singer_sdk.exceptions import FatalAPIError, RetriableAPIError
from singer_sdk.helpers.conform import TypeConformanceLevel
from singer_sdk.pagination import BaseAPIPaginator
from typing_extensions import override

from tap_constantcontact.api import bodies, refusals, times
from tap_constantcontact.api.links import ForeignLinkError
from tap_constantcontact.api.refusals import Verdict
from tap_constantcontact.schema import SCHEMAS
from tap_constantcontact.shaping import Shaper

if TYPE_CHECKING:
    from collections.abc import Collection, Generator, Iterable

    from backoff.types import Details
    from singer_sdk.helpers.types import Context, Record, RequestFunc
    from singer_sdk.streams.rest import HTTPRequest, PageContext

    from tap_constantcontact.api.credentials import Credentials
    from tap_constantcontact.api.session import Session
    from tap_constantcontact.tap import TapConstantContact

MAX_TRIES = 6
LONGEST_BACKOFF = 60.0

_REPEATED = (
    RetriableAPIError,
    requests.ConnectionError,
    requests.Timeout,
    requests.exceptions.ChunkedEncodingError,
    requests.exceptions.ContentDecodingError,
)


class RefusedError(FatalAPIError):
    """The API's last word on a call.

    Attributes:
        verdict: What kind of refusal it is.
    """

    def __init__(self, message: str, verdict: Verdict) -> None:
        """Say what is wrong and what to do."""
        super().__init__(message)
        self.verdict = verdict


class NextLinkPaginator(BaseAPIPaginator[str | None]):
    """Follows `meta.pagination.next_link` until there is none.

    How many rows a page has says nothing (API docs: Pagination): pages may be short, empty or one
    row over the limit.
    """

    def __init__(self) -> None:
        """Start at the first page."""
        super().__init__(None)
        self._seen: set[str] = set()

    @override
    def get_next(self, response: requests.Response) -> str | None:
        link = bodies.next_link(bodies.decode(response.content))
        if link in self._seen:
            msg = "The API leads in a circle: it sent the same next link twice."
            raise FatalAPIError(msg)
        if link:
            self._seen.add(link)
        return link

    @override
    def continue_if_empty(self, response: requests.Response) -> bool:
        return True


class ConstantContactStream(RESTStream[str | None]):
    """What all streams share: paging, refusals, shaping, and the start of an incremental read."""

    schema: ClassVar[StreamSchema] = StreamSchema(SCHEMAS)
    #: The largest page that the endpoint allows; None where it takes no `limit`.
    page_size: int | None = None
    allow_redirects = False
    # The shaper prunes and converts at every depth, so the SDK need not look at each value again.
    TYPE_CONFORMANCE_LEVEL = TypeConformanceLevel.NONE

    @override
    def log(self, message: str, *args: Any, level: int = logging.INFO, **kwargs: Any) -> None:
        # So the SDK calls whatever ends a stream. Here it is said once, and in clear words.
        if not message.startswith("An unhandled error occurred"):
            super().log(message, *args, level=level, **kwargs)

    # -- one request ------------------------------------------------------------------------

    @property
    def tap(self) -> TapConstantContact:
        """The tap that the stream belongs to."""
        return cast("TapConstantContact", self._tap)

    @property
    @override
    def url_base(self) -> str:
        return self.tap.api_root.url

    @property
    @override
    def authenticator(self) -> Credentials:
        return self.tap.credentials

    @property
    @override
    def requests_session(self) -> Session:
        return self.tap.session

    @property
    @override
    def http_headers(self) -> dict[str, str]:
        return {"Accept": "application/json"}

    @cached_property
    @override
    def user_agent(self) -> str:
        return self.config.get("user_agent") or f"{self.tap_name}/{self.tap.plugin_version}"

    @property
    @override
    def timeout(self) -> float:  # type: ignore[override]  # requests takes fractions too
        return float(self.config["request_timeout"])

    @override
    def get_http_request(self, *, page: PageContext[str | None]) -> HTTPRequest:
        request = super().get_http_request(page=page)
        if page.next_page_token:
            try:
                request.url = self.tap.api_root.follow(page.next_page_token)
            except ForeignLinkError as error:
                msg = f"{error}. It was not followed, since it would get the key and the token."
                raise FatalAPIError(msg) from error
            # A next link stands alone: it holds the page size, and other parameters are refused.
            request.params = {}
        elif self.page_size:
            request.params["limit"] = self.page_size
        return request

    @override
    def get_new_paginator(self) -> NextLinkPaginator:
        return NextLinkPaginator()

    def selects_beyond(self, fields: Collection[str]) -> bool:
        """Whether the catalog asks for any field but these."""
        return self.selected and any(
            self.mask[("properties", name)]
            for name in self.schema["properties"]
            if name not in fields
        )

    def detail(self, path: str) -> Record | None:
        """Read one thing that was listed a moment ago; None, with a warning, if it has vanished."""
        try:
            return next(iter(self.fetch(path)), None)
        except RefusedError as error:
            if error.verdict is not Verdict.MISSING:
                raise
            self.logger.warning("%s has vanished since it was listed.", path)
            return None

    def fetch(self, path: str) -> list[Record]:
        """Read one thing outside the stream's own pages, with the same retries and refusals.

        Raises:
            RefusedError: With `Verdict.MISSING` if it has vanished.
        """
        request = self.build_prepared_request(
            method="GET", url=f"{self.url_base}{path}", headers=self.http_headers
        )
        response = self.request_decorator(self._request)(request, None)
        return bodies.rows(bodies.decode(response.content))

    # -- refusals and retries ---------------------------------------------------------------

    @override
    def validate_response(self, response: requests.Response) -> None:
        refusal = refusals.judge(response.status_code, response.headers, response.content)
        if refusal is None:
            try:
                bodies.rows(bodies.decode(response.content))
            except ValueError as error:
                msg = f"The answer's body is broken ({error.__class__.__name__})"
                raise RetriableAPIError(msg, response) from None
            return
        message = self.tap.credentials.clean(refusal.message)
        if refusal.verdict is Verdict.WAIT:
            raise RetriableAPIError(message, response)
        if refusal.verdict is Verdict.REPEAT_ONCE and self.requests_session.answered:
            request = response.request
            if request is not self._repeated_once:
                self._repeated_once = request
                raise RetriableAPIError(message, response)
        raise RefusedError(message, refusal.verdict)

    _repeated_once: requests.PreparedRequest | None = None

    @override
    def request_decorator(self, func: RequestFunc) -> RequestFunc:
        def attempt(
            request: requests.PreparedRequest, context: Context | None
        ) -> requests.Response:
            self.tap.progress.calling(self.name)
            return func(request, context)

        repeated = backoff.on_exception(
            growing_waits,
            _REPEATED,
            max_tries=MAX_TRIES,
            jitter=self.backoff_jitter,
            on_backoff=self.backoff_handler,
            logger=None,
        )(attempt)

        def call(request: requests.PreparedRequest, context: Context | None) -> requests.Response:
            with self.tap.stop.waiting():
                return repeated(request, context)

        return call

    @override
    def backoff_handler(self, details: Details) -> None:
        self.logger.warning(
            "%s. Trying again in %.1f seconds (%d of %d).",
            details.get("exception"),
            details.get("wait", 0.0),
            details["tries"] + 1,
            MAX_TRIES,
        )

    @override
    def get_records(self, context: Context | None) -> Iterable[Record]:
        self.since = self.first_change()
        try:
            yield from self.read(context)
        except (FatalAPIError, RetriableAPIError, requests.RequestException) as error:
            # The SDK writes no state when a run fails. What is read so far shall count.
            self.tap.write_state()
            if not isinstance(error, _REPEATED):
                raise
            failure = FatalAPIError(
                f"{error}. Gave up after {MAX_TRIES} tries. If it lasts, check `api_url` and the"
                " network; the next run goes on from the last state."
            )
        else:
            return
        raise failure

    def read(self, context: Context | None) -> Iterable[Record]:
        """Read the API's objects for a context, page by page; streams with quirks override it."""
        return self.request_records(context)

    # -- one row ----------------------------------------------------------------------------

    @override
    def parse_response(self, response: requests.Response) -> Iterable[Record]:
        return bodies.rows(bodies.decode(response.content))

    @cached_property
    def shape(self) -> Shaper:
        """Makes rows of API objects, after the schema that the catalog asks for."""
        return Shaper(self.effective_schema, lambda text: self.logger.warning("%s.", text))

    @override
    def post_process(self, row: Record, context: Context | None = None) -> Record | None:
        self.tap.stop.check()
        if context:
            row = {**row, **{key: context[key] for key in self.primary_keys if key in context}}
        shaped = self.shape(row)
        if self.replication_key:
            shaped.setdefault(self.replication_key, None)
        if missing := [key for key in self.primary_keys if shaped.get(key) is None]:
            self.logger.warning("A row without its key (%s) is left out.", ", ".join(missing))
            return None
        if self.selected:
            self.tap.progress.rows[self.name] += 1
        return shaped

    # -- incremental reads ------------------------------------------------------------------

    #: The oldest change that this run asks for; None for everything.
    since: dt.datetime | None = None

    @property
    def bookmark(self) -> str | None:
        """The newest value of the replication key that an earlier run has read, if any."""
        state = self.get_context_state(None)
        if self.replication_method == "FULL_TABLE":
            return None
        same_key = state.get("replication_key") == self.replication_key
        return state.get("replication_key_value") if same_key else None

    def first_change(self) -> dt.datetime | None:
        """The bookmark less the look-back, or `start_date`, whichever is later."""
        start = self.get_starting_timestamp(None) if self.replication_key else None
        if start is None or not self.bookmark:
            return start
        return self.with_lookback(start)

    @property
    def start_date(self) -> dt.datetime | None:
        """The oldest change wanted on a first run."""
        return times.parse(self.config.get("start_date", ""))

    def with_lookback(self, read_to: dt.datetime) -> dt.datetime:
        """Where to go on from a moment: less the look-back, but not before `start_date`."""
        oldest = read_to - dt.timedelta(hours=self.config["lookback_hours"])
        return max(oldest, self.start_date) if self.start_date else oldest


def growing_waits() -> Generator[float, Any, None]:
    """Seconds to wait before each repeat: doubling, and never less than the API asks for."""
    error = yield 0.0
    for tries in itertools.count():
        response = getattr(error, "response", None)
        asked = refusals.retry_after(response.headers) if response is not None else 0.0
        error = yield max(min(2.0**tries, LONGEST_BACKOFF), min(asked, refusals.LONGEST_WAIT))


class OptionalAreaStream(ConstantContactStream):
    """A stream of a part of the product that an account need not have.

    The first refusal skips the whole area with a warning; the rest of the run goes on.
    """

    #: The area, as a person calls it.
    area: str
    #: Which refusals mean that the account does not have it.
    refused_by: Collection[Verdict] = (Verdict.FORBIDDEN,)

    @override
    def read(self, context: Context | None) -> Iterable[Record]:
        if self.area in self.tap.skipped_areas:
            self._forget_progress()
            return
        try:
            yield from super().read(context)
        except RefusedError as error:
            if error.verdict not in self.refused_by:
                raise
            self._forget_progress()
            self.tap.skipped_areas.add(self.area)
            self.logger.warning("%s is not open to this token and is skipped. %s", self.area, error)

    def _forget_progress(self) -> None:
        """Leave the bookmark where it was: what was read before the refusal is not all there is."""
        self.get_context_state(None).pop("progress_markers", None)
