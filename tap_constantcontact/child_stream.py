"""Child streams, whose records belong to a parent record, and what they share with parents."""

from __future__ import annotations

import functools
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from singer_sdk.exceptions import FatalAPIError
from singer_sdk.metrics import MetricExclusionFilter
from typing_extensions import override

from tap_constantcontact.cache import RunCache
from tap_constantcontact.http import retries
from tap_constantcontact.http.retries import NotFoundError
from tap_constantcontact.stream import ConstantContactStream

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable

    from singer_sdk import Tap
    from singer_sdk.helpers.types import Context, Record

    from tap_constantcontact.http.prefetch import RequestForecast
    from tap_constantcontact.state.sync_pass import SyncedUntil, SyncPass
    from tap_constantcontact.sync_run import SyncRun


@dataclass(frozen=True)
class ParentTask:
    """The work on one parent record.

    Attributes:
        parent: The parent record, with its detail if that was required.
        due: Names of the streams that are due, each with the timestamp until which it is synced,
            None for never.
        cache: Values that several streams share for this parent.
        failed: Names of the streams that could not sync it.
    """

    parent: Record
    due: SyncedUntil
    cache: RunCache = field(default_factory=RunCache)
    failed: set[str] = field(default_factory=set)


class WatermarkedStream(ConstantContactStream):
    """A stream of parents or children, with watermarks on the list of parents instead of a date."""

    uses_watermarks = True
    state_partitioning_keys = ()
    #: The current work.
    task: ParentTask
    #: Whether a pass is running: it writes the state itself, once per parent.
    is_syncing = False

    def applies_to(self, parent: Record) -> bool:
        """Return whether a parent, by its record in the list, may have records of the stream."""
        return True

    def is_due(self, parent: Record, synced_until: dt.datetime | None) -> bool:
        """Return whether the API may have records that are not synced.

        Args:
            parent: The parent record; without its detail if that was not required.
            synced_until: The timestamp until which the stream is synced; None for never.
        """
        raise NotImplementedError

    def on_pass_completed(self, sync_pass: SyncPass) -> None:
        """Update the state at the end of a pass."""

    def estimate_child(self, task: ParentTask) -> int:
        """Estimate the requests of the stream for a parent."""
        return 1

    @property
    def window(self) -> int:
        """Days for which a parent is checked for new records; 0 for no limit."""
        return int(self.config["tracking_window_days"])


class ChildStream(WatermarkedStream):
    """A stream of children, synced right after their parent.

    The SDK writes one schema and one metric per context, and there are as many contexts as parents.
    Here they are written once per run.
    """

    def __init__(self, tap: Tap, run: SyncRun) -> None:
        """Log warnings only."""
        super().__init__(tap, run)
        self.logger.setLevel(logging.WARNING)
        self.metrics_logger.addFilter(_without_metrics(self.name))
        self._has_written_schema = False

    @override
    def fetch_records(self, context: Context | None) -> Iterable[Record]:
        try:
            with retries.raise_when_exhausted():
                yield from self.fetch_child_records(self.child_context(self.task))
            self.run.failures.note_success(self.name)
        except FatalAPIError as error:
            if self.means_no_records(error):
                self.on_not_found()
                return
            self.skip_object(self.task.parent["id"], error)
            self.task.failed.add(self.name)

    def warn_about_missing_records(self) -> None:
        """Warn about a parent without the records that it must have; the next run syncs it again.

        Counters may be wrong, and old records may be gone, so this is no failure.
        """
        self.logger.warning(
            "%s returned nothing for stream '%s', although there should be records. It is requested"
            " again in the next run.",
            self.requested_path,
            self.name,
        )
        self.task.failed.add(self.name)

    def means_no_records(self, error: FatalAPIError) -> bool:
        """Return whether an error means that a parent has no records.

        Only the first page can mean that.
        """
        return isinstance(error, NotFoundError) and not self.has_read_pages

    def forecast_child_requests(self, task: ParentTask) -> RequestForecast:
        """Forecast the requests for a parent."""
        yield self.prefetch_page(self.child_context(task))

    def child_context(self, task: ParentTask) -> Context:
        """Return the context for a parent."""
        return {self.parent_key: task.parent["id"]}

    #: Key of the parent in the records.
    parent_key: ClassVar[str]

    def on_not_found(self) -> None:
        """Handle a parent that the API does not find: some endpoints say so for "none"."""
        self.logger.debug("No records for %s.", self.task.parent["id"])

    def fetch_child_records(self, context: Context) -> Iterable[Record]:
        """Fetch the records of a parent."""
        return super().fetch_records(context)

    @property
    @override
    def is_requested(self) -> bool:
        return False

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
        if not self.is_syncing:
            super()._write_state_message()


class EmbeddedChildStream(ChildStream):
    """A child stream whose records are in the parent's detail, without a request."""

    path = ""

    @override
    def forecast_child_requests(self, task: ParentTask) -> RequestForecast:
        return iter(())

    @override
    def estimate_child(self, task: ParentTask) -> int:
        return 0


@functools.cache
def _without_metrics(stream: str) -> logging.Filter:
    return MetricExclusionFilter(tags={"stream": stream})
