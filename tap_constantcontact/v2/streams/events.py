"""EventSpot: events, what they cost, and who comes."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING
from urllib.parse import quote

from typing_extensions import override

from tap_constantcontact.areas import OptionalAreaStream
from tap_constantcontact.http import envelopes
from tap_constantcontact.http.error_handler import ResponseAction
from tap_constantcontact.plan import pages
from tap_constantcontact.records import timestamps
from tap_constantcontact.walk import Need, PartStream, WalkedStream, WalkingStream

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from singer_sdk.helpers.types import Context, Record

    from tap_constantcontact.http.prefetch import RequestForecast
    from tap_constantcontact.state.sync_pass import SyncedUntil
    from tap_constantcontact.walk import Visit

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
_REGISTRANTS_A_STATE = 100


class EventSpotStream(OptionalAreaStream, WalkedStream):
    """Anything of EventSpot, which is a product of its own.

    Nothing tells what has changed in an event. So it is read in each run until it lies some days
    back, and then taken as settled.
    """

    area = "EventSpot"

    @override
    def is_due(self, member: Record, synced_until: dt.datetime | None) -> bool:
        ends, created = (
            timestamps.parse_or_none(member.get(d)) for d in ("end_date", "created_date")
        )
        if not (synced_until and self.window and ends and created):
            return True
        lively = [ends + dt.timedelta(days=self.window), created]
        lively += [
            moment
            for field in ("active_date", "deleted_date")
            if (moment := timestamps.parse_or_none(member.get(field)))
        ]
        return max(lively) >= self.with_lookback(synced_until)


class Events(EventSpotStream, WalkingStream):
    """Events, list and detail merged (API docs: EventSpot events collection)."""

    name = "events"
    path = "/eventspot/events"
    primary_keys = ("id",)
    page_size = 50
    member_key = "event_id"
    # What an account without the product is told is not documented.
    refused_by = (ResponseAction.FORBIDDEN, ResponseAction.NOT_FOUND)

    @override
    def arrange(self, lists: Sequence[list[Record]]) -> list[Record]:
        (rows,) = lists
        return sorted(rows, key=lambda row: (str(row.get("created_date")), row["id"]), reverse=True)

    @override
    def needed(self, member: Record, synced_until: SyncedUntil, idle: int) -> Need:
        due = self.due(member, synced_until)
        if not due:
            return Need.NOTHING
        is_deep = self.name in due and self.selects_beyond(_LISTED)
        return Need.DETAIL if is_deep else Need.LIST_ROW

    @override
    def detail_path(self, member: Record) -> str:
        return f"{self.path}/{quote(member['id'], safe='')}"


class EventPartStream(EventSpotStream, PartStream):
    """Something of one event. An event that has vanished has none."""

    parent_stream_type = Events
    member_key = Events.member_key

    @override
    def get_url(self, context: Context | None) -> str:
        event_id = quote(str(context["event_id"]) if context else "", safe="")
        return f"{self.url_base}{self.path.replace('{event_id}', event_id)}"

    @override
    def miss(self) -> None:
        self.logger.warning("An event has vanished since it was listed.")


class EventFees(EventPartStream):
    """What registrants and guests pay (API docs: EventSpot fees)."""

    name = "event_fees"
    path = "/eventspot/events/{event_id}/fees"
    envelope = envelopes.ARRAY
    primary_keys = ("event_id", "id")


class EventItems(EventPartStream):
    """Things for sale at an event (API docs: EventSpot items)."""

    name = "event_items"
    path = "/eventspot/events/{event_id}/items"
    envelope = envelopes.ARRAY
    primary_keys: tuple[str, ...] = ("event_id", "id")

    @override
    def read_part(self, context: Context) -> Iterable[Record]:
        # Asked once an event, however many streams want them.
        return self.visit.once(
            EventItems.path, lambda: list(self.identified(self.request_records(context)))
        )


class EventItemAttributes(EventItems):
    """Sizes, colours and the like; they come inside their item and cost no call."""

    name = "event_item_attributes"
    primary_keys = ("event_id", "item_id", "id")

    @override
    def read_part(self, context: Context) -> Iterable[Record]:
        for item in super().read_part(context):
            for attribute in envelopes.objects(item.get("attributes")):
                yield {**attribute, "item_id": item["id"]}

    @override
    def part_outlook(self, visit: Visit) -> RequestForecast:
        return iter(()) if EventItems.name in visit.due else super().part_outlook(visit)

    @override
    def calls_for(self, visit: Visit) -> int:
        return 0 if EventItems.name in visit.due else 1


class EventPromocodes(EventPartStream):
    """Codes for discounts and access (API docs: EventSpot promo codes)."""

    name = "event_promocodes"
    path = "/eventspot/events/{event_id}/promocodes"
    envelope = envelopes.ARRAY
    primary_keys = ("event_id", "id")


class EventRegistrants(EventPartStream):
    """People who registered, with what they filled in and paid (API docs: EventSpot registrants).

    There is no time filter: all are listed, and the detail is read of those whose `updated_date` is
    newer than what was read. They are read in the order of their changes, so that a run that is cut
    off within a large event is continued there.
    """

    name = "event_registrants"
    path = "/eventspot/events/{event_id}/registrants"
    primary_keys = ("event_id", "id")
    replication_key = "updated_date"
    page_size = 500

    @override
    def is_due(self, member: Record, synced_until: dt.datetime | None) -> bool:
        # People are paid back and checked in whenever somebody gets to it, and their rows tell.
        return True

    def since_of(self, synced_until: dt.datetime | None) -> dt.datetime | None:
        """The oldest change wanted of an event that was read up to a moment, None for never."""
        return self.with_lookback(synced_until) if synced_until else self.start_date

    @override
    def calls_for(self, visit: Visit) -> int:
        there_are = envelopes.count_of(visit.member.get("total_registered_count")) or 0
        since = self.since_of(visit.due[self.name])

        def ask() -> float:
            rows, _ = self.first_rows(self.part_context(visit))
            return sum(_changed_since(row, since) for row in rows) / max(len(rows), 1)

        share = self.run.once("share of registrants that have changed", ask) if since else 1
        return pages(there_are) + round(share * there_are)

    @override
    def read_part(self, context: Context) -> Iterable[Record]:
        state = self.get_context_state(None)
        registrants = list(self.identified(self.request_records(context)))
        for number, row in enumerate(self._changed(registrants, self.visit), start=1):
            found = self.detail(self._path_of(row, context), row["id"])
            yield {**row, **(found or {})}
            state["resume_from"] = {
                "event_id": self.visit.member["id"],
                "after": list(_change(row)),
            }
            if number % _REGISTRANTS_A_STATE == 0:
                self.run.write_state()
        state.pop("resume_from", None)

    def _changed(self, registrants: Iterable[Record], visit: Visit) -> list[Record]:
        """Those whose detail is to be read, in the order in which it is."""
        since = self.since_of(visit.due[self.name])
        within = self.run.bookmarks_of(self.name).get("resume_from") or {}
        is_here = within.get("event_id") == visit.member["id"]
        after = tuple(within["after"]) if is_here else ()
        changed = (row for row in registrants if _changed_since(row, since))
        return sorted((row for row in changed if _change(row) > after), key=_change)

    def _path_of(self, registrant: Record, context: Context) -> str:
        path = self.get_url(context).removeprefix(self.url_base)
        return f"{path}/{quote(registrant['id'], safe='')}"

    @override
    def part_outlook(self, visit: Visit) -> RequestForecast:
        context = self.part_context(visit)
        call = self.page_ahead(context)
        yield call
        registrants = yield from self.rows_ahead(call)
        for row in self._changed(registrants, visit):
            yield self.detail_ahead(self._path_of(row, context))


def _changed_since(row: Record, since: dt.datetime | None) -> bool:
    return timestamps.is_since(row.get("updated_date"), since)


def _change(row: Record) -> tuple[str, ...]:
    updated = timestamps.parse_or_none(row.get("updated_date"))
    return (timestamps.write(updated) if updated else "", row["id"])
