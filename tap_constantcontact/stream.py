"""Base stream: pages, records and incremental reads."""

from __future__ import annotations

import datetime as dt
import itertools
import logging
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import parse_qsl, quote, urlencode

from singer_sdk import RESTStream, Tap
from singer_sdk.exceptions import ConfigValidationError, FatalAPIError, MapExpressionError
from singer_sdk.helpers.conform import TypeConformanceLevel
from singer_sdk.mapper import SameRecordTransform
from singer_sdk.singerlib import RecordMessage, Schema
from singer_sdk.streams.rest import PageContext
from typing_extensions import override

from tap_constantcontact.client import ApiClient, following
from tap_constantcontact.estimate import PAGE, StreamEstimate
from tap_constantcontact.http import retries
from tap_constantcontact.http.envelopes import is_cursor
from tap_constantcontact.http.pagination import NextLinkPaginator
from tap_constantcontact.http.retries import APIError, ForbiddenError, PaginationError
from tap_constantcontact.list_requests import await_rows, fetch, forecast
from tap_constantcontact.records import timestamps
from tap_constantcontact.records.conform import RecordConformer
from tap_constantcontact.records.fast_decoder import FastPageDecoder
from tap_constantcontact.records.parser import ResponseParser
from tap_constantcontact.state.ids import short_id
from tap_constantcontact.state.snapshots import Snapshots
from tap_constantcontact.state.watermarks import Watermarks

if TYPE_CHECKING:
    from collections.abc import Collection, Generator, Iterable, Iterator, Mapping, Sequence

    import requests
    from singer_sdk.helpers.types import Context, Record, RequestFunc
    from singer_sdk.singerlib import Catalog
    from singer_sdk.streams.rest import HTTPRequest

    from tap_constantcontact.http.authenticator import Authenticator
    from tap_constantcontact.http.envelopes import Envelope, Page
    from tap_constantcontact.http.prefetch import PendingRequest, RequestForecast
    from tap_constantcontact.http.session import Session
    from tap_constantcontact.list_requests import ListRequests
    from tap_constantcontact.sync_run import SyncRun

#: Value for a missing part of a key. Loaders that use CSV would read an empty string as null, which
#: a key cannot be.
NO_VALUE = "none"


