"""State shared by all streams of a run. Streams know the run, not the tap."""

from __future__ import annotations

import contextlib
import datetime as dt
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

from singer_sdk.exceptions import FatalAPIError
from singer_sdk.singerlib import StateMessage

from tap_constantcontact.budget.budget import budget_of
from tap_constantcontact.budget.store import BudgetStoreError
from tap_constantcontact.cache import RunCache, SharedLists
from tap_constantcontact.http.envelopes import InvalidResponseError
from tap_constantcontact.http.failures import Failures
from tap_constantcontact.http.prefetch import wait_for
from tap_constantcontact.http.rate_limiter import RateLimiter, seconds_between_requests
from tap_constantcontact.http.session import Session
from tap_constantcontact.records import timestamps
from tap_constantcontact.sync_audit import SyncAudit
from tap_constantcontact.terminal.logs import clear_before_logging, redact_in_logs
from tap_constantcontact.terminal.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from singer_sdk import Tap
    from singer_sdk.streams import Stream

    from tap_constantcontact.api import Api
    from tap_constantcontact.budget.ledger import RunOutcome
    from tap_constantcontact.http.prefetch import PendingRequest, RequestForecast
    from tap_constantcontact.http.shutdown import ShutdownRequest


class SupportsPrefetch(Protocol):
    """A stream that forecasts its requests."""

    name: str

    @property
    def access_group(self) -> str | None:
        """Group of streams that are authorized together; None if any token may read it."""

    @property
    def is_authorized(self) -> bool:
        """True if the token may read the stream, as far as known."""

    def forecast_requests(self) -> RequestForecast:
        """Forecast the requests of the stream; None while one depends on a response in flight."""


# The API did not exist before. Earlier timestamps in a state are replaced by this one.
_EARLIEST = dt.datetime(1990, 1, 1, tzinfo=dt.UTC)


@dataclass(frozen=True)
class SyncPeriod:
    """The period of which a run syncs changes.

    Attributes:
        start_date: The oldest change that a first run requests; None for everything.
        lookback: Overlap of syncs (`lookback_hours`), which is subtracted from bookmarks.
        window: Interval after the sending of a campaign, or the end of an event, in which changes
            are expected; None for no limit.
        started_at: The start of the run.
    """

    start_date: dt.datetime | None
    lookback: dt.timedelta
    window: dt.timedelta | None
    started_at: dt.datetime

    def apply_lookback(self, synced_until: dt.datetime) -> dt.datetime:
        """Return a timestamp less `lookback_hours`, but not before `start_date`."""
        oldest = max(synced_until, _EARLIEST) - self.lookback
        return max(oldest, self.start_date) if self.start_date else oldest

    def oldest_change(self, synced_until: dt.datetime | None) -> dt.datetime | None:
        """Return the oldest change to sync of an object; None for all changes.

        Args:
            synced_until: The timestamp until which it is synced; None for never.
        """
        return self.apply_lookback(synced_until) if synced_until else self.start_date


