"""Campaigns and their child streams (docs/api/v3.md §10).

A campaign has a name, a status and dates. Its activities contain the content and have the reports:
the mail itself, and resends of it.
"""

from __future__ import annotations

import datetime as dt
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, cast

from singer_sdk.exceptions import FatalAPIError
from typing_extensions import override

from tap_constantcontact.http import envelopes, retries
from tap_constantcontact.http.retries import MissingRecordsError, NotFoundError
from tap_constantcontact.parent_child import (
    ChildStream,
    FetchLevel,
    ParentStream,
    WatermarkedStream,
)
from tap_constantcontact.records import timestamps
from tap_constantcontact.state.ids import fingerprint, short_id
from tap_constantcontact.state.snapshots import Snapshot, Snapshots
from tap_constantcontact.stream import NO_VALUE
from tap_constantcontact.v3.batches import batched
from tap_constantcontact.v3.campaign_metrics import CampaignMetrics, sent_at, unique_count
from tap_constantcontact.v3.counters import (
    KINDS,
    CampaignCounters,
    Counter,
    counts_of,
    short_activity_id,
    with_plain_names,
)
from tap_constantcontact.v3.envelopes import paged
from tap_constantcontact.v3.stream import V3Stream

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Mapping, Sequence

    from singer_sdk.helpers.types import Context, Record

    from tap_constantcontact.http.prefetch import PendingRequest, RequestForecast
    from tap_constantcontact.parent_child import ParentTask
    from tap_constantcontact.state.sync_pass import SyncedUntil, SyncPass

# Only these were not sent. A status that nobody foresaw is taken for one that was.
_UNSENT = frozenset({"draft", "scheduled"})
_REMOVED = "removed"
# The web copy of an email: it has no detail, and no reports.
_PERMALINK = "permalink"
_PRIMARY, _RESEND = "primary_email", "resend"
_KNOWN_ROLES = frozenset({_PRIMARY, _RESEND})
# Campaigns that certainly were sent, or are being sent.
_DONE = "done"
_SENT = frozenset({_DONE, "executing"})
# (docs/api/v3.md §10)
_SHORTEST_RESEND_DELAY = dt.timedelta(hours=12)
# The type of campaigns that are A/B tests (docs/api/v3.md §10).
_AB_TEST = 57
# What the walk knows of a campaign beside its row.
_SUMMARY, _STATS, _ACTIVITIES = "_summary", "_stats", "campaign_activities"
_EDIT = "_edit"
_BESIDE = frozenset({"id", _SUMMARY, _STATS, _EDIT, _ACTIVITIES})


def status_of(campaign: Record) -> str:
    """A campaign's status: in lists in title case, in details in upper case."""
    return str(campaign.get("current_status") or "").lower()


def was_sent(campaign: Record) -> bool:
    """Return whether a campaign may have been sent, by its summary or its status."""
    return bool(campaign.get(_SUMMARY)) or status_of(campaign) not in {*_UNSENT, _REMOVED}


def sent_date(campaign: Record) -> dt.datetime | None:
    """Return the last sending of a campaign, as far as known."""
    result = sent_at(campaign.get(_SUMMARY))
    return result or timestamps.parse_or_none(campaign.get("updated_at"))


def counters_in(campaign: Record) -> dict[str, int]:
    """Return the current counters of a campaign, by kind."""
    return counts_of(envelopes.fields_of(campaign.get(_STATS)).get("stats"))


def _edit_hash(list_parents: Record) -> str:
    """Return a hash of the last edit and the last sending of a campaign."""
    sent = sent_at(list_parents.get(_SUMMARY))
    return fingerprint(f"{list_parents.get('updated_at')} {sent}")[:6]


def role_of(activity: Record) -> str:
    """The role of an activity in a campaign's detail, in lower case."""
    return str(activity.get("role") or "").strip().lower()


