"""Base streams of v3."""

from __future__ import annotations

import datetime as dt
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import quote

from singer_sdk.exceptions import FatalAPIError
from typing_extensions import override

from tap_constantcontact.http import envelopes, retries
from tap_constantcontact.records import timestamps
from tap_constantcontact.state.ids import fingerprint, short_id
from tap_constantcontact.state.snapshots import Snapshot, Snapshots
from tap_constantcontact.stream import ConstantContactStream

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    import requests
    from singer_sdk.helpers.types import Context, Record

    from tap_constantcontact.http.prefetch import RequestForecast


class V3Stream(ConstantContactStream):
    """A stream that requires privileges (docs/api/v3.md §3.1).

    The user's privileges are known before the first record. A missing scope shows with the first
    request.
    """

    #: Parameters of each first page.
    params: ClassVar[Mapping[str, str]] = {}

    @property
    @override
    def access_group(self) -> str:
        # Streams with the same privileges are authorized together.
        return f"streams with the privilege {' and '.join(self.privileges)}"

    may_fail = True

    @override
    def mark_unauthorized(self, error: FatalAPIError) -> None:
        # Other streams have their own paths. Missing privileges are known.
        self.run.unauthorized_streams.add(self.name)
        self.logger.warning(
            "Access denied to stream '%s' (path: %s). The stream and its child streams are skipped"
            " in this run. Deselect it, or log in with the scope and the privilege it requires. %s",
            self.name,
            self.requested_path,
            error,
        )
        self.run.failures.skip(self.name)

    @override
    def get_url_params(
        self, context: Context | None, next_page_token: str | None
    ) -> dict[str, str]:
        return dict(self.params)


class DetailOnChangeStream(V3Stream):
    """A stream with a short list, and one request for the detail of each record that was edited.

    Other records are unchanged. If only fields of the list are selected, all records are emitted as
    listed.
    """

    #: Fields of the list. Others require the detail.
    listed: ClassVar[Collection[str]]

    @override
    def start_timestamp(self) -> dt.datetime | None:
        # All records are needed, however old: `start_date` is for long lists.
        bookmark = timestamps.parse_or_none(self.bookmark)
        return bookmark - dt.timedelta(hours=self.config["lookback_hours"]) if bookmark else None

    @override
    def parse_response(self, response: requests.Response) -> Iterable[Record]:
        key = self.primary_keys[0]
        is_listed_enough = not self.selects_fields_outside(self.listed)
        for row in self.with_string_ids(super().parse_response(response), key):
            if is_listed_enough:
                yield row
            elif self.is_authorized and self._is_edited(row):
                yield from self._with_detail(row)
        self._keep_failed()

    def _with_detail(self, row: Record) -> Iterable[Record]:
        """Return a record of the list with its detail. If that fails, the next run tries again."""
        key = self.primary_keys[0]
        try:
            with retries.raise_when_exhausted():
                (detail,) = self.fetch_page(self._path_of(row), envelopes.of(row[key], key))
        except FatalAPIError as error:
            self._failed.add(short_id(row[key]))
            self.skip_object(row[key], error)
        else:
            self.run.failures.note_success(self.name)
            yield {**row, **detail}
            self._note(row)
            self._failed.discard(short_id(row[key]))

    @cached_property
    def _failed(self) -> set[str]:
        """Short ids of records whose detail could not be read."""
        return set(self._failed_before)

    def _keep_failed(self) -> None:
        state = self.get_context_state(None)
        state.pop("failed", None)
        if self._failed:
            state["failed"] = [{"synced_until": None, "ids": "".join(sorted(self._failed))}]

    def _is_edited(self, row: Record) -> bool:
        if self.since is None or short_id(str(row[self.primary_keys[0]])) in self._failed:
            return True
        seen = self._snapshots.get(str(row[self.primary_keys[0]]))
        is_new = seen is None or seen.text != self._snapshot_text(row)
        return is_new and timestamps.is_since(row.get(self.replication_key or ""), self.since)

    def _snapshot_text(self, row: Record) -> str:
        return fingerprint(str(row.get(self.replication_key or "")))[:6]

    @cached_property
    def _snapshots(self) -> Snapshots:
        """Snapshots of recent edits, which `lookback_hours` would read again each time."""
        return Snapshots(self.run.bookmarks_of(self.name).get("snapshots"))

    def _note(self, row: Record) -> None:
        timestamp = self.run.session.started_at
        self._snapshots.put(
            str(row[self.primary_keys[0]]), Snapshot(timestamp, self._snapshot_text(row))
        )
        self.get_context_state(None)["snapshots"] = self._snapshots.dump()

    def _path_of(self, row: Record) -> str:
        return f"{self.path}/{quote(str(row[self.primary_keys[0]]), safe='')}"

    @override
    def forecast_requests(self) -> RequestForecast:
        if not self.is_requested:
            return
        self.since = self.start_timestamp()
        key = self.primary_keys[0]
        for call in super().forecast_requests():
            yield call
            rows = yield from self.await_rows(call, None, key)
            if self.selects_fields_outside(self.listed):
                for row in filter(self._is_edited, rows):
                    yield self.prefetch_detail(self._path_of(row))

    @override
    def estimate(self) -> tuple[int, str]:
        rows = self.fetch_page(
            f"{self.path}?limit={self.page_size}" if self.page_size else self.path,
            self.own_envelope,
        )
        if not self.selects_fields_outside(self.listed):
            return 1, ""
        edited = sum(map(self._is_edited, rows))
        return 1 + edited, f"{edited} were edited"
