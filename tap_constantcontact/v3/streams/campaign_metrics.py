"""Summaries and counters of campaigns (docs/api/v3.md §11)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from singer_sdk.exceptions import FatalAPIError
from typing_extensions import override

from tap_constantcontact.http import envelopes, retries
from tap_constantcontact.list_requests import fetch
from tap_constantcontact.stream import ConstantContactStream
from tap_constantcontact.v3.campaign_metrics import (
    PRIVILEGE,
    STATS,
    STATS_ENVELOPE,
    SUMMARIES,
    SUMMARY_ENVELOPE,
    request_metrics,
)
from tap_constantcontact.v3.counters import with_plain_names

if TYPE_CHECKING:
    from collections.abc import Iterable

    from singer_sdk.helpers.types import Context, Record

    from tap_constantcontact.list_requests import ListRequests
    from tap_constantcontact.v3.campaign_metrics import CampaignMetrics


class CampaignMetricsStream(ConstantContactStream):
    """A stream of metrics, which are requested once per run."""

    privileges: ClassVar[tuple[str, ...]] = (PRIVILEGE,)
    primary_keys: ClassVar[tuple[str, ...]] = ("campaign_id",)
    #: Whether counters are needed, and not only summaries.
    needs_stats: ClassVar[bool] = False

    @override
    def contexts(self) -> ListRequests[Iterable[Context | None]]:
        yield from request_metrics(self.run.period, with_stats=self.needs_stats)
        return ()

    def fetch_metrics(self) -> CampaignMetrics:
        """Return the metrics.

        Raises:
            FatalAPIError: The summaries, which name all sent campaigns, cannot be read.
        """
        metrics = fetch(request_metrics(self.run.period, with_stats=self.needs_stats), self.client)
        for path, error in metrics.failed.items():
            if path.startswith(SUMMARIES):
                raise error
        return metrics


class CampaignSummaries(CampaignMetricsStream):
    """Summaries of sent campaigns. Their counts keep growing, so all are read."""

    name = "campaign_summaries"
    path = SUMMARIES
    envelope = SUMMARY_ENVELOPE

    @override
    def fetch_records(self, context: Context | None) -> Iterable[Record]:
        yield from self.fetch_metrics().summaries.values()


class CampaignStats(CampaignMetricsStream):
    """Counters of campaigns in the tracking window."""

    name = "campaign_stats"
    path = STATS
    envelope = STATS_ENVELOPE
    needs_stats = True

    @override
    def fetch_records(self, context: Context | None) -> Iterable[Record]:
        metrics = self.fetch_metrics()
        yield from metrics.stats.values()
        for path, error in metrics.failed.items():
            if not (isinstance(error, FatalAPIError) and retries.concerns_one_object(error)):
                raise error
            self.skip_object(path, error)
        for campaign in metrics.unknown:
            self.logger.warning("The API has no counters for campaign %s.", campaign)
            unique_counts = metrics.summaries[campaign].get("unique_counts")
            if envelopes.count_of(envelopes.fields_of(unique_counts).get("sends")):
                self.skip_object(campaign, retries.MissingRecordsError("Its summary counts sends."))

    @override
    def preprocess_record(self, row: Record, context: Context | None) -> Record | None:
        return with_plain_names(row)
