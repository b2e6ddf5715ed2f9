"""Habits of contacts: who opens and clicks how often, and whose mail provider does so by itself."""

from datetime import UTC, datetime
from typing import Final, NamedTuple

from sandbox.world import timestamps
from sandbox.world.fake_data import FakeRandom


class Habit(NamedTuple):
    """The shares of mails to which a contact reacts.

    Attributes:
        opens: Share of the mails that the contact opens.
        clicks: Share of the opened mails in which the contact clicks.
        leaves: Share of the opened mails after which the contact unsubscribes.
    """

    name: str
    opens: float
    clicks: float
    leaves: float


FAN: Final = Habit("fan", 0.85, 0.45, 0.0005)
READER: Final = Habit("reader", 0.5, 0.22, 0.003)
OCCASIONAL: Final = Habit("occasional", 0.2, 0.1, 0.012)
SLEEPER: Final = Habit("sleeper", 0.03, 0.02, 0.05)
LOST: Final = Habit("lost", 0.0, 0.0, 0.0)
UNDELIVERABLE: Final = Habit("undeliverable", 0.0, 0.0, 0.0)

# Twenty contacts in a row have these habits; undeliverable ones are drawn apart.
_HABITS: Final = (*[FAN] * 3, *[READER] * 5, *[OCCASIONAL] * 6, *[SLEEPER] * 3, *[LOST] * 3)
_UNDELIVERABLE_SHARE: Final = 0.015
_LOST_WITHIN: Final = 540 * timestamps.DAY


class Domain(NamedTuple):
    """A reserved mail domain.

    Attributes:
        proxies: Share of its contacts whose mail is opened by the provider at delivery.
        scans: Share of its contacts whose provider follows every link at delivery.
    """

    name: str
    proxies: float = 0.0
    scans: float = 0.0


_PRIVACY_MAIL: Final = Domain("privacy.example.com", proxies=0.6)
_OFFICE_MAIL: Final = Domain("office.example.com", scans=0.5)
_DOMAINS: Final = (
    *[Domain("example.com")] * 8,
    *[Domain("example.org")] * 4,
    *[Domain("example.net")] * 3,
    *[_PRIVACY_MAIL] * 3,
    *[_OFFICE_MAIL] * 2,
)
PROXY: Final = "proxy"
SCANNER: Final = "scanner"

# Appeal of a mail by the weekday (Monday first) and the hour in which it is sent, in UTC.
_WEEKDAYS: Final = (1.0, 1.15, 1.1, 1.1, 0.95, 0.75, 0.8)
_HOURS: Final = (*[0.7] * 6, *[0.95] * 3, *[1.15] * 3, *[1.0] * 6, *[0.9] * 3, *[0.75] * 3)


class Recipient(NamedTuple):
    """The properties of a contact that decide about reactions to mail.

    Attributes:
        machine: "proxy", "scanner", or "" for a provider that does nothing by itself.
        until: End of the habit of a lost contact, in milliseconds.
    """

    habit: Habit
    domain: str
    machine: str
    until: int

    def habit_at(self, timestamp: int) -> Habit:
        """Return the habit that the contact had at that time."""
        return READER if self.habit is LOST and timestamp < self.until else self.habit


def recipient(random: FakeRandom, now: int) -> Recipient:
    """Create the habit, the mail domain and the mail provider of a contact."""
    habit = UNDELIVERABLE if random.chance(_UNDELIVERABLE_SHARE) else random.pick(_HABITS)
    domain = random.pick(_DOMAINS)
    throw = random.random()
    machine = PROXY if throw < domain.proxies else SCANNER if throw < domain.scans else ""
    return Recipient(habit, domain.name, machine, now - int(_LOST_WITHIN * random.random()))


def appeal_of_time(timestamp: int) -> float:
    """Return by how much opens differ from the average because of the time of sending."""
    sent = datetime.fromtimestamp(timestamp / timestamps.SECOND, UTC)
    return _WEEKDAYS[sent.weekday()] * _HOURS[sent.hour]