class CampaignBaseStream(WatermarkedStream):
    """Campaigns and their parts."""

    #: Whether it takes the summaries of campaigns to tell what is due.
    needs_summaries: ClassVar[bool] = False
    #: Whether it takes their counters besides.
    needs_stats: ClassVar[bool] = False
    #: Whether a campaign's activities are what is asked.
    needs_activities: ClassVar[bool] = True

    @override
    def is_due(self, parent: Record, synced_until: dt.datetime | None) -> bool:
        return self.has_changed(parent, synced_until)

    def has_changed(self, campaign: Record, synced_until: dt.datetime | None) -> bool:
        """Return whether a campaign was edited since its sync, or since `start_date`."""
        if synced_until and (seen := self.edit_hashes.as_of(campaign["id"], synced_until)):
            # The look-back would read it again each time.
            return bool(seen.text != campaign[_EDIT])
        return self.is_since(
            campaign, self.apply_lookback(synced_until) if synced_until else self.start_date
        )

    def is_since(self, campaign: Record, timestamp: dt.datetime | None) -> bool:
        """Return whether a campaign was edited, sent or resent after a timestamp.

        A resend need not move `updated_at`.
        """
        is_edited = timestamps.is_since(campaign.get("updated_at"), timestamp)
        return is_edited or self.was_sent_since(campaign, timestamp)

    @property
    def edit_hashes(self) -> Snapshots:
        """Of campaigns that were edited lately, which edit was read; all streams share it."""
        state = self.run.bookmarks_of(Campaigns.name).get("edit_hashes")
        return self.run.cache("edits", lambda: Snapshots(state))

    def was_sent_since(self, campaign: Record, timestamp: dt.datetime | None) -> bool:
        """Return whether a campaign was sent or resent after a timestamp."""
        sent = sent_date(campaign)
        return was_sent(campaign) and (timestamp is None or sent is None or sent >= timestamp)

    @property
    def snapshots(self) -> Snapshots:
        """Snapshots of campaigns, shared by all streams."""
        state = self.run.bookmarks_of(Campaigns.name).get("snapshots")
        return self.run.cache("counters", lambda: Snapshots(state))

    def snapshot(self, campaign: Record) -> CampaignCounters:
        """Return the counters of a campaign at its last sync."""
        return CampaignCounters.of(self.snapshots.get(campaign["id"]))

    @cached_property
    def metrics(self) -> CampaignMetrics:
        """Sums over campaigns, as this stream asks for them."""
        return CampaignMetrics(self)


