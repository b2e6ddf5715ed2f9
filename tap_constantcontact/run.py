"""What all streams of a run share. Streams know the run, and not the tap."""

from __future__ import annotations

import contextlib
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

from singer_sdk.exceptions import FatalAPIError
from singer_sdk.singerlib import StateMessage

from tap_constantcontact.http.envelopes import InvalidResponseError
from tap_constantcontact.http.failures import Failures
from tap_constantcontact.http.rate_limiter import RateLimiter, seconds_between_requests
from tap_constantcontact.http.session import Session
from tap_constantcontact.once import Once
from tap_constantcontact.state.state_writer import without_progress_markers
from tap_constantcontact.terminal.logs import clear_before_logging, redact_in_logs
from tap_constantcontact.terminal.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from singer_sdk import Tap

    from tap_constantcontact.api import Api
    from tap_constantcontact.http.prefetch import PendingRequest, RequestForecast
    from tap_constantcontact.http.shutdown import ShutdownRequest


class Foreseeing(Protocol):
    """Whatever can say what it is going to ask."""

    name: str

    def outlook(self) -> RequestForecast:
        """The calls that are going to be made; None where that depends on what is under way."""


class Run:
    """One run of a tap.

    Attributes:
        api: The API that is read.
        config: The tap's settings.
        stop: Whether the run is to end early.
        skipped_areas: Parts of the product that turned out to be closed to the account.
        open_areas: Those that were seen to be open.
        closed_streams: Names of streams that the API did not let the token's user read.
        failures: Objects that could not be synced.
        lacking: Rights that the token's user does not have, as far as that is known.
        once: What several streams want to know.
        first_calls: Calls of which the answer tells whether an area is open.
    """

    def __init__(self, tap: Tap, api: Api, shutdown: ShutdownRequest) -> None:
        """Begin with nothing done.

        Args:
            tap: Has the settings and the state, and writes messages.
            api: The API to read.
            shutdown: Whether the run is to end early.
        """
        self._tap = tap
        self.api = api
        self.config: Mapping[str, Any] = tap.config
        self.shutdown = shutdown
        self.skipped_areas: set[str] = set()
        self.open_areas: set[str] = set()
        self.lacking: set[str] = set()
        self.closed_streams: set[str] = set()
        self.failures = Failures()
        self.first_calls: dict[str, PendingRequest] = {}
        self.once = Once()

    @cached_property
    def rate_limiter(self) -> RateLimiter:
        """When the next call may leave."""
        return RateLimiter(self.config["requests_per_second"])

    @cached_property
    def session(self) -> Session:
        """The one way out: limits are a key's, not a stream's."""
        return self._session(
            max_calls=self.config.get("max_calls"),
            max_concurrency=self.config["max_parallel_requests"],
        )

    def look_around(self) -> None:
        """Make calls that find out what a run will cost: `max_calls` is not about them."""
        self.session = self._session()

    def _session(self, **limits: Any) -> Session:
        redact_in_logs(self.api.authenticator)
        timeout = float(self.config["request_timeout"])
        return Session(
            self.api.authenticator, self.rate_limiter, self.shutdown, timeout=timeout, **limits
        )

    #: The name of the stream that is being read.
    reading: str = ""

    def read_ahead(self, streams: Sequence[Foreseeing]) -> None:
        """From now on, make calls before they are asked for."""
        names = [each.name for each in streams]
        self.session.schedule(
            self._outlook(stream, frozenset(names[number:]))
            for number, stream in enumerate(streams, start=1)
        )

    def _outlook(self, stream: Foreseeing, later: frozenset[str]) -> RequestForecast:
        # Whatever goes wrong here is seen once more by who asks for the answer.
        with contextlib.suppress(InvalidResponseError, FatalAPIError):
            for call in stream.outlook():
                if self.reading in later:
                    break
                yield call

    @cached_property
    def progress(self) -> Progress:
        """What a person who watches the run can see."""
        rate_limiter = seconds_between_requests(self.config["requests_per_second"])
        progress = Progress(self._tap.logger, self.config.get("max_calls"), rate_limiter)
        if progress.is_live:
            clear_before_logging(progress.clear)
        return progress

    @cached_property
    def selected(self) -> frozenset[str]:
        """The names of the streams that the catalog asks for."""
        return frozenset(name for name, each in self._tap.streams.items() if each.selected)

    @property
    def user_agent(self) -> str:
        """What the tap calls itself to the API."""
        usual = f"{self._tap.name}/{self._tap.plugin_version}"
        return str(self.config.get("user_agent") or usual)

    def bookmarks_of(self, stream: str) -> Mapping[str, Any]:
        """What the state holds of a stream, to look at."""
        found: Mapping[str, Any] = self._tap.state.get("bookmarks", {}).get(stream, {})
        return found

    def write_state(self) -> None:
        """Write the state as it is, unless it is written already: what was read so far counts."""
        self._tap.state_writer.write_state(self._tap.state)

    def write_last_state(self) -> None:
        """Write the state as the last word of a run that ends early."""
        self._tap.write_message(StateMessage(value=without_progress_markers(self._tap.state)))
