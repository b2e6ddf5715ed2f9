"""Streams with a short list, and one request for each record that was edited."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

from singer_sdk.exceptions import FatalAPIError
from typing_extensions import override

from tap_constantcontact.http import envelopes, retries
from tap_constantcontact.records import timestamps
from tap_constantcontact.state.ids import fingerprint
from tap_constantcontact.state.snapshots import Snapshot, Snapshots
from tap_constantcontact.stream import ConstantContactStream

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    import requests
    from singer_sdk.helpers.types import Context, Record


class DetailOnChangeStream(ConstantContactStream):
    """A stream with a short list, and one request for the detail of each record that was edited.

    Other records are unchanged. If only fields of the list are selected, all records are emitted as
    listed.
    """

    has_details = True
    sampled_pages = 1
    #: Fields of the list. Others require the detail.
    listed: ClassVar[Collection[str]]

    @override
    def needs_detail(self, row: Record, context: Context | None) -> bool:
        return self._needs_details and self._is_edited(row)

    @property
    def _needs_details(self) -> bool:
        return self.selects_fields_outside(self.listed)

    @override
    def parse_response(self, response: requests.Response) -> Iterable[Record]:
        for row in self.client.with_string_ids(super().parse_response(response), self.detail_key):
            if not self._needs_details:
                yield row
            elif self.is_authorized and self.needs_detail(row, self.context):
                yield from self._with_detail(row)
        self._keep_failed()

    def _with_detail(self, row: Record) -> Iterable[Record]:
        """Return a record of the list with its detail. If that fails, the next run tries again."""
        key = self.detail_key
        try:
            with retries.raise_when_exhausted():
                envelope = envelopes.of(row[key], key)
                (detail,) = self.client.get(self.detail_path(row), envelope)
        except FatalAPIError as error:
            self._failed.put(row[key], Snapshot(None))
            self.skip_object(row[key], error)
        else:
            self.run.failures.note_success(self.name)
            yield {**row, **detail}
            self._keep_snapshot(row)
            self._failed.put(row[key], None)

    @cached_property
    def _failed(self) -> Snapshots:
        """Records whose detail could not be read."""
        return self.failed_before.copy()

    def _keep_failed(self) -> None:
        state = self.get_context_state(None)
        state.pop("failed", None)
        if self._failed:
            state["failed"] = self._failed.to_state()

    def _is_edited(self, row: Record) -> bool:
        bookmark = timestamps.parse_or_none(self.bookmark)
        if bookmark is None or row[self.detail_key] in self._failed:
            return True
        # Lists are short, so `start_date` does not apply.
        since = bookmark - self.run.period.lookback
        seen = self._snapshots.get(row[self.detail_key])
        is_new = seen is None or seen.text != self._snapshot_text(row)
        return is_new and timestamps.is_since(row.get(self.replication_key or ""), since)

    def _snapshot_text(self, row: Record) -> str:
        return fingerprint(str(row.get(self.replication_key or "")))[:6]

    @cached_property
    def _snapshots(self) -> Snapshots:
        """Snapshots of recent edits, which `lookback_hours` would sync again in each run."""
        return Snapshots.from_state(self.run.bookmarks_of(self.name).get("snapshots"))

    def _keep_snapshot(self, row: Record) -> None:
        snapshot = Snapshot(self.run.session.started_at, self._snapshot_text(row))
        self._snapshots.put(row[self.detail_key], snapshot)
        self.get_context_state(None)["snapshots"] = self._snapshots.to_state()