class Campaigns(V3Stream, CampaignBaseStream, ParentStream):
    """Campaigns, including removed ones, and their child streams.

    The list is read whole, 500 a call, since no order of it can be relied on. Which reports are
    due follows from summaries and counters, without a request per campaign.
    """

    name = "campaigns"
    path = "/emails"
    envelope = paged("campaigns")
    privileges = ("campaign:read",)
    primary_keys = ("campaign_id",)
    replication_key = "updated_at"
    page_size = 500
    parent_key = "campaign_id"
    id_field = "campaign_id"
    needs_activities = False

    def _needs(self, what: str) -> bool:
        streams = cast("list[CampaignBaseStream]", list(self.selected_streams.values()))
        return self.metrics.are_open and any(getattr(stream, what) for stream in streams)

    @property
    def _needs_summaries(self) -> bool:
        return self._needs("needs_summaries") or self._needs_stats

    @property
    def _needs_stats(self) -> bool:
        return self._needs("needs_stats")

    @override
    def merge_lists(self, lists: Sequence[list[Record]]) -> list[Record]:
        by_id = {row["id"]: row for rows in lists for row in rows}
        # Pages are numbered, and a campaign that comes in meanwhile shifts them: sorted again.
        return sorted(by_id.values(), key=_order_of, reverse=True)

    @override
    def state_key(self, parent: Record) -> str:
        return short_id(parent["id"])

    @override
    def sketch_key(self, parent: Record) -> str:
        # Once it shows that a campaign was sent, all of it is read: reports may be older than the
        # run in which it still looked like a draft.
        return self.state_key(parent) if was_sent(parent) else f"{self.state_key(parent)}-"

    @override
    def list_parents(self) -> list[Record]:
        parents = super().list_parents()
        if not self._needs_summaries:
            return _with_metrics(parents, {}, {})
        stats = self.metrics.known_stats() if self._needs_stats else {}
        return self._united(parents, self.metrics.known_summaries(), stats)

    @override
    def prefetch_parents(self) -> Generator[PendingRequest | None, None, list[Record]]:
        parents = yield from super().prefetch_parents()
        if not self._needs_summaries:
            return _with_metrics(parents, {}, {})
        summaries, stats = yield from self.metrics.ahead(stats=self._needs_stats)
        return self._united(parents, summaries, stats)

    def _united(
        self, parents: list[Record], summaries: Mapping[str, Record], stats: Mapping[str, Record]
    ) -> list[Record]:
        """The campaigns that the list names, and those that only the summaries name."""
        list_parents = {parent["id"] for parent in parents}
        unlisted = [
            {"id": each, self.id_field: each, _SUMMARY: summary}
            for each, summary in summaries.items()
            if each not in list_parents
        ]
        return _with_metrics(self.merge_lists([parents, unlisted]), summaries, stats)

    @override
    def has_vanished(self, parent: Record) -> bool:
        # Removed campaigns stay in the list.
        return status_of(parent) == _REMOVED or parent["id"] not in self.relisted_ids

    @override
    def required_level(
        self, parent: Record, synced_until: SyncedUntil, unchanged: int
    ) -> FetchLevel:
        due = self.due_streams(parent, synced_until)
        if not due:
            return FetchLevel.SKIP
        streams = [cast("CampaignBaseStream", self.selected_streams[name]) for name in due]
        is_deep = any(s.needs_activities for s in streams) or "current_status" not in parent
        return FetchLevel.DETAIL if is_deep else FetchLevel.LIST

    @override
    def due_streams(self, parent: Record, synced_until: SyncedUntil) -> SyncedUntil:
        due = dict(super().due_streams(parent, synced_until))
        snapshots = self.snapshot(parent).activities
        if not snapshots or snapshots >= activity_ids_in(parent):
            return due
        # The detail names an activity that it did not name before.
        return due | {
            name: to
            for name, to in synced_until.items()
            if cast("CampaignBaseStream", self.selected_streams[name]).needs_activities
            and self.selected_streams[name].applies_to(parent)
        }

    @override
    def fetch_parent_detail(self, parent: Record) -> Record | None:
        result = super().fetch_parent_detail(parent)
        # The detail writes the status in another case than the list does.
        return result and {**result, **parent, _ACTIVITIES: result.get(_ACTIVITIES)}

    @override
    def preprocess_record(self, row: Record, context: Context | None) -> Record | None:
        return {name: held for name, held in row.items() if name not in _BESIDE}

    # -- counters ---------------------------------------------------------------------------

    @override
    def on_parent_synced(
        self, sync_pass: SyncPass, position: int, task: ParentTask, synced_until: SyncedUntil
    ) -> None:
        parent, timestamp = task.parent, sync_pass.timestamp
        lately = self.apply_lookback(timestamp)
        was_missed = self.is_since(parent, lately)
        if task.failed:
            self._new_edit_hashes.put(parent["id"], None)
        elif task.due or not was_missed:
            # What some have read of it before in this pass was perhaps another edit.
            is_same = was_missed and sync_pass.is_for_all(synced_until)
            self._new_edit_hashes.put(
                parent["id"], Snapshot(timestamp, parent[_EDIT]) if is_same else None
            )
        if not self._needs_stats or not was_sent(parent):
            return
        window, sent = self.metrics.window, sent_date(parent)
        is_over = window is not None and sent is not None and sent + window <= timestamp
        snapshot = None
        if task.failed or not is_over:
            snapshot = self._snapshot_of(task, synced_until, timestamp).text(timestamp)
        self._new_snapshots.put(
            parent["id"], None if snapshot is None else Snapshot(timestamp, snapshot)
        )

    @override
    def extra_state(self, state: dict[str, Any]) -> None:
        state["edit_hashes"] = self._new_edit_hashes.dump()
        if self._needs_stats:
            state["snapshots"] = self._new_snapshots.dump()

    # What is due is told, here and ahead, by what was known when the run began.
    @cached_property
    def _new_edit_hashes(self) -> Snapshots:
        return Snapshots(self.edit_hashes.dump())

    @cached_property
    def _new_snapshots(self) -> Snapshots:
        return Snapshots(self.snapshots.dump())

    def _snapshot_of(
        self, task: ParentTask, synced_until: SyncedUntil, timestamp: dt.datetime
    ) -> CampaignCounters:
        """Return the counters of a campaign after its sync."""
        before = self.snapshot(task.parent)
        counters = dict(before.counters)
        for stream in self._tracking:
            # The others have read it before in this pass.
            if stream.name in synced_until:
                counter = before.counters.get(stream.kind)
                counters[stream.kind] = stream.counter_after(
                    task, counter, synced_until[stream.name], timestamp
                )
        named = activity_ids_in(task.parent)
        if _ACTIVITIES not in task.parent:
            named = before.activities
        elif task.failed and before.activities:
            # Those that are new stay new, and those that are gone will be new if they come back.
            named &= before.activities
        return CampaignCounters(counters, named)

    @property
    def _tracking(self) -> list[CounterGatedStream]:
        return [
            selected_stream
            for selected_stream in self.selected_streams.values()
            if isinstance(selected_stream, CounterGatedStream)
        ]

    @override
    def on_pass_completed(self, sync_pass: SyncPass) -> None:
        if self._needs_stats:
            self._new_snapshots.retain(sync_pass.parent_ids)

    # -- what it will cost ------------------------------------------------------------------

    @override
    def approximate_details(self, parents: Sequence[Record]) -> Callable[[Record], Record]:
        # Most campaigns have one activity that counts.
        activity = {"campaign_activity_id": "one", "role": "primary_email"}
        return lambda parent: {**parent, _ACTIVITIES: [activity]}


