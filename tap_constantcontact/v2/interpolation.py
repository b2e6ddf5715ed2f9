"""Approximate details of campaigns, from details of others in the list."""

from __future__ import annotations

import bisect
import dataclasses
from typing import TYPE_CHECKING

from tap_constantcontact.records import timestamps
from tap_constantcontact.v2.campaign import sent_date

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from singer_sdk.helpers.types import Record

    from tap_constantcontact.refresh import Parent

# Factor between the distances of sampled campaigns.
_SPREAD = 1.2


class CampaignInterpolator:
    """Interpolates details of campaigns, because the list contains neither dates nor counters.

    Sampled campaigns are close together among the newest and further apart among older ones,
    because a run treats campaigns by their age. This keeps estimates within 20 % of the requests of
    the run.
    """

    def __init__(
        self, campaigns: Sequence[Parent], fetch_detail: Callable[[Parent], Parent | None]
    ) -> None:
        """Take the campaigns that may have tracking records, newest first.

        Args:
            campaigns: As listed.
            fetch_detail: Requests the detail of one; None if it has vanished.
        """
        self._campaigns = campaigns
        self._fetch_detail = fetch_detail
        self._positions = {campaign.id: number for number, campaign in enumerate(campaigns)}
        self._sampled: dict[int, Record] = {}
        self._sample_positions = sorted({*_sample_positions(len(campaigns))})

    def approximate(self, campaign: Parent) -> Parent:
        """Return a campaign with an approximate sending date and counters."""
        position = self._positions.get(campaign.id)
        if position is None:
            return campaign
        newer, older = self._neighbors(position)
        ends = [self._sample(newer), self._sample(older)]
        summaries = [end.get("tracking_summary") or {} for end in ends]
        record = {**ends[0], **campaign.record, "tracking_summary": _mean(*summaries)}
        sent = [sent_date(end) for end in ends]
        if newer != older and sent[0] and sent[1]:
            timestamp = sent[0] + (sent[1] - sent[0]) * ((position - newer) / (older - newer))
            record["last_run_date"] = timestamps.write(timestamp)
        return dataclasses.replace(campaign, record=record)

    def _neighbors(self, position: int) -> tuple[int, int]:
        """Return the positions of the nearest sampled campaigns."""
        after = bisect.bisect_left(self._sample_positions, position)
        older = self._sample_positions[after]
        return (older, older) if older == position else (self._sample_positions[after - 1], older)

    def _sample(self, position: int) -> Record:
        if position not in self._sampled:
            campaign = self._campaigns[position]
            self._sampled[position] = (self._fetch_detail(campaign) or campaign).record
        return self._sampled[position]


def _sample_positions(total: int) -> Iterator[int]:
    position = 0
    while position < total:
        yield position
        position = max(position + 1, round(position * _SPREAD))
    if total:
        yield total - 1


def _mean(one: Record, other: Record) -> Record:
    return {kind: ((one.get(kind) or 0) + (other.get(kind) or 0)) // 2 for kind in {*one, *other}}
