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
        slot: What it is called where contacts hold its values.
        choices: What can be chosen; nothing in fields of other kinds.
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
    """A tag that contacts can have; `every` says which of them do."""

    uuid: str
    name: str
    every: int
    created: int
    modified: int


@dataclass(slots=True)
class Segment:
    """A saved question about contacts; `every` says which of them answer to it."""

    number: int
    name: str
    every: int
    created: int
    edited: int


class Groups:
    """The fields, tags and segments of an account."""

    def __init__(self, random: FakeRandom, names: Pools, now: int) -> None:
        """Make up those an account begins with.

        Args:
            random: Where chance comes from.
            names: The account's names and places.
            now: The account's beginning; everything is older.
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
        """Make up one more tag."""
        name = f"{self._random.pick(self._names.cities)} {len(self.tags)}"
        made = Tag(self._random.uuid(), name, self._random.between(3, 9), now, now)
        self.tags.append(made)
        return made

    def edit_segment(self, segment: Segment, now: int) -> None:
        """Change the question of a segment."""
        segment.every = segment.every % 5 + 2
        segment.edited = now
