"""Streams with one request per parent, such as a report on every contact."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import quote, urlencode

from singer_sdk.exceptions import FatalAPIError
from typing_extensions import override

from tap_constantcontact.http import retries
from tap_constantcontact.http.retries import NotFoundError
from tap_constantcontact.list_requests import ListRequest, fetch, records_of
from tap_constantcontact.state.watermarks import pass_timestamp
from tap_constantcontact.stream import ConstantContactStream

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Generator, Iterable, Mapping, Sequence

    from singer_sdk.helpers.types import Context, Record

    from tap_constantcontact.http.envelopes import Envelope
    from tap_constantcontact.list_requests import ListRequests
    from tap_constantcontact.state.watermarks import Watermarks

# More frequent states would outnumber the records.
_CHECKPOINT_INTERVAL = 50


class PartitionedStream(ConstantContactStream):
    """A stream with one request per parent.

    The parents are listed and processed in the order of their ids. An interrupted run is resumed at
    its parent. The next pass starts when one is complete.
    """

    state_partitioning_keys = ()
    # Its turn is known when the stream before it is complete.
    is_prefetched_early = False

    context_label = "contacts"
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

    def _parent_ids(self) -> ListRequests[list[str]]:
        """Request the ids of all parents, in the order in which they are processed."""
        query = urlencode({**self.list_params(), "limit": self.parents_page_size})
        fields = self.run.api.schemas.get_schema(self.parents_stream)["properties"]
        key = self.parent_id_field
        request = ListRequest(
            f"{self.parents_path}?{query}",
            self.parents_envelope,
            key,
            frozenset(fields),
            kept=(key,),
            is_shared=True,
        )
        (outcome,) = yield [request]
        ids = {row[key] for row in records_of(outcome)}
        return sorted(ids, key=lambda each: (len(each), each))

    @override
    def contexts(self) -> ListRequests[Iterable[Context | None]]:
        parents = yield from self._parent_ids()
        watermarks = self.watermarks(parents)
        if self._gives_way(watermarks):
            return []
        started = self._pass_timestamp(watermarks)
        synced = map(watermarks.synced_until, range(len(parents)))
        return (
            self._context_of(parent, synced_until)
            for parent, synced_until in zip(parents, synced, strict=True)
            if synced_until != started
        )

    @override
    def fetch_records(self, context: Context | None) -> Iterable[Record]:
        parents = fetch(self._parent_ids(), self.client)
        watermarks = self.watermarks(parents)
        if self._gives_way(watermarks):
            self.logger.info("Skipped in this run: another stream has an unfinished pass.")
            return
        self.logger.warning(
            "This stream needs one request for each of %d %s.", len(parents), self.context_label
        )
        self.run.failures.requested += len(parents)
        try:
            yield from self._fetch_pass(parents, watermarks)
        finally:
            self.store_watermarks(watermarks)

    def _fetch_pass(self, parents: Sequence[str], watermarks: Watermarks) -> Iterable[Record]:
        started = self._pass_timestamp(watermarks)
        before = self.run.session.calls
        start_position = None
        for position, parent in enumerate(parents):
            synced_until = watermarks.synced_until(position)
            if synced_until == started:
                continue
            start_position = position if start_position is None else start_position
            self.run.progress.set_position(
                self.context_label, position, len(parents), start_position, before
            )
            has_failed = yield from self._fetch_parent(parent, synced_until)
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

    def _fetch_parent(
        self, parent: str, synced_until: dt.datetime | None
    ) -> Generator[Record, None, bool]:
        """Fetch the records of a parent; return whether that failed."""
        try:
            with retries.raise_when_exhausted():
                for row in self.request_records(self._context_of(parent, synced_until)):
                    yield {**row, self.parent_field: parent}
        except FatalAPIError as error:
            if isinstance(error, NotFoundError) and self._has_vanished(parent):
                return False
            self.skip_object(parent, error)
            return True
        return False

    def _has_vanished(self, parent: str) -> bool:
        """Return whether a parent has vanished, with a warning.

        The records of an existing one are needed.
        """
        path = f"{self.parents_path}/{quote(parent, safe='')}"
        return self.client.get_detail(path, parent, self.parent_id_field) is None

    def _pass_timestamp(self, watermarks: Watermarks) -> dt.datetime:
        return watermarks.unfinished or pass_timestamp(
            self.run.session.started_at, [watermarks.last]
        )

    def _gives_way(self, watermarks: Watermarks) -> bool:
        """Return whether another stream with a pass per parent comes first in short runs."""
        others = self.run.selected.intersection(self.competing_streams)
        mine = self._last_pass(self.name)
        return watermarks.unfinished is None and any(
            self._last_pass(other) < mine for other in others
        )

    def _last_pass(self, stream: str) -> str:
        watermarks = self.run.bookmarks_of(stream).get("watermarks") or [{"synced_until": ""}]
        return str(watermarks[-1]["synced_until"]) if watermarks[-1].get("last_ids") is None else ""

    def _context_of(self, parent: str, synced_until: dt.datetime | None) -> Context:
        since = self.run.period.oldest_change(synced_until) if self.replication_key else None
        return {self.parent_field: parent, "since": since}

    @override
    def get_url_params(
        self, context: Context | None, next_page_token: str | None
    ) -> dict[str, Any]:
        return self.parent_params(context["since"] if context else None)

    def parent_params(self, since: dt.datetime | None) -> dict[str, Any]:
        """Return the parameters for a parent."""
        return {}
