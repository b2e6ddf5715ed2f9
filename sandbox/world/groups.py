"""Custom fields, tags and segments."""

from dataclasses import dataclass
from typing import Final

from sandbox.world import timestamps
from sandbox.world.contacts import CUSTOM_FIELDS, Contact
from sandbox.world.fake_data import FakeRandom, Pools

_KINDS: Final = ("single_select", "string", "multi_select", "number")
_TAGS: Final = ("VIP", "Wholesale", "Trade fair", "Newsletter", "Wants a call")
_SEGMENTS: Final = ("Has not opened lately", "Lives nearby", "Bought twice")


@dataclass(slots=True)
class CustomField:
    """A field that the account has defined.

    Attributes:
        slot: Name of the field in contacts.
        choices: Options; empty for fields of other kinds.
    """

    uuid: str
    slot: str
    label: str
    kind: str
    choices: tuple[str, ...]
    created: int
    modified: int


@dataclass(slots=True)
class Tag:
    """A tag of contacts; `every` selects those that have it."""

    uuid: str
    name: str
    every: int
    created: int
    modified: int


@dataclass(slots=True)
class Segment:
    """A saved filter of contacts; `every` selects its members."""

    number: int
    name: str
    every: int
    created: int
    edited: int


class Groups:
    """The fields, tags and segments of an account."""

    def __init__(self, random: FakeRandom, names: Pools, now: int) -> None:
        """Create those of a new account.

        Args:
            random: Source of random numbers.
            names: The account's names and places.
            now: Newest time of the data.
        """
        self._random = random
        self._names = names
        self.fields = [
            CustomField(
                random.uuid(),
                slot,
                label,
                kind,
                choices if "select" in kind else (),
                *self._dates(now),
            )
            for (slot, label, choices), kind in zip(CUSTOM_FIELDS, _KINDS, strict=True)
        ]
        self.tags = [
            Tag(random.uuid(), name, place + 3, *self._dates(now))
            for place, name in enumerate(_TAGS)
        ]
        self.segments = [
            Segment(number, name, number + 1, *self._dates(now))
            for number, name in enumerate(_SEGMENTS, start=1)
        ]

    def _dates(self, now: int) -> tuple[int, int]:
        created = now - self._random.between(timestamps.WEEK, timestamps.YEAR)
        return timestamps.whole_second(created), timestamps.whole_second(
            self._random.between(created, now - timestamps.DAY)
        )

    def tags_of(self, contact: Contact) -> list[Tag]:
        """The tags of a contact."""
        return [tag for tag in self.tags if contact.number % tag.every == 0]

    def is_in(self, contact: Contact, segment: Segment) -> bool:
        """Return whether a contact is in a segment."""
        return contact.status != "REMOVED" and contact.number % segment.every == 0

    def add_tag(self, now: int) -> Tag:
        """Create another tag."""
        name = f"{self._random.pick(self._names.cities)} {len(self.tags)}"
        made = Tag(self._random.uuid(), name, self._random.between(3, 9), now, now)
        self.tags.append(made)
        return made

    def edit_segment(self, segment: Segment, now: int) -> None:
        """Change the criteria of a segment."""
        segment.every = segment.every % 5 + 2
        segment.edited = now
