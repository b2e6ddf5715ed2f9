"""EventSpot: events, what they cost, and who comes."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, cast
from urllib.parse import quote

from typing_extensions import override

from tap_constantcontact.api import bodies, times
from tap_constantcontact.api.refusals import Verdict
from tap_constantcontact.client import OptionalAreaStream
from tap_constantcontact.walk import PartStream, WalkedStream, WalkingStream

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from singer_sdk.helpers.types import Context, Record

    from tap_constantcontact.walk import Detail, ReadTo

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
    def is_due(self, member: Record, read_to: dt.datetime | None) -> bool:
        ends, created = (times.parse_or_none(member.get(d)) for d in ("end_date", "created_date"))
        if not (read_to and self.window and ends and created):
            return True
        lively = [ends + dt.timedelta(days=self.window), created]
        lively += [
            moment
            for field in ("active_date", "deleted_date")
            if (moment := times.parse_or_none(member.get(field)))
        ]
        return max(lively) >= self.with_lookback(read_to)


class Events(EventSpotStream, WalkingStream):
    """Events, list and detail merged (API docs: EventSpot events collection)."""

    name = "events"
    path = "/eventspot/events"
    primary_keys = ("id",)
    page_size = 50
    member_key = "event_id"
    # What an account without the product is told is not documented.
    refused_by = (Verdict.FORBIDDEN, Verdict.MISSING)

    @override
    def listed(self, family: Sequence[WalkedStream]) -> list[Record]:
        rows = list(self.identified(self.request_records(None)))
        rows.sort(key=lambda row: (str(row.get("created_date")), row["id"]), reverse=True)
        return rows

    @property
    @override
    def is_closed(self) -> bool:
        return self.area in self.tap.skipped_areas

    @override
    def visit(self, member: Record, read_to: ReadTo, detail: Detail) -> Record | None:
        self.due = {each.name: to for each, to in read_to.items() if each.is_due(member, to)}
        if not self.due:
            return None
        needed = self.name in self.due and self.selects_beyond(_LISTED)
        return detail(member) if needed else member

    @override
    def detail_path(self, member: Record) -> str:
        return f"{self.path}/{quote(member['id'], safe='')}"


class EventPartStream(EventSpotStream, PartStream):
    """Something of one event. An event that has vanished has none."""

    parent_stream_type = Events

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
    envelope = bodies.ARRAY
    primary_keys = ("event_id", "id")


class EventItems(EventPartStream):
    """Things for sale at an event (API docs: EventSpot items)."""

    name = "event_items"
    path = "/eventspot/events/{event_id}/items"
    envelope = bodies.ARRAY
    primary_keys = ("event_id", "id")

    _event_id = ""
    _items: Sequence[Record] = ()

    @override
    def read_part(self, context: Context | None) -> Iterable[Record]:
        return self.items(context)

    def items(self, context: Context | None) -> Sequence[Record]:
        """The items of an event, asked once in a row however many streams want them."""
        event_id = str(context["event_id"]) if context else ""
        if event_id != self._event_id:
            self._items = list(self.identified(self.request_records(context)))
            self._event_id = event_id
        return self._items


class EventItemAttributes(EventPartStream):
    """Sizes, colours and the like; they come inside their item and cost no call."""

    name = "event_item_attributes"
    path = EventItems.path
    primary_keys = ("event_id", "item_id", "id")

    @override
    def read_part(self, context: Context | None) -> Iterable[Record]:
        holder = cast("EventItems", self.tap.streams[EventItems.name])
        for item in holder.items(context):
            for attribute in bodies.objects(item.get("attributes")):
                yield {**attribute, "item_id": item["id"]}


class EventPromocodes(EventPartStream):
    """Codes for discounts and access (API docs: EventSpot promo codes)."""

    name = "event_promocodes"
    path = "/eventspot/events/{event_id}/promocodes"
    envelope = bodies.ARRAY
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
    def is_due(self, member: Record, read_to: dt.datetime | None) -> bool:
        # People are paid back and checked in whenever somebody gets to it, and their rows tell.
        return True

    def since_of(self, read_to: dt.datetime | None) -> dt.datetime | None:
        """The oldest change wanted of an event that was read up to a moment, None for never."""
        return self.with_lookback(read_to) if read_to else self.start_date

    @override
    def read_part(self, context: Context | None) -> Iterable[Record]:
        read_to = self.walker.due[self.name]
        self.since = self.since_of(read_to)
        event_id = self.walker.current["id"]
        state = self.get_context_state(None)
        within = state.get("within") or {}
        after = tuple(within["after"]) if within.get("event_id") == event_id else ()

        changed = [
            row
            for row in self.identified(self.request_records(context))
            if _changed_since(row, self.since) and _change(row) > after
        ]
        path = self.get_url(context).removeprefix(self.url_base)
        for number, row in enumerate(sorted(changed, key=_change), start=1):
            found = self.detail(f"{path}/{quote(row['id'], safe='')}", row["id"])
            yield {**row, **(found or {})}
            state["within"] = {"event_id": event_id, "after": list(_change(row))}
            if number % _REGISTRANTS_A_STATE == 0:
                self.tap.state_writer.write_state(self.tap.state)
        state.pop("within", None)


def _changed_since(row: Record, since: dt.datetime | None) -> bool:
    updated = times.parse_or_none(row.get("updated_date"))
    return since is None or updated is None or updated >= since


def _change(row: Record) -> tuple[str, ...]:
    updated = times.parse_or_none(row.get("updated_date"))
    return (times.write(updated) if updated else "", row["id"])
