"""The base stream: one request, one page, one row."""

from __future__ import annotations

import datetime as dt
import itertools
import logging
from functools import cached_property
from textwrap import shorten
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import parse_qsl, urlsplit

from singer_sdk import RESTStream, Tap
from singer_sdk.exceptions import (
    ConfigValidationError,
    FatalAPIError,
    MapExpressionError,
    RetriableAPIError,
)
from singer_sdk.helpers.conform import TypeConformanceLevel
from singer_sdk.mapper import SameRecordTransform
from singer_sdk.singerlib import RecordMessage, Schema
from typing_extensions import override

from tap_constantcontact.http import envelopes, retries
from tap_constantcontact.http.envelopes import InvalidResponseError, is_cursor
from tap_constantcontact.http.error_handler import ResponseAction
from tap_constantcontact.http.pagination import NextLinkPaginator
from tap_constantcontact.http.prefetch import PendingRequest, wait_for
from tap_constantcontact.http.retries import (
    APIError,
    NotReadyError,
    PaginationError,
    RateLimitError,
)
from tap_constantcontact.http.urls import CrossHostLinkError
from tap_constantcontact.plan import PAGE, Cost
from tap_constantcontact.records import timestamps
from tap_constantcontact.records.conform import RecordConformer
from tap_constantcontact.records.fast_decoder import FastPageDecoder
from tap_constantcontact.records.parser import ResponseParser
from tap_constantcontact.state.ids import short_id, short_ids_in
from tap_constantcontact.state.watermarks import Watermarks

if TYPE_CHECKING:
    from collections.abc import (
        Callable,
        Collection,
        Generator,
        Iterable,
        Iterator,
        Mapping,
        Sequence,
    )
    from collections.abc import Set as AbstractSet

    import requests
    from backoff.types import Details
    from singer_sdk.helpers.types import Context, Record, RequestFunc
    from singer_sdk.singerlib import Catalog
    from singer_sdk.streams.rest import HTTPRequest, PageContext

    from tap_constantcontact.http.authenticator import Authenticator
    from tap_constantcontact.http.envelopes import Envelope, Page
    from tap_constantcontact.http.error_handler import ErrorResolution
    from tap_constantcontact.http.prefetch import RequestForecast
    from tap_constantcontact.http.session import Session
    from tap_constantcontact.run import Run

_MAX_MESSAGE = 500
#: In place of a part of a key that a record lacks. Loaders that go through CSV would take an empty
#: string for null, which a key cannot be.
NO_VALUE = "none"
# Before there was an API; dates are reckoned with from here on, whatever a state says.
_EARLIEST = dt.datetime(1990, 1, 1, tzinfo=dt.UTC)