class SyncRun:
    """One run of a tap.

    Attributes:
        api: The API.
        config: The settings.
        shutdown: Ends the run early.
        unavailable: Access groups that the token is not authorized for.
        available: Access groups that it is authorized for.
        unauthorized_streams: Names of streams that the API does not let the user read.
        failures: Objects that could not be synced.
        audit: What became of each stream.
        missing_privileges: Privileges that the user does not have.
        cache: Values that several streams share.
        shared_lists: Lists that several streams share.
        probe_requests: By access group, the request whose response tells whether it is available.
    """

    def __init__(self, tap: Tap, api: Api, shutdown: ShutdownRequest) -> None:
        """Start a run.

        Args:
            tap: The tap, with settings, state and message writer.
            api: The API.
            shutdown: Ends the run early.
        """
        self._tap = tap
        self.api = api
        self.config: Mapping[str, Any] = tap.config
        self.shutdown = shutdown
        self.unavailable: set[str | None] = set()
        self.available: set[str | None] = {None}
        self.missing_privileges: set[str] = set()
        self.unauthorized_streams: set[str] = set()
        self.failures = Failures()
        self.probe_requests: dict[str | None, PendingRequest] = {}
        self.audit = SyncAudit()
        self.cache = RunCache()
        self.shared_lists = SharedLists()

    @cached_property
    def rate_limiter(self) -> RateLimiter:
        """The rate limiter."""
        budget = budget_of(self.config, self.api.quota_key)
        return RateLimiter(self.config["requests_per_second"], budget)

    @cached_property
    def session(self) -> Session:
        """The HTTP session. Limits apply to a key, not to a stream."""
        return self._session(
            max_requests=self.config.get("max_requests"),
            max_concurrency=self.config["max_parallel_requests"],
        )

    def use_unlimited_session(self) -> None:
        """Open a session for an estimate, which `max_requests` does not limit."""
        self.session = self._session()

    def _session(self, **limits: Any) -> Session:
        redact_in_logs(self.api.authenticator)
        timeout = float(self.config["request_timeout"])
        return Session(
            self.api.authenticator, self.rate_limiter, self.shutdown, timeout=timeout, **limits
        )

    #: Name of the current stream.
    reading: str = ""

    def prefetch(self, streams: Sequence[SupportsPrefetch]) -> None:
        """Prefetch the requests of the streams from now on."""
        names = [each.name for each in streams]
        self.session.schedule(
            self._forecast(stream, frozenset(names[number:]))
            for number, stream in enumerate(streams, start=1)
        )

    def _forecast(self, stream: SupportsPrefetch, later: frozenset[str]) -> RequestForecast:
        # The stream sees the same error when it needs the response.
        with contextlib.suppress(InvalidResponseError, FatalAPIError):
            for call in self._forecast_with_probe(stream):
                if self.reading in later:
                    break
                yield call

    def _forecast_with_probe(self, stream: SupportsPrefetch) -> RequestForecast:
        if not stream.is_authorized:
            return
        group = stream.access_group
        for request in stream.forecast_requests():
            if request is None or group in self.available:
                yield request
                continue
            # A 403 of the first request avoids all others, whichever stream sends it.
            first = self.probe_requests.setdefault(group, request)
            if first is request:
                yield request
            yield from wait_for(first)
            self.available.add(group)
            if first is not request:
                yield request

    @cached_property
    def progress(self) -> Progress:
        """Progress and summary."""
        seconds_per_request = seconds_between_requests(self.config["requests_per_second"])
        progress = Progress(self._tap.logger, self.config.get("max_requests"), seconds_per_request)
        if progress.is_live:
            clear_before_logging(progress.clear)
        return progress

    @cached_property
    def selected(self) -> frozenset[str]:
        """Names of the selected streams."""
        return frozenset(name for name, each in self._tap.streams.items() if each.selected)

    @property
    def selected_streams(self) -> list[Stream]:
        """The selected streams, in the order of the run."""
        return [stream for stream in self._tap.streams.values() if stream.selected]

    @property
    def period(self) -> SyncPeriod:
        """The period of which the run syncs changes."""
        days = int(self.config["tracking_window_days"])
        return SyncPeriod(
            start_date=self._start_date,
            lookback=dt.timedelta(hours=self.config["lookback_hours"]),
            window=dt.timedelta(days=days) if days else None,
            started_at=self.session.started_at,
        )

    @cached_property
    def _start_date(self) -> dt.datetime | None:
        return timestamps.parse(self.config.get("start_date", ""))

    @cached_property
    def account_label(self) -> str:
        """The label of the account, a column of all records; empty without."""
        return str(self.config.get("account_label") or "")

    @property
    def user_agent(self) -> str:
        """The User-Agent header."""
        usual = f"{self._tap.name}/{self._tap.plugin_version}"
        return str(self.config.get("user_agent") or usual)

    def bookmarks_of(self, stream: str) -> Mapping[str, Any]:
        """Return the bookmark of a stream, read-only."""
        result: Mapping[str, Any] = self._tap.state.get("bookmarks", {}).get(stream, {})
        return result

    def close(self, outcome: RunOutcome) -> None:
        """Close the session, and store the result of the run in the budget store."""
        self.rate_limiter.return_unused()
        with contextlib.suppress(BudgetStoreError):  # A run does not fail after its last record.
            self.rate_limiter.budget.note_run(self.session.calls, outcome)
        self.session.close()

    def write_state(self) -> None:
        """Write the state, unless it is unchanged."""
        self._tap.state_writer.write_state(self._tap.state)

    def write_last_state(self) -> None:
        """Write the state at the end of an interrupted run."""
        self._tap.write_message(StateMessage(value=self._tap.state))
