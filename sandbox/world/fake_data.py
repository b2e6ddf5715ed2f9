"""Fake data: names, places, phrases, and their random combination.

Faker is slow, so it makes a few hundred names of each kind, once.
Everything else combines them.
"""

import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from hashlib import md5
from random import Random
from typing import Final, NamedTuple, TypeVar
from uuid import UUID

from faker import Faker

_T = TypeVar("_T")

LETTERS: Final = "abcdefghijklmnopqrstuvwxyz0123456789"
_URL_SAFE: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


class FakeRandom(Random):
    """A seeded random generator with the functions that fake data needs.

    The functions use `random()` alone, which is several times faster than `choice` and
    `randint` and matters for a hundred thousand contacts.
    """

    def pick(self, options: Sequence[_T]) -> _T:
        """Pick one of the options, with equal probability."""
        return options[int(self.random() * len(options))]

    def some(self, options: Sequence[_T], count: int) -> list[_T]:
        """Pick several different options; all of them if there are no more."""
        return self.sample(options, min(max(count, 0), len(options)))

    def between(self, low: int, high: int) -> int:
        """Pick a whole number, both ends included."""
        return low + int(self.random() * (high - low + 1))

    def chance(self, share: float) -> bool:
        """Return True in the given share of cases."""
        return self.random() < share

    def uuid(self) -> str:
        """Create an id as newer data has it."""
        digits = f"{self.getrandbits(128):032x}"
        return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"

    def letters(self, count: int) -> str:
        """Create a string of lower-case letters and digits."""
        return "".join(self.pick(LETTERS) for _ in range(count))

    def url_safe(self, count: int) -> str:
        """Create a string as in the ids of fees, items and registrants."""
        return "".join(self.pick(_URL_SAFE) for _ in range(count))

    def phone(self) -> str:
        """Create a phone number from the range that is kept free for fiction."""
        return f"{self.between(201, 989)}-555-01{self.between(0, 99):02d}"


class Name(NamedTuple):
    """A name and how it looks in an e-mail address."""

    text: str
    slug: str


class Pools(NamedTuple):
    """The names, places and phrases of one account."""

    first_names: tuple[Name, ...]
    last_names: tuple[Name, ...]
    companies: tuple[str, ...]
    jobs: tuple[str, ...]
    streets: tuple[str, ...]
    cities: tuple[str, ...]
    phrases: tuple[str, ...]
    sentences: tuple[str, ...]


STATES: Final = (
    ("Massachusetts", "MA"),
    ("New York", "NY"),
    ("Pennsylvania", "PA"),
    ("Florida", "FL"),
    ("Texas", "TX"),
    ("Colorado", "CO"),
    ("California", "CA"),
    ("Washington", "WA"),
    ("Illinois", "IL"),
    ("Wisconsin", "WI"),
)

_SIZE: Final = 120
_HOME: Final = "en_US"
_ELSEWHERE: Final = ("de_DE", "fr_FR", "es_ES")
_ELSEWHERE_SIZE: Final = 15


@lru_cache(maxsize=4)
def pools(seed: int) -> Pools:
    """Return the names, places and phrases for a seed."""
    home = Faker(_HOME)
    home.seed_instance(seed)
    first = [home.first_name() for _ in range(_SIZE)]
    last = [home.last_name() for _ in range(_SIZE)]
    for locale in _ELSEWHERE:
        abroad = Faker(locale)
        abroad.seed_instance(seed)
        first += [abroad.first_name() for _ in range(_ELSEWHERE_SIZE)]
        last += [abroad.last_name() for _ in range(_ELSEWHERE_SIZE)]
    return Pools(
        first_names=tuple(map(_name, first)),
        last_names=tuple(map(_name, last)),
        companies=tuple(home.company() for _ in range(_SIZE)),
        jobs=tuple(home.job()[:50] for _ in range(_SIZE)),
        streets=tuple(home.street_name() for _ in range(_SIZE)),
        cities=tuple(home.city() for _ in range(_SIZE)),
        phrases=tuple(home.catch_phrase() for _ in range(_SIZE)),
        sentences=tuple(home.sentence(nb_words=12) for _ in range(_SIZE)),
    )


def stable_uuid(kind: str, id_: str) -> str:
    """Return the UUID of an id."""
    return str(UUID(bytes=md5(f"{kind} {id_}".encode(), usedforsecurity=False).digest(), version=4))


def _name(text: str) -> Name:
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return Name(text, "".join(filter(str.isalnum, plain.lower())) or "x")


def edited(name: str, how: str = "edited") -> str:
    """Return a name that shows an edit."""
    mark = f" ({how})"
    return f"{name.removesuffix(mark)}{mark}"