class ConstantContactStream(RESTStream[str | None]):
    """What all streams share: paging, refusals, shaping, and the start of an incremental read."""

    #: The largest page that the endpoint allows; None where it takes no `limit`.
    page_size: int | None = None
    #: What the endpoint's answers look like; None for the API's usual pages.
    envelope: ClassVar[Envelope | None] = None
    #: Whether the stream's state says what of the account need not be read again.
    keeps_marks: ClassVar[bool] = False
    # The shaper prunes and converts at every depth, so the SDK need not look at each value again.
    TYPE_CONFORMANCE_LEVEL = TypeConformanceLevel.NONE

    def __init__(self, tap: Tap, run: Run) -> None:
        """Belong to a run.

        Args:
            tap: For the SDK alone.
            run: What all streams share.
        """
        self.run = run
        super().__init__(tap, schema=run.api.schemas.get_schema(self.name))

    @property
    def is_open(self) -> bool:
        """Whether the API lets the stream be read, as far as is known."""
        return self.name not in self.run.closed_streams

    @override
    def log(self, message: str, *args: Any, level: int = logging.INFO, **kwargs: Any) -> None:
        # So the SDK calls whatever ends a stream. Here it is said once, and in clear words.
        if not message.startswith("An unhandled error occurred"):
            super().log(message, *args, level=level, **kwargs)

    @override
    def apply_catalog(self, catalog: Catalog) -> None:
        # What a stream's keys are is no choice: a catalog without them is as good as one with them.
        keys, replication_key = self.primary_keys, self.replication_key
        if entry := catalog.get_stream(self.name):
            columns = entry.schema.properties or {}
            names = dict.fromkeys(filter(None, (*keys, replication_key)))
            self.keys_added = [name for name in names if name not in columns]
            for name in self.keys_added:
                columns[name] = Schema.from_dict(self.schema["properties"][name])
            entry.schema.properties = columns
        super().apply_catalog(catalog)
        self.primary_keys, self.replication_key = keys, replication_key

    #: Key columns that the catalog lacked: without them no record could be sent.
    keys_added: Sequence[str] = ()

    # -- one request ------------------------------------------------------------------------

    @property
    @override
    def url_base(self) -> str:
        return self.run.api.root.url

    @property
    @override
    def authenticator(self) -> Authenticator:
        return self.run.api.authenticator

    @property
    @override
    def requests_session(self) -> Session:
        return self.run.session

    @property
    @override
    def http_headers(self) -> dict[str, str]:
        return {"Accept": "application/json"}

    @cached_property
    @override
    def user_agent(self) -> str:
        return self.run.user_agent

    @override
    def get_http_request(self, *, page: PageContext[str | None]) -> HTTPRequest:
        request = super().get_http_request(page=page)
        link = page.next_page_token or ""
        if link and not is_cursor(link):
            request.url = self._followed(link, request.url)
            # A next link stands alone: it holds the page size, and other parameters are refused.
            request.params = {}
            return request
        if limit := self.limit(page.stream_context):
            request.params["limit"] = limit
        request.params |= parse_qsl(link.removeprefix("?"))
        return request

    def limit(self, context: Context | None) -> int | None:
        """The largest page that is allowed for a context; None where there is no such parameter."""
        return self.page_size

    @override
    def get_new_paginator(self) -> NextLinkPaginator:
        self.paginator = NextLinkPaginator(self.pages.read, self.first_link, self.is_enough)
        return self.paginator

    #: The link at which pages start; None for the first page.
    first_link: str | None = None
    #: Where the list stands that is being read.
    paginator: NextLinkPaginator | None = None

    @property
    def has_read_pages(self) -> bool:
        """Whether a page was read of the list that is being read."""
        return self.paginator is not None and self.paginator.count > 0

    def is_enough(self, response: requests.Response, context: Context | None = None) -> bool:
        """Whether nothing is wanted of the pages behind an answer's.

        Args:
            response: Holds a page of the stream's own.
            context: Which it was asked for with, if not with the one that is being read.
        """
        return False

    @override
    def request_records(self, context: Context | None) -> Iterable[Record]:
        self.context = context
        yield from super().request_records(context)

    def selects_beyond(self, fields: Collection[str]) -> bool:
        """Whether the catalog asks for any field but these."""
        return self.selected and any(
            self.mask[("properties", name)]
            for name in self.schema["properties"]
            if name not in fields
        )

    def identified(self, rows: Iterable[Record], key: str = "id") -> Iterator[Record]:
        """The API's objects with their ids as text; those without one are left out, and named."""

        def missing() -> None:
            self._warn_of_key(key)

        return envelopes.identified(rows, missing, key)

    def detail(self, path: str, thing_id: str, key: str = "id") -> Record | None:
        """Read one thing that was listed a moment ago; None, with a warning, if it has vanished."""
        try:
            return self.fetch(path, envelopes.of(thing_id, key))[0]
        except APIError as error:
            if error.action is not ResponseAction.NOT_FOUND:
                raise
            self.logger.warning("%s has vanished since it was listed.", path)
            return None

    def fetch(
        self, path: str, envelope: Envelope, fields: AbstractSet[str] | None = None
    ) -> list[Record]:
        """Read one answer outside the stream's own pages, with the same retries and refusals.

        Args:
            path: Where it is.
            envelope: What it looks like.
            fields: Fields of which each object has one; None where its envelope is enough.

        Raises:
            APIError: With `ResponseAction.NOT_FOUND` if there is no such thing.
        """
        request = self.request_for(path)
        with self.pages.expecting(envelope, fields):
            return self.pages.read(self.request_decorator(self._request)(request, None)).rows

    def fetch_all(self, path: str, envelope: Envelope) -> list[Record]:
        """Read all pages of a list outside the stream's own.

        Raises:
            FatalAPIError: The pages lead in a circle, or to another host.
        """
        rows: list[Record] = []
        paginator = NextLinkPaginator(self.pages.read)
        request = self.request_for(path)
        first = request.url or ""
        while True:
            with self.pages.expecting(envelope):
                response = self.request_decorator(self._request)(request, None)
                rows += self.pages.read(response).rows
                link = paginator.get_next(response)
            if link is None:
                return rows
            request = self._request_to(self._followed(link, first))

    def _followed(self, link: str, first: str) -> str:
        if is_cursor(link):
            return f"{first}{'&' if '?' in first else '?'}{link.removeprefix('?')}"
        try:
            return self.run.api.root.follow(link, first.partition("?")[0])
        except CrossHostLinkError as error:
            msg = f"{error}. It was not followed, since it would get the key and the token."
            raise PaginationError(msg) from error

    def may_follow(self, link: str) -> bool:
        """Whether a next link of the list that is being read leads to a page of it."""
        try:
            self._followed(link, "")
        except PaginationError:
            return False
        return self.paginator is None or not self.paginator.has_seen(link)

    def _request_to(self, url: str) -> requests.PreparedRequest:
        return self.build_prepared_request(method="GET", url=url, headers=self.http_headers)

    def request_for(self, path: str) -> requests.PreparedRequest:
        """The request for what is at a path."""
        return self.build_prepared_request(
            method="GET",
            url=f"{self.url_base}{path}",
            params=self.detail_params,
            headers=self.http_headers,
        )

    #: What is asked for besides of a single thing.
    detail_params: ClassVar[Mapping[str, str]] = {}

    # -- refusals and retries ---------------------------------------------------------------

    @override
    def validate_response(self, response: requests.Response) -> None:
        refusal = self._judge(response)
        if refusal is None:
            self._repeated_once = None
            self.run.failures.note_response()
            return
        # Cut last: half a secret is not recognized.
        message = shorten(self.run.api.authenticator.redact(refusal.message), _MAX_MESSAGE)
        if refusal.action is ResponseAction.RATE_LIMITED:
            self.run.rate_limiter.slow_down()
            raise RateLimitError(message, response)
        if refusal.action is ResponseAction.POLL:
            raise NotReadyError(message, response)
        if refusal.action in {ResponseAction.RETRY, ResponseAction.RETRY_PROXY}:
            raise RetriableAPIError(message, response)
        if refusal.action is ResponseAction.REFRESH_TOKEN_THEN_RETRY and self._may_repeat(
            response.request
        ):
            raise RetriableAPIError(message, response)
        if refusal.action is ResponseAction.NOT_FOUND:
            path = urlsplit(response.request.url or "").path
            message = f"{message}: {path}. If it should, check `api_url` ({self.url_base})."
        raise APIError(message, refusal.action)

    def _judge(self, response: requests.Response) -> ErrorResolution | None:
        table = self.run.api.error_handler
        if refusal := table.resolve(response.status_code, response.headers, response.content):
            return refusal
        try:
            page = self.pages.read(response)
            if self.pages.is_own and self.paginator:
                self.paginator.check(page)
        except InvalidResponseError as fault:
            return table.resolve_invalid(response.headers, response.content, fault)
        return None

    #: The address of the call that is being repeated since its token was refused.
    _repeated_once: str | None = None

    def _may_repeat(self, refused: requests.PreparedRequest) -> bool:
        if refused.url == self._repeated_once:
            return False
        self._repeated_once = refused.url
        return self.run.api.authenticator.renew(refused) or self.requests_session.has_succeeded

    @override
    def request_decorator(self, func: RequestFunc) -> RequestFunc:
        def attempt(
            request: requests.PreparedRequest, context: Context | None
        ) -> requests.Response:
            self.run.progress.on_request(self.name)
            self._requested_url = request.url or ""
            return func(request, context)

        repeated = retries.with_retries(attempt, self.backoff_handler, self.backoff_jitter)

        def call(request: requests.PreparedRequest, context: Context | None) -> requests.Response:
            with self.run.shutdown.waiting():
                return repeated(request, context)

        return call

    @override
    def backoff_handler(self, details: Details) -> None:
        self.logger.warning(
            "%s. Trying again in %.1f seconds (%d of %d).",
            details.get("exception"),
            details.get("wait", 0.0),
            details["tries"] + 1,
            retries.tries_for(details.get("exception")),
        )

    @override
    def get_records(self, context: Context | None) -> Iterable[Record]:
        if not self.parent_stream_type:
            self.run.reading = self.name
        self.since = self.first_change()
        try:
            yield from self._read_or_fail(context)
        except FatalAPIError:
            # The SDK writes no state when a run fails. What is read so far shall count.
            self.run.write_last_state()
            raise

    def _read_or_fail(self, context: Context | None) -> Iterable[Record]:
        if not self.is_open:
            self._forget_progress()
            return
        try:
            with retries.raise_when_exhausted():
                yield from self.read(context)
            if self.name in self.run.closed_streams:
                self._forget_progress()
        except FatalAPIError as error:
            if self.is_denied(error):
                self._forget_progress()
                self.close(error)
            elif self.may_fail and retries.concerns_one_object(error):
                self._forget_progress()
                self.leave_behind(self.name, error)
            else:
                raise

    def is_denied(self, error: FatalAPIError) -> bool:
        """Whether an error means that the token's user may not read the stream."""
        return False

    def close(self, error: FatalAPIError) -> None:
        """Skip the stream for the rest of the run, with a warning."""
        raise error

    #: Whether the run goes on with the other streams if this one cannot be read.
    may_fail: ClassVar[bool] = False

    def leave_behind(self, object_id: str, error: FatalAPIError) -> None:
        """Warn about an object that cannot be synced; the run continues with the next one.

        Args:
            object_id: Its id, or the name of the stream if it is a whole list.
            error: The reason.

        Raises:
            FatalAPIError: The same reason, if it concerns more than one object.
        """
        if not retries.concerns_one_object(error):
            raise error
        self.logger.warning(
            "Stream '%s' could not sync '%s' (path: %s). It is skipped in this run. %s",
            self.name,
            object_id,
            self.requested_path or self.path,
            error,
        )
        self.give_up()
        is_known = not self._failed_before.isdisjoint(
            # Parents stand in watermarks by an id of their own, or by a token of theirs.
            {short_id(object_id), short_id(short_id(object_id))}
        )
        failures = self.run.failures
        failures.add(self.name, object_id, error, is_known=is_known)
        if self.is_open and failures.is_down(self.name):
            self.logger.warning(
                "Stream '%s' is skipped for the rest of this run: too many failures in a row.",
                self.name,
            )
            self.run.closed_streams.add(self.name)

    @cached_property
    def _failed_before(self) -> set[str]:
        groups = self.run.bookmarks_of(self.name).get("failed") or ()
        return {each for group in groups for each in short_ids_in(group["ids"])}

    def give_up(self) -> None:
        """Note that the latest request has failed for good."""
        self.run.session.cancel(self._requested_url)

    _requested_url = ""

    @property
    def requested_path(self) -> str:
        """The path of the latest request."""
        return urlsplit(self._requested_url).path

    def _forget_progress(self) -> None:
        """Keep the bookmark where it was: what was read before a failure is not all there is."""
        self.get_context_state(None).pop("progress_markers", None)

    def read(self, context: Context | None) -> Iterable[Record]:
        """Read the API's objects for a context, page by page; streams with quirks override it."""
        return self.request_records(context)

    # -- one page ---------------------------------------------------------------------------

    #: Whether rows come from pages as they are, with nothing added or merged: all that is to be
    #: done with them is done page by page then, for large streams.
    conforms_pages: ClassVar[bool] = False
    #: The context that is being read.
    context: Context | None = None

    @override
    def parse_response(self, response: requests.Response) -> Iterable[Record]:
        page = self.pages.read(response)
        return self._conform_page(page) if self.conforms_pages else page.rows

    @cached_property
    def pages(self) -> ResponseParser:
        """Reads answers."""
        envelope = self.own_envelope
        typed = FastPageDecoder(self.effective_schema, envelope) if self.conforms_pages else None
        return ResponseParser(self.name, envelope, self.fields, self.logger, typed)

    @property
    def own_envelope(self) -> Envelope:
        """What the stream's own answers look like."""
        return self.envelope or self.run.api.envelope

    @cached_property
    def fields(self) -> frozenset[str]:
        """Fields of the API's objects: one that has none of them is something else."""
        return frozenset(self.schema["properties"])

    def _conform_page(self, page: Page) -> Iterator[Record]:
        self.run.shutdown.check()
        keys = self._keys_of(self.context)
        replication_key = self.replication_key or ""
        newest = ""
        rows = 0
        as_dict = page.as_dict
        for each in page.rows:
            if not as_dict and not self._has_plain_key(each):
                continue
            row = self.adapt(as_dict(each) if as_dict else each, self.context)
            if row is None:
                continue
            if keys:
                row.update(keys)
            if as_dict:
                self.conform.date(row)
            else:
                row = self.conform(row)
            if self._has_key(row):
                moment = row.setdefault(replication_key, None)
                if moment and moment > newest:
                    newest = moment
                rows += 1
                yield row
        self._count(rows)
        if newest:
            self.note_newest(min(newest, timestamps.write(self.latest)))

    @property
    def latest(self) -> dt.datetime:
        """What comes later is not all read, and not to be marked as such."""
        return self.run.session.started_at

    def note_newest(self, moment: str) -> None:
        """Note the newest value of the replication key that was read."""
        if self.selected and self.replication_key:
            super()._increment_stream_state({self.replication_key: moment}, context=self.context)

    # -- one row ----------------------------------------------------------------------------

    def adapt(self, row: Record, context: Context | None) -> Record | None:
        """Even out a quirk of the API in one of its objects; None leaves it out."""
        return row

    @cached_property
    def conform(self) -> RecordConformer:
        """Makes rows of API objects, after the schema that the catalog asks for."""
        return RecordConformer(self.effective_schema, lambda text: self.logger.warning("%s.", text))

    @override
    def post_process(self, row: Record, context: Context | None = None) -> Record | None:
        if self.conforms_pages:
            return row
        self.run.shutdown.check()
        if not self._has_plain_key(row):
            return None
        adapted = self.adapt(row, context)
        if adapted is None:
            return None
        shaped = self.conform({**adapted, **self._keys_of(context)})
        if self.replication_key:
            shaped.setdefault(self.replication_key, None)
        if not self._has_key(shaped):
            return None
        self._count(1)
        return shaped

    def _keys_of(self, context: Context | None) -> Record:
        return {key: context[key] for key in self.primary_keys if key in context} if context else {}

    def _has_plain_key(self, row: Record) -> bool:
        """Whether the API's object has no array or object as a part of its key."""
        for key in self.primary_keys:
            if isinstance(row.get(key), (dict, list)):
                self._warn_of_key(key)
                return False
        return True

    def _has_key(self, row: Record) -> bool:
        for key in self.primary_keys:
            if row.get(key) is None:
                self._warn_of_key(key)
                return False
        return True

    def _warn_of_key(self, key: str) -> None:
        self.logger.warning("A record without its key (%s) is skipped.", key)

    def _count(self, rows: int) -> None:
        if self.selected:
            self.run.progress.records[self.name] += rows

    @override
    def generate_child_contexts(
        self, record: Record, context: Context | None
    ) -> Iterable[Context | None]:
        return super().generate_child_contexts(record, context) if self.child_streams else ()

    @override
    def _increment_stream_state(
        self, latest_record: Record, *, context: Context | None = None
    ) -> None:
        if not self.conforms_pages:
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

    def keep_marks(self, marks: Watermarks) -> None:
        """Put into the state how far the stream has read a list, and what of it failed."""
        state = self.get_context_state(None)
        state["watermarks"] = marks.dump()
        if failed := marks.dump_failed():
            state["failed"] = failed
        else:
            state.pop("failed", None)

    def marks(self, order: Sequence[str]) -> Watermarks:
        """How far the stream has read a list, by its state, if it `keeps_marks` on one.

        A catalog that asks for the full table is heeded: what an earlier pass has read is read
        again, what a pass has read that was cut off is not.
        """
        state = self.run.bookmarks_of(self.name)
        marks, failed = state.get("watermarks"), state.get("failed")
        read = Watermarks.of_unfinished_pass if self.is_full_table else Watermarks
        return read(marks, order, failed)

    @property
    def bookmark(self) -> str | None:
        """The newest value of the replication key that an earlier run has read, if any."""
        state = self.run.bookmarks_of(self.name)
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
        return timestamps.parse(self.config.get("start_date", ""))

    def with_lookback(self, synced_until: dt.datetime) -> dt.datetime:
        """Where to go on from a moment: less the look-back, but not before `start_date`."""
        oldest = max(synced_until, _EARLIEST) - dt.timedelta(hours=self.config["lookback_hours"])
        return max(oldest, self.start_date) if self.start_date else oldest

    # -- reading ahead ----------------------------------------------------------------------

    def outlook(self) -> RequestForecast:
        """The calls that the stream is going to make, in their order, as far as that is known.

        It runs ahead of the stream on what has arrived, and changes nothing. It need not be whole,
        but true: a call that is not asked for afterwards is a call wasted.
        """
        if self.is_asked:
            contexts: Sequence[Context | None] = self.partitions or (None,)
            for context in contexts:
                yield self.page_ahead(context)

    def page_ahead(
        self, context: Context | None, link: str | None = None, envelope: Envelope | None = None
    ) -> PendingRequest:
        """The call for a page, which finds those for the pages after it.

        Args:
            context: As `request_records` takes it.
            link: Leads to the page; None for the first one.
            envelope: What pages look like; the stream's own if not said.
        """

        def page(link: str | None) -> requests.PreparedRequest:
            page = NextLinkPaginator(self.pages.read, link)
            return self._prepare_request(context=context, page=page)

        def is_enough(response: requests.Response) -> bool:
            return self.is_enough(response, context)

        return _following(page(link), envelope or self.own_envelope, page, is_enough)

    def list_ahead(self, path: str, envelope: Envelope) -> PendingRequest:
        """The call for a list, as `fetch_all` makes it, which finds those for its other pages."""
        first = self.request_for(path)

        def page(link: str) -> requests.PreparedRequest:
            return self._request_to(self._followed(link, first.url or ""))

        return _following(first, envelope, page)

    def detail_ahead(self, path: str) -> PendingRequest:
        """The call for what is at a path, as `detail` and `fetch` make it."""
        return PendingRequest(self.request_for(path))

    def rows_ahead(
        self, call: PendingRequest | None, envelope: Envelope | None = None, key: str = "id"
    ) -> Generator[None, None, list[Record]]:
        """Wait for all pages of a list, from a call for the first one that was expected.

        Raises:
            InvalidResponseError: If that cannot be told.
        """
        rows: list[Record] = []
        while call is not None:
            response = yield from wait_for(call)
            if call.is_canceled:
                break
            rows += peek(response, envelope or self.own_envelope, key)
            call = call.next
        return rows

    # -- what it will cost ------------------------------------------------------------------

    def costs(self) -> Iterable[Cost]:
        """What reading the stream will cost, with what depends on it: from a few calls at most."""
        if not self.is_asked:
            return ()
        self.since = self.first_change()
        return self.costs_of_all()

    def costs_of_all(self) -> Iterable[Cost]:
        """The same of a stream that the run asks for."""
        return [Cost(self.name, *self.cost())]

    @property
    def is_asked(self) -> bool:
        """Whether a run asks for the stream, and not only in the wake of another."""
        return self.selected

    def cost(self) -> tuple[int, str]:
        """About how many calls the stream makes, and what that rests on."""
        return 1, ""

    def first_rows(
        self, context: Context | None, pages: int = 1
    ) -> tuple[list[Record], int | None]:
        """Rows of the first pages, and how many pages there are; None if there are more."""
        before = self.run.session.calls
        most = pages * (self.limit(context) or PAGE)
        rows = list(itertools.islice(self.request_records(context), most))
        return rows, self.run.session.calls - before if len(rows) < most else None


