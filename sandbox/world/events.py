"""Events, their registrants and what is sold there."""

from dataclasses import dataclass, field
from typing import Final

from sandbox.world import timestamps
from sandbox.world.event_documents import Document, EventDocuments, sections
from sandbox.world.fake_data import FakeRandom, Name, Pools

_STATUSES: Final = ("ACTIVE", "COMPLETE", "DRAFT", "COMPLETE", "CANCELLED", "DELETED", "COMPLETE")
_WITHOUT_GUESTS: Final = frozenset({"DRAFT", "DELETED"})
_TYPES: Final = (
    "AUCTION",
    "CLASSES_WORKSHOPS",
    "FUNDRAISERS_CHARITIES",
    "MUSIC_CONCERTS",
    "NETWORKING_CLUBS",
    "WEBINAR_TELESEMINAR_TELECLASS",
    "OTHER",
)
_ANNOUNCED: Final = 60 * timestamps.DAY
"""Time between the announcement of an event and its start."""

_MOST_GUESTS: Final = 64
"""The registrants of the newest event do not fit on a page of the default size."""
NO_ADDRESS: Final = dict.fromkeys(
    (
        "city",
        "state",
        "country",
        "line1",
        "line2",
        "line3",
        "state_code",
        "country_code",
        "postal_code",
    ),
    "",
)
_FEES: Final = (
    ("Regular", 54.0, "BOTH"),
    ("Student", 20.5, "REGISTRANTS"),
    ("Guest", 0.0, "GUESTS"),
)
_ITEMS: Final = (
    ("Golf shirt with logo", 32.0, ("Royal blue", "Hi-vis green")),
    ("Running belt", 20.25, ()),
    ("Programme", 3.0, ()),
)
_CODES: Final = (
    (
        "EARLYBIRD",
        {
            "code_type": "DISCOUNT",
            "discount_scope": "FEE_LIST",
            "discount_type": "AMOUNT",
            "discount_amount": 15.0,
        },
    ),
    (
        "FRIENDS",
        {
            "code_type": "DISCOUNT",
            "discount_scope": "ORDER_TOTAL",
            "discount_type": "PERCENT",
            "discount_percent": 33,
        },
    ),
    ("BACKSTAGE", {"code_type": "ACCESS"}),
)
_SESSIONS: Final = ("Opening", "Workshop A", "Workshop B", "Dinner")


@dataclass(slots=True)
class Registrant:
    """A registrant of an event, as in the list and in full."""

    row: Document
    detail: Document


@dataclass(slots=True)
class Event:
    """An event with its details."""

    detail: Document
    fees: list[Document] = field(default_factory=list)
    items: list[Document] = field(default_factory=list)
    promocodes: list[Document] = field(default_factory=list)
    registrants: dict[str, Registrant] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """The event's id."""
        id_: str = self.detail["id"]
        return id_


