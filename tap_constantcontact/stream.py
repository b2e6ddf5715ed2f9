"""Base stream: requests, pages and records."""

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
from singer_sdk.streams.rest import PageContext
from typing_extensions import override

from tap_constantcontact.estimate import PAGE, StreamEstimate
from tap_constantcontact.http import envelopes, retries
from tap_constantcontact.http.envelopes import InvalidResponseError, is_cursor
from tap_constantcontact.http.error_handler import ResponseAction
from tap_constantcontact.http.pagination import NextLinkPaginator
from tap_constantcontact.http.prefetch import PendingRequest, wait_for
from tap_constantcontact.http.retries import (
    APIError,
    ForbiddenError,
    NotFoundError,
    NotReadyError,
    PaginationError,
    RateLimitError,
)
from tap_constantcontact.http.urls import CrossHostLinkError
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
    from singer_sdk.streams.rest import HTTPRequest

    from tap_constantcontact.http.authenticator import Authenticator
    from tap_constantcontact.http.envelopes import Envelope, Page
    from tap_constantcontact.http.error_handler import ErrorResolution
    from tap_constantcontact.http.prefetch import RequestForecast
    from tap_constantcontact.http.session import Session
    from tap_constantcontact.sync_run import SyncRun

_MAX_MESSAGE = 500
#: Value for a missing part of a key. Loaders that use CSV would read an empty string as null, which
#: a key cannot be.
NO_VALUE = "none"
# The API did not exist before. Earlier timestamps in a state are replaced by this one.
_EARLIEST = dt.datetime(1990, 1, 1, tzinfo=dt.UTC)