def _order_of(campaign: Record) -> str:
    summary = envelopes.fields_of(campaign.get(_SUMMARY))
    return str(campaign.get("created_at") or summary.get("last_sent_date"))


def _with_metrics(
    parents: list[Record], summaries: Mapping[str, Record], stats: Mapping[str, Record]
) -> list[Record]:
    rows = (
        {**parent, _SUMMARY: summaries.get(parent["id"]), _STATS: stats.get(parent["id"])}
        for parent in parents
    )
    return [{**row, _EDIT: _edit_hash(row)} for row in rows]


def activities_in(campaign: Record) -> list[Record]:
    """The activities that a campaign's detail names, with their ids as text."""
    return list(
        envelopes.with_string_ids(
            envelopes.objects(campaign.get(_ACTIVITIES)), lambda: None, "campaign_activity_id"
        )
    )


def activity_ids_in(campaign: Record) -> frozenset[str]:
    """Return the short ids of the activities in a campaign's detail."""
    ids = (activity["campaign_activity_id"] for activity in activities_in(campaign))
    return frozenset(map(short_activity_id, ids))


class ActivityChildStream(V3Stream, CampaignBaseStream, ChildStream):
    """Something of the activities of one campaign."""

    parent_stream_type = Campaigns
    parent_key = Campaigns.parent_key
    privileges: ClassVar[tuple[str, ...]] = ("campaign:read",)
    #: The activities that do not have it, by role. A role that nobody foresaw has everything.
    lacking_roles: ClassVar[frozenset[str]] = frozenset({_PERMALINK})

    def activities(self, campaign: Record) -> list[Record]:
        """The campaign's activities that have the part."""
        result = activities_in(campaign)
        return [activity for activity in result if role_of(activity) not in self.lacking_roles]

    def child_contexts(self, task: ParentTask) -> list[Context]:
        """The contexts in which the parts of a campaign are asked for."""
        context = self.child_context(task)
        return [
            {
                **context,
                "campaign_activity_id": activity["campaign_activity_id"],
                "role": role_of(activity),
            }
            for activity in self.activities(task.parent)
        ]

    @override
    def fetch_child_records(self, context: Context) -> Iterable[Record]:
        failed: tuple[FatalAPIError, str] | None = None
        for child_context in self.child_contexts(self.task):
            try:
                with retries.raise_when_exhausted():
                    yield from self._read_activity(child_context)
            except FatalAPIError as error:
                if not retries.concerns_one_object(error):
                    raise
                # The other activities are read before the campaign counts as failed.
                failed = failed or (error, self._requested_url)
                self.cancel_prefetch()
        if failed:
            failure, self._requested_url = failed
            raise failure
        self._check_detail(self.task.parent)

    def _read_activity(self, context: Context) -> Iterable[Record]:
        campaign, role = self.task.parent, context["role"]
        has_records = False
        try:
            for row in self.request_records(context):
                has_records = True
                yield row if self.conforms_pages else self.of_activity(row, context)
        except NotFoundError:
            if self.has_read_pages or self.must_have(campaign, role):
                raise
            self.on_not_found()
        if not has_records and self.is_in_window and self.must_have_records(campaign, role):
            msg = f"{self.requested_path} is empty, although the campaign has such records"
            raise MissingRecordsError(msg)

    @property
    def is_in_window(self) -> bool:
        """Return whether the API still keeps the records of the current campaign."""
        window, sent = self.metrics.window, sent_date(self.task.parent)
        return window is None or sent is None or sent + window > self.run.session.started_at

    def must_have_records(self, campaign: Record, role: str) -> bool:
        """Return whether an activity must have records."""
        return False

    @override
    def means_no_records(self, error: FatalAPIError) -> bool:
        return False

    def must_have(self, campaign: Record, role: str) -> bool:
        """Return whether a 404 for an activity is an error."""
        return role in _KNOWN_ROLES and status_of(campaign) != _REMOVED

    def _check_detail(self, campaign: Record) -> None:
        """Make sure that a detail named the campaign's activities.

        Raises:
            MissingRecordsError: It lacks some of what it must have.
        """
        if status_of(campaign) == _REMOVED:
            return
        named = campaign.get(_ACTIVITIES)
        is_full = isinstance(named, list) and len(activities_in(campaign)) == len(named)
        should_stop_pagination = any(
            role_of(activity) != _PERMALINK for activity in activities_in(campaign)
        )
        is_as_before = self.snapshot(campaign).activities <= activity_ids_in(campaign)
        if not (is_full and should_stop_pagination and is_as_before):
            path = f"{Campaigns.path}/{campaign['id']}"
            msg = f"The campaign's detail ({path}) lacks activities, or their ids"
            raise MissingRecordsError(msg)

    def of_activity(self, row: Record, context: Context) -> Record:
        """A row that says whose it is."""
        keys = (self.parent_key, "campaign_activity_id")
        return {**row, **{key: context[key] for key in keys}}

    @override
    def forecast_child_requests(self, task: ParentTask) -> RequestForecast:
        for context in self.child_contexts(task):
            yield self.prefetch_page(context)

    @override
    def estimate_child(self, task: ParentTask) -> int:
        return len(self.activities(task.parent))


