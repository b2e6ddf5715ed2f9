"""E-mail campaigns, what is inside them, and which of their reports are due."""

from __future__ import annotations

import datetime as dt
import functools
import logging
from typing import TYPE_CHECKING, Any, cast

from singer_sdk.metrics import MetricExclusionFilter
from typing_extensions import override

from tap_constantcontact.api import times
from tap_constantcontact.api.refusals import Verdict
from tap_constantcontact.client import ConstantContactStream, RefusedError
from tap_constantcontact.reach import Reach

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from singer_sdk.helpers.types import Context, Record

    from tap_constantcontact.tap import TapConstantContact

# All that a list row of a campaign has; the rest takes a call per campaign.
_LISTED = frozenset({"id", "name", "status", "modified_date"})
# Campaigns are listed in the order of their lives, so that one that moves on meanwhile is seen.
_LIVES = ("DRAFT", "SCHEDULED", "RUNNING", "SENT")
# Only these have tracking data (API docs: Campaign tracking).
TRACKED = ("RUNNING", "SENT")
# Sent campaigns are listed by their last run, newest first (API docs: Campaigns collection): if the
# tracking of so many in a row has ended, so has that of those below.
_ENDED_IN_A_ROW = 2
# A pass that began longer ago, since runs were cut off, is followed by another in the same run.
_STALE = dt.timedelta(hours=1)


class CampaignFamilyStream(ConstantContactStream):
    """Campaigns and their parts: streams that keep a `Reach` instead of a date alone."""

    state_partitioning_keys = ()
    #: Campaigns in which states the stream has rows of.
    statuses: tuple[str, ...] = _LIVES

    def is_due(self, campaign: Record, read_to: dt.datetime | None) -> bool:
        """Whether the API may have rows that were not read yet.

        Args:
            campaign: As the API has it; without its detail where that was not needed.
            read_to: The moment up to which its rows were read; None if they never were.
        """
        if campaign["status"] not in self.statuses:
            return False
        return self.has_changed(campaign, read_to) or (
            read_to is None and self.was_sent_since_start(campaign)
        )

    def has_changed(self, campaign: Record, read_to: dt.datetime | None) -> bool:
        """Whether a campaign was edited since it was read, or since `start_date`."""
        oldest = self.with_lookback(read_to) if read_to else self.start_date
        modified = times.parse_or_none(campaign.get("modified_date"))
        return oldest is None or modified is None or modified >= oldest

    def was_sent_since_start(self, campaign: Record) -> bool:
        """Whether a campaign was sent after `start_date`; true as well if nobody knows."""
        sent = _sent(campaign)
        return self.start_date is None or sent is None or sent >= self.start_date

    def may_grow(self, campaign: Record, read_to: dt.datetime | None, days: int) -> bool:
        """Whether a sent campaign's window of so many days was still open when it was read."""
        if campaign["status"] not in TRACKED or read_to is None:
            return False
        sent = _sent(campaign)
        if campaign["status"] == "RUNNING" or not days:
            return True
        return sent is not None and read_to < sent + dt.timedelta(days=days)

    @property
    def needs_detail(self) -> bool:
        """Whether the rows hold anything that only a campaign's detail has."""
        return False

    def needs_last_run(self, read_to: dt.datetime | None) -> bool:  # noqa: ARG002 - others do
        """Whether it takes a campaign's detail to tell if it is due."""
        return False

    @property
    def window(self) -> int:
        """Days after its sending in which a campaign is asked for news; 0 for no limit."""
        return int(self.config["tracking_window_days"])


def _sent(campaign: Record) -> dt.datetime | None:
    return times.parse_or_none(campaign.get("last_run_date")) or times.parse_or_none(
        campaign.get("created_date")
    )


