"""The base stream: one request, one page, one row."""

from __future__ import annotations

import contextlib
import datetime as dt
import itertools
import logging
import random
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, cast
from urllib.parse import urlsplit

import backoff
import requests
from singer_sdk import RESTStream, StreamSchema
from singer_sdk.exceptions import (
    ConfigValidationError,
    FatalAPIError,
    MapExpressionError,
    RetriableAPIError,
)
from singer_sdk.helpers.conform import TypeConformanceLevel
from singer_sdk.mapper import SameRecordTransform
from singer_sdk.pagination import BaseAPIPaginator
from singer_sdk.singerlib import RecordMessage
from typing_extensions import override

from tap_constantcontact.api import bodies, refusals, times
from tap_constantcontact.api.bodies import BrokenAnswerError
from tap_constantcontact.api.links import ForeignLinkError
from tap_constantcontact.api.refusals import Verdict
from tap_constantcontact.schema import SCHEMAS
from tap_constantcontact.shaping import Shaper
from tap_constantcontact.typed import TypedPages

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping

    from backoff.types import Details
    from singer_sdk.helpers.types import Context, Record, RequestFunc
    from singer_sdk.singerlib import Catalog
    from singer_sdk.streams.rest import HTTPRequest, PageContext

    from tap_constantcontact.api.bodies import Envelope, Page
    from tap_constantcontact.api.credentials import Credentials
    from tap_constantcontact.api.refusals import Refusal
    from tap_constantcontact.api.session import Session
    from tap_constantcontact.tap import TapConstantContact

# Before there was an API; dates are reckoned with from here on, whatever a state says.
_EARLIEST = dt.datetime(1990, 1, 1, tzinfo=dt.UTC)

MAX_TRIES = 6
#: As long as somebody else may be using up the calls of each second, which ends.
MAX_TRIES_WHEN_TOO_FAST = 30
LONGEST_BACKOFF = 60.0

_REPEATED = (
    RetriableAPIError,
    requests.ConnectionError,
    requests.Timeout,
    requests.exceptions.ChunkedEncodingError,
    requests.exceptions.ContentDecodingError,
)


