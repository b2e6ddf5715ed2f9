"""Forecast of the requests for parents and their children."""

from __future__ import annotations

from collections import Counter, deque
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol

from tap_constantcontact.http import envelopes
from tap_constantcontact.http.prefetch import wait_for
from tap_constantcontact.list_requests import parse_unvalidated
from tap_constantcontact.refresh import FetchLevel

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from singer_sdk.helpers.types import Record

    from tap_constantcontact.child_stream import ChildStream
    from tap_constantcontact.client import ApiClient
    from tap_constantcontact.http.prefetch import PendingRequest, RequestForecast
    from tap_constantcontact.refresh import Parent, ParentTask
    from tap_constantcontact.state.sync_pass import SyncedUntil, SyncPass
    from tap_constantcontact.sync_run import SyncRun

# Details of so many parents are prefetched before the first one is decided.
_MAX_PREFETCHED_PARENTS = 16
# If at least so many requests are left for each.
_REQUESTS_RESERVED_PER_PARENT = 50


class _PrefetchedParent(NamedTuple):
    """A parent whose due streams are not known yet."""

    parent: Any
    synced_until: SyncedUntil
    watermarks: Any
    detail: PendingRequest | None


class SupportsDecisions(Protocol):
    """A parent stream, whose decisions a forecast follows."""

    client: ApiClient
    id_field: ClassVar[str]
    run: SyncRun

    @property
    def children(self) -> Iterable[ChildStream[Any]]:
        """The selected child streams."""

    def unsynced(self, sync_pass: SyncPass, position: int, parent: Any) -> SyncedUntil:
        """Return the streams that have not synced a parent in this pass."""

    def required_level(self, parent: Any, synced_until: SyncedUntil, unchanged: int) -> FetchLevel:
        """Return the data that a decision about a parent requires."""

    def decide(
        self, listed: Any, parent: Any, synced_until: SyncedUntil, unchanged: Counter[Any]
    ) -> ParentTask[Any]:
        """Return the work on a parent."""

    def detail_path(self, row: Record) -> str:
        """Return the path of a parent's detail."""


class ParentForecast:
    """Forecasts a pass, some parents ahead of it, by the same decisions."""

    def __init__(self, stream: SupportsDecisions) -> None:
        """Create a forecast of a stream."""
        self._stream = stream
        self._unchanged = Counter[Any]()
        self._ahead = deque[_PrefetchedParent]()

    def forecast(self, parents: Sequence[Parent], sync_pass: SyncPass) -> RequestForecast:
        """Forecast the requests of a pass.

        Args:
            parents: The list, newest first.
            sync_pass: A pass of its own, which is not changed.
        """
        ahead, stream = self._ahead, self._stream
        for position, parent in enumerate(parents):
            synced_until = stream.unsynced(sync_pass, position, parent)
            if not synced_until:
                continue
            while (level := self._level(parent, synced_until)) is None:
                yield from self._forecast_children(ahead.popleft())
            if level is FetchLevel.SKIP:
                continue
            detail = None
            if level is FetchLevel.DETAIL:
                detail = stream.client.prefetch(stream.detail_path(parent.record))
                yield detail
            watermarks = tuple(synced_until.items())
            ahead.append(_PrefetchedParent(parent, synced_until, watermarks, detail))
            while ahead and (ahead[0].detail is None or ahead[0].detail.has_response):
                yield from self._forecast_children(ahead.popleft())
        while ahead:
            yield from self._forecast_children(ahead.popleft())

    def _level(self, parent: Parent, synced_until: SyncedUntil) -> FetchLevel | None:
        """Return the data that a parent requires; None if it depends on parents before it."""
        watermarks = tuple(synced_until.items())
        unchanged = self._unchanged[watermarks]
        # Nothing may be due of the parents that are not decided yet.
        undecided = sum(each.watermarks == watermarks for each in self._ahead)
        level = self._stream.required_level(parent, synced_until, unchanged)
        latest = self._stream.required_level(parent, synced_until, unchanged + undecided)
        return level if level is latest and len(self._ahead) < self._max_prefetched else None

    @property
    def _max_prefetched(self) -> int:
        # Details that are prefetched too early are wasted if the requests run out.
        left = self._stream.run.session.requests_left
        if left is None:
            return _MAX_PREFETCHED_PARENTS
        return max(1, min(_MAX_PREFETCHED_PARENTS, left // _REQUESTS_RESERVED_PER_PARENT))

    def _forecast_children(self, prefetched: _PrefetchedParent) -> RequestForecast:
        """Forecast the requests for a parent as soon as its detail is known."""
        stream, parent = self._stream, prefetched.parent
        if prefetched.detail is not None:
            response = yield from wait_for(prefetched.detail)
            if response is None and not prefetched.detail.was_missed:
                return  # It has vanished.
            envelope = envelopes.of(parent.id, stream.id_field)
            (detail,) = parse_unvalidated(response, envelope, stream.id_field)
            parent = parent.with_detail(detail)
        task = stream.decide(prefetched.parent, parent, prefetched.synced_until, self._unchanged)
        for child in stream.children:
            if child.name in task.due:
                yield from child.forecast_pages(child.child_contexts(task))
