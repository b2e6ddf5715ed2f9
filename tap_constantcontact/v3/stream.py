"""What the streams of v3 have in common."""

from __future__ import annotations

import datetime as dt
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import quote

from singer_sdk.exceptions import FatalAPIError
from typing_extensions import override

from tap_constantcontact.access import OptionalProductStream
from tap_constantcontact.http import envelopes, retries
from tap_constantcontact.records import timestamps
from tap_constantcontact.state.ids import fingerprint, short_id
from tap_constantcontact.state.snapshots import Snapshot, Snapshots

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    import requests
    from singer_sdk.helpers.types import Context, Record

    from tap_constantcontact.http.prefetch import RequestForecast


class V3Stream(OptionalProductStream):
    """A stream that the token's user may read with a privilege, and else not (API docs: v3 §3.1).

    What an account may read is known before the first row; what a token was not granted shows with
    the first call only.
    """

    #: What is asked for with each first page.
    params: ClassVar[Mapping[str, str]] = {}

    @property
    def product(self) -> str:  # type: ignore[override]  # one for each set of privileges
        """Streams of the same privileges are open together, or closed."""
        return f"What needs the privilege {' and '.join(self.privileges)}"

    may_fail = True

    @override
    def mark_unauthorized(self, error: FatalAPIError) -> None:
        # Its neighbors have their own paths. What the user lacks is known from the privileges.
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


class EditedStream(V3Stream):
    """A few things, listed in each run, and read whole where they were edited since the last.

    Rows of those that were not edited are as they were. With nothing selected that only the whole
    has, all are sent as they are listed.
    """

    #: What the list has; more than that takes a call for each.
    listed: ClassVar[Collection[str]]

    @override
    def start_timestamp(self) -> dt.datetime | None:
        # Of a few things all are wanted, however old: `start_date` is for long lists.
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
        """A row of the list with its detail; if that cannot be read the next run tries again."""
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
        """The rows of which the detail could not be read, by the tokens of their ids."""
        return set(self._failed_before)

    def _keep_failed(self) -> None:
        state = self.get_context_state(None)
        state.pop("failed", None)
        if self._failed:
            state["failed"] = [{"synced_until": None, "ids": "".join(sorted(self._failed))}]

    def _is_edited(self, row: Record) -> bool:
        if self.since is None or short_id(str(row[self.primary_keys[0]])) in self._failed:
            return True
        seen = self._known.get(str(row[self.primary_keys[0]]))
        is_new = seen is None or seen.text != self._look(row)
        return is_new and timestamps.is_since(row.get(self.replication_key or ""), self.since)

    def _look(self, row: Record) -> str:
        return fingerprint(str(row.get(self.replication_key or "")))[:6]

    @cached_property
    def _known(self) -> Snapshots:
        """What was read lately: the look-back would read it again each time."""
        return Snapshots(self.run.bookmarks_of(self.name).get("snapshots"))

    def _note(self, row: Record) -> None:
        timestamp = self.run.session.started_at
        self._known.put(str(row[self.primary_keys[0]]), Snapshot(timestamp, self._look(row)))
        self.get_context_state(None)["snapshots"] = self._known.dump()

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