class ConstantContactStream(RESTStream[str | None]):
    """Base of all streams: pagination, access rights, conforming, and incremental reads."""

    #: Largest page size of the endpoint; None if it has no parameter `limit`.
    page_size: int | None = None
    #: Parameters of each first page.
    params: ClassVar[Mapping[str, str]] = {}
    #: Envelope of the responses; None for the API's usual one.
    envelope: ClassVar[Envelope | None] = None
    #: Product that the account need not have; None if every account has the stream.
    product: ClassVar[str | None] = None
    #: Privileges that the stream requires, if the API knows privileges (docs/api/v3.md §3.1).
    privileges: ClassVar[tuple[str, ...]] = ()
    #: Errors that mean that the token is not authorized for the stream.
    unauthorized_errors: ClassVar[tuple[type[APIError], ...]] = (ForbiddenError,)
    #: Whether the stream has watermarks in the state.
    uses_watermarks: ClassVar[bool] = False
    #: Whether records come from pages unchanged, with nothing merged: large streams use a faster
    #: decoder, and advance their bookmark once per page.
    is_large: ClassVar[bool] = False
    #: Whether the requests of the stream are prefetched.
    is_prefetched: ClassVar[bool] = True
    #: Whether they may be prefetched while earlier streams are synced.
    is_prefetched_early: ClassVar[bool] = True
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
        self.client = ApiClient(run, self.name, self.logger)

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

    def selects_fields_outside(self, fields: Collection[str]) -> bool:
        """Return whether the catalog selects any other fields."""
        return self.selected and any(
            self.mask[("properties", name)]
            for name in self.schema["properties"]
            if name not in fields
        )

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
    def get_url_params(
        self, context: Context | None, next_page_token: str | None
    ) -> dict[str, Any]:
        return dict(self.params)

    @override
    def get_http_request(self, *, page: PageContext[str | None]) -> HTTPRequest:
        request = super().get_http_request(page=page)
        link = page.next_page_token or ""
        if link and not is_cursor(link):
            request.url = self.client.follow(link, request.url)
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
            self.parser.read, self.first_link(self.context), self.should_stop_pagination
        )
        return self.paginator

    #: Paginator of the current list.
    paginator: NextLinkPaginator | None = None

    def first_link(self, context: Context | None) -> str | None:
        """Return the link at which a list resumes; None for its first page."""
        return None

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

    def may_follow(self, link: str) -> bool:
        """Return whether a next link leads to another page of the current list."""
        try:
            self.client.follow(link, "")
        except PaginationError:
            return False
        return self.paginator is None or not self.paginator.has_seen(link)

    @override
    def request_decorator(self, func: RequestFunc) -> RequestFunc:
        return self.client.with_retries(func)

    @override
    def validate_response(self, response: requests.Response) -> None:
        self.client.validate(response, self._parse)

    def _parse(self, response: requests.Response) -> Page:
        page = self.parser.read(response)
        return self.paginator.check(page) if self.paginator else page

    @override
    def request_records(self, context: Context | None) -> Iterable[Record]:
        self.context = context
        yield from super().request_records(context)

    #: The current context.
    context: Context | None = None

    # -- declaration of requests: read, prefetched and estimated -------------------------------

    def contexts(self) -> ListRequests[Iterable[Context | None]]:
        """Return the contexts of the stream's lists, after lists that they depend on."""
        yield from ()
        return self.partitions or (None,)

    #: Whether the stream requests details of records in its lists.
    has_details: ClassVar[bool] = False

    def needs_detail(self, row: Record, context: Context | None) -> bool:
        """Return whether the detail of a record is requested, if the stream `has_details`."""
        return True

    def detail_path(self, row: Record, context: Context | None = None) -> str:
        """Return the path of a record's detail."""
        path = self.get_url(context).removeprefix(self.url_base)
        return f"{path}/{quote(str(row[self.detail_key]), safe='')}"

    @property
    def detail_key(self) -> str:
        """Field with the ids by which details are requested."""
        return self.primary_keys[-1]

    def details_in(self, rows: Iterable[Record], context: Context | None) -> Iterable[Record]:
        """Return the records of a list whose detail is requested, in the order of the requests."""
        return (row for row in rows if self.needs_detail(row, context))

    def forecast_requests(self) -> RequestForecast:
        """Forecast the requests of the stream, in their order, as far as known.

        It runs ahead of the stream, on completed responses, and changes nothing. It may be
        incomplete, but a request that the stream does not need is wasted.
        """
        if not (self.is_requested and self.is_prefetched):
            return
        while not self.is_prefetched_early and self.run.reading != self.name:
            yield None
        contexts = yield from forecast(self.contexts(), self.client)
        yield from self.forecast_pages(contexts)

    def forecast_pages(self, contexts: Iterable[Context | None]) -> RequestForecast:
        """Forecast the requests for lists and their details."""
        for context in contexts:
            first = self._prefetch_page(context)
            yield first
            if self.has_details:
                rows = yield from await_rows(first, self.own_envelope, self.detail_key)
                for row in self.details_in(rows, context):
                    yield self.client.prefetch(self.detail_path(row, context))

    def _prefetch_page(self, context: Context | None) -> PendingRequest:
        """Return the request for a first page, which knows those for later pages."""

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

        first = page(self.first_link(context))
        return following(first, self.own_envelope, page, should_stop_pagination)

    def estimates(self) -> Iterable[StreamEstimate]:
        """Estimate the requests of the stream and its children, with few requests."""
        if not self.is_requested:
            return ()
        if not self.is_authorized:
            return [self._unauthorized_estimate(requests=0)]
        try:
            return self.estimate()
        except APIError as error:
            if not self.is_denied(error):
                raise
            self.mark_unauthorized(error)
            return [self._unauthorized_estimate(requests=1)]

    def _unauthorized_estimate(self, requests: int) -> StreamEstimate:
        note = f"The access token is not authorized for {self.access_group}"
        return StreamEstimate(self.name, requests, note)

    @property
    def is_requested(self) -> bool:
        """True if the run requests the stream itself, and not as a child."""
        return self.selected

    def estimate(self) -> list[StreamEstimate]:
        """Estimate the requests of a selected stream."""
        before = self.run.session.calls
        contexts = fetch(self.contexts(), self.client)
        requests = self.run.session.calls - before
        estimates = list(map(self.estimate_context, contexts))
        requests += sum(requests_of_context for requests_of_context, _ in estimates)
        note = ", ".join(note for _, note in estimates if note)
        if self.context_label:
            note = f"{len(estimates):,} {self.context_label}"
        return [StreamEstimate(self.name, requests, note)]

    #: Name of the contexts, for people.
    context_label: ClassVar[str] = ""

    def estimate_context(self, context: Context | None) -> tuple[int, str]:
        """Estimate the requests of a list and its details, with the basis of the estimate."""
        return self.estimate_sample(context) if self.sampled_pages else (1, "")

    #: Number of pages that an estimate requests; 0 if the list has one page in all.
    sampled_pages: ClassVar[int] = 0

    def estimate_sample(self, context: Context | None) -> tuple[int, str]:
        """Estimate the requests of a list from its first pages."""
        rows, pages = self.sample_records(context, self.sampled_pages)
        requests = pages or self.sampled_pages + 1
        if not self.has_details:
            return requests, f"{len(rows):,} records"
        listed = self.client.with_string_ids(rows, self.detail_key)
        details = sum(1 for _ in self.details_in(listed, context))
        return requests + details, f"{details:,} details"

    def sample_records(
        self, context: Context | None, pages: int = 1
    ) -> tuple[list[Record], int | None]:
        """Request the first pages; return their rows, and the number of pages or None for more."""
        params = self.get_url_params(context, None)
        page_size = self.limit(context)
        if page_size:
            params["limit"] = page_size
        path = f"{self.get_url(context).removeprefix(self.url_base)}?{urlencode(params)}"
        page_list = self.client.get_pages(path.rstrip("?"), self.own_envelope, self.fields)
        sampled = list(itertools.islice(page_list, pages))
        rows = [row for page in sampled for row in page]
        is_complete = len(rows) < pages * (page_size or PAGE)
        return rows, len(sampled) if is_complete else None

    # -- access rights and failures ------------------------------------------------------------

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

        A product, or a set of privileges.
        """
        if self.privileges:
            return f"streams with the privilege {' and '.join(self.privileges)}"
        return self.product

    def is_denied(self, error: FatalAPIError) -> bool:
        """Return whether an error means that the token may not read the stream."""
        return self.access_group is not None and isinstance(error, self.unauthorized_errors)

    def mark_unauthorized(self, error: FatalAPIError) -> None:
        """Skip the stream, or all streams of its product, for the rest of the run."""
        if self.product:
            self.run.unavailable.add(self.product)
            self.logger.warning(
                "Skipping %s: the access token is not authorized for it. %s", self.product, error
            )
            return
        # Other streams have their own paths. Missing privileges are known.
        self.run.unauthorized_streams.add(self.name)
        self.logger.warning(
            "Access denied to stream '%s' (path: %s). The stream and its child streams are skipped"
            " in this run. Deselect it, or log in with the scope and the privilege it requires. %s",
            self.name,
            self.client.requested_path,
            error,
        )
        self.run.failures.skip(self.name)

    @property
    def may_fail(self) -> bool:
        """True if the run continues with other streams if this one fails."""
        return bool(self.privileges)

    @override
    def get_records(self, context: Context | None) -> Iterable[Record]:
        self.context = context
        if not self.parent_stream_type:
            self.run.reading = self.name
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

    def _forget_progress(self) -> None:
        """Keep the previous bookmark: a failed stream is not complete."""
        self.get_context_state(None).pop("progress_markers", None)

    def fetch_records(self, context: Context | None) -> Iterable[Record]:
        """Fetch the records of a context, page by page."""
        return self.request_records(context)

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
            self.client.requested_path or self.path,
            error,
        )
        self.client.cancel_prefetch()
        # Watermarks contain parents by their id, or by its short form.
        is_known = object_id in self.failed_before or short_id(object_id) in self.failed_before
        failures = self.run.failures
        failures.add(self.name, object_id, error, is_known=is_known)
        if self.is_authorized and failures.is_down(self.name):
            self.logger.warning(
                "Stream '%s' is skipped for the rest of this run: too many failures in a row.",
                self.name,
            )
            self.run.unauthorized_streams.add(self.name)

    @cached_property
    def failed_before(self) -> Snapshots:
        """Objects that earlier runs could not sync."""
        failed = self.run.bookmarks_of(self.name).get("failed")
        return Snapshots.from_state(failed, max_entries=None)

    # -- records -------------------------------------------------------------------------------

    @cached_property
    def parser(self) -> ResponseParser:
        """Parses the pages of the stream."""
        envelope = self.own_envelope
        fast = FastPageDecoder(self.effective_schema, envelope) if self.is_large else None
        return ResponseParser(self.name, envelope, self.fields, self.logger, fast)

    @property
    def own_envelope(self) -> Envelope:
        """Envelope of the stream's pages."""
        return self.envelope or self.run.api.envelope

    @cached_property
    def fields(self) -> frozenset[str]:
        """Fields of the API's objects. An object with none of them is something else."""
        return frozenset(self.schema["properties"])

    @override
    def parse_response(self, response: requests.Response) -> Iterable[Record]:
        page = self.select_rows(self.parser.read(response))
        as_dict = page.as_dict
        self._are_types_valid = as_dict is not None
        self._newest = ""
        yield from map(as_dict, page.rows) if as_dict else page.rows
        if self._newest:
            self.advance_bookmark(min(self._newest, timestamps.write(self.signpost)))

    # Whether the decoder has checked the types of the current page.
    _are_types_valid = False
    # The newest replication key of the current page.
    _newest = ""

    def select_rows(self, page: Page) -> Page:
        """Return a page without rows that were on the page before."""
        return page

    def preprocess_record(self, row: Record, context: Context | None) -> Record | None:
        """Normalize an API quirk in an object; None drops the object."""
        return row

    @cached_property
    def conform(self) -> RecordConformer:
        """Converts API objects to records of the selected schema."""
        return RecordConformer(self.effective_schema, lambda text: self.logger.warning("%s.", text))

    @override
    def post_process(self, row: Record, context: Context | None = None) -> Record | None:
        self.run.shutdown.check()
        context = self.context
        if not self._has_plain_key(row):
            return None
        record = self.preprocess_record(row, context)
        if record is None:
            return None
        record.update(self._keys_of(context))
        if self._are_types_valid:
            self.conform.normalize_timestamps(record)
        else:
            record = self.conform(record)
        if not self._has_key(record):
            return None
        if self.replication_key:
            timestamp = record.setdefault(self.replication_key, None)
            self._newest = max(self._newest, timestamp or "")
        if self.selected:
            self.run.progress.records[self.name] += 1
        return record

    def _keys_of(self, context: Context | None) -> Record:
        return {key: context[key] for key in self.primary_keys if key in context} if context else {}

    def _has_plain_key(self, row: Record) -> bool:
        """Return whether no part of an object's key is an array or object."""
        for key in self.primary_keys:
            if isinstance(row.get(key), (dict, list)):
                self.client.warn_of_key(key)
                return False
        return True

    def _has_key(self, row: Record) -> bool:
        for key in self.primary_keys:
            if row.get(key) is None:
                self.client.warn_of_key(key)
                return False
        return True

    @override
    def generate_child_contexts(
        self, record: Record, context: Context | None
    ) -> Iterable[Context | None]:
        # A parent stream syncs its children itself.
        return ()

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

    @property
    def signpost(self) -> dt.datetime:
        """Signpost: upper limit for bookmarks in this run."""
        return self.run.session.started_at

    @override
    def _increment_stream_state(
        self, latest_record: Record, *, context: Context | None = None
    ) -> None:
        # Called per record: large streams advance their bookmark per page.
        if not self.is_large:
            super()._increment_stream_state(latest_record, context=context)

    def advance_bookmark(self, timestamp: str) -> None:
        """Advance the bookmark of a large stream to the newest value of the replication key."""
        if self.is_large and self.selected and self.replication_key:
            super()._increment_stream_state({self.replication_key: timestamp}, context=self.context)

    @property
    def is_full_table(self) -> bool:
        """True if the catalog requests a full table of an incremental stream."""
        is_incremental = isinstance(type(self).replication_key, str)
        return is_incremental and self.forced_replication_method == "FULL_TABLE"

    def store_watermarks(self, watermarks: Watermarks) -> None:
        """Store the watermarks and failed parents in the state."""
        state = self.get_context_state(None)
        state.pop("failed", None)
        state.update(watermarks.to_state())

    def watermarks(self, order: Sequence[str]) -> Watermarks:
        """Return the watermarks on a list, if the stream `uses_watermarks`.

        A catalog that requests the full table is honored: what an earlier pass has synced is synced
        again, except for the progress of an interrupted pass.
        """
        watermarks = Watermarks.from_state(self.run.bookmarks_of(self.name), order)
        if self.is_full_table:
            watermarks.keep_unfinished_pass()
        return watermarks

    @property
    def bookmark(self) -> str | None:
        """The newest value of the replication key in an earlier run."""
        state = self.run.bookmarks_of(self.name)
        if self.replication_method == "FULL_TABLE":
            return None
        same_key = state.get("replication_key") == self.replication_key
        return state.get("replication_key_value") if same_key else None


def map_fault(stream: str, error: Exception) -> str:
    """Return the error of a stream map, in one line."""
    reason = " ".join(str(error.__cause__ or error).split())
    return f"Setting 'stream_maps' cannot be used for stream '{stream}': {error} ({reason})"


def _fields(schema: Mapping[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, each in schema.get("properties", {}).items():
        breadcrumb = (*above, "properties", name)
        yield breadcrumb
        yield from _fields(each, breadcrumb)