class TooFastError(RetriableAPIError):
    """Too many calls a second: by this run, or by somebody else with the same key."""


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

    def __init__(
        self, page_of: Callable[[requests.Response], Page], start: str | None = None
    ) -> None:
        """Start at the first page, or where a link leads.

        Args:
            page_of: Reads an answer.
            start: A link that an earlier run was given.
        """
        super().__init__(start)
        self._page_of = page_of
        self._seen: set[str] = set()

    @override
    def get_next(self, response: requests.Response) -> str | None:
        link = self._page_of(response).next_link
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
    #: What the endpoint's answers look like.
    envelope: ClassVar[Envelope] = bodies.PAGED
    #: Whether the stream's state says what of the account need not be read again.
    keeps_marks: ClassVar[bool] = False
    allow_redirects = False
    # The shaper prunes and converts at every depth, so the SDK need not look at each value again.
    TYPE_CONFORMANCE_LEVEL = TypeConformanceLevel.NONE

    @override
    def log(self, message: str, *args: Any, level: int = logging.INFO, **kwargs: Any) -> None:
        # So the SDK calls whatever ends a stream. Here it is said once, and in clear words.
        if not message.startswith("An unhandled error occurred"):
            super().log(message, *args, level=level, **kwargs)

    @override
    def apply_catalog(self, catalog: Catalog) -> None:
        # What a stream's keys are is no choice: a catalog without them is as good as one with them.
        keys, replication_key = self.primary_keys, self.replication_key
        super().apply_catalog(catalog)
        self.primary_keys, self.replication_key = keys, replication_key

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
        return NextLinkPaginator(self.page_of)

    def selects_beyond(self, fields: Collection[str]) -> bool:
        """Whether the catalog asks for any field but these."""
        return self.selected and any(
            self.mask[("properties", name)]
            for name in self.schema["properties"]
            if name not in fields
        )

    def identified(self, rows: Iterable[Record]) -> Iterator[Record]:
        """The API's objects with their ids as text; those without one are left out, and named."""
        for row in rows:
            if (found := bodies.id_of(row.get("id"))) is None:
                self.logger.warning("An object without its key (id) is left out.")
            else:
                yield {**row, "id": found}

    def detail(self, path: str, thing_id: str) -> Record | None:
        """Read one thing that was listed a moment ago; None, with a warning, if it has vanished."""
        try:
            return self.fetch(path, bodies.of(thing_id))[0]
        except RefusedError as error:
            if error.verdict is not Verdict.MISSING:
                raise
            self.logger.warning("%s has vanished since it was listed.", path)
            return None

    def fetch(self, path: str, envelope: Envelope) -> list[Record]:
        """Read one answer outside the stream's own pages, with the same retries and refusals.

        Raises:
            RefusedError: With `Verdict.MISSING` if there is no such thing.
        """
        request = self.build_prepared_request(
            method="GET", url=f"{self.url_base}{path}", headers=self.http_headers
        )
        with self.expecting(envelope):
            return self.page_of(self.request_decorator(self._request)(request, None)).rows

    @contextlib.contextmanager
    def expecting(self, envelope: Envelope) -> Iterator[None]:
        """A time in which the stream asks for something in another envelope than its own."""
        self._expected = envelope
        try:
            yield
        finally:
            self._expected = None

    @property
    def is_expecting_others(self) -> bool:
        """Whether the stream asks for something else than its own rows just now."""
        return self._expected is not None

    _expected: Envelope | None = None

    # -- refusals and retries ---------------------------------------------------------------

    @override
    def validate_response(self, response: requests.Response) -> None:
        refusal = self._judge(response)
        if refusal is None:
            return
        message = self.tap.credentials.clean(refusal.message)
        if refusal.verdict is Verdict.SLOW_DOWN:
            self.tap.pace.slow_down()
            raise TooFastError(message, response)
        if refusal.verdict in {Verdict.WAIT, Verdict.BLOCKED}:
            raise RetriableAPIError(message, response)
        if refusal.verdict is Verdict.REPEAT_ONCE and self.requests_session.answered:
            request = response.request
            if request is not self._repeated_once:
                self._repeated_once = request
                raise RetriableAPIError(message, response)
        if refusal.verdict is Verdict.MISSING:
            path = urlsplit(response.request.url or "").path
            message = f"{message}: {path}. If it should, check `api_url` ({self.url_base})."
        raise RefusedError(message, refusal.verdict)

    def _judge(self, response: requests.Response) -> Refusal | None:
        if refusal := refusals.judge(response.status_code, response.headers, response.content):
            return refusal
        try:
            self.page_of(response)
        except BrokenAnswerError as fault:
            return refusals.judge_broken(response.headers, response.content, fault)
        return None

    _repeated_once: requests.PreparedRequest | None = None

    @override
    def request_decorator(self, func: RequestFunc) -> RequestFunc:
        def attempt(
            request: requests.PreparedRequest, context: Context | None
        ) -> requests.Response:
            self.tap.progress.calling(self.name)
            return func(request, context)

        patient = backoff.on_exception(
            growing_waits,
            TooFastError,
            max_tries=MAX_TRIES_WHEN_TOO_FAST,
            jitter=_little_jitter,
            on_backoff=self.backoff_handler,
            logger=None,
        )(attempt)
        repeated = backoff.on_exception(
            growing_waits,
            _REPEATED,
            max_tries=MAX_TRIES,
            giveup=lambda error: isinstance(error, TooFastError),
            jitter=self.backoff_jitter,
            on_backoff=self.backoff_handler,
            logger=None,
        )(patient)

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
            tries_for(details.get("exception")),
        )

    @override
    def get_records(self, context: Context | None) -> Iterable[Record]:
        self.context = context
        self.since = self.first_change()
        try:
            with self.giving_up():
                yield from self.read(context)
        except FatalAPIError:
            # The SDK writes no state when a run fails. What is read so far shall count.
            self.tap.write_state()
            raise

    @contextlib.contextmanager
    def giving_up(self) -> Iterator[None]:
        """A time at the end of which what failed for good is said in clear words.

        Raises:
            FatalAPIError: Something did.
        """
        try:
            yield
        except _REPEATED as error:
            failure = FatalAPIError(
                f"{error}. Gave up after {tries_for(error)} tries. If it lasts, check"
                f" {_what_to_check(error)}; the next run goes on from the last state."
            )
        except requests.RequestException as error:
            failure = FatalAPIError(str(error))
        else:
            return
        raise failure

    def read(self, context: Context | None) -> Iterable[Record]:
        """Read the API's objects for a context, page by page; streams with quirks override it."""
        return self.request_records(context)

    # -- one page ---------------------------------------------------------------------------

    #: Whether rows come from pages as they are, with nothing added or merged: all that is to be
    #: done with them is done page by page then, for large streams.
    shapes_pages: ClassVar[bool] = False
    #: The context that is being read.
    context: Context | None = None

    @override
    def parse_response(self, response: requests.Response) -> Iterable[Record]:
        page = self.page_of(response)
        return self._shaped(page) if self.shapes_pages else page.rows

    def page_of(self, response: requests.Response) -> Page:
        """Read an answer, once.

        Raises:
            BrokenAnswerError: If it is not what was asked for.
        """
        answer, page = self._last_read
        if answer is not response or page is None:
            is_plain = self.shapes_pages and self._expected is None
            typed = self._typed_pages.read(response.content) if is_plain else None
            page = typed or self._read(response.content)
            self._last_read = (response, page)
        return page

    def _read(self, body: bytes) -> Page:
        page = (self._expected or self.envelope).open(bodies.decode(body))
        known = self.known_fields
        if any(known.isdisjoint(row) for row in page.rows):
            msg = f"holds something else than {self.name}"
            raise BrokenAnswerError(msg)
        if page.left_out:
            self.logger.warning("Where objects should be, %d nulls are left out.", page.left_out)
        return page

    @property
    def known_fields(self) -> frozenset[str]:
        """Fields of the API's objects: one that has none of them is something else."""
        return self._own_fields

    @cached_property
    def _own_fields(self) -> frozenset[str]:
        return frozenset(self.schema["properties"])

    _last_read: tuple[requests.Response | None, Page | None] = (None, None)

    @cached_property
    def _typed_pages(self) -> TypedPages:
        return TypedPages(self.effective_schema)

    def _shaped(self, page: Page) -> Iterator[Record]:
        self.tap.stop.check()
        keys = self._keys_of(self.context)
        replication_key = self.replication_key or ""
        newest = ""
        rows = 0
        as_dict = page.as_dict
        for each in page.rows:
            row = self.adapt(as_dict(each) if as_dict else each, self.context)
            if row is None:
                continue
            if keys:
                row.update(keys)
            if as_dict:
                self.shape.date(row)
            else:
                row = self.shape(row)
            if self._has_key(row):
                moment = row.setdefault(replication_key, None)
                if moment and moment > newest:
                    newest = moment
                rows += 1
                yield row
        self._count(rows)
        if newest:
            self.note_newest(min(newest, times.write(self.latest)))

    @property
    def latest(self) -> dt.datetime:
        """What comes later is not all read, and not to be marked as such."""
        return self.tap.session.began

    def note_newest(self, moment: str) -> None:
        """Note the newest value of the replication key that was read."""
        if self.selected and self.replication_key:
            super()._increment_stream_state({self.replication_key: moment}, context=self.context)

    # -- one row ----------------------------------------------------------------------------

    def adapt(self, row: Record, context: Context | None) -> Record | None:  # noqa: ARG002
        """Even out a quirk of the API in one of its objects; None leaves it out."""
        return row

    @cached_property
    def shape(self) -> Shaper:
        """Makes rows of API objects, after the schema that the catalog asks for."""
        return Shaper(self.effective_schema, lambda text: self.logger.warning("%s.", text))

    @override
    def post_process(self, row: Record, context: Context | None = None) -> Record | None:
        if self.shapes_pages:
            return row
        self.tap.stop.check()
        adapted = self.adapt(row, context)
        if adapted is None:
            return None
        shaped = self.shape({**adapted, **self._keys_of(context)})
        if self.replication_key:
            shaped.setdefault(self.replication_key, None)
        if not self._has_key(shaped):
            return None
        self._count(1)
        return shaped

    def _keys_of(self, context: Context | None) -> Record:
        return {key: context[key] for key in self.primary_keys if key in context} if context else {}

    def _has_key(self, row: Record) -> bool:
        for key in self.primary_keys:
            if row.get(key) is None:
                self.logger.warning("A row without its key (%s) is left out.", key)
                return False
        return True

    def _count(self, rows: int) -> None:
        if self.selected:
            self.tap.progress.rows[self.name] += rows

    @override
    def generate_child_contexts(
        self, record: Record, context: Context | None
    ) -> Iterable[Context | None]:
        return super().generate_child_contexts(record, context) if self.child_streams else ()

    @override
    def _increment_stream_state(
        self, latest_record: Record, *, context: Context | None = None
    ) -> None:
        if not self.shapes_pages:
            super()._increment_stream_state(latest_record, context=context)

    @override
    def _generate_record_messages(self, record: Record) -> Generator[RecordMessage, None, None]:
        # The SDK goes through each record once more, for fields that are not selected and for its
        # stream maps. Where there are none, there is nothing to go through it for.
        if not self._is_sent_as_it_is:
            try:
                yield from super()._generate_record_messages(record)
            except MapExpressionError as error:
                fault = map_fault(self.name, error)
                raise ConfigValidationError(fault, errors=[fault]) from error
            return
        yield RecordMessage(
            stream=self.name,
            record=record,
            version=self._stream_version,
            time_extracted=dt.datetime.now(dt.UTC),
        )

    @cached_property
    def _is_sent_as_it_is(self) -> bool:
        maps = self.stream_maps
        return (
            [type(each) for each in maps] == [SameRecordTransform]
            and not (maps[0].flattening_options and maps[0].flattening_options.enabled)
            and all(self.mask[breadcrumb] for breadcrumb in _fields(self.schema))
        )

    # -- incremental reads ------------------------------------------------------------------

    #: The oldest change that this run asks for; None for everything.
    since: dt.datetime | None = None

    @property
    def is_full_table(self) -> bool:
        """Whether the catalog asks for everything of a stream that could be read by what is new."""
        is_incremental = isinstance(type(self).replication_key, str)
        return is_incremental and self.forced_replication_method == "FULL_TABLE"

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
        oldest = max(read_to, _EARLIEST) - dt.timedelta(hours=self.config["lookback_hours"])
        return max(oldest, self.start_date) if self.start_date else oldest


