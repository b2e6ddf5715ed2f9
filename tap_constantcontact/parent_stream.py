"""Parent streams, which sync their child streams for each parent record."""

from __future__ import annotations

import enum
import functools
from collections import Counter, deque
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, cast

from singer_sdk.exceptions import FatalAPIError
from typing_extensions import override

from tap_constantcontact.child_stream import ChildStream, ParentTask, WatermarkedStream
from tap_constantcontact.estimate import StreamEstimate
from tap_constantcontact.http import envelopes, retries
from tap_constantcontact.http.envelopes import InvalidResponseError
from tap_constantcontact.http.prefetch import wait_for
from tap_constantcontact.state.deferrals import Deferrals
from tap_constantcontact.state.id_sketch import IdSketch
from tap_constantcontact.state.sync_pass import SyncPass, reconcile
from tap_constantcontact.stream import parse_unvalidated

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Generator, Iterable, Sequence

    from singer_sdk.helpers.types import Context, Record

    from tap_constantcontact.http.prefetch import PendingRequest, RequestForecast
    from tap_constantcontact.state.sync_pass import SyncedUntil


class FetchLevel(enum.Enum):
    """The data of a parent that a pass requires."""

    SKIP = "nothing is due"
    LIST = "its record in the list is enough"
    DETAIL = "its detail, which costs a request"


class _PrefetchedParent(NamedTuple):
    """A parent whose due streams are not known yet."""

    parent: Record
    synced_until: SyncedUntil
    watermarks: Any
    detail: PendingRequest | None


# Details of so many parents are prefetched before the first one is decided.
_MAX_PREFETCHED_PARENTS = 16
# If at least so many requests are left for each.
_REQUESTS_RESERVED_PER_PARENT = 50


