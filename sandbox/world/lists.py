"""Contact lists."""

from dataclasses import dataclass
from typing import Final

from sandbox.world import timestamps
from sandbox.world.fake_data import FakeRandom, Pools

_NAMES: Final = (
    "General Interest",
    "Monthly Specials!",
    "Tips, Tricks, & Fun!",
    "Event Guests",
    "Donors",
    "Volunteers",
    "Members",
    "Press",
    "Wholesale",
    "Friends of the House",
)
_HIDDEN_EVERY: Final = 4


@dataclass(slots=True)
class ContactList:
    """One contact list.

    Attributes:
        v3: The id that the same list has in v3.
    """

    id: str
    v3: str
    name: str
    status: str
    created: int
    modified: int


class Lists:
    """The contact lists of an account, by id."""

    def __init__(self, random: FakeRandom, names: Pools, count: int, now: int) -> None:
        """Create the lists of a new account.

        Args:
            random: Source of random numbers.
            names: The account's names and places.
            count: Number of lists.
            now: Newest time of the data.
        """
        self._random = random
        self._names = names
        self._made = 0
        self.by_id: dict[str, ContactList] = {}
        self.deleted: dict[str, tuple[ContactList, int]] = {}
        for _ in range(count):
            created = now - random.between(timestamps.YEAR, 5 * timestamps.YEAR)
            self.make(created, random.between(created, now - timestamps.DAY))

    def make(self, created: int, modified: int) -> ContactList:
        """Create another list; the first of an account is always list 1."""
        random = self._random
        number = self._made
        self._made += 1
        round_, place = divmod(number, len(_NAMES))
        made = ContactList(
            id=self._free_id() if number else "1",
            v3=random.uuid(),
            name=_NAMES[place] if not round_ else f"{random.pick(self._names.cities)} {number}",
            status="HIDDEN" if number % _HIDDEN_EVERY == _HIDDEN_EVERY - 1 else "ACTIVE",
            created=timestamps.whole_second(created),
            modified=timestamps.whole_second(modified),
        )
        self.by_id[made.id] = made
        return made

    def _free_id(self) -> str:
        while (number := str(self._random.between(10**9, 2 * 10**9))) in self.by_id:
            pass
        return number