def _following(
    first: requests.PreparedRequest,
    envelope: Envelope,
    page: Callable[[str], requests.PreparedRequest],
    is_enough: Callable[[requests.Response], bool] = lambda _: False,
) -> PendingRequest:
    """The call for a first page, which finds those for the pages after it by their links."""
    seen: set[str] = set()

    def follow(response: requests.Response) -> PendingRequest | None:
        link = envelopes.link_of(response.content, envelope)
        if not link or link in seen or is_enough(response):
            return None
        seen.add(link)
        try:
            return PendingRequest(page(link), follow)
        except FatalAPIError:
            return None  # It is judged where it is taken.

    return PendingRequest(first, follow)


def peek(response: requests.Response | None, envelope: Envelope, key: str = "id") -> list[Record]:
    """The objects with ids in an answer that nobody has taken yet, and that is not judged here.

    Raises:
        InvalidResponseError: If it is not what was asked for.
    """
    if response is None:
        msg = "is not there"
        raise InvalidResponseError(msg)
    rows = envelope.open(envelopes.decode(response.content)).rows
    return list(envelopes.identified(rows, lambda: None, key))


def map_fault(stream: str, error: Exception) -> str:
    """What is wrong with the map of a stream, in one line."""
    reason = " ".join(str(error.__cause__ or error).split())
    return f"Setting 'stream_maps' cannot be used for stream '{stream}': {error} ({reason})"


def _fields(schema: Mapping[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, each in schema.get("properties", {}).items():
        breadcrumb = (*above, "properties", name)
        yield breadcrumb
        yield from _fields(each, breadcrumb)