class ConstantContactStream(RESTStream[str | None]):
    """Base of all streams: pagination, error handling, conforming, and incremental reads."""

    #: Largest page size of the endpoint; None if it has no parameter `limit`.
    page_size: int | None = None
    #: Envelope of the responses; None for the API's usual one.
    envelope: ClassVar[Envelope | None] = None
    #: Product that the account need not have; None if every account has the stream.
    product: ClassVar[str | None] = None
    #: Privileges that the stream requires, if the API knows privileges.
    privileges: ClassVar[tuple[str, ...]] = ()
    #: Errors that mean that the token is not authorized for the stream.
    unauthorized_errors: ClassVar[tuple[type[APIError], ...]] = (ForbiddenError,)
    #: Whether the stream has watermarks in the state.
    uses_watermarks: ClassVar[bool] = False
    # The conformer handles every depth, so the SDK need not check each value again.
    TYPE_CONFORMANCE_LEVEL = TypeConformanceLevel.NONE

    def __init__(self, tap: Tap, run: SyncRun) -> None:
        """Create a stream of a run.

        Args:
            tap: The tap, for the SDK.
            run: The run.
        """
        self.run = run
        super().__init__(tap, schema=run.api.schemas.get_schema(self.name))

    @property
    def is_authorized(self) -> bool:
        """True if the token may read the stream, as far as known."""
        return (
            self.name not in self.run.unauthorized_streams
            and self.access_group not in self.run.unavailable
        )

    @property
    def access_group(self) -> str | None:
        """Group of streams that are authorized together; None if any token may read the stream.

        A product, or a set of privileges. If one stream is denied, the others are not requested.
        """
        return self.product

    @override
    def log(self, message: str, *args: Any, level: int = logging.INFO, **kwargs: Any) -> None:
        # The SDK logs this for each error that ends a stream. Ours are logged once, with advice.
        if not message.startswith("An unhandled error occurred"):
            super().log(message, *args, level=level, **kwargs)

    @override
    def apply_catalog(self, catalog: Catalog) -> None:
        # Keys are not optional: a catalog without them gets them.
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

    #: Key columns that the catalog lacked.
    keys_added: Sequence[str] = ()

    # -- requests ------------------------------------------------------------------------------

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
            # A next link contains the page size. The API rejects further parameters.
            request.params = {}
            return request
        if limit := self.limit(page.stream_context):
            request.params["limit"] = limit
        request.params |= parse_qsl(link.removeprefix("?"))
        return request

    def limit(self, context: Context | None) -> int | None:
        """Return the largest page size for a context; None if there is no such parameter."""
        return self.page_size

    @override
    def get_new_paginator(self) -> NextLinkPaginator:
        self.paginator = NextLinkPaginator(
            self.pages.read, self.first_link, self.should_stop_pagination
        )
        return self.paginator

    #: Link to the first page; None for the top of the list.
    first_link: str | None = None
    #: Path of the current list.
    paginator: NextLinkPaginator | None = None

    @property
    def has_read_pages(self) -> bool:
        """True if a page of the current list was read."""
        return self.paginator is not None and self.paginator.count > 0

    def should_stop_pagination(
        self, response: requests.Response, context: Context | None = None
    ) -> bool:
        """Return whether the pages after a response are not needed.

        Args:
            response: A page of the stream.
            context: Its context; the current one by default.
        """
        return False

    @override
    def request_records(self, context: Context | None) -> Iterable[Record]:
        self.context = context
        yield from super().request_records(context)

    def selects_fields_outside(self, fields: Collection[str]) -> bool:
        """Return whether the catalog selects any other fields."""
        return self.selected and any(
            self.mask[("properties", name)]
            for name in self.schema["properties"]
            if name not in fields
        )

    def with_string_ids(self, rows: Iterable[Record], key: str = "id") -> Iterator[Record]:
        """Yield objects with their ids as text.

        Objects without an id are skipped with a warning.
        """

        def missing() -> None:
            self._warn_of_key(key)

        return envelopes.with_string_ids(rows, missing, key)

    def fetch_detail(self, path: str, thing_id: str, key: str = "id") -> Record | None:
        """Request an object of a list; None, with a warning, if it has vanished."""
        try:
            return self.fetch_page(path, envelopes.of(thing_id, key))[0]
        except NotFoundError:
            self.logger.warning("%s has vanished from its list.", path)
            return None

    def fetch_page(
        self, path: str, envelope: Envelope, fields: AbstractSet[str] | None = None
    ) -> list[Record]:
        """Request a path other than the stream's own, with the same retries and error handling.

        Args:
            path: The path.
            envelope: Envelope of the response.
            fields: Each object has one of these fields; None if its envelope is enough.

        Raises:
            NotFoundError: The object does not exist.
        """
        request = self.request_for(path)
        with self.pages.expecting(envelope, fields):
            return self.pages.read(self.send(request)).rows

    def send(self, request: requests.PreparedRequest) -> requests.Response:
        """Send a request besides the stream's own pages, with retries and error handling."""
        return self.request_decorator(self._request)(request, None)

    def fetch_list(self, path: str, envelope: Envelope) -> list[Record]:
        """Request all pages of a list other than the stream's own.

        Raises:
            FatalAPIError: The next links form a loop, or lead to another host.
        """
        rows: list[Record] = []
        paginator = NextLinkPaginator(self.pages.read)
        request = self.request_for(path)
        first = request.url or ""
        while True:
            with self.pages.expecting(envelope):
                response = self.send(request)
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
            msg = f"{error}. It was not followed, to protect your credentials."
            raise PaginationError(msg) from error

    def may_follow(self, link: str) -> bool:
        """Return whether a next link leads to a page of the same list."""
        try:
            self._followed(link, "")
        except PaginationError:
            return False
        return self.paginator is None or not self.paginator.has_seen(link)

    def _request_to(self, url: str) -> requests.PreparedRequest:
        return self.build_prepared_request(method="GET", url=url, headers=self.http_headers)

    def request_for(self, path: str) -> requests.PreparedRequest:
        """Return the request for a path."""
        return self.build_prepared_request(
            method="GET",
            url=f"{self.url_base}{path}",
            params=self.detail_params,
            headers=self.http_headers,
        )

    #: Parameters of requests for an object.
    detail_params: ClassVar[Mapping[str, str]] = {}

    # -- errors and retries --------------------------------------------------------------------

    @override
    def validate_response(self, response: requests.Response) -> None:
        resolution = self._interpret(response)
        if resolution is None:
            self._retried_unauthorized = None
            self.run.failures.note_response()
            return
        # Redacted before it is cut: half a secret would not be recognized.
        message = shorten(self.run.api.authenticator.redact(resolution.message), _MAX_MESSAGE)
        if resolution.action is ResponseAction.RATE_LIMITED:
            self.run.rate_limiter.slow_down()
            raise RateLimitError(message, response)
        if resolution.action is ResponseAction.POLL:
            raise NotReadyError(message, response)
        if resolution.action in {ResponseAction.RETRY, ResponseAction.RETRY_PROXY}:
            raise RetriableAPIError(message, response)
        if (
            resolution.action is ResponseAction.REFRESH_TOKEN_THEN_RETRY
            and self._should_retry_unauthorized(response.request)
        ):
            raise RetriableAPIError(message, response)
        if resolution.action is ResponseAction.NOT_FOUND:
            path = urlsplit(response.request.url or "").path
            message = (
                f"{message}: {path}. If this path should exist, check `api_url` ({self.url_base})."
            )
        raise retries.API_ERRORS[resolution.action](message)

    def _interpret(self, response: requests.Response) -> ErrorResolution | None:
        table = self.run.api.error_handler
        if resolution := table.resolve(response.status_code, response.headers, response.content):
            return resolution
        try:
            page = self.pages.read(response)
            if self.pages.is_own and self.paginator:
                self.paginator.check(page)
        except InvalidResponseError as fault:
            return table.resolve_invalid(response.headers, response.content, fault)
        return None

    #: URL of the request that is retried because its token was rejected.
    _retried_unauthorized: str | None = None

    def _should_retry_unauthorized(self, rejected: requests.PreparedRequest) -> bool:
        if rejected.url == self._retried_unauthorized:
            return False
        self._retried_unauthorized = rejected.url
        return self.run.api.authenticator.renew(rejected) or self.requests_session.has_succeeded

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
            str(details.get("exception")).rstrip("."),
            details.get("wait", 0.0),
            details["tries"] + 1,
            retries.tries_for(details.get("exception")),
        )

    @override
    def get_records(self, context: Context | None) -> Iterable[Record]:
        if not self.parent_stream_type:
            self.run.reading = self.name
        self.since = self.start_timestamp()
        try:
            yield from self._read_or_fail(context)
        except FatalAPIError:
            # The SDK writes no state when a run fails. Everything read so far shall count.
            self.run.write_last_state()
            raise

    def _read_or_fail(self, context: Context | None) -> Iterable[Record]:
        if not self.is_authorized:
            self._forget_progress()
            return
        try:
            with retries.raise_when_exhausted():
                yield from self.fetch_records(context)
            if self.name in self.run.unauthorized_streams:
                self._forget_progress()
        except FatalAPIError as error:
            if self.is_denied(error):
                self._forget_progress()
                self.mark_unauthorized(error)
            elif self.may_fail and retries.concerns_one_object(error):
                self._forget_progress()
                self.skip_object(self.name, error)
            else:
                raise

    def is_denied(self, error: FatalAPIError) -> bool:
        """Return whether an error means that the token may not read the stream."""
        return self.access_group is not None and isinstance(error, self.unauthorized_errors)

    def mark_unauthorized(self, error: FatalAPIError) -> None:
        """Skip the product for the rest of the run, with a warning."""
        self.run.unavailable.add(self.access_group)
        self.logger.warning(
            "Skipping %s: the access token is not authorized for it. %s", self.access_group, error
        )

    #: Whether the run continues with other streams if this one fails.
    may_fail: ClassVar[bool] = False

    def skip_object(self, object_id: str, error: FatalAPIError) -> None:
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
        self.cancel_prefetch()
        is_known = not self._failed_before.isdisjoint(
            # Watermarks contain parents by an id of their own, or by its short form.
            {short_id(object_id), short_id(short_id(object_id))}
        )
        failures = self.run.failures
        failures.add(self.name, object_id, error, is_known=is_known)
        if self.is_authorized and failures.is_down(self.name):
            self.logger.warning(
                "Stream '%s' is skipped for the rest of this run: too many failures in a row.",
                self.name,
            )
            self.run.unauthorized_streams.add(self.name)

    @cached_property
    def _failed_before(self) -> set[str]:
        groups = self.run.bookmarks_of(self.name).get("failed") or ()
        return {each for group in groups for each in short_ids_in(group["ids"])}

    def cancel_prefetch(self) -> None:
        """Cancel the forecasts that depend on the last request, which failed for good."""
        self.run.session.cancel(self._requested_url)

    _requested_url = ""

    @property
    def requested_path(self) -> str:
        """The path of the last request."""
        return urlsplit(self._requested_url).path

    def _forget_progress(self) -> None:
        """Keep the previous bookmark: a failed stream is not complete."""
        self.get_context_state(None).pop("progress_markers", None)

    def fetch_records(self, context: Context | None) -> Iterable[Record]:
        """Fetch the records of a context, page by page."""
        return self.request_records(context)

    # -- pages ---------------------------------------------------------------------------------

    #: Whether records come from pages unchanged, with nothing added or merged: large streams
    #: conform them page by page.
    conforms_pages: ClassVar[bool] = False
    #: The current context.
    context: Context | None = None

    @override
    def parse_response(self, response: requests.Response) -> Iterable[Record]:
        page = self.pages.read(response)
        return self._conform_page(page) if self.conforms_pages else page.rows

    @cached_property
    def pages(self) -> ResponseParser:
        """Parses responses."""
        envelope = self.own_envelope
        typed = FastPageDecoder(self.effective_schema, envelope) if self.conforms_pages else None
        return ResponseParser(self.name, envelope, self.fields, self.logger, typed)

    @property
    def own_envelope(self) -> Envelope:
        """Envelope of the stream's responses."""
        return self.envelope or self.run.api.envelope

    @cached_property
    def fields(self) -> frozenset[str]:
        """Fields of the API's objects. An object with none of them is something else."""
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
            row = self.preprocess_record(as_dict(each) if as_dict else each, self.context)
            if row is None:
                continue
            if keys:
                row.update(keys)
            if as_dict:
                self.conform.normalize_timestamps(row)
            else:
                row = self.conform(row)
            if self._has_key(row):
                timestamp = row.setdefault(replication_key, None)
                if timestamp and timestamp > newest:
                    newest = timestamp
                rows += 1
                yield row
        self._count(rows)
        if newest:
            self.advance_bookmark(min(newest, timestamps.write(self.signpost)))

    @property
    def signpost(self) -> dt.datetime:
        """Signpost: upper limit for bookmarks in this run."""
        return self.run.session.started_at

    def advance_bookmark(self, timestamp: str) -> None:
        """Advance the bookmark to the newest value of the replication key."""
        if self.selected and self.replication_key:
            super()._increment_stream_state({self.replication_key: timestamp}, context=self.context)

    # -- records -------------------------------------------------------------------------------

    def preprocess_record(self, row: Record, context: Context | None) -> Record | None:
        """Normalize an API quirk in an object; None drops the object."""
        return row

    @cached_property
    def conform(self) -> RecordConformer:
        """Converts API objects to records of the selected schema."""
        return RecordConformer(self.effective_schema, lambda text: self.logger.warning("%s.", text))

    @override
    def post_process(self, row: Record, context: Context | None = None) -> Record | None:
        if self.conforms_pages:
            return row
        self.run.shutdown.check()
        if not self._has_plain_key(row):
            return None
        adapted = self.preprocess_record(row, context)
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
        """Return whether no part of an object's key is an array or object."""
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
        self.logger.warning("Skipping a record without its key (%s).", key)

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
        # The SDK processes each record again for deselected fields and stream maps. Without them,
        # that is not needed.
        if not self._needs_no_mapping:
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
    def _needs_no_mapping(self) -> bool:
        maps = self.stream_maps
        return (
            [type(each) for each in maps] == [SameRecordTransform]
            and not (maps[0].flattening_options and maps[0].flattening_options.enabled)
            and all(self.mask[breadcrumb] for breadcrumb in _fields(self.schema))
        )

    # -- incremental reads ---------------------------------------------------------------------

    #: The oldest change that this run requests; None for everything.
    since: dt.datetime | None = None

    @property
    def is_full_table(self) -> bool:
        """True if the catalog requests a full table of an incremental stream."""
        is_incremental = isinstance(type(self).replication_key, str)
        return is_incremental and self.forced_replication_method == "FULL_TABLE"

    def store_watermarks(self, watermarks: Watermarks) -> None:
        """Store the watermarks and failed parents in the state."""
        state = self.get_context_state(None)
        state["watermarks"] = watermarks.dump()
        if failed := watermarks.dump_failed():
            state["failed"] = failed
        else:
            state.pop("failed", None)

    def watermarks(self, order: Sequence[str]) -> Watermarks:
        """Return the watermarks on a list, if the stream `uses_watermarks`.

        A catalog that requests the full table is honored: what an earlier pass has synced is synced
        again, except for the progress of an interrupted pass.
        """
        state = self.run.bookmarks_of(self.name)
        watermarks, failed = state.get("watermarks"), state.get("failed")
        read = Watermarks.of_unfinished_pass if self.is_full_table else Watermarks
        return read(watermarks, order, failed)

    @property
    def bookmark(self) -> str | None:
        """The newest value of the replication key in an earlier run."""
        state = self.run.bookmarks_of(self.name)
        if self.replication_method == "FULL_TABLE":
            return None
        same_key = state.get("replication_key") == self.replication_key
        return state.get("replication_key_value") if same_key else None

    def start_timestamp(self) -> dt.datetime | None:
        """The bookmark less `lookback_hours`, or `start_date`, whichever is later."""
        start = self.get_starting_timestamp(None) if self.replication_key else None
        if start is None or not self.bookmark:
            return start
        return self.apply_lookback(start)

    @property
    def start_date(self) -> dt.datetime | None:
        """The oldest change that a first run requests."""
        return timestamps.parse(self.config.get("start_date", ""))

    def apply_lookback(self, synced_until: dt.datetime) -> dt.datetime:
        """Return a timestamp less `lookback_hours`, but not before `start_date`."""
        oldest = max(synced_until, _EARLIEST) - dt.timedelta(hours=self.config["lookback_hours"])
        return max(oldest, self.start_date) if self.start_date else oldest

    # -- prefetching ---------------------------------------------------------------------------

    def forecast_requests(self) -> RequestForecast:
        """Forecast the requests of the stream, in their order, as far as known.

        It runs ahead of the stream, on completed responses, and changes nothing. It may be
        incomplete, but a request that the stream does not need is wasted.
        """
        if self.is_requested:
            contexts: Sequence[Context | None] = self.partitions or (None,)
            for context in contexts:
                yield self.prefetch_page(context)

    def prefetch_page(
        self, context: Context | None, link: str | None = None, envelope: Envelope | None = None
    ) -> PendingRequest:
        """Return the request for a page, which knows those for later pages.

        Args:
            context: As for `request_records`.
            link: Link to the page; None for the first one.
            envelope: Envelope of the pages; the stream's own by default.
        """

        def page(link: str | None) -> requests.PreparedRequest:
            request = self.get_http_request(page=PageContext(context, link))
            return self.build_prepared_request(
                method=request.method,
                url=request.url,
                params=request.encode_params(),
                headers=request.headers,
            )

        def should_stop_pagination(response: requests.Response) -> bool:
            return self.should_stop_pagination(response, context)

        return _following(page(link), envelope or self.own_envelope, page, should_stop_pagination)

    def prefetch_list(self, path: str, envelope: Envelope) -> PendingRequest:
        """Return the first request of `fetch_list`, which knows those for later pages."""
        first = self.request_for(path)

        def page(link: str) -> requests.PreparedRequest:
            return self._request_to(self._followed(link, first.url or ""))

        return _following(first, envelope, page)

    def prefetch_detail(self, path: str) -> PendingRequest:
        """Return the request of `fetch_detail` and `fetch_page`."""
        return PendingRequest(self.request_for(path))

    def await_rows(
        self, call: PendingRequest | None, envelope: Envelope | None = None, key: str = "id"
    ) -> Generator[None, None, list[Record]]:
        """Wait for all pages of a list.

        Raises:
            InvalidResponseError: A page is not valid.
        """
        rows: list[Record] = []
        while call is not None:
            response = yield from wait_for(call)
            if call.is_canceled:
                break
            rows += parse_unvalidated(response, envelope or self.own_envelope, key)
            call = call.next
        return rows

    # -- estimates -----------------------------------------------------------------------------

    def estimates(self) -> Iterable[StreamEstimate]:
        """Estimate the requests of the stream and its children, with few requests."""
        if not self.is_requested:
            return ()
        if not self.is_authorized:
            return [self._unauthorized_estimate(requests=0)]
        self.since = self.start_timestamp()
        try:
            return list(self.estimate_all())
        except APIError as error:
            if not self.is_denied(error):
                raise
            self.mark_unauthorized(error)
            return [self._unauthorized_estimate(requests=1)]

    def _unauthorized_estimate(self, requests: int) -> StreamEstimate:
        note = f"The access token is not authorized for {self.access_group}"
        return StreamEstimate(self.name, requests, note)

    def estimate_all(self) -> Iterable[StreamEstimate]:
        """Estimate the requests of a selected stream."""
        return [StreamEstimate(self.name, *self.estimate())]

    @property
    def is_requested(self) -> bool:
        """True if the run requests the stream itself, and not as a child."""
        return self.selected

    def estimate(self) -> tuple[int, str]:
        """Estimate the number of requests, with the basis of the estimate."""
        return 1, ""

    def sample_records(
        self, context: Context | None, pages: int = 1
    ) -> tuple[list[Record], int | None]:
        """Request the first pages; return their rows, and the number of pages or None for more."""
        before = self.run.session.calls
        most = pages * (self.limit(context) or PAGE)
        rows = list(itertools.islice(self.request_records(context), most))
        return rows, self.run.session.calls - before if len(rows) < most else None


def _following(
    first: requests.PreparedRequest,
    envelope: Envelope,
    page: Callable[[str], requests.PreparedRequest],
    should_stop_pagination: Callable[[requests.Response], bool] = lambda _: False,
) -> PendingRequest:
    """Return the request for a first page, which knows those for later pages by their links."""
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


def parse_unvalidated(
    response: requests.Response | None, envelope: Envelope, key: str = "id"
) -> list[Record]:
    """Parse a prefetched response without error handling.

    Raises:
        InvalidResponseError: It is not valid.
    """
    if response is None:
        msg = "there is none"
        raise InvalidResponseError(msg)
    rows = envelope.open(envelopes.decode(response.content)).rows
    return list(envelopes.with_string_ids(rows, lambda: None, key))


def map_fault(stream: str, error: Exception) -> str:
    """Return the error of a stream map, in one line."""
    reason = " ".join(str(error.__cause__ or error).split())
    return f"Setting 'stream_maps' cannot be used for stream '{stream}': {error} ({reason})"


def _fields(schema: Mapping[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, each in schema.get("properties", {}).items():
        breadcrumb = (*above, "properties", name)
        yield breadcrumb
        yield from _fields(each, breadcrumb)