class ContentChildStream(ActivityChildStream):
    """Something of what was written for a campaign; of removed campaigns nothing is left."""

    needs_summaries = True

    @override
    def applies_to(self, parent: Record) -> bool:
        return status_of(parent) != _REMOVED


class CampaignActivities(ContentChildStream):
    """Activities of campaigns: the content of the mail and of its resends.

    What the detail of a campaign says of an activity is all there is of a permalink.
    """

    name = "campaign_activities"
    path = "/emails/activities/{campaign_activity_id}"
    envelope = envelopes.ONE
    primary_keys = ("campaign_activity_id",)
    params: ClassVar[Mapping[str, str]] = {
        "include": "physical_address_in_footer,permalink_url,html_content,document_properties"
    }

    @override
    def fetch_child_records(self, context: Context) -> Iterable[Record]:
        for activity in activities_in(self.task.parent):
            if role_of(activity) not in _KNOWN_ROLES:
                yield {**activity, **context}
        yield from super().fetch_child_records(context)


class CampaignSchedules(ActivityChildStream):
    """Schedules of campaigns. The API keeps none after the sending.

    It changes with the campaign: planning one is an edit.
    """

    name = "campaign_schedules"
    path = "/emails/activities/{campaign_activity_id}/schedules"
    envelope = envelopes.ARRAY
    primary_keys = ("campaign_activity_id", "scheduled_date")

    @override
    def applies_to(self, parent: Record) -> bool:
        return status_of(parent) == "scheduled"

    @override
    def must_have_records(self, campaign: Record, role: str) -> bool:
        return role == _PRIMARY


class SentChildStream(ActivityChildStream):
    """Something that a campaign has once it was sent, and that changes when it is sent again."""

    needs_summaries = True

    @override
    def applies_to(self, parent: Record) -> bool:
        return was_sent(parent)

    @override
    def must_have(self, campaign: Record, role: str) -> bool:
        is_sent = bool(campaign.get(_SUMMARY)) or status_of(campaign) in _SENT
        return is_sent and super().must_have(campaign, role)


