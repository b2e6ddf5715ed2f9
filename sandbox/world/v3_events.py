"""Events of v3, and landing pages."""

from dataclasses import dataclass, field
from typing import Final

from sandbox.world import timestamps
from sandbox.world.fake_data import FakeRandom, Pools, edited

_LANDING_KINDS: Final = ("opens", "clicks", "updates", "adds", "sms_optins")


@dataclass(slots=True)
class Registration:
    """A registration; `contact` is the number of the contact, if there is one."""

    uuid: str
    first_name: str
    last_name: str
    email: str
    at: int
    tickets: int


@dataclass(slots=True)
class V3Event:
    """One event."""

    uuid: str
    track: str
    title: str
    status: str
    start: int
    created: int
    updated: int
    registrations: list[Registration] = field(default_factory=list)


@dataclass(slots=True)
class LandingPage:
    """A landing page and what happened on it, as (kind, place of a contact, time)."""

    uuid: str
    happened: list[tuple[str, int, int]]


class V3Events:
    """The events and landing pages of an account, the newest first."""

    def __init__(self, random: FakeRandom, names: Pools, count: int, now: int) -> None:
        """Create the data of a new account.

        Args:
            random: Source of random numbers.
            names: The account's names and places.
            count: Number of events.
            now: Newest time of the data.
        """
        self._random = random
        self._names = names
        self.events: dict[str, V3Event] = {}
        for number in range(count, 0, -1):
            self.make(timestamps.whole_second(now - number * timestamps.WEEK))
        self.page = LandingPage(
            random.uuid(),
            [
                (kind, place, timestamps.whole_second(now - (place + 1) * timestamps.HOUR))
                for place in range(4)
                for kind in _LANDING_KINDS
            ],
        )

    def make(self, created: int) -> V3Event:
        """Announce one more event."""
        random = self._random
        made = V3Event(
            uuid=random.uuid(),
            track=random.letters(6),
            title=random.pick(self._names.phrases)[:80],
            status="ACTIVE",
            start=created + 4 * timestamps.WEEK,
            created=created,
            updated=created,
        )
        for number in range(1 + len(self.events) % 3):
            self.register(made, created + (number + 1) * timestamps.MINUTE)
        made.updated = created
        self.events[made.uuid] = made
        return made

    def register(self, event: V3Event, now: int) -> Registration:
        """Add a registration."""
        first, last = (
            self._random.pick(self._names.first_names),
            self._random.pick(self._names.last_names),
        )
        made = Registration(
            uuid=self._random.uuid(),
            first_name=first.text,
            last_name=last.text,
            email=f"{first.slug}.{last.slug}@example.com",
            at=timestamps.whole_second(now),
            tickets=1 + len(event.registrations) % 2,
        )
        event.registrations.append(made)
        return made

    def edit(self, event: V3Event, now: int) -> None:
        """Change an event."""
        event.title = edited(event.title)
        event.updated = now
