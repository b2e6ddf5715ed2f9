"""Sums over what became of campaigns (docs/api/v3.md §11)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from typing_extensions import override

from tap_constantcontact.estimate import pages
from tap_constantcontact.http import retries
from tap_constantcontact.v3.campaign_metrics import (
    STATS,
    STATS_BATCH,
    STATS_ENVELOPE,
    SUMMARIES,
    SUMMARY_ENVELOPE,
    SUMMARY_PAGE,
    CampaignMetrics,
    unique_count,
)
from tap_constantcontact.v3.counters import with_plain_names
from tap_constantcontact.v3.stream import V3Stream

if TYPE_CHECKING:
    from collections.abc import Iterable

    from singer_sdk.helpers.types import Context, Record

    from tap_constantcontact.http.prefetch import RequestForecast


class CampaignSummaries(V3Stream):
    """All campaigns that were sent: their sums go on growing, so all are read."""

    name = "campaign_summaries"
    path = SUMMARIES
    envelope = SUMMARY_ENVELOPE
    privileges = ("ui:campaign:metrics",)
    primary_keys = ("campaign_id",)

    @override
    def fetch_records(self, context: Context | None) -> Iterable[Record]:
        yield from CampaignMetrics(self).summaries().values()

    @override
    def forecast_requests(self) -> RequestForecast:
        if self.is_requested and self.is_authorized:
            yield from CampaignMetrics(self).ahead(stats=False)

    @override
    def estimate(self) -> tuple[int, str]:
        there_are = len(CampaignMetrics(self).summaries())
        return pages(there_are, SUMMARY_PAGE), f"{there_are:,} were sent"


class CampaignStats(V3Stream):
    """All counters of campaigns of which news is still expected."""

    name = "campaign_stats"
    path = STATS
    envelope = STATS_ENVELOPE
    privileges = ("ui:campaign:metrics",)
    primary_keys = ("campaign_id",)

    @override
    def fetch_records(self, context: Context | None) -> Iterable[Record]:
        metrics = CampaignMetrics(self)
        stats = metrics.stats()
        yield from stats.by_id.values()
        for path, error in stats.failed.items():
            if not retries.concerns_one_object(error):
                raise error
            self.skip_object(path, error)
        for campaign in stats.unknown:
            self.logger.warning("The API has no counters for campaign %s.", campaign)
            if unique_count(metrics.summaries()[campaign], "sends"):
                self.skip_object(campaign, retries.MissingRecordsError("Its summary counts sends."))

    @override
    def preprocess_record(self, row: Record, context: Context | None) -> Record | None:
        return with_plain_names(row)

    @override
    def forecast_requests(self) -> RequestForecast:
        if self.is_requested and self.is_authorized:
            yield from CampaignMetrics(self).ahead(stats=True)

    @override
    def estimate(self) -> tuple[int, str]:
        metrics = CampaignMetrics(self)
        lively = len(metrics.lively(metrics.summaries().values()))
        return pages(lively, STATS_BATCH) if lively else 0, f"{lively:,} in the window"