def growing_waits() -> Generator[float, Any, None]:
    """Seconds to wait before each repeat: doubling, and never less than the API asks for."""
    error = yield 0.0
    for tries in itertools.count():
        response = getattr(error, "response", None)
        asked = refusals.retry_after(response.headers) if response is not None else 0.0
        error = yield max(min(2.0**tries, LONGEST_BACKOFF), min(asked, refusals.LONGEST_WAIT))


def map_fault(stream: str, error: Exception) -> str:
    """What is wrong with the map of a stream, in one line."""
    reason = " ".join(str(error.__cause__ or error).split())
    return f"Setting 'stream_maps' cannot be used for stream '{stream}': {error} ({reason})"


def tries_for(error: object) -> int:
    """How often a call is made in all that fails in a certain way."""
    return MAX_TRIES_WHEN_TOO_FAST if isinstance(error, TooFastError) else MAX_TRIES


def _what_to_check(error: object) -> str:
    if isinstance(error, TooFastError):
        return "what else uses the key, or lower `requests_per_second`"
    return "`api_url` and the network"


def _little_jitter(seconds: float) -> float:
    return seconds + random.uniform(0, 0.3)  # noqa: S311 - no secret


def _fields(schema: Mapping[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, each in schema.get("properties", {}).items():
        breadcrumb = (*above, "properties", name)
        yield breadcrumb
        yield from _fields(each, breadcrumb)


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
