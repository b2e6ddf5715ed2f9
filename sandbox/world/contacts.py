"""Contacts and their subscriptions.

An account may have a hundred thousand contacts, and pages of 500 must cost next to nothing. So a
contact is kept as the JSON text it is served as, beside the few fields that are searched by.
"""

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

import msgspec

from sandbox.world import timestamps
from sandbox.world.fake_data import STATES, FakeRandom, Pools
from sandbox.world.habits import Recipient, recipient

if TYPE_CHECKING:
    from sandbox.world.lists import Lists

Document: TypeAlias = dict[str, Any]

# Every account, however small, should show every status: the rare ones come early in each round.
_STATUSES: Final = (
    "ACTIVE",
    "OPTOUT",
    "REMOVED",
    "UNCONFIRMED",
    "ACTIVE",
    "NON_SUBSCRIBER",
    "VISITOR",
    *(["ACTIVE"] * 5 + ["OPTOUT"] + ["ACTIVE"] * 3 + ["REMOVED"] + ["ACTIVE"] * 3) * 3,
    "UNCONFIRMED",
    "UNCONFIRMED",
    "ACTIVE",
    "ACTIVE",
)
_ON_LISTS: Final = frozenset({"ACTIVE", "UNCONFIRMED", "OPTOUT"})
_MAILED: Final = frozenset({"ACTIVE", "OPTOUT"})
_LISTS_EACH: Final = (1, 1, 1, 2, 2, 3)
_CONFIRMED_EVERY: Final = 5

_PREFIXES: Final = ("", "", "", "Mr.", "Ms.", "Dr.")
_SOURCES: Final = ("API", "Site Owner", "", "Website sign-up", "Trade fair")
CUSTOM_FIELDS: Final = (
    ("CustomField1", "Customer group", ("A", "B", "C")),
    ("CustomField2", "Member since", ("2019", "2021", "2023", "2024")),
    ("CustomField7", "Favourite colour", ("red", "green", "blue")),
    ("CustomField15", "Shoe size", ("37", "39", "41", "43")),
)
_ADDRESS_KINDS: Final = ("PERSONAL", "BUSINESS")
_ADDRESSES_EACH: Final = (0, 0, 0, 1, 1, 2)
_EMPTY_ADDRESSES_SHARE: Final = 0.03
_EARLY_SHARE: Final = 0.1
_HISTORY: Final = 7 * timestamps.YEAR

_encode: Final = msgspec.json.Encoder().encode


@dataclass(slots=True)
class Contact:
    """A contact.

    Attributes:
        number: The id as a number; contacts are sorted and paged by it.
        v3: JSON of the first field where the newer version's id is asked for too.
        body: JSON of all fields without the opening brace, so that `v3` can go in front.
        recipient: How the contact reacts to mail.
        left: When the contact unsubscribed, 0 for never.
    """

    number: int
    status: str
    created: int
    modified: int
    lists: tuple[str, ...]
    email: str
    v3: bytes
    body: bytes
    recipient: Recipient
    left: int = 0

    @property
    def id(self) -> str:
        """The id as the API sends it."""
        return str(self.number)

    @property
    def uuid(self) -> str:
        """The id in v3."""
        return self.v3[15:51].decode()

    def document(self) -> Document:
        """Return the contact as the API sends it."""
        found: Document = msgspec.json.decode(b"{" + self.body)
        return found


class MembershipChange(NamedTuple):
    """A contact that joined or left a list.

    Attributes:
        id: Of the contact in v2; `contact_id` in v3.
        list_id: Of the list in v2.
        joined: 1 for joined, -1 for left.
    """

    at: int
    id: str
    contact_id: str
    list_id: str
    joined: int