class Events:
    """The events of an account, newest first."""

    def __init__(self, random: FakeRandom, names: Pools, count: int, now: int) -> None:
        """Create the events of a new account.

        Args:
            random: Source of random numbers.
            names: The account's names and places.
            count: Number of events.
            now: Newest time of the data.
        """
        self._random = random
        self._names = names
        self._documents = EventDocuments(random, names)
        self.by_id: dict[str, Event] = {}
        for number in reversed(range(count)):
            created = now - (number + 1) * 40 * timestamps.DAY
            status = _STATUSES[number % len(_STATUSES)]
            made = self.make(status, created, complete=number == 0)
            if status in _WITHOUT_GUESTS:
                continue
            guests = _MOST_GUESTS if number == 0 else random.between(3, 40)
            closed = min(created + _ANNOUNCED, now - timestamps.HOUR)
            for timestamp in sorted(random.between(created, closed) for _ in range(guests)):
                self.register(made, timestamp)

    def make(self, status: str, created: int, *, complete: bool = False) -> Event:
        """Create another event.

        Args:
            status: Its status.
            created: Time of the announcement.
            complete: Whether it has all kinds of fees, items and promo codes.
        """
        random, names, documents = self._random, self._names, self._documents
        number = len(self.by_id)
        created = timestamps.whole_second(created)
        begin = created - created % timestamps.DAY + _ANNOUNCED + 17 * timestamps.HOUR
        id_ = f"a07e{random.letters(15)}"
        detail: Document = {
            "id": id_,
            "name": f"{random.pick(names.cities)} {timestamps.text(begin)[:4]}",
            "title": random.pick(names.phrases),
            "status": status,
            "type": random.pick(_TYPES),
            "contact": {
                "name": " ".join(
                    random.pick(part).text for part in (names.first_names, names.last_names)
                ),
                "email_address": "events@example.com",
                "organization_name": random.pick(names.companies),
                "phone_number": random.phone(),
            },
            "start_date": timestamps.text(begin),
            "end_date": timestamps.text(begin + 5 * timestamps.HOUR),
            "created_date": timestamps.text(created),
            "updated_date": timestamps.text(created + timestamps.DAY),
            "time_zone_id": "US/Eastern",
            "time_zone_description": "Eastern Time (US & Canada)",
            "is_checkin_available": status == "ACTIVE",
            "total_registered_count": 0,
            "theme_name": "Default",
            "currency_type": "USD",
            "payment_options": ["PAYPAL", "CHECK", "DOOR"],
            "payable_to": random.pick(names.companies),
            "notification_options": [
                {"notification_type": "SO_REGISTRATION_NOTIFICATION", "is_opted_in": True},
            ],
            "is_home_page_displayed": False,
            "is_map_displayed": True,
            "is_calendar_displayed": True,
            "is_listed_in_external_directory": False,
            "are_registrants_public": False,
            "track_information": {
                "early_fee_date": timestamps.text(begin - 30 * timestamps.DAY),
                "late_fee_date": timestamps.text(begin - 3 * timestamps.DAY),
                "information_sections": ["CONTACT", "TIME", "LOCATION"],
                "is_registration_closed_manually": False,
                "is_ticketing_link_displayed": False,
                "guest_limit": 2,
                "registration_limit_count": 0,
                "guest_display_label": "Guest(s)",
                "is_guest_name_required": True,
                "is_guest_anonymous_enabled": False,
            },
            **documents.place(number),
            **_dates_of(status, created),
        }
        if number % 2 == 0:
            detail["description"] = random.pick(names.sentences)
        if status != "DRAFT":
            detail["registration_url"] = f"https://events.example.com/register?oeidk={id_}"
        made = Event(
            detail,
            fees=[documents.fee(*fee) for fee in _FEES[: random.between(1, len(_FEES))]],
            items=[documents.item(*item) for item in _ITEMS[: random.between(0, len(_ITEMS))]],
        )
        made.promocodes = [
            documents.promocode(made.fees, *code)
            for code in _CODES[: random.between(0, len(_CODES))]
        ]
        if complete:
            made.fees = [documents.fee(*fee) for fee in _FEES]
            made.items = [documents.item(*item) for item in _ITEMS]
            made.promocodes = [documents.promocode(made.fees, *code) for code in _CODES]
        self.by_id = {id_: made} | self.by_id
        return made

    def register(self, event: Event, timestamp: int) -> str:
        """Add a registrant to an event, and return its id."""
        random, names, documents = self._random, self._names, self._documents
        # One in three ends in a padding character, so that ids have to be encoded in paths.
        id_ = f"001{random.url_safe(77)}{random.pick(('=', '', ''))}"
        first, last = random.pick(names.first_names), random.pick(names.last_names)
        email = f"{first.slug}.{last.slug}.{len(event.registrants)}@example.com"
        stamp = timestamps.text(timestamps.whole_second(timestamp))
        guests = [
            (random.pick(names.first_names), random.pick(names.last_names))
            for _ in range(random.pick((0, 0, 0, 1, 2)))
        ]
        common: Document = {
            "id": id_,
            "ticket_id": f"E{random.letters(8).upper()}",
            "registration_date": stamp,
            "registration_status": "CANCELLED" if random.chance(0.1) else "REGISTERED",
        }
        if event.detail["status"] == "COMPLETE":
            attended = random.chance(0.8)
            common["attendance_status"] = "ATTENDED" if attended else "NOT_ATTENDED"
        payment = self._payment(event, [(first, last), *guests], stamp)
        row = common | {
            "email": email,
            "first_name": first.text,
            "last_name": last.text,
            "guest_count": len(guests),
            "payment_status": payment["payment_status"],
            "updated_date": stamp,
        }
        detail = common | {
            "sections": sections(first, last, email, random.some(_SESSIONS, 2)),
            "guests": {
                "guest_count": len(guests),
                "guest_info": [documents.guest(*guest) for guest in guests],
            },
            "payment_summary": payment,
        }
        event.registrants[id_] = Registrant(row, detail)
        _count(event)
        return id_

    def _payment(self, event: Event, people: list[tuple[Name, Name]], stamp: str) -> Document:
        random = self._random
        fee = event.fees[0]
        bought = event.items[: random.between(0, 1)]
        code = random.pick(event.promocodes) if event.promocodes and random.chance(0.3) else None
        fees = []
        for first, last in people:
            fees.append(
                {
                    "id": fee["id"],
                    "name": f"{first.text} {last.text}",
                    "type": fee["label"],
                    "quantity": 1,
                    "amount": fee["fee"],
                    "fee_period_type": "REGULAR",
                },
            )
            if code:
                fees[-1]["promo_type"] = code["code_type"]
        items = [
            {
                "id": item["id"],
                "name": item["name"],
                "type": item["attributes"][0]["name"] if item["attributes"] else "",
                "quantity": 1,
                "amount": item["price"],
            }
            for item in bought
        ]
        full = float(sum(line["amount"] for line in fees + items))
        off = _discount(code, full, len(people)) if code else 0.0
        payment: Document = {
            "order": {
                "total": round(full - off, 2),
                "fees": fees,
                "items": items,
                "order_id": f"PR1-{random.between(10**6, 10**7)}",
                "currency_type": "USD",
                "order_date": stamp,
            },
            "payment_status": random.pick(("COMPLETED", "PENDING", "NA")),
            "payment_type": random.pick(("CHECK", "DOOR", "PAYPAL")),
        }
        if code:
            payment["promo_code"] = {
                "total_discount": 0.0 - off,
                "promo_code_info": {
                    "code_name": code["code_name"],
                    "redemption_count": len(people),
                    **{
                        name: code[name]
                        for name in (
                            "code_type",
                            "discount_amount",
                            "discount_percent",
                            "discount_type",
                            "discount_scope",
                        )
                        if name in code
                    },
                },
            }
        return payment

    def open_events(self) -> list[Event]:
        """Return the events that are open for registration."""
        return [event for event in self.by_id.values() if event.detail["status"] == "ACTIVE"]

    def attend(self, registrant: Registrant, timestamp: int) -> None:
        """Check a registrant in, which updates the registration."""
        stamp = timestamps.text(timestamps.whole_second(timestamp))
        registrant.row |= {"attendance_status": "ATTENDED", "updated_date": stamp}
        registrant.detail["attendance_status"] = "ATTENDED"

    def edit(self, event: Event, timestamp: int) -> None:
        """Edit the title of an event."""
        event.detail["title"] = self._random.pick(self._names.phrases)
        event.detail["updated_date"] = timestamps.text(timestamps.whole_second(timestamp))


def _dates_of(status: str, created: int) -> Document:
    dates = {}
    if status != "DRAFT":
        dates["active_date"] = timestamps.text(created + 2 * timestamps.HOUR)
    if status == "CANCELLED":
        dates["cancelled_date"] = timestamps.text(created + timestamps.DAY)
    if status == "DELETED":
        dates["deleted_date"] = timestamps.text(created + timestamps.DAY)
    return dates


def _discount(code: Document, total: float, people: int) -> float:
    """Return the discount of a promo code; 0 if it only grants access."""
    off: float = code.get("discount_amount", 0.0) * people
    percent: int = code.get("discount_percent", 0)
    return min(round(off + total * percent / 100, 2), total)


def _count(event: Event) -> None:
    event.detail["total_registered_count"] = sum(
        registrant.row["registration_status"] == "REGISTERED"
        for registrant in event.registrants.values()
    )
