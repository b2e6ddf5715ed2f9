"""Streams with one request per parent, such as a report on every contact."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import quote

from singer_sdk.exceptions import FatalAPIError
from typing_extensions import override

from tap_constantcontact.estimate import pages
from tap_constantcontact.http import retries
from tap_constantcontact.http.retries import NotFoundError
from tap_constantcontact.state.watermarks import pass_timestamp
from tap_constantcontact.stream import ConstantContactStream

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Generator, Iterable, Mapping

    from singer_sdk.helpers.types import Context, Record

    from tap_constantcontact.http.envelopes import Envelope
    from tap_constantcontact.http.prefetch import RequestForecast
    from tap_constantcontact.state.watermarks import Watermarks

# More frequent states would outnumber the records.
_CHECKPOINT_INTERVAL = 50
# The context of the list itself.
_LIST_CONTEXT = {"list": "parents"}


class PartitionedStream(ConstantContactStream):
    """A stream with one request per parent.

    The parents are listed and processed in the order of their ids. An interrupted run is resumed at
    its parent. The next pass starts when one is complete.
    """

    uses_watermarks = True
    state_partitioning_keys = ()

    #: Name of the parents, for people.
    parents: ClassVar[str] = "contacts"
    #: Path of their list, and the stream whose records it contains.
    parents_path: ClassVar[str]
    parents_stream: ClassVar[str]
    parents_page_size: ClassVar[int] = 500
    parents_envelope: ClassVar[Envelope]
    #: Their id in the list, which is also a parameter of the stream's path.
    parent_id_field: ClassVar[str]
    parent_field: ClassVar[str]
    #: Streams that share the requests of short runs with this one, itself included.
    competing_streams: ClassVar[tuple[str, ...]] = ()

    def list_params(self) -> Mapping[str, Any]:
        """Return the parameters of the list."""
        return {}

    @override
    def fetch_records(self, context: Context | None) -> Iterable[Record]:
        parents = self.ids()
        watermarks = self.watermarks(parents)
        if watermarks.unfinished is None and self.is_ahead_of_others():
            self.logger.info("Skipped in this run: another stream has an unfinished pass.")
            return
        self.logger.warning(
            "This stream needs one request for each of %d %s.", len(parents), self.parents
        )
        started = self._moment(watermarks)
        before = self.run.session.calls
        self.run.failures.requested += len(parents)
        try:
            start_position = None
            for position, parent in enumerate(parents):
                synced_until = watermarks.synced_until(position)
                if synced_until == started:
                    continue
                start_position = position if start_position is None else start_position
                self.run.progress.set_position(
                    self.parents, position, len(parents), start_position, before
                )
                has_failed = yield from self._of_parent(parent, synced_until)
                watermarks.advance(position, started)
                if has_failed:
                    watermarks.keep_failure(position, synced_until)
                    if not self.is_authorized:
                        return
                else:
                    watermarks.forget_failure(position)
                    self.run.failures.note_success(self.name)
                if position % _CHECKPOINT_INTERVAL == 0:
                    self.store_watermarks(watermarks)
                    self.run.write_state()
            watermarks.complete(started)
            self.run.progress.clear_position()
        finally:
            self.store_watermarks(watermarks)

    def _moment(self, watermarks: Watermarks) -> dt.datetime:
        """Return the timestamp of the pass."""
        return watermarks.unfinished or pass_timestamp(
            self.run.session.started_at, [watermarks.last]
        )

    def is_ahead_of_others(self) -> bool:
        """Return whether another stream with a pass per parent was synced less recently."""
        others = self.run.selected.intersection(self.competing_streams)
        mine = self._last_pass(self.name)
        return any(self._last_pass(other) < mine for other in others)

    def _last_pass(self, stream: str) -> str:
        watermarks = self.run.bookmarks_of(stream).get("watermarks") or [{"synced_until": ""}]
        return str(watermarks[-1]["synced_until"]) if watermarks[-1].get("last_ids") is None else ""

    def ids(self) -> list[str]:
        """Request the ids of all parents, in the order in which they are processed."""
        fields = self.run.api.schemas.get_schema(self.parents_stream)["properties"]
        with self.pages.expecting(self.parents_envelope, frozenset(fields)):
            rows = self.request_records(_LIST_CONTEXT)
            return _in_order(
                row[self.parent_id_field]
                for row in self.with_string_ids(rows, self.parent_id_field)
            )

    @override
    def limit(self, context: Context | None) -> int | None:
        # The streams share this list.
        return self.parents_page_size if context == _LIST_CONTEXT else self.page_size

    @override
    def estimate(self) -> tuple[int, str]:
        parents = self.run.cache(f"number of {self.parents}", self.ids)
        listing = pages(len(parents), self.parents_page_size)
        watermarks = self.watermarks(parents)
        if watermarks.unfinished is None and self.is_ahead_of_others():
            return listing, "another stream has an unfinished pass"
        left = sum(
            watermarks.unfinished is None
            or watermarks.synced_until(position) != watermarks.unfinished
            for position in range(len(parents))
        )
        return listing + left, f"{left:,} {self.parents}"

    def _of_parent(
        self, parent: str, synced_until: dt.datetime | None
    ) -> Generator[Record, None, bool]:
        """Fetch the records of a parent; return whether that failed."""
        context = self._context_of(parent, synced_until)
        self.since = context["since"]
        try:
            with retries.raise_when_exhausted():
                for row in self.request_records(context):
                    yield {**row, self.parent_field: parent}
        except FatalAPIError as error:
            if isinstance(error, NotFoundError) and self.has_vanished(parent):
                return False
            self.skip_object(parent, error)
            return True
        return False

    def has_vanished(self, parent: str) -> bool:
        """Return whether a parent has vanished, with a warning.

        The records of an existing one are needed.
        """
        path = f"{self.parents_path}/{quote(parent, safe='')}"
        return self.fetch_detail(path, parent, self.parent_id_field) is None

    def _context_of(self, parent: str, synced_until: dt.datetime | None) -> Context:
        since = None
        if self.replication_key:
            since = self.apply_lookback(synced_until) if synced_until else self.start_date
        return {self.parent_field: parent, "since": since}

    @override
    def forecast_requests(self) -> RequestForecast:
        if not self.is_requested:
            return
        while self.run.reading != self.name:
            # Its turn is known when the stream before it is complete.
            yield None
        envelope = self.parents_envelope
        listing = self.prefetch_page(_LIST_CONTEXT, envelope=envelope)
        yield listing
        rows = yield from self.await_rows(listing, envelope, self.parent_id_field)
        parents = _in_order(row[self.parent_id_field] for row in rows)
        watermarks = self.watermarks(parents)
        if watermarks.unfinished is None and self.is_ahead_of_others():
            return
        started = self._moment(watermarks)
        for position, parent in enumerate(parents):
            synced_until = watermarks.synced_until(position)
            if synced_until != started:
                yield self.prefetch_page(self._context_of(parent, synced_until))

    @override
    def get_url(self, context: Context | None) -> str:
        if context == _LIST_CONTEXT:
            return f"{self.url_base}{self.parents_path}"
        return super().get_url(context)

    @override
    def get_url_params(
        self, context: Context | None, next_page_token: str | None
    ) -> dict[str, Any]:
        if context == _LIST_CONTEXT:
            return dict(self.list_params())
        return self.parent_params(context["since"] if context else None)

    def parent_params(self, since: dt.datetime | None) -> dict[str, Any]:
        """Return the parameters for a parent."""
        return {}


def _in_order(ids: Iterable[str]) -> list[str]:
    return sorted(set(ids), key=lambda each: (len(each), each))
