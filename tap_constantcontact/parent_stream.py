"""Parent streams, which sync their child streams for each parent record."""

from __future__ import annotations

import functools
from collections import Counter
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeAlias
from urllib.parse import urlencode

from singer_sdk.exceptions import FatalAPIError
from typing_extensions import override

from tap_constantcontact.child_stream import ChildStream
from tap_constantcontact.estimate import StreamEstimate
from tap_constantcontact.http import retries
from tap_constantcontact.list_requests import ListRequest, fetch, forecast, records_of
from tap_constantcontact.parent_forecast import ParentForecast
from tap_constantcontact.parent_samples import ParentSamples
from tap_constantcontact.refresh import FetchLevel, ParentT, ParentTask, RefreshPolicy
from tap_constantcontact.state.sync_pass import SyncPass
from tap_constantcontact.stream import ConstantContactStream

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from singer_sdk.helpers.types import Context, Record

    from tap_constantcontact.http.prefetch import RequestForecast
    from tap_constantcontact.list_requests import ListRequests
    from tap_constantcontact.state.sync_pass import SyncedUntil


#: Number of parents in a row of which nothing was due, by the timestamps of their streams: the
#: order of the list means something only among parents with the same timestamps.
Unchanged: TypeAlias = "Counter[Any]"


class ParentStream(ConstantContactStream, Generic[ParentT]):
    """A stream of parents. It syncs its child streams for each parent record.

    A pass processes the list from the top. For each parent it requests the detail and the children
    that are due, and advances the watermarks. An interrupted pass is completed by the next run.
    """

    state_partitioning_keys = ()
    #: Key of a parent in the records of its children.
    parent_key: ClassVar[str]
    #: Field with the ids.
    id_field: ClassVar[str] = "id"
    #: Decides of which parents the stream itself is due.
    refresh: RefreshPolicy[Any] = RefreshPolicy()

    # -- the list ------------------------------------------------------------------------------

    @property
    def list_params(self) -> Sequence[Mapping[str, str]]:
        """Parameters of the lists that contain the parents."""
        return (self.params,)

    def list_parents(self) -> ListRequests[list[ParentT]]:
        """Request the lists, and return the parents in the order of a pass, newest first."""
        lists = yield from self._lists()
        return self.merge_lists(lists)

    def _lists(self) -> ListRequests[list[list[Record]]]:
        outcomes = yield [
            ListRequest(
                f"{self.path}?{urlencode({**params, 'limit': self.page_size})}",
                self.own_envelope,
                self.id_field,
                self.fields,
            )
            for params in self.list_params
        ]
        return list(map(records_of, outcomes))

    def merge_lists(self, lists: Sequence[list[Record]]) -> list[ParentT]:
        """Merge the lists: new parents come first. Ids are text."""
        raise NotImplementedError

    @functools.cached_property
    def relisted_ids(self) -> frozenset[str]:
        """The ids of the list, requested again."""
        lists = fetch(self._lists(), self.client)
        return frozenset(row[self.id_field] for rows in lists for row in rows)

    def state_key(self, parent: ParentT) -> str:
        """Return the id of a parent in the watermarks."""
        return parent.id

    def set_key(self, parent: ParentT) -> str:
        """Return the id of a parent in the set of synced ids.

        A parent whose id changes is synced completely.
        """
        return self.state_key(parent)

    # -- decisions -----------------------------------------------------------------------------

    @functools.cached_property
    def selected_streams(self) -> dict[str, ParentStream[ParentT] | ChildStream[ParentT]]:
        """The selected streams of the pass, by name."""
        streams: list[ParentStream[ParentT] | ChildStream[ParentT]] = [self]
        streams += [stream for stream in self.child_streams if isinstance(stream, ChildStream)]
        return {
            stream.name: stream for stream in streams if stream.selected and stream.is_authorized
        }

    @property
    def children(self) -> Iterable[ChildStream[ParentT]]:
        """The selected child streams."""
        streams = self.selected_streams.values()
        return (stream for stream in streams if isinstance(stream, ChildStream))

    def required_level(
        self, parent: ParentT, synced_until: SyncedUntil, unchanged: int
    ) -> FetchLevel:
        """Return the data that a decision about a parent requires.

        Args:
            parent: Its record in the list.
            synced_until: The timestamps of the streams that have not synced it in this pass.
            unchanged: Number of parents above, in a row, of which nothing was due. Only parents
                that are `is_ordered` count.
        """
        raise NotImplementedError

    def due_streams(self, parent: ParentT, synced_until: SyncedUntil) -> SyncedUntil:
        """Return the streams that are due, given the data of `required_level`."""
        return {
            name: to
            for name, to in synced_until.items()
            if self.selected_streams[name].refresh.applies_to(parent)
            and self.selected_streams[name].refresh.is_due(parent, to, self.run)
        }

    def is_ordered(self, parent: ParentT) -> bool:
        """Return whether nothing due of a parent means something for the parents below."""
        return False

    def recheck_interval(self, parent: ParentT, timestamp: dt.datetime) -> dt.timedelta | None:
        """Return the interval until a synced parent is checked again; None for each run."""
        return None

    def is_edited(self, parent: ParentT, synced_until: SyncedUntil) -> bool:
        """Return whether a parent has changed since its sync, by its record in the list."""
        return False

    def has_vanished(self, parent: ParentT) -> bool:
        """Return whether a parent without a detail has vanished."""
        return True

    def on_parent_synced(
        self,
        sync_pass: SyncPass,
        position: int,
        task: ParentTask[ParentT],
        synced_until: SyncedUntil,
    ) -> None:
        """Update the state of a parent after its sync."""
        if task.due:
            sync_pass.defer(position, functools.partial(self.recheck_interval, task.parent))

    def on_pass_completed(self, sync_pass: SyncPass) -> None:
        """Update the state at the end of a pass."""

    def extra_state(self, state: dict[str, Any]) -> None:
        """Add further keys to the state."""

    def unsynced(self, sync_pass: SyncPass, position: int, parent: ParentT) -> SyncedUntil:
        """Return the streams that have not synced a parent in this pass; none if it is deferred."""
        synced_until = sync_pass.unsynced(position)
        is_left_out = sync_pass.is_deferred(position, synced_until) and not self.is_edited(
            parent, synced_until
        )
        return {} if is_left_out else synced_until

    def _task(
        self,
        parent: ParentT,
        synced_until: SyncedUntil,
        unchanged: Unchanged,
        fetch_detail: Callable[[ParentT], ParentT | None],
    ) -> ParentTask[ParentT] | None:
        """Return the work on a parent; None if it has vanished."""
        level = self.required_level(parent, synced_until, unchanged[tuple(synced_until.items())])
        if level is FetchLevel.SKIP:
            return ParentTask(parent, {})
        detailed = fetch_detail(parent) if level is FetchLevel.DETAIL else parent
        if detailed is None:
            return None
        return self.decide(parent, detailed, synced_until, unchanged)

    def decide(
        self, listed: ParentT, parent: ParentT, synced_until: SyncedUntil, unchanged: Unchanged
    ) -> ParentTask[ParentT]:
        """Return the work on a parent, as listed and with its detail."""
        due = self.due_streams(parent, synced_until)
        if self.is_ordered(listed):
            watermarks = tuple(synced_until.items())
            unchanged[watermarks] = 0 if due else unchanged[watermarks] + 1
        return ParentTask(parent, due)

    # -- sync ----------------------------------------------------------------------------------

    @override
    def fetch_records(self, context: Context | None) -> Iterable[Record]:
        parents = fetch(self.list_parents(), self.client)
        for stream in self.children:
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

    def start_pass(self, parents: Sequence[ParentT]) -> SyncPass:
        """Start or resume a pass over the list, newest first."""
        ids = [(self.state_key(parent), self.set_key(parent)) for parent in parents]
        order = [parent_id for parent_id, _ in ids]
        watermarks = {name: each.watermarks(order) for name, each in self.selected_streams.items()}
        bookmark = self.run.bookmarks_of(self.name)
        return SyncPass(ids, watermarks, self.run.session.started_at, bookmark)

    def _sync_parents(self, parents: Sequence[ParentT], sync_pass: SyncPass) -> Iterable[Record]:
        """Sync the parents that have something due, each with its children."""
        start_position = None
        before = self.run.session.calls
        unchanged = Counter[Any]()
        for position, parent in enumerate(parents):
            synced_until = self.unsynced(sync_pass, position, parent)
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
                yield task.parent.record  # The SDK writes the parent record.
                self._sync_children_of(task)
            if not self.is_authorized:
                return
            self._note_synced(sync_pass, position, task, synced_until)

    def _sync_children_of(self, task: ParentTask[ParentT]) -> None:
        for stream in self.children:
            if stream.name in task.due:
                stream.task = task
                stream.sync({self.parent_key: task.parent.id})

    def _note_synced(
        self,
        sync_pass: SyncPass,
        position: int,
        task: ParentTask[ParentT],
        synced_until: SyncedUntil,
    ) -> None:
        sync_pass.add_synced(position)
        if task.due:
            sync_pass.advance(position, self._available(synced_until))
        sync_pass.keep_failures(position, {name: synced_until[name] for name in task.failed})
        sync_pass.forget_failures(position, self._available(synced_until.keys() - task.failed))
        self.on_parent_synced(sync_pass, position, task, synced_until)
        if task.due or task.failed:
            self._checkpoint(sync_pass)

    def _task_or_failure(
        self, parent: ParentT, synced_until: SyncedUntil, unchanged: Unchanged
    ) -> ParentTask[ParentT] | None:
        """Return the work on a parent. If that cannot be found out, all of it has failed."""
        self.run.failures.requested += 1
        try:
            with retries.raise_when_exhausted():
                return self._task(parent, synced_until, unchanged, self.fetch_parent_detail)
        except FatalAPIError as error:
            self.skip_object(parent.id, error)
            return ParentTask(parent, {}, failed=set(self._available(synced_until)))

    def fetch_parent_detail(self, parent: ParentT) -> ParentT | None:
        """Request the detail of a parent; None if it has vanished."""
        path = self.detail_path(parent.record)
        detail = self.client.get_detail(path, parent.id, self.id_field)
        if detail is not None:
            return parent.with_detail(detail)
        if not self.has_vanished(parent):
            msg = f"{path.partition('?')[0]} is not found, although the list contains it"
            raise retries.MissingRecordsError(msg)
        return None

    def _available(self, names: Iterable[str]) -> list[str]:
        """Return the streams that the token may read."""
        return [name for name in names if self.selected_streams[name].is_authorized]

    def _complete_pass(self, sync_pass: SyncPass) -> None:
        sync_pass.complete(self._available(sync_pass.watermarks))
        self.run.progress.clear_position()
        for stream in self.selected_streams.values():
            stream.on_pass_completed(sync_pass)
        self._checkpoint(sync_pass)

    def _checkpoint(self, sync_pass: SyncPass) -> None:
        for name, watermarks in sync_pass.watermarks.items():
            self.selected_streams[name].store_watermarks(watermarks)
        state = self.get_context_state(None)
        state["synced_parents"] = sync_pass.synced_parents.to_state()
        state["deferred"] = sync_pass.deferred.to_state()
        self.extra_state(state)
        self.run.write_state()

    # -- forecast ------------------------------------------------------------------------------

    @override
    def forecast_requests(self) -> RequestForecast:
        if self.is_requested:
            parents = yield from forecast(self.list_parents(), self.client)
            yield from ParentForecast(self).forecast(parents, self.start_pass(parents))

    # -- estimate ------------------------------------------------------------------------------

    @property
    @override
    def is_requested(self) -> bool:
        return bool(self.selected_streams)

    @override
    def estimate(self) -> list[StreamEstimate]:
        """Estimate a pass without requests for children, and with few requests for details."""
        before = self.run.session.calls
        parents = fetch(self.list_parents(), self.client)
        requests = Counter({self.name: self.run.session.calls - before})
        counted = Counter[str]()
        for task, details in self._estimated_tasks(parents):
            counted.update(list(task.due))
            requests[self.name] += details
            for stream in self.children:
                if stream.name in task.due:
                    requests[stream.name] += stream.estimate_child(task)
        return [
            StreamEstimate(self.name, requests[self.name], f"{len(parents):,} listed"),
            *(
                StreamEstimate(stream.name, requests[stream.name], f"of {counted[stream.name]:,}")
                for stream in self.children
            ),
        ]

    def _estimated_tasks(
        self, parents: Sequence[ParentT]
    ) -> Iterator[tuple[ParentTask[ParentT], int]]:
        """Yield the work on each parent, and the number of requests for its detail."""
        details = Counter[str]()
        approximate = self._approximate(parents)

        def fetch_detail(parent: ParentT) -> ParentT:
            details[parent.id] += 1
            return approximate(parent)

        sync_pass = self.start_pass(parents)
        is_due = True
        while is_due:
            unchanged = Counter[Any]()
            for position, parent in enumerate(parents):
                synced_until = self.unsynced(sync_pass, position, parent)
                task = synced_until and self._task(parent, synced_until, unchanged, fetch_detail)
                if task:
                    yield task, details.pop(parent.id, 0)
            sync_pass.complete(sync_pass.watermarks)
            is_due = sync_pass.start_next_pass()

    #: Detail of any parent, for estimates; None if those of some are requested instead.
    typical_detail: ClassVar[Record | None] = None

    def _approximate(self, parents: Sequence[ParentT]) -> Callable[[ParentT], ParentT]:
        """Return a function that approximates the detail of a parent with few requests."""
        detail = self.typical_detail
        if detail is not None:
            return lambda parent: parent.with_detail(detail)
        ordered = [parent for parent in parents if self.is_ordered(parent)]
        return ParentSamples(ordered, self.fetch_parent_detail).approximate
