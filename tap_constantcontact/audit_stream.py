"""The stream of audits, whose records the tap makes itself."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from tap_constantcontact.records import timestamps
from tap_constantcontact.stream import ConstantContactStream

if TYPE_CHECKING:
    from collections.abc import Iterable

    from singer_sdk.helpers.types import Context, Record

    from tap_constantcontact.list_requests import ListRequests


class SyncAuditStream(ConstantContactStream):
    """One record per run and stream. It sends no requests, and ends each run."""

    name = "sync_audit"
    path = ""
    primary_keys = ("run_started_at", "stream")
    is_prefetched = False

    @override
    def contexts(self) -> ListRequests[Iterable[Context | None]]:
        yield from ()
        return ()

    @override
    def get_records(self, context: Context | None) -> Iterable[Record]:
        run = self.run
        times = {
            "run_started_at": timestamps.write(run.session.started_at),
            "run_ended_at": timestamps.write(dt.datetime.now(dt.UTC)),
        }
        for stream in run.selected_streams:
            if stream.name != self.name:
                yield times | {
                    "stream": stream.name,
                    "outcome": self._outcome(stream),
                    "requests": run.progress.requests[stream.name],
                    "records": run.progress.records[stream.name],
                    **run.audit.comparisons[stream.name].as_dict(),
                }

    def _outcome(self, stream: Any) -> str:
        parent = stream
        while parent.parent_stream_type:
            parent = parent.parent_stream_type
        return self.run.audit.outcome(
            stream.name,
            parent.name,
            is_authorized=stream.is_authorized,
            failed=self.run.failures.streams,
        )

    @override
    def post_process(self, row: Record, context: Context | None = None) -> Record | None:
        # A run that ends early is what these records are about.
        self._add_label(row)
        self.run.progress.records[self.name] += 1
        return row
