"""Refresh policies of campaigns (docs/api/v3.md §10, §11)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from typing_extensions import override

from tap_constantcontact.records import timestamps
from tap_constantcontact.refresh import RefreshPolicy
from tap_constantcontact.state.snapshots import Snapshots
from tap_constantcontact.v3.campaign import ONCE_SENT, UNTIL_REMOVED, Availability, Campaign
from tap_constantcontact.v3.counters import KINDS, CampaignCounters, Counter

if TYPE_CHECKING:
    import datetime as dt

    from tap_constantcontact.refresh import ParentTask
    from tap_constantcontact.sync_run import SyncRun

_CAMPAIGNS = "campaigns"


class CampaignSnapshots(NamedTuple):
    """Snapshots of campaigns in earlier runs, shared by all streams.

    Attributes:
        edit_hashes: The last edit of campaigns that were edited lately.
        counters: The counters of campaigns in the tracking window.
    """

    edit_hashes: Snapshots
    counters: Snapshots

    @classmethod
    def of(cls, run: SyncRun) -> CampaignSnapshots:
        """Return the snapshots in the state of a run."""

        def load() -> CampaignSnapshots:
            state = run.bookmarks_of(_CAMPAIGNS)
            keys = ("edit_hashes", "snapshots")
            return cls(*(Snapshots.from_state(state.get(key)) for key in keys))

        return run.cache("campaign snapshots", load)

    def counters_of(self, campaign: Campaign) -> CampaignCounters:
        """Return the counters of a campaign at its last sync."""
        return CampaignCounters.of(self.counters.get(campaign.id))


def was_sent_since(campaign: Campaign, timestamp: dt.datetime | None) -> bool:
    """Return whether a campaign was sent or resent after a timestamp."""
    sent = campaign.sent_date
    return campaign.was_sent and (timestamp is None or sent is None or sent >= timestamp)


def was_edited_since(campaign: Campaign, timestamp: dt.datetime | None) -> bool:
    """Return whether a campaign was edited, sent or resent after a timestamp.

    A resend need not update `updated_at`.
    """
    is_edited = timestamps.is_since(campaign.record.get("updated_at"), timestamp)
    return is_edited or was_sent_since(campaign, timestamp)


@dataclass(frozen=True)
class WhenEdited(RefreshPolicy[Campaign]):
    """A stream is due when the campaign was edited, sent or resent.

    Attributes:
        availability: The campaigns that have records of the stream.
        needs_summaries: Whether the decision requires the summaries of campaigns.
        needs_stats: Whether it requires their counters.
    """

    availability: Availability = UNTIL_REMOVED
    needs_summaries: bool = True
    needs_stats: bool = False

    @override
    def applies_to(self, parent: Campaign) -> bool:
        return self.availability.may_have(parent)

    @override
    def is_due(self, parent: Campaign, synced_until: dt.datetime | None, run: SyncRun) -> bool:
        edit_hashes = CampaignSnapshots.of(run).edit_hashes
        if synced_until and (seen := edit_hashes.as_of(parent.id, synced_until)):
            # The lookback would sync it again in each run.
            return bool(seen.text != parent.edit_hash)
        return was_edited_since(parent, run.period.oldest_change(synced_until))

    def must_have(self, campaign: Campaign) -> bool:
        """Return whether a 404 for an activity of a campaign is an error."""
        return self.availability.must_have(campaign)


@dataclass(frozen=True)
class WhenCounted(WhenEdited):
    """A report is due when a counter has changed.

    Attributes:
        kinds: Kinds of reports whose counters show that the report has changed.
    """

    availability: Availability = ONCE_SENT
    needs_stats: bool = True
    kinds: tuple[str, ...] = KINDS

    @override
    def is_due(self, parent: Campaign, synced_until: dt.datetime | None, run: SyncRun) -> bool:
        period = run.period
        if synced_until is None:
            return was_sent_since(parent, period.start_date) and self.may_have_records(parent)
        window, sent = period.window, parent.sent_date
        if window is not None and sent is not None and sent + window <= period.started_at:
            # Once more, whatever is counted: counters are late.
            synced_until = self.synced_until(parent, synced_until, run)
            return synced_until is None or synced_until < sent + window
        before, now = CampaignSnapshots.of(run).counters_of(parent).counters, parent.counters
        return not all(
            kind in before and before[kind].vouches(now.get(kind), synced_until)
            for kind in self.kinds
        )

    def may_have_records(self, campaign: Campaign) -> bool:
        """Return whether a report may have records: any counter is not zero, or missing."""
        return any(campaign.counted(kind) != 0 for kind in self.kinds)

    @override
    def must_have(self, campaign: Campaign) -> bool:
        return any(map(campaign.counted, self.kinds)) or super().must_have(campaign)

    def synced_until(
        self, campaign: Campaign, synced_until: dt.datetime | None, run: SyncRun
    ) -> dt.datetime | None:
        """Return the timestamp until which a report is synced; None for never.

        Args:
            campaign: The campaign.
            synced_until: The timestamp of the watermark.
            run: The run.
        """
        return synced_until


@dataclass(frozen=True)
class WhenCountedByRecord(WhenCounted):
    """A tracking report, whose counter counts each record, and is stored with its own timestamp."""

    @property
    def kind(self) -> str:
        """The kind of report."""
        return self.kinds[0]

    @override
    def synced_until(
        self, campaign: Campaign, synced_until: dt.datetime | None, run: SyncRun
    ) -> dt.datetime | None:
        counter = CampaignSnapshots.of(run).counters_of(campaign).counters.get(self.kind)
        if counter is None or synced_until is None:
            return synced_until
        return counter.synced_until and min(counter.synced_until, synced_until)

    def counter_after(
        self,
        task: ParentTask[Campaign],
        stream: str,
        synced_until: dt.datetime | None,
        run: SyncRun,
        at: dt.datetime,
    ) -> dict[str, Counter]:
        """Return the counter of the report after a sync, by kind.

        A report that was not synced keeps its older timestamp: the next sync goes back to it.

        Args:
            task: The work on the campaign.
            stream: Name of the stream.
            synced_until: Timestamp until which the report was synced before.
            run: The run.
            at: Timestamp of this sync.
        """
        campaign = task.parent
        before = CampaignSnapshots.of(run).counters_of(campaign).counters.get(self.kind)
        count = campaign.counters.get(self.kind)
        if stream in task.failed:
            after = Counter(None, self.synced_until(campaign, synced_until, run))
        elif stream not in task.due:
            # Nothing is counted, or it was sent before `start_date`.
            is_wanted = was_sent_since(campaign, run.period.start_date)
            after = before or Counter(count, None if is_wanted else at)
        else:
            last = before.value if before else None
            has_fallen = last is not None and count is not None and count < last
            has_fallen = has_fallen or (before is not None and before.has_fallen)
            after = Counter(count, at, has_fallen)
        return {self.kind: after}


@dataclass(frozen=True)
class WhenLinksChange(WhenCounted):
    """Links are due when they were clicked, or when the campaign was sent again."""

    kinds: tuple[str, ...] = ("clicks",)

    @override
    def is_due(self, parent: Campaign, synced_until: dt.datetime | None, run: SyncRun) -> bool:
        period = run.period
        if synced_until is None:
            return was_sent_since(parent, period.start_date)
        # A campaign that was sent again has links that nobody has clicked yet.
        seen = CampaignSnapshots.of(run).edit_hashes.as_of(parent.id, synced_until)
        is_known = seen is not None and seen.text == parent.edit_hash
        is_new = not is_known and was_sent_since(parent, period.apply_lookback(synced_until))
        return is_new or super().is_due(parent, synced_until, run)
