"""Base stream: declaration of requests, access rights and failures, incremental reads."""

from __future__ import annotations

import itertools
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import quote

from singer_sdk.exceptions import FatalAPIError
from singer_sdk.streams.rest import PageContext
from typing_extensions import override

from tap_constantcontact.api_stream import ApiStream
from tap_constantcontact.client import following
from tap_constantcontact.estimate import PAGE, StreamEstimate, pages
from tap_constantcontact.http import retries
from tap_constantcontact.http.retries import APIError, ForbiddenError
from tap_constantcontact.list_requests import await_rows, fetch, forecast
from tap_constantcontact.state.ids import short_id
from tap_constantcontact.state.snapshots import Snapshots
from tap_constantcontact.state.watermarks import Watermarks

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import requests
    from singer_sdk.helpers.types import Context, Record

    from tap_constantcontact.http.prefetch import PendingRequest, RequestForecast
    from tap_constantcontact.list_requests import ListRequests


class ConstantContactStream(ApiStream):
    """Base of all streams."""

    #: Product that the account need not have; None if every account has the stream.
    product: ClassVar[str | None] = None
    #: Privileges that the stream requires, if the API knows privileges (docs/api/v3.md §3.1).
    privileges: ClassVar[tuple[str, ...]] = ()
    #: Errors that mean that the token is not authorized for the stream.
    unauthorized_errors: ClassVar[tuple[type[APIError], ...]] = (ForbiddenError,)
    #: Whether the requests of the stream are prefetched.
    is_prefetched: ClassVar[bool] = True
    #: Whether they may be prefetched while earlier streams are synced.
    is_prefetched_early: ClassVar[bool] = True

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
        return f"{self.path_of(context)}/{quote(str(row[self.detail_key]), safe='')}"

    @property
    def detail_key(self) -> str:
        """Field with the ids by which details are requested."""
        return self.api_keys[-1]

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
        count = self.count_records(context)
        if count is None:
            return self._estimate_sample(context) if self.sampled_pages else (1, "")
        requests = pages(count, self.limit(context) or PAGE)
        if self.has_details and count:
            share = self.run.cache(
                f"share of details of {self.name}", lambda: self._share_of_details(context)
            )
            requests += round(share * count)
        return requests, f"{count:,} listed"

    def count_records(self, context: Context | None) -> int | None:
        """Return the number of records in a list, as the API counts them; None if it does not."""
        return None

    #: Number of pages that an estimate requests if the API does not count the records; 0 if the
    #: list has one page in all.
    sampled_pages: ClassVar[int] = 0

    def _estimate_sample(self, context: Context | None) -> tuple[int, str]:
        """Estimate the requests of a list from its first pages."""
        rows, complete = self.sample_records(context, self.sampled_pages)
        requests = complete or self.sampled_pages + 1
        if not self.has_details:
            return requests, f"{len(rows):,} records"
        details = self._count_details(rows, context)
        return requests + details, f"{details:,} details"

    def _share_of_details(self, context: Context | None) -> float:
        rows, _ = self.sample_records(context)
        return self._count_details(rows, context) / max(len(rows), 1)

    def _count_details(self, rows: Iterable[Record], context: Context | None) -> int:
        listed = self.client.with_string_ids(rows, self.detail_key)
        return sum(1 for _ in self.details_in(listed, context))

    def sample_records(
        self, context: Context | None, max_pages: int = 1
    ) -> tuple[list[Record], int | None]:
        """Request the first pages; return their rows, and the number of pages or None for more."""
        page_size = self.limit(context)
        limit = {"limit": page_size} if page_size else {}
        path = self.list_path(context, **limit)
        page_list = self.client.get_pages(path, self.own_envelope, self.fields)
        sampled = list(itertools.islice(page_list, max_pages))
        rows = [row for page in sampled for row in page]
        is_complete = len(rows) < max_pages * (page_size or PAGE)
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
        self.run.audit.start(self.name)
        try:
            yield from self._read_or_fail(context)
            self.run.audit.finish(self.name)
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

    @override
    def generate_child_contexts(
        self, record: Record, context: Context | None
    ) -> Iterable[Context | None]:
        # A parent stream syncs its children itself.
        return ()

    # -- incremental reads ---------------------------------------------------------------------

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
        """Return the watermarks of the stream on a list.

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
