"""Reports of one campaign: their kinds and rows."""

from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import Final, NamedTuple

from sandbox.world import timestamps


class Kind(NamedTuple):
    """One kind of report.

    Attributes:
        name: Its name, in the plural.
        fields: Names of the fields that only its records have.
    """

    name: str
    fields: tuple[str, ...] = ()


SENDS: Final = Kind("sends")
OPENS: Final = Kind("opens")
CLICKS: Final = Kind("clicks", ("link_id",))
FORWARDS: Final = Kind("forwards")
UNSUBSCRIBES: Final = Kind("unsubscribes", ("unsubscribe_source", "unsubscribe_reason"))
BOUNCES: Final = Kind("bounces", ("bounce_code", "bounce_description", "bounce_message"))
KINDS: Final = {kind.name: kind for kind in (SENDS, OPENS, CLICKS, FORWARDS, UNSUBSCRIBES, BOUNCES)}


class Hit(NamedTuple):
    """One row of a report.

    Attributes:
        extra: The values of its kind's further fields.
    """

    contact_id: str
    email: str
    at: int
    extra: tuple[str, ...] = ()


def _key(kind: Kind, hit: Hit) -> tuple[str, int, tuple[str, ...]]:
    return hit.contact_id, hit.at, hit.extra if kind is CLICKS else ()


class Reports:
    """The six reports of one campaign, each in the order in which it is served.

    Bounces go up with time, everything else goes down. Within a report no two rows have the
    same key.
    """

    def __init__(self) -> None:
        """Start empty."""
        self.by_machine: set[tuple[str, Hit]] = set()
        self._hits: dict[str, list[Hit]] = {name: [] for name in KINDS}

    def __getitem__(self, kind: Kind) -> Sequence[Hit]:
        """Read one report."""
        return self._hits[kind.name]

    def fill(self, kind: Kind, hits: Iterable[Hit]) -> list[Hit]:
        """Set all rows of a report at once; of rows with the same key, one is kept."""
        kept = list({_key(kind, hit): hit for hit in hits}.values())
        kept.sort(key=attrgetter("at"), reverse=kind is not BOUNCES)
        self._hits[kind.name] = kept
        return kept

    def add(self, kind: Kind, hit: Hit) -> Hit:
        """Insert a row by its time. If its key is taken, it is a second older."""
        keys = {_key(kind, known) for known in self._hits[kind.name]}
        while _key(kind, hit) in keys:
            hit = hit._replace(at=hit.at - timestamps.SECOND)
        self.fill(kind, [hit, *self._hits[kind.name]])
        return hit
