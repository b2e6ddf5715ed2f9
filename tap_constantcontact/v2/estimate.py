"""Approximate details of campaigns, from details of others in the list."""

from __future__ import annotations

import bisect
from typing import TYPE_CHECKING

from tap_constantcontact.records import timestamps

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterator, Sequence

    from singer_sdk.helpers.types import Record

# Factor between the distances of sampled campaigns.
_SPREAD = 1.2


class CampaignInterpolator:
    """Interpolates details of campaigns, because the list contains neither dates nor counters.

    Sampled campaigns are close together among the newest and further apart among older ones,
    because a run treats campaigns by their age. This keeps estimates within 20 % of the requests of
    the run.
    """

    def __init__(
        self, campaigns: Sequence[Record], detail: Callable[[Record], Record | None]
    ) -> None:
        """Take the campaigns that may have tracking records, newest first.

        Args:
            campaigns: Their records in the list.
            detail: Requests the detail of one; None if it has vanished.
        """
        self._campaigns = campaigns
        self._detail = detail
        self._place = {each["id"]: place for place, each in enumerate(campaigns)}
        self._looked_at: dict[int, Record] = {}
        self._stops = sorted({*_stops(len(campaigns))})

    def approximate(self, campaign: Record) -> Record:
        """Return a campaign with an approximate sending date and counters."""
        place = self._place.get(campaign["id"])
        if place is None:
            return campaign
        newer, older = self._beside(place)
        ends = [self._look(each) for each in (newer, older)]
        counted = {
            **ends[0],
            **campaign,
            "tracking_summary": _between(*(end.get("tracking_summary") or {} for end in ends)),
        }
        sent = [sent_date(end) for end in ends]
        if newer != older and sent[0] and sent[1]:
            timestamp = sent[0] + (sent[1] - sent[0]) * ((place - newer) / (older - newer))
            counted["last_run_date"] = timestamps.write(timestamp)
        return counted

    def _beside(self, place: int) -> tuple[int, int]:
        """Return the positions of the nearest sampled campaigns."""
        after = bisect.bisect_left(self._stops, place)
        older = self._stops[after]
        return (older, older) if older == place else (self._stops[after - 1], older)

    def _look(self, place: int) -> Record:
        if place not in self._looked_at:
            parent = self._campaigns[place]
            self._looked_at[place] = self._detail(parent) or parent
        return self._looked_at[place]


def sent_date(campaign: Record) -> dt.datetime | None:
    """Return the last sending of a campaign, from its detail."""
    return timestamps.parse_or_none(campaign.get("last_run_date")) or timestamps.parse_or_none(
        campaign.get("created_date")
    )


def _stops(there_are: int) -> Iterator[int]:
    place = 0
    while place < there_are:
        yield place
        place = max(place + 1, round(place * _SPREAD))
    if there_are:
        yield there_are - 1


def _between(one: Record, other: Record) -> Record:
    return {kind: ((one.get(kind) or 0) + (other.get(kind) or 0)) // 2 for kind in {*one, *other}}