class ParentStream(WatermarkedStream):
    """A stream of parents. It syncs its child streams for each parent record.

    A pass processes the list from the top. For each parent it requests the detail and the children
    that are due, and advances the watermarks. An interrupted pass is completed by the next run.
    """

    #: Key of a parent in the records of its children.
    parent_key: ClassVar[str]
    #: Field with the ids. Parent records have the id as `id` too, as text.
    id_field: ClassVar[str] = "id"
    #: Contexts of the lists that contain the parents.
    list_contexts: ClassVar[Sequence[Context | None]] = (None,)

    def merge_lists(self, lists: Sequence[list[Record]]) -> list[Record]:
        """Merge the lists of all `list_contexts`: ids are text, and new parents come first."""
        raise NotImplementedError

    def required_level(
        self, parent: Record, synced_until: SyncedUntil, unchanged: int
    ) -> FetchLevel:
        """Return the data that a decision about a parent requires.

        Args:
            parent: Its record in the list.
            synced_until: The timestamps of the streams that have not synced it in this pass.
            unchanged: Number of parents above, in a row, of which nothing was due. Only parents
                that are `is_ordered` count.
        """
        raise NotImplementedError

    def due_streams(self, parent: Record, synced_until: SyncedUntil) -> SyncedUntil:
        """Return the streams that are due, given the data of `required_level`."""
        return {
            name: to
            for name, to in synced_until.items()
            if self.selected_streams[name].applies_to(parent)
            and self.selected_streams[name].is_due(parent, to)
        }

    def is_ordered(self, parent: Record) -> bool:
        """Return whether nothing due of a parent means something for the parents below."""
        return False

    def recheck_interval(self, parent: Record, timestamp: dt.datetime) -> dt.timedelta | None:
        """Return the interval until a synced parent is checked again; None for each run."""
        return None

    def is_edited(self, parent: Record, synced_until: SyncedUntil) -> bool:
        """Return whether a parent has changed since its sync, by its record in the list."""
        return False

    def deleted_since(self, timestamp: dt.datetime | None) -> Iterable[str]:
        """Return the ids of parents that are no longer listed, as far as the API names them."""
        return ()

    @functools.cached_property
    def selected_streams(self) -> dict[str, WatermarkedStream]:
        """The selected streams of the pass, by name."""
        streams = cast("list[WatermarkedStream]", [self, *self.child_streams])
        return {
            stream.name: stream for stream in streams if stream.selected and stream.is_authorized
        }

    @override
    def generate_child_contexts(
        self, record: Record, context: Context | None
    ) -> Iterable[Context | None]:
        # `_sync_parents` syncs the children, also those of records that a stream map filters out:
        # watermarks cover ranges of parents and cannot express gaps.
        return ()

    @override
    def fetch_records(self, context: Context | None) -> Iterable[Record]:
        self._set_syncing(is_on=True)
        try:
            yield from self._sync_list()
        finally:
            self._set_syncing(is_on=False)

    def _sync_list(self) -> Iterable[Record]:
        parents = self.list_parents()
        for stream in self.selected_streams.values():
            if isinstance(stream, ChildStream):
                stream.announce()
        sync_pass = self.start_pass(parents)
        yield from self._sync_parents(parents, sync_pass)
        if not self.is_authorized:
            return
        self._complete_pass(sync_pass)
        if sync_pass.start_next_pass():
            # The pass of an earlier run is complete. Sync what is new since then.
            yield from self._sync_parents(parents, sync_pass)
            self._complete_pass(sync_pass)
        self.run.write_state()

    def _set_syncing(self, *, is_on: bool) -> None:
        for each in (self, *self.selected_streams.values()):
            each.is_syncing = is_on

    def list_parents(self) -> list[Record]:
        """Request the list of parents, newest first."""
        return self.merge_lists(self._request_lists())

    def _request_lists(self) -> list[list[Record]]:
        return [
            self._with_string_ids(self.request_records(context)) for context in self.list_contexts
        ]

    def _with_string_ids(self, rows: Iterable[Record]) -> list[Record]:
        key = self.id_field
        return [{**row, "id": row[key]} for row in self.with_string_ids(rows, key)]

    def state_key(self, parent: Record) -> str:
        """Return the id of a parent in the watermarks."""
        return str(parent["id"])

    def sketch_key(self, parent: Record) -> str:
        """Return the id of a parent in the set of synced ids.

        A parent whose id changes is synced completely.
        """
        return self.state_key(parent)

    def start_pass(self, parents: Sequence[Record], *, is_real: bool = True) -> SyncPass:
        """Start or resume a pass.

        Args:
            parents: The list, newest first.
            is_real: Whether it may send requests and log warnings.

        Raises:
            InvalidResponseError: The synced ids cannot be compared without a request.
        """
        ids = [self.state_key(parent) for parent in parents]
        keys = [self.sketch_key(parent) for parent in parents]
        watermarks = {name: each.watermarks(ids) for name, each in self.selected_streams.items()}
        end = max((watermark.end for watermark in watermarks.values()), default=0)
        before = min(
            (watermark.last for watermark in watermarks.values() if watermark.last), default=None
        )
        synced_ids = self.run.bookmarks_of(self.name).get("synced_ids")
        ask = (lambda: list(self.deleted_since(before))) if is_real else list
        result = reconcile(synced_ids, keys[:end], ask)
        if result is None and not is_real:
            msg = "cannot be compared with the synced ids"
            raise InvalidResponseError(msg)
        if result is None:
            self.logger.warning(
                "Too many parent records changed since the last run. Syncing all of them again."
            )
            result = IdSketch(), set(keys[:end])
        deferrals = Deferrals(self.run.bookmarks_of(self.name).get("deferred"))
        return SyncPass(ids, watermarks, self.run.session.started_at, *result, deferrals, keys)

    def _sync_parents(self, parents: Sequence[Record], sync_pass: SyncPass) -> Iterable[Record]:
        """Sync the parents that have something due, each with its children."""
        start_position = None
        before = self.run.session.calls
        unchanged = Counter[Any]()
        for position, parent in enumerate(parents):
            synced_until = self._unsynced(sync_pass, position, parent)
            if not synced_until:
                continue
            start_position = position if start_position is None else start_position
            self.run.progress.set_position(
                self.name, position, len(parents), start_position, before
            )
            task = self._task_or_failure(parent, synced_until, unchanged)
            if task is None:
                sync_pass.remove(position)
                continue
            if task.due:
                self.task = task
                yield task.parent  # The SDK writes the parent record.
                self._sync_children_of(task)
            if not self.is_authorized:
                return
            sync_pass.add_synced(position)
            if task.due:
                sync_pass.advance(position, self._available(synced_until))
            sync_pass.keep_failures(position, {name: synced_until[name] for name in task.failed})
            sync_pass.forget_failures(position, self._available(synced_until.keys() - task.failed))
            self.on_parent_synced(sync_pass, position, task, synced_until)
            if task.due or task.failed:
                self._checkpoint(sync_pass)

    def _sync_children_of(self, task: ParentTask) -> None:
        for stream in self.selected_streams.values():
            if isinstance(stream, ChildStream) and stream.name in task.due:
                stream.task = task
                stream.sync({self.parent_key: task.parent["id"]})

    def _task_or_failure(
        self, parent: Record, synced_until: SyncedUntil, unchanged: Counter[Any]
    ) -> ParentTask | None:
        """Return the work on a parent. If that cannot be found out, all of it has failed."""
        self.run.failures.requested += 1
        try:
            with retries.raise_when_exhausted():
                return self._task(parent, synced_until, unchanged, self.fetch_parent_detail)
        except FatalAPIError as error:
            self.skip_object(parent["id"], error)
            return ParentTask(parent, {}, failed=set(self._available(synced_until)))

    def on_parent_synced(
        self, sync_pass: SyncPass, position: int, task: ParentTask, synced_until: SyncedUntil
    ) -> None:
        """Update the state of a parent after its sync."""
        if task.due:
            sync_pass.defer(position, functools.partial(self.recheck_interval, task.parent))

    def _available(self, names: Iterable[str]) -> list[str]:
        """Return the streams that the token may read."""
        return [name for name in names if self.selected_streams[name].is_authorized]

    def _unsynced(self, sync_pass: SyncPass, position: int, parent: Record) -> SyncedUntil:
        """Return the streams that have not synced a parent in this pass; none if it is deferred."""
        synced_until = sync_pass.unsynced(position)
        is_left_out = sync_pass.is_deferred(position, synced_until) and not self.is_edited(
            parent, synced_until
        )
        return {} if is_left_out else synced_until

    def _task(
        self,
        parent: Record,
        synced_until: SyncedUntil,
        unchanged: Counter[Any],
        detail: Callable[[Record], Record | None],
    ) -> ParentTask | None:
        """Return the work on a parent; None if it has vanished."""
        # The order of the list means something only among parents with the same timestamps.
        need = self.required_level(parent, synced_until, unchanged[tuple(synced_until.items())])
        if need is FetchLevel.SKIP:
            return ParentTask(parent, {})
        result = detail(parent) if need is FetchLevel.DETAIL else parent
        return None if result is None else self._decide(parent, result, synced_until, unchanged)

    def _decide(
        self,
        list_row: Record,
        parent: Record,
        synced_until: SyncedUntil,
        unchanged: Counter[Any],
    ) -> ParentTask:
        """Return the work on a parent, from its record in the list and its detail."""
        due = self.due_streams(parent, synced_until)
        if self.is_ordered(list_row):
            watermarks = tuple(synced_until.items())
            unchanged[watermarks] = 0 if due else unchanged[watermarks] + 1
        return ParentTask(parent, due)

    def fetch_parent_detail(self, parent: Record) -> Record | None:
        """Request the detail of a parent; None if it has vanished."""
        path = self.detail_path(parent)
        detail = self.fetch_detail(path, parent["id"], self.id_field)
        if detail is not None:
            return {**parent, **detail, "id": parent["id"]}
        if not self.has_vanished(parent):
            msg = f"{path} is not found, although the list contains it"
            raise retries.MissingRecordsError(msg)
        return None

    def has_vanished(self, parent: Record) -> bool:
        """Return whether a parent without a detail has vanished."""
        return True

    @functools.cached_property
    def relisted_ids(self) -> frozenset[str]:
        """The ids of the list, requested again."""
        return frozenset(parent["id"] for rows in self._request_lists() for parent in rows)

    def detail_path(self, parent: Record) -> str:
        """Return the path of a parent's detail."""
        return f"{self.path}/{parent['id']}"

    def _complete_pass(self, sync_pass: SyncPass) -> None:
        sync_pass.complete(self._available(sync_pass.watermarks))
        self.run.progress.clear_position()
        for selected_stream in self.selected_streams.values():
            selected_stream.on_pass_completed(sync_pass)
        self._checkpoint(sync_pass)

    def _checkpoint(self, sync_pass: SyncPass) -> None:
        for name, watermarks in sync_pass.watermarks.items():
            self.selected_streams[name].store_watermarks(watermarks)
        state = self.get_context_state(None)
        state["synced_ids"] = sync_pass.synced_ids.dump()
        state["deferred"] = sync_pass.deferrals.dump()
        self.extra_state(state)
        self.run.write_state()

    def extra_state(self, state: dict[str, Any]) -> None:
        """Add further keys to the state."""

    # -- prefetching ---------------------------------------------------------------------------

    @override
    def forecast_requests(self) -> RequestForecast:
        if not self.is_requested:
            return
        parents = yield from self.prefetch_parents()
        yield from self._forecast_parents(parents, self.start_pass(parents, is_real=False))

    def prefetch_parents(self) -> Generator[PendingRequest | None, None, list[Record]]:
        """Forecast the requests of `list_parents`, and wait for their responses."""
        calls = [self.prefetch_page(list_context) for list_context in self.list_contexts]
        yield from calls
        lists: list[list[Record]] = []
        for call in calls:
            rows = yield from self.await_rows(call, None, self.id_field)
            lists.append(self._with_string_ids(rows))
        return self.merge_lists(lists)

    def _forecast_parents(self, parents: Sequence[Record], sync_pass: SyncPass) -> RequestForecast:
        unchanged = Counter[Any]()
        ahead = deque[_PrefetchedParent]()
        for position, parent in enumerate(parents):
            synced_until = self._unsynced(sync_pass, position, parent)
            if not synced_until:
                continue
            watermarks = tuple(synced_until.items())
            while True:
                # Nothing may be due of the parents that are not decided yet.
                undecided = sum(each.watermarks == watermarks for each in ahead)
                need = self.required_level(parent, synced_until, unchanged[watermarks])
                is_sure = need is self.required_level(
                    parent, synced_until, unchanged[watermarks] + undecided
                )
                if is_sure and len(ahead) < self._max_prefetched:
                    break
                yield from self._forecast_children(ahead.popleft(), unchanged)
            if need is FetchLevel.SKIP:
                continue
            call = None
            if need is FetchLevel.DETAIL:
                call = self.prefetch_detail(self.detail_path(parent))
                yield call
            ahead.append(_PrefetchedParent(parent, synced_until, watermarks, call))
            while ahead and (ahead[0].detail is None or ahead[0].detail.has_response):
                yield from self._forecast_children(ahead.popleft(), unchanged)
        for each in ahead:
            yield from self._forecast_children(each, unchanged)

    @property
    def _max_prefetched(self) -> int:
        # Details that are prefetched too early are wasted if the requests run out.
        left = self.run.session.requests_left
        return (
            _MAX_PREFETCHED_PARENTS
            if left is None
            else max(1, min(_MAX_PREFETCHED_PARENTS, left // _REQUESTS_RESERVED_PER_PARENT))
        )

    def _forecast_children(
        self, prefetched: _PrefetchedParent, unchanged: Counter[Any]
    ) -> RequestForecast:
        """Forecast the requests for a parent as soon as its detail is known."""
        list_row, call = prefetched.parent, prefetched.detail
        parent = list_row
        if call is not None:
            response = yield from wait_for(call)
            if response is None and not call.was_missed:
                return  # It has vanished.
            (detail,) = parse_unvalidated(
                response, envelopes.of(list_row["id"], self.id_field), self.id_field
            )
            parent = {**list_row, **detail}
        task = self._decide(list_row, parent, prefetched.synced_until, unchanged)
        for name in task.due:
            part = self.selected_streams[name]
            if isinstance(part, ChildStream):
                yield from part.forecast_child_requests(task)

    # -- estimates -----------------------------------------------------------------------------

    @property
    @override
    def is_requested(self) -> bool:
        return bool(self.selected_streams)

    @override
    def estimate_all(self) -> Iterable[StreamEstimate]:
        """Estimate a pass without requests for children, and with few requests for details."""
        before = self.run.session.calls
        parents = self.list_parents()
        calls = Counter({self.name: self.run.session.calls - before})
        counted = Counter[str]()
        approximate = self.approximate_details(parents)

        def detail(parent: Record) -> Record:
            calls[self.name] += 1
            return approximate(parent)

        sync_pass = self.start_pass(parents)
        is_due = True
        while is_due:
            unchanged = Counter[Any]()
            for position, parent in enumerate(parents):
                synced_until = self._unsynced(sync_pass, position, parent)
                task = self._task(parent, synced_until, unchanged, detail) if synced_until else None
                if task is None:
                    continue
                for name in task.due:
                    counted[name] += 1
                    if name != self.name:
                        calls[name] += self.selected_streams[name].estimate_child(task)
            sync_pass.complete(sync_pass.watermarks)
            is_due = sync_pass.start_next_pass()
        return [
            StreamEstimate(self.name, calls[self.name], f"{len(parents):,} listed"),
            *(
                StreamEstimate(name, calls[name], f"of {counted[name]:,}")
                for name in self.selected_streams
                if name != self.name
            ),
        ]

    def approximate_details(self, parents: Sequence[Record]) -> Callable[[Record], Record]:
        """Return a function that approximates the detail of a parent with few requests."""
        return dict