class Campaigns(CampaignFamilyStream):
    """Campaigns, list and detail merged, and in their wake all that belongs to a campaign.

    A pass walks down the campaigns: those being sent, those sent, newest first, and those yet to be
    sent. Of each it reads the detail and the parts that are due, and notes how far it has come. A
    pass that was cut off is continued by the next run before another begins.

    Deleted campaigns are in no list but their own, and have no detail (API docs: Campaigns
    collection); they are sent whenever the API shows them.
    """

    name = "campaigns"
    path = "/emailmarketing/campaigns"
    primary_keys = ("id",)
    replication_key = "modified_date"
    page_size = 50

    #: The campaign that is being read, and what is due of it: a stream's name with the moment up to
    #: which its rows were read, None for never.
    current: Record
    due: Mapping[str, dt.datetime | None]
    #: Whether a walk is under way: it writes the state itself, once a campaign.
    is_walking = False

    @override
    def is_due(self, campaign: Record, read_to: dt.datetime | None) -> bool:
        return super().is_due(campaign, read_to) or self.may_grow(campaign, read_to, self.window)

    @override
    def get_url_params(
        self, context: Context | None, next_page_token: str | None
    ) -> dict[str, Any]:
        return dict(context or {})

    @override
    def generate_child_contexts(
        self, record: Record, context: Context | None
    ) -> Iterable[Context | None]:
        if self.due:
            yield {"campaign_id": record["id"]}

    # -- the walk ---------------------------------------------------------------------------

    @override
    def read(self, context: Context | None) -> Iterable[Record]:
        self.is_walking = True
        started = dt.datetime.now(dt.UTC)
        family = self._family()
        campaigns = self._listed({status for each in family for status in each.statuses})
        ids = [campaign["id"] for campaign in campaigns]
        reaches = {each: Reach(each.get_context_state(None).get("reach"), ids) for each in family}
        moments = {each: reach.unfinished or started for each, reach in reaches.items()}

        yield from self._walk(campaigns, reaches, moments)
        if self.selected:
            self.due = {}
            yield from self.request_records({"status": "DELETED"})
        self._finish(reaches, moments)
        if started - min(moments.values()) > _STALE:
            # What was a pass of days ago is through. What came in since is read now, too.
            yield from self._walk(campaigns, reaches, dict.fromkeys(family, started))
            self._finish(reaches, dict.fromkeys(family, started))
        self.is_walking = False
        self.tap.state_writer.write_state(self.tap.state)

    def _walk(
        self,
        campaigns: Sequence[Record],
        reaches: Mapping[CampaignFamilyStream, Reach],
        moments: Mapping[CampaignFamilyStream, dt.datetime],
    ) -> Iterable[Record]:
        """One pass down the campaigns: those with something due, each with its parts in its wake.

        Args:
            campaigns: List rows, newest first.
            reaches: How far each stream has read them.
            moments: When each stream's pass began, in this run or in one that was cut off.
        """
        ended: dict[Any, int] = {}
        before = self.tap.session.calls
        for position, campaign in enumerate(campaigns):
            self.tap.progress.expect("campaigns", position, len(campaigns), before)
            read_to = {each: reach.read_to(position) for each, reach in reaches.items()}
            read_to = {each: to for each, to in read_to.items() if to != moments[each]}
            # The order of the list says something only among campaigns read at the same moments.
            part = tuple(read_to.values())
            if not self._is_worth_a_look(campaign, read_to, ended.get(part, 0)):
                continue
            found = self._with_detail(campaign, read_to)
            if found is None:
                continue
            self.current = found
            self.due = {each.name: to for each, to in read_to.items() if each.is_due(found, to)}
            ended[part] = 0 if self.due else ended.get(part, 0) + 1
            if self.due:
                yield found
                for each in read_to:
                    reaches[each].advance(position, moments[each])
                self._keep(reaches)

    def _finish(
        self,
        reaches: Mapping[CampaignFamilyStream, Reach],
        moments: Mapping[CampaignFamilyStream, dt.datetime],
    ) -> None:
        for each, reach in reaches.items():
            reach.complete(moments[each])
        self.tap.progress.arrive()
        self._keep(reaches)

    def _family(self) -> list[CampaignFamilyStream]:
        streams = cast("list[CampaignFamilyStream]", [self, *self.child_streams])
        return [each for each in streams if each.selected]

    def _listed(self, statuses: set[str]) -> list[Record]:
        found: dict[str, Record] = {}
        for status in [each for each in _LIVES if each in statuses]:
            for row in self.request_records({"status": status}):
                campaign_id = str(row["id"])
                found.pop(campaign_id, None)
                found[campaign_id] = {**row, "id": campaign_id, "status": row.get("status", status)}
        tracked = [each for life in TRACKED for each in found.values() if each["status"] == life]
        # These change places whenever they are edited. Newer ones have higher ids.
        others = [each for each in found.values() if each["status"] not in TRACKED]
        return tracked + sorted(others, key=lambda each: each["id"].zfill(20), reverse=True)

    def _is_worth_a_look(
        self,
        campaign: Record,
        read_to: Mapping[CampaignFamilyStream, dt.datetime | None],
        ended_in_a_row: int,
    ) -> bool:
        """Whether anything can be due, as far as the list row tells."""
        wanted = [each for each in read_to if campaign["status"] in each.statuses]
        if campaign["status"] in TRACKED and ended_in_a_row < _ENDED_IN_A_ROW:
            return bool(wanted)
        return any(
            each.has_changed(campaign, read_to[each])
            or (campaign["status"] not in TRACKED and each.is_due(campaign, read_to[each]))
            for each in wanted
        )

    def _with_detail(
        self, campaign: Record, read_to: Mapping[CampaignFamilyStream, dt.datetime | None]
    ) -> Record | None:
        """The campaign, with its detail where that is needed; None if it has vanished."""
        if not any(
            each.needs_detail or (campaign["status"] in TRACKED and each.needs_last_run(to))
            for each, to in read_to.items()
            if campaign["status"] in each.statuses
        ):
            return campaign
        detail = self.detail(f"{self.path}/{campaign['id']}")
        return None if detail is None else {**campaign, **detail, "id": campaign["id"]}

    @property
    @override
    def needs_detail(self) -> bool:
        return self.selects_beyond(_LISTED)

    def _keep(self, reaches: Mapping[CampaignFamilyStream, Reach]) -> None:
        for stream, reach in reaches.items():
            stream.get_context_state(None)["reach"] = reach.dump()
        self.tap.state_writer.write_state(self.tap.state)


