"""EventSpot: events with their fees, items, promocodes and registrants (docs/api/v2.md §11)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from typing_extensions import override

from tap_constantcontact.child_stream import ChildStream
from tap_constantcontact.estimate import RecordCount
from tap_constantcontact.http import envelopes
from tap_constantcontact.http.retries import ForbiddenError, NotFoundError
from tap_constantcontact.parent_stream import ParentStream
from tap_constantcontact.records import timestamps
from tap_constantcontact.refresh import FetchLevel, Parent, RefreshPolicy

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Sequence

    from singer_sdk.helpers.types import Context, Record

    from tap_constantcontact.refresh import ParentTask
    from tap_constantcontact.state.sync_pass import SyncedUntil
    from tap_constantcontact.sync_run import SyncRun

# Fields of an event in the list. Others require the detail.
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

# Requests for details between two states: about half a minute at the default rate.
_CHECKPOINT_INTERVAL = 100

_PRODUCT = "EventSpot"


class EventRefresh(RefreshPolicy[Parent]):
    """An event is due until the tracking window after its end: the list shows no changes."""

    @override
    def is_due(self, parent: Parent, synced_until: dt.datetime | None, run: SyncRun) -> bool:
        dates = {
            field: timestamps.parse_or_none(parent.record.get(field))
            for field in ("end_date", "created_date", "active_date", "deleted_date")
        }
        period, end = run.period, dates.pop("end_date")
        if not (synced_until and period.window and end and dates["created_date"]):
            return True
        last_change = max(filter(None, (end + period.window, *dates.values())))
        return last_change >= period.apply_lookback(synced_until)


class Events(ParentStream[Parent]):
    """Events, with list and detail merged."""

    name = "events"
    path = "/eventspot/events"
    product = _PRODUCT
    primary_keys = ("id",)
    page_size = 50
    parent_key = "event_id"
    refresh = EventRefresh()
    typical_detail: ClassVar[Record] = {}
    # The response for an account without the product is not documented.
    unauthorized_errors = (ForbiddenError, NotFoundError)

    @override
    def merge_lists(self, lists: Sequence[list[Record]]) -> list[Parent]:
        (rows,) = lists
        rows.sort(key=lambda row: (str(row.get("created_date")), row["id"]), reverse=True)
        return [Parent(row["id"], row) for row in rows]

    @override
    def required_level(
        self, parent: Parent, synced_until: SyncedUntil, unchanged: int
    ) -> FetchLevel:
        due = self.due_streams(parent, synced_until)
        if not due:
            return FetchLevel.SKIP
        needs_detail = self.name in due and self.selects_fields_outside(_LISTED)
        return FetchLevel.DETAIL if needs_detail else FetchLevel.LIST


class EventChildStream(ChildStream[Parent]):
    """A child stream of events. An event that has vanished has none."""

    product = _PRODUCT
    parent_stream_type = Events
    parent_key = Events.parent_key
    refresh: RefreshPolicy[Parent] = EventRefresh()

    @override
    def on_not_found(self) -> None:
        self.logger.warning("An event has vanished from its list.")


class EventFees(EventChildStream):
    """Fees of registrants and guests."""

    name = "event_fees"
    path = "/eventspot/events/{event_id}/fees"
    envelope = envelopes.ARRAY
    primary_keys = ("event_id", "id")


class EventItems(EventChildStream):
    """Items for sale at an event."""

    name = "event_items"
    path = "/eventspot/events/{event_id}/items"
    envelope = envelopes.ARRAY
    primary_keys: tuple[str, ...] = ("event_id", "id")

    @override
    def fetch_child_records(self) -> Iterable[Record]:
        def items() -> list[Record]:
            rows = self.request_records({self.parent_key: self.task.parent.id})
            return list(self.client.with_string_ids(rows))

        # Requested once per event, however many streams need them.
        return self.task.cache(EventItems.path, items)


class EventItemAttributes(EventItems):
    """Attributes of items, such as sizes and colors, which are in the item."""

    name = "event_item_attributes"
    primary_keys = ("event_id", "item_id", "id")

    @override
    def fetch_child_records(self) -> Iterable[Record]:
        for item in super().fetch_child_records():
            for attribute in envelopes.objects(item.get("attributes")):
                yield {**attribute, "item_id": item["id"]}

    @override
    def child_contexts(self, task: ParentTask[Parent]) -> Sequence[Context]:
        return () if EventItems.name in task.due else super().child_contexts(task)


class EventPromocodes(EventChildStream):
    """Codes for discounts and access."""

    name = "event_promocodes"
    path = "/eventspot/events/{event_id}/promocodes"
    envelope = envelopes.ARRAY
    primary_keys = ("event_id", "id")


def _registrants_of(event: Parent) -> RecordCount:
    return RecordCount(envelopes.count_of(event.record.get("total_registered_count")) or 0)


class EventRegistrants(EventChildStream):
    """Registrants with their answers and payments (docs/api/v2.md §11).

    There is no time filter: all are listed, and the detail is requested of those whose
    `updated_date` is newer than the last sync. They are requested in the order of their changes, so
    that an interrupted run resumes within a large event.
    """

    name = "event_registrants"
    path = "/eventspot/events/{event_id}/registrants"
    primary_keys = ("event_id", "id")
    replication_key = "updated_date"
    page_size = 500
    has_details: ClassVar[bool] = True
    counted = staticmethod(_registrants_of)
    # Refunds and check-ins may come at any time, and the list shows them.
    refresh = RefreshPolicy()

    @override
    def child_contexts(self, task: ParentTask[Parent]) -> Sequence[Context]:
        updated_since = self.run.period.oldest_change(task.due[self.name])
        return [{self.parent_key: task.parent.id, "updated_since": updated_since}]

    @override
    def details_in(self, rows: Iterable[Record], context: Context | None) -> Iterable[Record]:
        context = context or {}
        resume_from = self.run.bookmarks_of(self.name).get("resume_from") or {}
        is_here = resume_from.get("event_id") == context[self.parent_key]
        after = tuple(resume_from["after"]) if is_here else ()
        changed = (row for row in rows if _changed_since(row, context["updated_since"]))
        return sorted((row for row in changed if _change(row) > after), key=_change)

    @override
    def fetch_child_records(self) -> Iterable[Record]:
        state = self.get_context_state(None)
        (context,) = self.child_contexts(self.task)
        registrants = list(self.client.with_string_ids(self.request_records(context)))
        for number, row in enumerate(self.details_in(registrants, context), start=1):
            detail = self.client.get_detail(self.detail_path(row, context), row["id"])
            yield {**row, **(detail or {})}
            state["resume_from"] = {
                "event_id": context[self.parent_key],
                "after": list(_change(row)),
            }
            if number % _CHECKPOINT_INTERVAL == 0:
                self.run.write_state()
        state.pop("resume_from", None)


def _changed_since(row: Record, since: dt.datetime | None) -> bool:
    return timestamps.is_since(row.get("updated_date"), since)


def _change(row: Record) -> tuple[str, ...]:
    updated = timestamps.parse_or_none(row.get("updated_date"))
    return (timestamps.write(updated) if updated else "", row["id"])
