"""Campaigns: status, dates, counters, and refresh policies (docs/api/v2.md §7, §9)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from typing_extensions import override

from tap_constantcontact.http import envelopes
from tap_constantcontact.records import timestamps
from tap_constantcontact.refresh import Parent, RefreshPolicy
from tap_constantcontact.state.ids import short_id

if TYPE_CHECKING:
    import datetime as dt

    from singer_sdk.helpers.types import Record

    from tap_constantcontact.sync_run import SyncPeriod, SyncRun

SENT, SCHEDULED, DELETED = "SENT", "SCHEDULED", "DELETED"
# Only these were not sent, and so have no tracking data (docs/api/v2.md §9). An unknown status is
# taken for a sent one.
_UNSENT = frozenset({"DRAFT", SCHEDULED})


def is_tracked(campaign: Record) -> bool:
    """Return whether a campaign may have tracking records."""
    return campaign["status"] not in _UNSENT


def sent_date(campaign: Record) -> dt.datetime | None:
    """Return the last sending of a campaign, from its detail."""
    return timestamps.parse_or_none(campaign.get("last_run_date")) or timestamps.parse_or_none(
        campaign.get("created_date")
    )


def counter(campaign: Record, kind: str) -> int | None:
    """Return the counter of a report in a campaign's detail; None if it is missing."""
    return envelopes.count_of(envelopes.fields_of(campaign.get("tracking_summary")).get(kind))


def was_edited(campaign: Record, synced_until: dt.datetime | None, period: SyncPeriod) -> bool:
    """Return whether a campaign was edited since its sync, or since `start_date`."""
    return timestamps.is_since(campaign.get("modified_date"), period.oldest_change(synced_until))


def was_sent_since_start(campaign: Record, period: SyncPeriod) -> bool:
    """Return whether a campaign was sent after `start_date`; true if that is unknown."""
    if not is_tracked(campaign):
        return False
    sent = sent_date(campaign)
    return period.start_date is None or sent is None or sent >= period.start_date


def was_in_window(
    campaign: Record, synced_until: dt.datetime | None, window: dt.timedelta | None
) -> bool:
    """Return whether a campaign was still in its window at its last sync."""
    if not is_tracked(campaign) or synced_until is None:
        return False
    sent = sent_date(campaign)
    if campaign["status"] != SENT or window is None:
        return True
    return sent is not None and synced_until < sent + window


@dataclass(frozen=True)
class CampaignRefresh(RefreshPolicy[Parent]):
    """A stream is due when the campaign was edited, and may be due in the tracking window.

    Attributes:
        is_windowed: Whether records may change as long as the campaign is in the tracking window.
        is_tracking: Whether only campaigns that were sent have records.
    """

    is_windowed: bool = False
    is_tracking: bool = False

    @override
    def applies_to(self, parent: Parent) -> bool:
        return not self.is_tracking or is_tracked(parent.record)

    @override
    def is_due(self, parent: Parent, synced_until: dt.datetime | None, run: SyncRun) -> bool:
        campaign, period = parent.record, run.period
        if was_edited(campaign, synced_until, period):
            return True
        if synced_until is None:
            return was_sent_since_start(campaign, period)
        return self.is_windowed and was_in_window(campaign, synced_until, period.window)

    def needs_last_run(self, synced_until: dt.datetime | None, period: SyncPeriod) -> bool:
        """Return whether the decision requires the detail, which has the last sending."""
        return False


class ScheduleRefresh(CampaignRefresh):
    """Schedules are due in each run. The API keeps no past ones (docs/api/v2.md §8)."""

    @override
    def applies_to(self, parent: Parent) -> bool:
        return bool(parent.record["status"] == SCHEDULED)

    @override
    def is_due(self, parent: Parent, synced_until: dt.datetime | None, run: SyncRun) -> bool:
        return True


@dataclass(frozen=True)
class TrackingRefresh(CampaignRefresh):
    """A report is due as long as the campaign is in the tracking window.

    Attributes:
        longest_window: Upper limit for the window.
        gate: Kind of report whose counter counts each record: the report is due only if the
            counter has changed.
    """

    is_tracking: bool = True
    longest_window: dt.timedelta | None = None
    gate: str | None = None

    @override
    def is_due(self, parent: Parent, synced_until: dt.datetime | None, run: SyncRun) -> bool:
        campaign, period = parent.record, run.period
        if synced_until is None:
            is_due = was_sent_since_start(campaign, period)
        else:
            is_due = was_in_window(campaign, synced_until, self._window(period))
        return is_due and not (self.gate and self._is_unchanged(parent, synced_until, run))

    def _window(self, period: SyncPeriod) -> dt.timedelta | None:
        return min(filter(None, (period.window, self.longest_window)), default=None)

    def _is_unchanged(self, parent: Parent, synced_until: dt.datetime | None, run: SyncRun) -> bool:
        count = counter(parent.record, self.gate or "")
        if count is None:
            return False
        counters = run.bookmarks_of(f"campaign_{self.gate}").get("counters") or {}
        return bool(count == (counters.get(short_id(parent.id), 0) if synced_until else 0))

    @override
    def needs_last_run(self, synced_until: dt.datetime | None, period: SyncPeriod) -> bool:
        return bool(self._window(period) if synced_until else period.start_date)
