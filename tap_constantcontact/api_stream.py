"""Requests and records of a stream: pages of the API as records of its schema."""

from __future__ import annotations

import datetime as dt
import logging
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import parse_qsl, quote, urlencode

from singer_sdk import RESTStream, Tap
from singer_sdk.exceptions import ConfigValidationError, MapExpressionError
from singer_sdk.helpers.conform import TypeConformanceLevel
from singer_sdk.singerlib import RecordMessage, Schema
from typing_extensions import override

from tap_constantcontact.client import ApiClient
from tap_constantcontact.http.envelopes import is_cursor
from tap_constantcontact.http.pagination import NextLinkPaginator
from tap_constantcontact.http.retries import PaginationError
from tap_constantcontact.records import timestamps
from tap_constantcontact.records.conform import NO_VALUE, RecordConformer
from tap_constantcontact.records.duplicates import NUMBER, DuplicateHandler
from tap_constantcontact.records.fast_decoder import FastPageDecoder
from tap_constantcontact.records.mapping import is_identity, map_fault
from tap_constantcontact.records.parser import ResponseParser

if TYPE_CHECKING:
    from collections.abc import Collection, Generator, Iterable, Mapping, Sequence

    import requests
    from singer_sdk.helpers.types import Context, Record, RequestFunc
    from singer_sdk.singerlib import Catalog
    from singer_sdk.streams.rest import HTTPRequest, PageContext

    from tap_constantcontact.http.authenticator import Authenticator
    from tap_constantcontact.http.envelopes import Envelope, Page
    from tap_constantcontact.http.session import Session
    from tap_constantcontact.sync_run import SyncRun

#: Column with the setting `account_label`.
LABEL = "account_label"
_LABEL_SCHEMA = {"type": ["string"], "description": "The setting account_label."}


class ApiStream(RESTStream[str | None]):
    """A stream of the API: requests pages, and converts their objects to records."""

    #: Largest page size of the endpoint; None if it has no parameter `limit`.
    page_size: int | None = None
    #: Parameters of each first page.
    params: ClassVar[Mapping[str, str]] = {}
    #: Envelope of the responses; None for the API's usual one.
    envelope: ClassVar[Envelope | None] = None
    #: Whether records come from pages unchanged, with nothing merged: large streams use a faster
    #: decoder, and advance their bookmark once per page.
    is_large: ClassVar[bool] = False
    #: Parts of the key that the API may leave out. A key has no nulls: they are `none` then.
    optional_keys: ClassVar[tuple[str, ...]] = ()
    # The conformer handles every depth, so the SDK need not check each value again.
    TYPE_CONFORMANCE_LEVEL = TypeConformanceLevel.NONE

    def __init__(self, tap: Tap, run: SyncRun) -> None:
        """Create a stream of a run.

        Args:
            tap: The tap, for the SDK.
            run: The run.
        """
        self.run = run
        self.api_keys = tuple(self.primary_keys)
        schema = run.api.schemas.get_schema(self.name)
        if run.account_label:
            schema = {**schema, "properties": {**schema["properties"], LABEL: _LABEL_SCHEMA}}
            self.primary_keys = (*self.api_keys, LABEL)
        super().__init__(tap, schema=schema)
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
            entry.key_properties = list(keys)
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

    @cached_property
    @override
    def user_agent(self) -> str:
        return self.run.user_agent

    @override
    def get_url(self, context: Context | None) -> str:
        ids = {name: quote(str(value), safe=",") for name, value in (context or {}).items()}
        return f"{self.url_base}{self.path.format_map(ids)}"

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
        if NUMBER in self.api_keys:
            self._duplicates = DuplicateHandler(self.api_keys, self._fetch_first_row)
        yield from super().request_records(context)

    def _fetch_first_row(self) -> Record | None:
        path = self.list_path(self.context, limit=1)
        return next(iter(self.client.get(path, self.own_envelope)), None)

    def list_path(self, context: Context | None, **params: Any) -> str:
        """Return the path of a list with its parameters, and further ones."""
        query = urlencode({**self.get_url_params(context, None), **params})
        return f"{self.path_of(context)}?{query}".rstrip("?")

    def path_of(self, context: Context | None) -> str:
        """Return the path of a list."""
        return self.get_url(context).removeprefix(self.url_base)

    # Tells records without an id apart; None if the records have one.
    _duplicates: DuplicateHandler | None = None

    #: The current context.
    context: Context | None = None

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
        page = self.parser.read(response)
        rows = self._duplicates.new_rows(page.rows) if self._duplicates else page.rows
        self._are_types_valid = page.as_dict is not None
        self._newest = ""
        yield from map(page.as_dict, rows) if page.as_dict else rows
        if self._newest:
            self.advance_bookmark(min(self._newest, timestamps.write(self.signpost)))

    # Whether the decoder has checked the types of the current page.
    _are_types_valid = False
    # The newest replication key of the current page.
    _newest = ""

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
        for key in self.optional_keys:
            if record.get(key) in {None, ""}:
                record[key] = NO_VALUE
        if self._duplicates:
            record = self._duplicates.numbered(record)
        if self._are_types_valid:
            self.conform.normalize_timestamps(record)
        else:
            record = self.conform(record)
        if not self._has_key(record):
            return None
        self._add_label(record)
        if self.replication_key:
            timestamp = record.setdefault(self.replication_key, None)
            self._newest = max(self._newest, timestamp or "")
        if self.selected:
            self.run.progress.records[self.name] += 1
        return record

    def _add_label(self, record: Record) -> None:
        if self.run.account_label:
            record[LABEL] = self.run.account_label

    def _keys_of(self, context: Context | None) -> Record:
        return {key: context[key] for key in self.api_keys if key in context} if context else {}

    def _has_plain_key(self, row: Record) -> bool:
        """Return whether no part of an object's key is an array or object."""
        for key in self.api_keys:
            if isinstance(row.get(key), (dict, list)):
                self.client.warn_of_key(key)
                return False
        return True

    def _has_key(self, row: Record) -> bool:
        for key in self.api_keys:
            if row.get(key) is None:
                self.client.warn_of_key(key)
                return False
        return True

    @override
    def _generate_record_messages(self, record: Record) -> Generator[RecordMessage, None, None]:
        # The SDK processes each record again for deselected fields and stream maps. Without them,
        # that is not needed.
        if not self._needs_no_mapping or self.emit_activate_version_messages:
            try:
                yield from super()._generate_record_messages(record)
            except MapExpressionError as error:
                fault = map_fault(self.name, error)
                raise ConfigValidationError(fault, errors=[fault]) from error
            return
        yield RecordMessage(
            stream=self.name,
            record=record,
            time_extracted=dt.datetime.now(dt.UTC),
        )

    @cached_property
    def _needs_no_mapping(self) -> bool:
        return is_identity(self.stream_maps, self.mask, self.schema)