class Contacts:
    """The contacts of an account, sorted by id."""

    def __init__(
        self, random: FakeRandom, names: Pools, lists: "Lists", count: int, now: int
    ) -> None:
        """Create the contacts of a new account.

        Args:
            random: Source of random numbers.
            names: The account's names and places.
            lists: The account's contact lists.
            count: Number of contacts.
            now: Newest time of the data.
        """
        self._random = random
        self._names = names
        self._lists = lists
        self._made = 0
        self._on_list: Counter[str] = Counter()
        self.membership_changes: list[MembershipChange] = []
        self.rows: list[Contact] = []
        self.by_id: dict[str, Contact] = {}
        self.by_email: dict[str, Contact] = {}
        self.by_uuid: dict[str, Contact] = {}
        self.uuids: dict[str, str] = {}
        self._newest: list[Contact] | None = None
        for number in sorted(random.sample(range(10**9, 3 * 10**9), count)):
            # The account grows: half of the contacts came in the last two years.
            age = int(_HISTORY * random.random() ** 2) + timestamps.HOUR
            # Most contacts were last touched long ago, a few of them lately.
            touched = int(age * random.random() ** 0.5) if random.chance(0.6) else age
            self.rows.append(self._make(number, now - age, now - touched))
        self.membership_changes.clear()

    def _make(self, number: int, created: int, modified: int) -> Contact:
        status = _STATUSES[self._made % len(_STATUSES)]
        self._made += 1
        random = self._random
        lists: list[str] = []
        if status in _ON_LISTS:
            lists = random.some(list(self._lists.by_id), random.pick(_LISTS_EACH))
        if not random.chance(_EARLY_SHARE):  # early data has real milliseconds
            created = timestamps.whole_second(created)
            modified = timestamps.whole_second(modified)
        reacts = recipient(random, modified)
        document = self._document(str(number), status, lists, created, modified)
        mail = document["email_addresses"][0]
        mail["email_address"] += reacts.domain
        made = Contact(
            number=number,
            status=status,
            created=created,
            modified=modified,
            lists=tuple(lists),
            email=mail["email_address"],
            v3=b'{"contact_id":"%s",' % random.uuid().encode(),
            body=_encode(document)[1:],
            recipient=reacts,
            left=modified if status == "OPTOUT" else 0,
        )
        self.by_id[document["id"]] = made
        self.by_email[made.email] = made
        self.by_uuid[made.uuid] = made
        self.uuids[made.id] = made.uuid
        self._newest = None
        self._move(made, (), made.lists, created)
        return made

    def _document(
        self,
        id_: str,
        status: str,
        lists: Sequence[str],
        created: int,
        modified: int,
    ) -> Document:
        random, names, made = self._random, self._names, self._made
        first = random.pick(names.first_names)
        last = random.pick(names.last_names)
        nameless = status == "VISITOR"
        confirmed = status == "ACTIVE" and made % _CONFIRMED_EVERY == 0
        created_text = timestamps.text(created)
        modified_text = timestamps.text(modified)
        return {
            "id": id_,
            "status": status,
            "fax": random.phone() if random.chance(0.1) else "",
            "addresses": self._addresses(),
            "notes": [
                {
                    "id": random.uuid(),
                    "note": random.pick(names.sentences),
                    "created_date": created_text,
                    "modified_date": modified_text,
                },
            ]
            if random.chance(0.1)
            else [],
            "confirmed": confirmed,
            "lists": [self._membership(list_id) for list_id in lists],
            "source": random.pick(_SOURCES),
            "email_addresses": [
                {
                    "id": random.uuid(),
                    "status": status,
                    "confirm_status": "CONFIRMED"
                    if confirmed
                    else "UNCONFIRMED"
                    if status == "UNCONFIRMED"
                    else "NO_CONFIRMATION_REQUIRED",
                    "opt_in_source": "ACTION_BY_VISITOR" if made % 3 else "ACTION_BY_OWNER",
                    "opt_in_date": created_text,
                    **_opt_out(status, modified_text, made),
                    "email_address": f"{first.slug}.{last.slug}{made}@",
                },
            ],
            "prefix_name": "" if nameless else random.pick(_PREFIXES),
            "first_name": "" if nameless else first.text,
            "middle_name": random.pick(names.first_names).text if random.chance(0.1) else "",
            "last_name": "" if nameless else last.text,
            "job_title": random.pick(names.jobs) if random.chance(0.4) else "",
            "company_name": random.pick(names.companies) if random.chance(0.5) else "",
            "home_phone": random.phone() if random.chance(0.4) else "",
            "work_phone": random.phone() if random.chance(0.4) else "",
            "cell_phone": random.phone() if random.chance(0.3) else "",
            "custom_fields": [
                {"name": name, "label": label, "value": random.pick(values)}
                for name, label, values in CUSTOM_FIELDS
                if random.chance(0.2)
            ],
            "created_date": created_text,
            "modified_date": modified_text,
            "source_details": random.uuid() if random.chance(0.2) else "",
        }

    def _addresses(self) -> list[Document]:
        random = self._random
        if random.chance(_EMPTY_ADDRESSES_SHARE):
            return [_empty_address(random.uuid(), kind) for kind in _ADDRESS_KINDS]
        kinds = _ADDRESS_KINDS[: random.pick(_ADDRESSES_EACH)]
        return [self._address(kind) for kind in kinds]

    def _address(self, kind: str) -> Document:
        random = self._random
        state, code = random.pick(STATES)
        return {
            "id": random.uuid(),
            "line1": f"{random.between(1, 999)} {random.pick(self._names.streets)}",
            "line2": f"Suite {random.between(1, 99)}" if kind == "BUSINESS" else "",
            "line3": "",
            "city": random.pick(self._names.cities),
            "address_type": kind,
            "state": state,
            "state_code": code,
            "country_code": "us",
            "postal_code": f"{random.between(1000, 99999):05d}",
            "sub_postal_code": "",
        }

    def _membership(self, list_id: str) -> Document:
        return {"id": list_id, "status": self._lists.by_id[list_id].status}

    def newest_first(self) -> list[Contact]:
        """Return all contacts, the newest first."""
        if self._newest is None:
            self._newest = sorted(self.rows, key=attrgetter("created", "number"), reverse=True)
        return self._newest

    def on_list(self, list_id: str) -> int:
        """Count the contacts of a list."""
        return self._on_list[list_id]

    def mailable(self) -> list[Contact]:
        """Return current and former recipients, the oldest first."""
        found = (row for row in self.rows if row.status in _MAILED)
        return sorted(found, key=attrgetter("created", "number"))

    def pick(self, count: int, statuses: Iterable[str]) -> list[Contact]:
        """Pick some contacts of the given statuses for a change."""
        wanted = frozenset(statuses)
        return self._random.some([row for row in self.rows if row.status in wanted], count)

    def add(self, count: int, now: int) -> list[Contact]:
        """Add contacts, with ids anywhere between the existing ones."""
        added = []
        for _ in range(count):
            while str(number := self._random.between(10**9, 3 * 10**9)) in self.by_id:
                pass
            made = self._make(number, now, now)
            insort(self.rows, made, key=attrgetter("number"))
            added.append(made)
        return added

    def edit(self, row: Contact, now: int) -> None:
        """Edit the details of a contact."""
        document = row.document()
        document["job_title"] = self._random.pick(self._names.jobs)
        document["work_phone"] = self._random.phone()
        self._rewrite(row, document, now)

    def unsubscribe(self, row: Contact, now: int, *, move_modified: bool) -> None:
        """Unsubscribe a contact, with or without a change of its modification date."""
        document = row.document()
        document["status"] = "OPTOUT"
        document["email_addresses"][0] |= {
            "status": "OPTOUT",
            "opt_out_source": "ACTION_BY_VISITOR",
            "opt_out_date": timestamps.text(timestamps.whole_second(now)),
        }
        row.left = timestamps.whole_second(now)
        self._rewrite(row, document, now if move_modified else None)

    def remove(self, row: Contact, now: int) -> None:
        """Remove a contact from all lists, which the product calls deleting."""
        document = row.document()
        document["status"] = document["email_addresses"][0]["status"] = "REMOVED"
        document["lists"] = []
        self._rewrite(row, document, now)

    def purge(self, row: Contact, now: int) -> None:
        """Delete a contact without a trace."""
        del self.rows[bisect_left(self.rows, row.number, key=attrgetter("number"))]
        del self.by_id[row.id], self.by_email[row.email], self.by_uuid[row.uuid]
        self._newest = None
        self._move(row, row.lists, (), now)

    def drop_list(self, list_id: str, now: int) -> None:
        """Remove all contacts from a list that is deleted."""
        for row in self.rows:
            if list_id in row.lists:
                document = row.document()
                document["lists"] = [kept for kept in document["lists"] if kept["id"] != list_id]
                self._rewrite(row, document, now)

    def _rewrite(self, row: Contact, document: Document, modified: int | None) -> None:
        if modified is not None:
            row.modified = timestamps.whole_second(modified)
            document["modified_date"] = timestamps.text(row.modified)
        before = row.lists
        row.status = document["status"]
        row.lists = tuple(kept["id"] for kept in document["lists"])
        self._move(row, before, row.lists, row.modified)
        row.body = _encode(document)[1:]

    def _move(
        self, row: Contact, before: tuple[str, ...], after: tuple[str, ...], now: int
    ) -> None:
        """Count the lists that a contact has left and joined."""
        left = [(list_id, -1) for list_id in before if list_id not in after]
        joined = [(list_id, 1) for list_id in after if list_id not in before]
        for list_id, change in (*left, *joined):
            self._on_list[list_id] += change
            self.membership_changes.append(MembershipChange(now, row.id, row.uuid, list_id, change))


def _empty_address(id_: str, kind: str) -> Document:
    return {
        "id": id_,
        "line1": "",
        "line2": "",
        "line3": "",
        "city": "",
        "address_type": kind,
        "state": "",
        "state_code": "",
        "country_code": "",
        "postal_code": "",
        "sub_postal_code": "",
    }


def _opt_out(status: str, when: str, number: int) -> Document:
    """Return the time of an opt-out. "Never" has three forms, one of which is no field."""
    if status == "OPTOUT":
        return {"opt_out_source": "ACTION_BY_VISITOR", "opt_out_date": when}
    return ({}, {"opt_out_date": ""}, {"opt_out_date": timestamps.NEVER})[number % 3]
