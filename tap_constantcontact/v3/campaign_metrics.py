"""Summaries and counters of campaigns, requested once per run.

500 and 150 campaigns per request.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from singer_sdk.exceptions import FatalAPIError

from tap_constantcontact.http import envelopes, retries
from tap_constantcontact.http.prefetch import wait_for
from tap_constantcontact.http.retries import ForbiddenError, NotFoundError, RejectedError
from tap_constantcontact.records import timestamps
from tap_constantcontact.stream import parse_unvalidated
from tap_constantcontact.v3.batches import batched
from tap_constantcontact.v3.envelopes import paged

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable

    from singer_sdk.helpers.types import Record

    from tap_constantcontact.http.prefetch import PendingRequest
    from tap_constantcontact.stream import ConstantContactStream

SUMMARIES = "/reports/summary_reports/email_campaign_summaries"
SUMMARY_PAGE = 500
SUMMARY_ENVELOPE = paged("bulk_email_campaign_summaries")
STATS = "/reports/stats/email_campaigns"
STATS_ENVELOPE = paged("results")
#: Privileges that they require.
PRIVILEGE = "ui:campaign:metrics"
#: Campaigns per request for counters.
STATS_BATCH = 150
_KEY = "campaign_id"
_ALL_SUMMARIES = f"{SUMMARIES}?limit={SUMMARY_PAGE}"


_T = TypeVar("_T")


@dataclass
class Stats:
    """The counters of campaigns.

    Attributes:
        by_id: Counters by campaign id.
        unknown: Campaigns without counters in the API.
        failed: Errors by path.
    """

    by_id: dict[str, Record] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)
    failed: dict[str, FatalAPIError] = field(default_factory=dict)


class CampaignMetrics:
    """Summaries and counters, which all streams of a run share."""

    def __init__(self, stream: ConstantContactStream) -> None:
        """Use a stream for requests and warnings."""
        self._stream = stream
        self._run = stream.run

    @property
    def window(self) -> dt.timedelta | None:
        """The tracking window; None for no limit."""
        days = int(self._run.config["tracking_window_days"])
        return dt.timedelta(days=days) if days else None

    @property
    def are_open(self) -> bool:
        """True if the user may read metrics, as far as known."""
        return PRIVILEGE not in self._run.missing_privileges

    def summaries(self) -> dict[str, Record]:
        """Return the summaries of sent campaigns by id, last sending first (docs/api/v3.md §11).

        Raises:
            FatalAPIError: They cannot be read.
        """
        return _result(self._run.cache("summaries", lambda: self._attempt(self._ask_summaries)))

    def known_summaries(self) -> dict[str, Record]:
        """Return the summaries, or none with a warning, for streams that can do without."""
        try:
            return self.summaries()
        except FatalAPIError as error:
            self._warn(SUMMARIES, error)
            return {}

    def _ask_summaries(self) -> dict[str, Record]:
        rows = self._stream.fetch_list(_ALL_SUMMARIES, SUMMARY_ENVELOPE)
        return _by_id(self._stream.with_string_ids(rows, _KEY))

    def stats(self) -> Stats:
        """Return the counters of campaigns in the window.

        Raises:
            FatalAPIError: The summaries, which name the campaigns in the window, cannot be read.
        """
        self.summaries()
        return self._run.cache("stats", self._ask_stats)

    def known_stats(self) -> dict[str, Record]:
        """Return the counters that can be read, with a warning about others."""
        if not self.known_summaries():
            return {}
        result = self.stats()
        for path, error in result.failed.items():
            self._warn(path, error)
        return result.by_id

    def _warn(self, path: str, error: FatalAPIError) -> None:
        def warn() -> None:
            self._stream.logger.warning(
                "Stream '%s' continues without data that cannot be read (path: %s). Reports are"
                " synced whether or not they have changed. %s",
                self._stream.name,
                path,
                error,
            )

        self._run.cache(f"without {path}", warn)

    def _ask_stats(self) -> Stats:
        result = Stats()
        for batch in batched(self.lively(self.summaries().values()), STATS_BATCH):
            self._add_batch(result, batch)
        return result

    def _add_batch(self, stats: Stats, ids: list[str]) -> None:
        """Request a batch. One unknown id fails it, so it is halved until that id stands alone."""
        path = _stats_path(ids)
        rows = self._attempt(lambda: self._stream.fetch_page(path, STATS_ENVELOPE))
        if not isinstance(rows, FatalAPIError):
            stats.by_id |= _by_id(self._stream.with_string_ids(rows, _KEY))
            stats.unknown += [campaign for campaign in ids if campaign not in stats.by_id]
        elif not _is_about_ids(rows):
            stats.failed[path] = rows
        elif len(ids) == 1:
            stats.unknown += ids
        else:
            half = len(ids) // 2
            self._add_batch(stats, ids[:half])
            self._add_batch(stats, ids[half:])

    def _attempt(self, request: Callable[[], _T]) -> _T | FatalAPIError:
        """Send a request, or return its error, unless that concerns the whole run."""
        try:
            with retries.raise_when_exhausted():
                return request()
        except FatalAPIError as error:
            is_forbidden = isinstance(error, ForbiddenError)
            if not is_forbidden and not retries.concerns_one_object(error):
                raise
            self._stream.cancel_prefetch()
            return error

    def lively(self, summaries: Iterable[Record]) -> list[str]:
        """Return the ids of campaigns in the tracking window."""
        oldest = self._run.session.started_at - self.window if self.window else None
        return [
            str(row[_KEY])
            for row in summaries
            if timestamps.is_since(row.get("last_sent_date"), oldest)
        ]

    def ahead(
        self, *, stats: bool
    ) -> Generator[PendingRequest | None, None, tuple[dict[str, Record], dict[str, Record]]]:
        """Forecast the requests for summaries and `stats`, whichever stream sends them."""
        expected: dict[str, PendingRequest] = self._run.cache("calls for sums", dict)
        if _ALL_SUMMARIES not in expected:
            expected[_ALL_SUMMARIES] = self._stream.prefetch_list(_ALL_SUMMARIES, SUMMARY_ENVELOPE)
            yield expected[_ALL_SUMMARIES]
        rows = yield from self._stream.await_rows(expected[_ALL_SUMMARIES], SUMMARY_ENVELOPE, _KEY)
        counted: dict[str, Record] = {}
        lively = self.lively(rows) if stats else []
        batches = [_stats_path(ids) for ids in batched(lively, STATS_BATCH)]
        for path in batches:
            if path not in expected:
                expected[path] = self._stream.prefetch_detail(path)
                yield expected[path]
        for path in batches:
            response = yield from wait_for(expected[path])
            if response is not None:
                counted |= _by_id(parse_unvalidated(response, STATS_ENVELOPE, _KEY))
        return _by_id(rows), counted


def sent_at(summary: Record | None) -> dt.datetime | None:
    """Return the last sending of a campaign by its summary; None if it is not known."""
    return timestamps.parse_or_none(summary.get("last_sent_date")) if summary else None


def unique_count(summary: Record | None, kind: str) -> int | None:
    """Return a unique count of a summary; None if it is missing."""
    return envelopes.count_of(envelopes.fields_of((summary or {}).get("unique_counts")).get(kind))


def _result(outcome: _T | FatalAPIError) -> _T:
    if isinstance(outcome, FatalAPIError):
        raise outcome
    return outcome


def _is_about_ids(error: FatalAPIError) -> bool:
    return isinstance(error, (NotFoundError, RejectedError))


def _by_id(rows: Iterable[Record]) -> dict[str, Record]:
    return {row[_KEY]: row for row in rows}


def _stats_path(ids: list[str]) -> str:
    return f"{STATS}/{','.join(ids)}"