class CampaignPartStream(CampaignFamilyStream):
    """Something of one campaign, read right after its detail.

    There are as many contexts as campaigns. What the SDK says and writes once a context is said and
    written once a run here.
    """

    parent_stream_type = Campaigns

    def __init__(self, tap: TapConstantContact) -> None:
        """Keep quiet."""
        super().__init__(tap)
        self.logger.setLevel(logging.WARNING)
        self.metrics_logger.addFilter(_without_metrics(self.name))
        self._has_written_schema = False

    @functools.cached_property
    def campaigns(self) -> Campaigns:
        """The stream that walks down the campaigns."""
        return cast("Campaigns", self.tap.streams[Campaigns.name])

    @override
    def read(self, context: Context | None) -> Iterable[Record]:
        if self.name in self.campaigns.due:
            try:
                yield from self.read_part(context)
            except RefusedError as error:
                if error.verdict is not Verdict.MISSING:
                    raise
                # For some parts that is how the API says "none".
                self.logger.debug("Nothing there for campaign %s.", self.campaigns.current["id"])

    def read_part(self, context: Context | None) -> Iterable[Record]:
        """Read the part of a campaign for which it is due."""
        return super().read(context)

    @override
    def _write_schema_message(self) -> None:
        # Targets flush at each SCHEMA (github.com/meltano/sdk/issues/1025).
        if not self._has_written_schema:
            self._has_written_schema = True
            super()._write_schema_message()

    @override
    def _write_state_message(self) -> None:
        if not self.campaigns.is_walking:
            super()._write_state_message()


class CampaignLinks(CampaignPartStream):
    """Links in a campaign with their clicks; they come in its detail and cost no call."""

    name = "campaign_links"
    path = ""
    primary_keys = ("campaign_id", "url_uid")
    statuses = TRACKED

    @property
    @override
    def needs_detail(self) -> bool:
        return True

    @override
    def is_due(self, campaign: Record, read_to: dt.datetime | None) -> bool:
        return super().is_due(campaign, read_to) or self.may_grow(campaign, read_to, self.window)

    @override
    def read_part(self, context: Context | None) -> Iterable[Record]:
        return self.campaigns.current.get("click_through_details") or ()


class CampaignSchedules(CampaignPartStream):
    """When a campaign will be sent; past schedules are not kept (API docs: Campaign schedules)."""

    name = "campaign_schedules"
    path = "/emailmarketing/campaigns/{campaign_id}/schedules"
    primary_keys = ("campaign_id", "id")
    statuses = ("SCHEDULED",)

    @override
    def is_due(self, campaign: Record, read_to: dt.datetime | None) -> bool:
        return campaign["status"] in self.statuses


class CampaignPreviews(CampaignPartStream):
    """A campaign as its recipients see it: large, and a call each (API docs: Campaign preview)."""

    name = "campaign_previews"
    path = "/emailmarketing/campaigns/{campaign_id}/preview"
    primary_keys = ("campaign_id",)
    selected_by_default = False


@functools.cache
def _without_metrics(stream: str) -> logging.Filter:
    return MetricExclusionFilter(tags={"stream": stream})