class CampaignSendHistory(SentChildStream):
    """The sendings of a campaign and its resends."""

    name = "campaign_send_history"
    path = "/emails/activities/{campaign_activity_id}/send_history"
    envelope = envelopes.ARRAY
    primary_keys = ("campaign_activity_id", "send_id")

    @override
    def must_have_records(self, campaign: Record, role: str) -> bool:
        return role == _PRIMARY and status_of(campaign) == _DONE

    @override
    def fetch_child_records(self, context: Context) -> Iterable[Record]:
        run_dates = []
        for row in super().fetch_child_records(context):
            run_dates.append(timestamps.parse_or_none(row.get("run_date")))
            yield row
        campaign = self.task.parent
        sent = sent_at(campaign.get(_SUMMARY))
        signpost = max(filter(None, run_dates), default=None)
        is_behind = sent and (signpost is None or signpost + _SHORTEST_RESEND_DELAY / 2 < sent)
        if sent and is_behind and self.is_in_window and status_of(campaign) != _REMOVED:
            msg = f"The history lacks the sending of {timestamps.write(sent)}"
            raise MissingRecordsError(msg)


class CampaignResends(SentChildStream):
    """Resends to those who did not open a campaign."""

    name = "campaign_resends"
    path = "/emails/activities/{campaign_activity_id}/non_opener_resends"
    envelope = envelopes.ARRAY
    primary_keys = ("campaign_activity_id", "resend_request_id")
    lacking_roles = frozenset({_PERMALINK, _RESEND})

    @override
    def must_have_records(self, campaign: Record, role: str) -> bool:
        return any(role_of(activity) == _RESEND for activity in activities_in(campaign))


class CampaignAbTests(ContentChildStream):
    """Tests of two subjects; where there was none, the API knows no such thing."""

    name = "campaign_ab_tests"
    path = "/emails/activities/{campaign_activity_id}/abtest"
    envelope = envelopes.ONE
    primary_keys = ("campaign_activity_id",)
    lacking_roles = frozenset({_PERMALINK, _RESEND})

    @override
    def must_have(self, campaign: Record, role: str) -> bool:
        is_test = envelopes.count_of(campaign.get("type_code")) == _AB_TEST
        return is_test and super().must_have(campaign, role)


class CampaignPreviews(ContentChildStream):
    """A campaign as its recipients see it: large, and a call each."""

    name = "campaign_previews"
    path = "/emails/activities/{campaign_activity_id}/previews"
    envelope = envelopes.ONE
    primary_keys = ("campaign_activity_id",)


class MetricsChildStream(SentChildStream):
    """Something that goes on changing for as long as recipients do anything."""

    needs_stats = True
    privileges: ClassVar[tuple[str, ...]] = ("ui:campaign:metrics", "campaign:read")
    #: The kinds of reports whose counters say that it has changed.
    kinds: ClassVar[tuple[str, ...]] = KINDS

    @override
    def is_due(self, parent: Record, synced_until: dt.datetime | None) -> bool:
        if synced_until is None:
            return self.is_wanted(parent) and self.may_have(parent)
        window, sent = self.metrics.window, sent_date(parent)
        if window is not None and sent is not None and sent + window <= self.run.session.started_at:
            # Once more, whatever is counted: counters are late.
            synced_until = self.synced_until(parent, synced_until)
            return synced_until is None or synced_until < sent + window
        snapshots, now = self.snapshot(parent).counters, counters_in(parent)
        return not all(
            kind in snapshots and snapshots[kind].vouches(now.get(kind), synced_until)
            for kind in self.kinds
        )

    def is_wanted(self, campaign: Record) -> bool:
        """Return whether a first run syncs a campaign's report."""
        return self.was_sent_since(campaign, self.start_date)

    def may_have(self, campaign: Record) -> bool:
        """Return whether a report may have records: any counter is not zero, or missing."""
        return any(self._counted(campaign, kind) != 0 for kind in self.kinds)

    def synced_until(
        self, campaign: Record, synced_until: dt.datetime | None
    ) -> dt.datetime | None:
        """Return the timestamp until which a report is synced; None for never."""
        return synced_until

    @override
    def must_have(self, campaign: Record, role: str) -> bool:
        is_counted = any(self._counted(campaign, kind) for kind in self.kinds)
        return is_counted or super().must_have(campaign, role)

    def _counted(self, campaign: Record, kind: str) -> int | None:
        """Return a counter: of records if the campaign is in the window, else of people."""
        rows, people = counters_in(campaign).get(kind), unique_count(campaign.get(_SUMMARY), kind)
        return people if rows is None else max(rows, people or 0)


