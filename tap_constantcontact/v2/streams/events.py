"""EventSpot: events, what they cost, and who comes."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING
from urllib.parse import quote

from typing_extensions import override

from tap_constantcontact.child_stream import ChildStream, WatermarkedStream
from tap_constantcontact.estimate import pages
from tap_constantcontact.http import envelopes
from tap_constantcontact.http.retries import ForbiddenError, NotFoundError
from tap_constantcontact.parent_stream import FetchLevel, ParentStream
from tap_constantcontact.records import timestamps

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from singer_sdk.helpers.types import Context, Record

    from tap_constantcontact.child_stream import ParentTask
    from tap_constantcontact.http.prefetch import RequestForecast
    from tap_constantcontact.state.sync_pass import SyncedUntil

# What a list row of an event has; all else is in the event's detail.
_LISTED = frozenset(
    {
        "id",
        "name",
        "title",
        "status",
        "type",
        "location",
        "description",
        "address",
        "start_date",
        "end_date",
        "created_date",
        "active_date",
        "deleted_date",
        "time_zone_id",
        "is_checkin_available",
        "registration_url",
        "total_registered_count",
        "event_detail_url",
    }
)

# Each costs a call: about half a minute at the default pace.
_CHECKPOINT_INTERVAL = 100


class EventSpotStream(WatermarkedStream):
    """Anything of EventSpot, which is a product of its own.

    Nothing tells what has changed in an event. So it is read in each run until it lies some days
    back, and then taken as settled.
    """

    product = "EventSpot"

    @override
    def is_due(self, parent: Record, synced_until: dt.datetime | None) -> bool:
        ends, created = (
            timestamps.parse_or_none(parent.get(d)) for d in ("end_date", "created_date")
        )
        if not (synced_until and self.window and ends and created):
            return True
        lively = [ends + dt.timedelta(days=self.window), created]
        lively += [
            timestamp
            for field in ("active_date", "deleted_date")
            if (timestamp := timestamps.parse_or_none(parent.get(field)))
        ]
        return max(lively) >= self.apply_lookback(synced_until)


class Events(EventSpotStream, ParentStream):
    """Events, list and detail merged (docs/api/v2.md §11)."""

    name = "events"
    path = "/eventspot/events"
    primary_keys = ("id",)
    page_size = 50
    parent_key = "event_id"
    # What an account without the product is told is not documented.
    unauthorized_errors = (ForbiddenError, NotFoundError)

    @override
    def merge_lists(self, lists: Sequence[list[Record]]) -> list[Record]:
        (rows,) = lists
        return sorted(rows, key=lambda row: (str(row.get("created_date")), row["id"]), reverse=True)

    @override
    def required_level(
        self, parent: Record, synced_until: SyncedUntil, unchanged: int
    ) -> FetchLevel:
        due = self.due_streams(parent, synced_until)
        if not due:
            return FetchLevel.SKIP
        is_deep = self.name in due and self.selects_fields_outside(_LISTED)
        return FetchLevel.DETAIL if is_deep else FetchLevel.LIST

    @override
    def detail_path(self, parent: Record) -> str:
        return f"{self.path}/{quote(parent['id'], safe='')}"


class EventChildStream(EventSpotStream, ChildStream):
    """Something of one event. An event that has vanished has none."""

    parent_stream_type = Events
    parent_key = Events.parent_key

    @override
    def get_url(self, context: Context | None) -> str:
        event_id = quote(str(context["event_id"]) if context else "", safe="")
        return f"{self.url_base}{self.path.replace('{event_id}', event_id)}"

    @override
    def on_not_found(self) -> None:
        self.logger.warning("An event has vanished from its list.")


class EventFees(EventChildStream):
    """Fees of registrants and guests (docs/api/v2.md §11)."""

    name = "event_fees"
    path = "/eventspot/events/{event_id}/fees"
    envelope = envelopes.ARRAY
    primary_keys = ("event_id", "id")


class EventItems(EventChildStream):
    """Things for sale at an event (docs/api/v2.md §11)."""

    name = "event_items"
    path = "/eventspot/events/{event_id}/items"
    envelope = envelopes.ARRAY
    primary_keys: tuple[str, ...] = ("event_id", "id")

    @override
    def fetch_child_records(self, context: Context) -> Iterable[Record]:
        # Asked once an event, however many streams want them.
        return self.task.cache(
            EventItems.path, lambda: list(self.with_string_ids(self.request_records(context)))
        )


class EventItemAttributes(EventItems):
    """Sizes, colours and the like; they come inside their item and cost no call."""

    name = "event_item_attributes"
    primary_keys = ("event_id", "item_id", "id")

    @override
    def fetch_child_records(self, context: Context) -> Iterable[Record]:
        for item in super().fetch_child_records(context):
            for attribute in envelopes.objects(item.get("attributes")):
                yield {**attribute, "item_id": item["id"]}

    @override
    def forecast_child_requests(self, task: ParentTask) -> RequestForecast:
        return iter(()) if EventItems.name in task.due else super().forecast_child_requests(task)

    @override
    def estimate_child(self, task: ParentTask) -> int:
        return 0 if EventItems.name in task.due else 1


class EventPromocodes(EventChildStream):
    """Codes for discounts and access (docs/api/v2.md §11)."""

    name = "event_promocodes"
    path = "/eventspot/events/{event_id}/promocodes"
    envelope = envelopes.ARRAY
    primary_keys = ("event_id", "id")


class EventRegistrants(EventChildStream):
    """People who registered, with what they filled in and paid (docs/api/v2.md.

    EventSpot registrants).

    There is no time filter: all are listed, and the detail is read of those whose `updated_date` is
    newer than the last sync. They are requested in the order of their changes, so that an
    interrupted run resumes within a large event.
    """

    name = "event_registrants"
    path = "/eventspot/events/{event_id}/registrants"
    primary_keys = ("event_id", "id")
    replication_key = "updated_date"
    page_size = 500

    @override
    def is_due(self, parent: Record, synced_until: dt.datetime | None) -> bool:
        # People are paid back and checked in whenever somebody gets to it, and their rows tell.
        return True

    def since_of(self, synced_until: dt.datetime | None) -> dt.datetime | None:
        """The oldest change wanted of an event that was read up to a moment, None for never."""
        return self.apply_lookback(synced_until) if synced_until else self.start_date

    @override
    def estimate_child(self, task: ParentTask) -> int:
        there_are = envelopes.count_of(task.parent.get("total_registered_count")) or 0
        since = self.since_of(task.due[self.name])

        def ask() -> float:
            rows, _ = self.sample_records(self.child_context(task))
            return sum(_changed_since(row, since) for row in rows) / max(len(rows), 1)

        share = self.run.cache("share of registrants that have changed", ask) if since else 1
        return pages(there_are) + round(share * there_are)

    @override
    def fetch_child_records(self, context: Context) -> Iterable[Record]:
        state = self.get_context_state(None)
        registrants = list(self.with_string_ids(self.request_records(context)))
        for number, row in enumerate(self._changed(registrants, self.task), start=1):
            result = self.fetch_detail(self._path_of(row, context), row["id"])
            yield {**row, **(result or {})}
            state["resume_from"] = {
                "event_id": self.task.parent["id"],
                "after": list(_change(row)),
            }
            if number % _CHECKPOINT_INTERVAL == 0:
                self.run.write_state()
        state.pop("resume_from", None)

    def _changed(self, registrants: Iterable[Record], task: ParentTask) -> list[Record]:
        """Return the registrants whose detail is required, in the order of the requests."""
        since = self.since_of(task.due[self.name])
        within = self.run.bookmarks_of(self.name).get("resume_from") or {}
        is_here = within.get("event_id") == task.parent["id"]
        after = tuple(within["after"]) if is_here else ()
        changed = (row for row in registrants if _changed_since(row, since))
        return sorted((row for row in changed if _change(row) > after), key=_change)

    def _path_of(self, registrant: Record, context: Context) -> str:
        path = self.get_url(context).removeprefix(self.url_base)
        return f"{path}/{quote(registrant['id'], safe='')}"

    @override
    def forecast_child_requests(self, task: ParentTask) -> RequestForecast:
        context = self.child_context(task)
        call = self.prefetch_page(context)
        yield call
        registrants = yield from self.await_rows(call)
        for row in self._changed(registrants, task):
            yield self.prefetch_detail(self._path_of(row, context))


def _changed_since(row: Record, since: dt.datetime | None) -> bool:
    return timestamps.is_since(row.get("updated_date"), since)


def _change(row: Record) -> tuple[str, ...]:
    updated = timestamps.parse_or_none(row.get("updated_date"))
    return (timestamps.write(updated) if updated else "", row["id"])
