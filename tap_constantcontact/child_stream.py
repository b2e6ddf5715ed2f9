"""Child streams, whose records belong to a parent record."""

from __future__ import annotations

import functools
import logging
from typing import TYPE_CHECKING, Any, ClassVar, Generic

from singer_sdk.exceptions import FatalAPIError
from singer_sdk.metrics import MetricExclusionFilter
from typing_extensions import override

from tap_constantcontact.estimate import PAGE
from tap_constantcontact.http import retries
from tap_constantcontact.http.retries import NotFoundError
from tap_constantcontact.refresh import ParentT, RefreshPolicy
from tap_constantcontact.stream import ConstantContactStream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from singer_sdk import Tap
    from singer_sdk.helpers.types import Context, Record

    from tap_constantcontact.estimate import RecordCount
    from tap_constantcontact.refresh import ParentTask
    from tap_constantcontact.state.sync_pass import SyncPass
    from tap_constantcontact.sync_run import SyncRun


class ChildStream(ConstantContactStream, Generic[ParentT]):
    """A stream of children, which its parent stream syncs after each parent record.

    The SDK writes one schema and one metric per context, and there are as many contexts as parents.
    Here they are written once per run.
    """

    state_partitioning_keys = ()
    #: Key of the parent in the records.
    parent_key: ClassVar[str]
    #: Decides of which parents the stream is synced.
    refresh: RefreshPolicy[Any] = RefreshPolicy()
    #: The current work.
    task: ParentTask[ParentT]

    def __init__(self, tap: Tap, run: SyncRun) -> None:
        """Log warnings only."""
        super().__init__(tap, run)
        self.logger.setLevel(logging.WARNING)
        self.metrics_logger.addFilter(_without_metrics(self.name))
        self._has_written_schema = False

    def child_contexts(self, task: ParentTask[ParentT]) -> Sequence[Context]:
        """Return the contexts of a parent, each of which is a list of pages."""
        return [{self.parent_key: task.parent.id}]

    @override
    def fetch_records(self, context: Context | None) -> Iterable[Record]:
        try:
            with retries.raise_when_exhausted():
                yield from self.fetch_child_records()
            self.run.failures.note_success(self.name)
        except FatalAPIError as error:
            if self.means_no_records(error):
                self.on_not_found()
                return
            self.skip_object(self.task.parent.id, error)
            self.task.failed.add(self.name)

    def fetch_child_records(self) -> Iterable[Record]:
        """Fetch the records of the current parent."""
        for context in self.child_contexts(self.task):
            yield from self.request_records(context)

    def means_no_records(self, error: FatalAPIError) -> bool:
        """Return whether an error means that a parent has no records.

        Only the first page can mean that.
        """
        return isinstance(error, NotFoundError) and not self.has_read_pages

    def on_not_found(self) -> None:
        """Handle a parent that the API does not find: some endpoints say so for "none"."""
        self.logger.debug("No records for %s.", self.task.parent.id)

    def warn_about_missing_records(self) -> None:
        """Warn about a parent without the records that it must have; the next run syncs it again.

        Counters may be wrong, and old records may be gone, so this is no failure.
        """
        self.logger.warning(
            "%s returned nothing for stream '%s', although there should be records. It is requested"
            " again in the next run.",
            self.client.requested_path,
            self.name,
        )
        self.task.failed.add(self.name)

    def on_pass_completed(self, sync_pass: SyncPass) -> None:
        """Update the state at the end of a pass."""

    @property
    @override
    def is_requested(self) -> bool:
        return False

    def estimate_child(self, task: ParentTask[ParentT]) -> int:
        """Estimate the requests of the stream for a parent."""
        self.task = task
        return sum(self.estimate_context(context)[0] for context in self.child_contexts(task))

    #: Returns the number of records of a parent, for estimates; None if there is one page.
    counted: Callable[[Any], RecordCount] | None = None

    @override
    def count_records(self, context: Context | None) -> int | None:
        if self.counted is None or (context and context.get("since")):
            return None  # What has changed fits into a page.
        count = self.counted(self.task.parent)
        if not count.of_people or count.number <= PAGE // 2:
            return count.number
        ratio = self.run.cache(
            f"records of {self.name} per person", lambda: self._records_per_person(context)
        )
        return round(count.number * ratio)

    def _records_per_person(self, context: Context | None) -> float:
        rows, _ = self.sample_records(context)
        return len(rows) / max(len({row.get("contact_id") for row in rows}), 1)

    def announce(self) -> None:
        """Write the SCHEMA message, so that targets have a table even if there are no records."""
        self._write_schema_message()

    @override
    def _write_schema_message(self) -> None:
        # Targets flush at each SCHEMA (github.com/meltano/sdk/issues/1025).
        if not self._has_written_schema:
            self._has_written_schema = True
            super()._write_schema_message()

    @override
    def _write_state_message(self) -> None:
        # The parent stream writes the state, once per parent.
        return


class EmbeddedChildStream(ChildStream[ParentT]):
    """A child stream whose records are in the parent's detail, without a request."""

    path = ""

    @override
    def child_contexts(self, task: ParentTask[ParentT]) -> Sequence[Context]:
        return ()


@functools.cache
def _without_metrics(stream: str) -> logging.Filter:
    return MetricExclusionFilter(tags={"stream": stream})