class CounterGatedStream(MetricsChildStream):
    """Something of which the API counts each row."""

    #: Which counter that is.
    kind: ClassVar[str]

    @property
    @override
    def kinds(self) -> tuple[str, ...]:  # type: ignore[override]  # one for each
        return (self.kind,)

    @override
    def synced_until(
        self, campaign: Record, synced_until: dt.datetime | None
    ) -> dt.datetime | None:
        """Return the timestamp until which a report is synced.

        The watermark's, or an earlier one.
        """
        counter = self.snapshot(campaign).counters.get(self.kind)
        if counter is None or synced_until is None:
            return synced_until
        return counter.synced_until and min(counter.synced_until, synced_until)

    def counter_after(
        self,
        task: ParentTask,
        before: Counter | None,
        synced_until: dt.datetime | None,
        at: dt.datetime,
    ) -> Counter:
        """The counter of the report after a visit, with the timestamp up to which it was read.

        What was not read keeps its older timestamp: the next read goes back to it.
        """
        if self.name in task.failed:
            return Counter(None, self.synced_until(task.parent, synced_until))
        count = counters_in(task.parent).get(self.kind)
        if self.name not in task.due:
            if before is not None:
                return before
            # Nothing is counted, or it was sent before `start_date`.
            return Counter(count, None if self.is_wanted(task.parent) else at)
        last = before.value if before else None
        has_fallen = last is not None and count is not None and count < last
        has_fallen = has_fallen or (before is not None and before.has_fallen)
        return Counter(count, at, has_fallen)


class CampaignLinks(MetricsChildStream):
    """Links in a campaign, with how many clicked them; those that nobody did, too."""

    name = "campaign_links"
    path = "/reports/email_reports/{campaign_activity_id}/links"
    envelope = paged("link_click_counts")
    primary_keys = ("campaign_activity_id", "url_id", "link_tag")
    kinds = ("clicks",)
    params: ClassVar[Mapping[str, str]] = {"no_clicks": "true"}

    @override
    def is_due(self, parent: Record, synced_until: dt.datetime | None) -> bool:
        if synced_until is None:
            return self.was_sent_since(parent, self.start_date)
        # What was sent again has links that nobody has clicked yet.
        seen = self.edit_hashes.as_of(parent["id"], synced_until)
        is_known = seen is not None and seen.text == parent[_EDIT]
        is_new = not is_known and self.was_sent_since(parent, self.apply_lookback(synced_until))
        return is_new or super().is_due(parent, synced_until)

    @override
    def preprocess_record(self, row: Record, context: Context | None) -> Record | None:
        # A key has no nulls.
        return {**row, "link_tag": row.get("link_tag") or NO_VALUE}


class CampaignActivityStats(MetricsChildStream):
    """All counters of each activity, where any of the campaign's has moved."""

    name = "campaign_activity_stats"
    path = "/reports/stats/email_campaign_activities/{campaign_activity_ids}"
    envelope = paged("results")
    primary_keys = ("campaign_activity_id",)

    @override
    def child_contexts(self, task: ParentTask) -> list[Context]:
        context = self.child_context(task)
        ids = [activity["campaign_activity_id"] for activity in self.activities(task.parent)]
        return [
            {**context, "campaign_activity_ids": ",".join(batch), "role": _PRIMARY}
            for batch in batched(ids, _STATS_BATCH)
        ]

    @override
    def fetch_child_records(self, context: Context) -> Iterable[Record]:
        answered = set()
        for row in super().fetch_child_records(context):
            answered.add(envelopes.id_of(row.get("campaign_activity_id")))
            yield row
        campaign = self.task.parent
        for activity in self.activities(campaign):
            activity_id, role = activity["campaign_activity_id"], role_of(activity)
            # A resend may not have been sent yet.
            is_due = role == _PRIMARY and self.must_have(campaign, role)
            if is_due and activity_id not in answered:
                msg = f"The API has no counters for activity {activity_id}"
                raise MissingRecordsError(msg)

    @override
    def of_activity(self, row: Record, context: Context) -> Record:
        return with_plain_names(row)

    @override
    def get_url(self, context: Context | None) -> str:
        ids = context["campaign_activity_ids"] if context else ""
        return f"{self.url_base}{self.path.replace('{campaign_activity_ids}', ids)}"

    @override
    def estimate_child(self, task: ParentTask) -> int:
        return 1


_STATS_BATCH = 10
