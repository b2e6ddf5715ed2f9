"""What was sent, and what was counted of it: asked once a run, 500 and 150 campaigns a call."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from tap_constantcontact.http.ahead import arrival
from tap_constantcontact.http.refusals import Verdict
from tap_constantcontact.http.retries import RefusedError
from tap_constantcontact.records import times
from tap_constantcontact.stream import peek
from tap_constantcontact.v3.batches import batched
from tap_constantcontact.v3.bodies import paged

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

    from singer_sdk.helpers.types import Record

    from tap_constantcontact.http.ahead import Call
    from tap_constantcontact.stream import ConstantContactStream

SUMMARIES = "/reports/summary_reports/email_campaign_summaries"
SUMMARY_PAGE = 500
SUMMARY_ENVELOPE = paged("bulk_email_campaign_summaries")
STATS = "/reports/stats/email_campaigns"
STATS_ENVELOPE = paged("results")
#: What it takes to read them.
PRIVILEGE = "ui:campaign:metrics"
#: How many campaigns a call for stats takes.
STATS_BATCH = 150
_KEY = "campaign_id"
_ALL_SUMMARIES = f"{SUMMARIES}?limit={SUMMARY_PAGE}"


class Sums:
    """The sums of reports, as one stream asks for them, and others know them then."""

    def __init__(self, stream: ConstantContactStream) -> None:
        """Ask nothing yet."""
        self._stream = stream
        self._run = stream.run

    @property
    def window(self) -> dt.timedelta | None:
        """How long after its sending a campaign is asked for news; None for no limit."""
        days = int(self._run.config["tracking_window_days"])
        return dt.timedelta(days=days) if days else None

    def summaries(self) -> dict[str, Record]:
        """Sent campaigns by their ids, the one sent last first (API docs: v3 §11)."""
        return self._run.once("summaries", self._ask_summaries)

    @property
    def are_open(self) -> bool:
        """Whether the token's user may read sums, as far as is known."""
        return PRIVILEGE not in self._run.lacking

    def _ask_summaries(self) -> dict[str, Record]:
        rows = self._stream.fetch_all(_ALL_SUMMARIES, SUMMARY_ENVELOPE)
        return _by_id(self._stream.identified(rows, _KEY))

    def stats(self) -> dict[str, Record]:
        """The counters of campaigns in the window, by their ids."""
        return self._run.once("stats", self._ask_stats)

    def _ask_stats(self) -> dict[str, Record]:
        found: dict[str, Record] = {}
        for batch in batched(self.lively(self.summaries().values()), STATS_BATCH):
            found |= self._of_batch(batch)
        return found

    def _of_batch(self, ids: list[str]) -> dict[str, Record]:
        """One unknown id fails all: the batch is halved until it stands alone."""
        try:
            rows = self._stream.fetch(_stats_path(ids), STATS_ENVELOPE)
        except RefusedError as error:
            if error.verdict is not Verdict.MISSING:
                raise
            if len(ids) == 1:
                self._stream.logger.warning("The API has no counters for campaign %s.", ids[0])
                return {}
            half = len(ids) // 2
            return self._of_batch(ids[:half]) | self._of_batch(ids[half:])
        return _by_id(self._stream.identified(rows, _KEY))

    def lively(self, summaries: Iterable[Record]) -> list[str]:
        """The ids of campaigns that were sent so lately that news is expected of them."""
        oldest = self._run.session.began - self.window if self.window else None
        return [
            str(row[_KEY]) for row in summaries if times.is_since(row.get("last_sent_date"), oldest)
        ]

    def ahead(
        self, *, stats: bool
    ) -> Generator[Call | None, None, tuple[dict[str, Record], dict[str, Record]]]:
        """Expect the calls for summaries, and for `stats`, whoever makes them; wait for both."""
        expected: dict[str, Call] = self._run.once("calls for sums", dict)
        if _ALL_SUMMARIES not in expected:
            expected[_ALL_SUMMARIES] = self._stream.list_ahead(_ALL_SUMMARIES, SUMMARY_ENVELOPE)
            yield expected[_ALL_SUMMARIES]
        rows = yield from self._stream.rows_ahead(expected[_ALL_SUMMARIES], SUMMARY_ENVELOPE, _KEY)
        counted: dict[str, Record] = {}
        lively = self.lively(rows) if stats else []
        batches = [_stats_path(ids) for ids in batched(lively, STATS_BATCH)]
        for path in batches:
            if path not in expected:
                expected[path] = self._stream.detail_ahead(path)
                yield expected[path]
        for path in batches:
            response = yield from arrival(expected[path])
            if response is not None:
                counted |= _by_id(peek(response, STATS_ENVELOPE, _KEY))
        return _by_id(rows), counted


def sent_at(summary: Record | None) -> dt.datetime | None:
    """When a campaign was sent last, by its summary; None if nobody knows."""
    return times.parse_or_none(summary.get("last_sent_date")) if summary else None


def unique_count(summary: Record | None, kind: str) -> int | None:
    """How many contacts a summary counts of a kind; None if it does not say."""
    counts = summary.get("unique_counts") if summary else None
    text = str(counts.get(kind)) if isinstance(counts, dict) else ""
    return int(text) if text.isdecimal() else None


def _by_id(rows: Iterable[Record]) -> dict[str, Record]:
    return {row[_KEY]: row for row in rows}


def _stats_path(ids: list[str]) -> str:
    return f"{STATS}/{','.join(ids)}"
