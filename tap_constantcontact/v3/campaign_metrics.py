"""Summaries and counters of campaigns, requested once per run (docs/api/v3.md §11).

500 and 150 campaigns per request.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from tap_constantcontact.http import envelopes
from tap_constantcontact.http.retries import NotFoundError, RejectedError
from tap_constantcontact.list_requests import ListRequest
from tap_constantcontact.records import timestamps
from tap_constantcontact.v3.batches import batched
from tap_constantcontact.v3.envelopes import paged

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from singer_sdk.helpers.types import Record

    from tap_constantcontact.cache import Outcome
    from tap_constantcontact.http.envelopes import Envelope
    from tap_constantcontact.list_requests import ListRequests
    from tap_constantcontact.sync_run import SyncPeriod

SUMMARIES = "/reports/summary_reports/email_campaign_summaries"
SUMMARY_ENVELOPE = paged("bulk_email_campaign_summaries")
STATS = "/reports/stats/email_campaigns"
STATS_ENVELOPE = paged("results")
#: Privileges that they require.
PRIVILEGE = "ui:campaign:metrics"
#: Summaries per page.
SUMMARY_PAGE = 500
#: Campaigns per request for counters.
STATS_BATCH = 150
_KEY = "campaign_id"


@dataclass
class CampaignMetrics:
    """The summaries and counters of campaigns, by campaign id.

    Attributes:
        summaries: Summaries of sent campaigns, last sending first.
        stats: Counters of campaigns in the tracking window.
        unknown: Campaigns without counters in the API.
        failed: Errors by path.
    """

    summaries: dict[str, Record] = field(default_factory=dict)
    stats: dict[str, Record] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)
    failed: dict[str, Exception] = field(default_factory=dict)

    def add_summaries(self) -> ListRequests[None]:
        """Request the summaries."""
        path = f"{SUMMARIES}?limit={SUMMARY_PAGE}"
        (outcome,) = yield [_shared(path, SUMMARY_ENVELOPE)]
        if isinstance(outcome, Exception):
            self.failed[path] = outcome
        else:
            self.summaries = _by_id(outcome)

    def add_stats(self, period: SyncPeriod) -> ListRequests[None]:
        """Request the counters of campaigns in the tracking window."""
        yield from self._add_batches(batched(self.in_window(period), STATS_BATCH))

    def _add_batches(self, batches: Iterable[Sequence[str]]) -> ListRequests[None]:
        batches = list(batches)
        if not batches:
            return
        outcomes = yield [_shared(_stats_path(ids), STATS_ENVELOPE) for ids in batches]
        for ids, outcome in zip(batches, outcomes, strict=True):
            yield from self._add_batch(ids, outcome)

    def _add_batch(self, ids: Sequence[str], outcome: Outcome) -> ListRequests[None]:
        """Add a batch. One unknown id fails it, so it is halved until that id stands alone."""
        if not isinstance(outcome, Exception):
            self.stats |= _by_id(outcome)
            self.unknown += [campaign for campaign in ids if campaign not in self.stats]
        elif not isinstance(outcome, (NotFoundError, RejectedError)):
            self.failed[_stats_path(ids)] = outcome
        elif len(ids) == 1:
            self.unknown += ids
        else:
            half = len(ids) // 2
            yield from self._add_batches([ids[:half]])
            yield from self._add_batches([ids[half:]])

    def records_per_person(self, kind: str) -> float:
        """Return how many records of a kind a person has on average, in the tracking window."""
        people, records = self._totals[f"em_{kind}"], self._totals[f"em_{kind}_all"]
        return records / people if people else 1.0

    @cached_property
    def _totals(self) -> Counter[str]:
        totals = Counter[str]()
        for row in self.stats.values():
            for name, count in envelopes.fields_of(row.get("stats")).items():
                totals[name] += envelopes.count_of(count) or 0
        return totals

    def in_window(self, period: SyncPeriod) -> list[str]:
        """Return the ids of campaigns in the tracking window."""
        oldest = period.started_at - period.window if period.window else None
        return [
            campaign
            for campaign, summary in self.summaries.items()
            if timestamps.is_since(summary.get("last_sent_date"), oldest)
        ]


def request_metrics(period: SyncPeriod, *, with_stats: bool) -> ListRequests[CampaignMetrics]:
    """Request summaries and, if needed, counters. Those that failed are missing."""
    metrics = CampaignMetrics()
    yield from metrics.add_summaries()
    if with_stats:
        yield from metrics.add_stats(period)
    return metrics


def _shared(path: str, envelope: Envelope) -> ListRequest:
    return ListRequest(path, envelope, _KEY, is_shared=True, may_fail=True)


def _by_id(rows: Iterable[Record]) -> dict[str, Record]:
    return {row[_KEY]: row for row in rows}


def _stats_path(ids: Sequence[str]) -> str:
    return f"{STATS}/{','.join(ids)}"
