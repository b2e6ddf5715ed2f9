"""Documents of EventSpot events and registrants, as the API returns them."""

from typing import Any, Final, TypeAlias

from sandbox.world.fake_data import STATES, FakeRandom, Name, Pools

Document: TypeAlias = dict[str, Any]

_CODE_STATUSES: Final = ("LIVE", "LIVE", "PAUSED", "DEPLETED")


class EventDocuments:
    """Makes documents with fictional content."""

    def __init__(self, random: FakeRandom, names: Pools) -> None:
        """Create the factory of documents."""
        self._random = random
        self._names = names

    def place(self, number: int) -> Document:
        """Return the place of an event: online, an address, or none yet."""
        random = self._random
        if number % 3 == 2:  # noqa: PLR2004 - the last of the three
            return {"is_virtual_event": False}
        if number % 3 == 1:
            return {
                "is_virtual_event": True,
                "online_meeting": {
                    "instructions": "Come ten minutes early.",
                    "provider_meeting_id": str(random.between(10**8, 10**9)),
                    "provider_type": "OTHER",
                    "url": "https://meeting.example.com/",
                },
            }
        state, code = random.pick(STATES)
        city = random.pick(self._names.cities)
        return {
            "is_virtual_event": False,
            "location": f"{city}, {code}",
            "address": {
                "city": city,
                "state": state,
                "country": "United States",
                "line1": f"{random.between(1, 999)} {random.pick(self._names.streets)}",
                "line2": "",
                "line3": "",
                "state_code": code,
                "country_code": "US",
                "postal_code": f"{random.between(1000, 99999):05d}",
                "latitude": round(random.between(25000, 48000) / 1000, 3),
                "longitude": round(random.between(-122000, -71000) / 1000, 3),
            },
        }

    def fee(self, label: str, amount: float, scope: str) -> Document:
        """Return a fee."""
        return {
            "id": self._random.url_safe(43),
            "label": label,
            "fee": amount,
            "fee_scope": scope,
            "early_fee": round(amount * 0.8, 2),
            "late_fee": round(amount * 1.2, 2),
        }

    def item(self, name: str, price: float, attributes: tuple[str, ...]) -> Document:
        """Return an item for sale."""
        item: Document = {
            "id": self._random.url_safe(43),
            "name": name,
            "description": self._random.pick(self._names.sentences),
            "price": price,
            "attributes": [
                {
                    "id": self._random.url_safe(43),
                    "name": attribute,
                    "quantity_total": 75,
                    "quantity_available": self._random.between(0, 75),
                }
                for attribute in attributes
            ],
            "per_registrant_limit": 2,
            "show_quantity_available": True,
            "default_quantity_total": 75 * max(len(attributes), 1),
        }
        if not attributes:
            item["default_quantity_available"] = self._random.between(0, 75)
        return item

    def promocode(self, fees: list[Document], name: str, discount: Document) -> Document:
        """Return a promocode for some fees."""
        status = self._random.pick(_CODE_STATUSES)
        unlimited = status != "DEPLETED"
        return {
            "id": self._random.url_safe(43),
            "status": status,
            "code_name": name,
            "is_paused": status == "PAUSED",
            "fee_ids": [fee["id"] for fee in fees],
            "quantity_total": -1 if unlimited else 10,
            "quantity_used": 0 if unlimited else 10,
            "quantity_available": -1 if unlimited else 0,
            **discount,
        }

    def guest(self, first: Name, last: Name) -> Document:
        """Return a guest of a registrant."""
        return {
            "guest_id": f"001{self._random.url_safe(64)}",
            "guest_section": {
                "label": "Guest Information",
                "fields": [
                    _single("GUEST_NAME_FIRST", "First Name:", first.text),
                    _single("GUEST_NAME_LAST", "Last Name:", last.text),
                ],
            },
        }


def _single(name: str, label: str, value: str) -> Document:
    return {"type": "single_value", "name": name, "label": label, "value": value}


def sections(first: Name, last: Name, email: str, sessions: list[str]) -> list[Document]:
    """Return the sections of a registrant's form."""
    return [
        {
            "label": "Personal Information",
            "fields": [
                _single("NAME_FIRST", "First Name:", first.text),
                _single("NAME_LAST", "Last Name:", last.text),
                _single("EMAIL_ADDRESS", "Email Address:", email),
            ],
        },
        {
            "label": "Your visit",
            "fields": [
                {
                    "type": "multiple_values",
                    "name": "CUSTOM1",
                    "label": "Which sessions?",
                    "values": sessions,
                },
            ],
        },
    ]
