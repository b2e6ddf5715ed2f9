"""Reactions of contacts, and of machines on their behalf, to the mails they receive."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, NamedTuple

from sandbox.world import timestamps
from sandbox.world.campaigns import Campaign
from sandbox.world.fake_data import FakeRandom
from sandbox.world.habits import SCANNER, UNDELIVERABLE, appeal_of_time
from sandbox.world.reports import BOUNCES, CLICKS, FORWARDS, OPENS, UNSUBSCRIBES, Hit, Kind

if TYPE_CHECKING:
    from sandbox.world.contacts import Contact


class Reaction(NamedTuple):
    """A row of a report with its kind.

    Attributes:
        by_machine: True if a mail provider did it, and not the contact.
    """

    kind: Kind
    hit: Hit
    by_machine: bool = False


_HARD_BOUNCES: Final = (
    ("B", "Non-existent address", ""),
    ("B", "Non-existent address", "550 5.1.1 User unknown"),
)
_SOFT_BOUNCES: Final = (
    ("F", "Mailbox full", "452 4.2.2 Over quota"),
    ("D", "Undeliverable", ""),
    ("S", "Suspended", ""),
    ("V", "Vacation or auto-reply", "Out of office"),
    ("X", "Other", ""),
    ("Z", "Blocked", "554 5.7.1 Blocked"),
)
_SOURCES: Final = ("ACTION_BY_CUSTOMER", "ACTION_BY_CUSTOMER", "ACTION_BY_OWNER")
_REASONS: Final = ("", "", "", "Too many emails", "No longer of interest")

_OPEN_AFTER: Final = 9 * timestamps.HOUR
_LATE_AFTER: Final = 14 * timestamps.DAY
_LATE_SHARE: Final = 0.3
_OPEN_AGAIN_SHARE: Final = 0.35
_CLICK_AGAIN_SHARE: Final = 0.3
_FORWARD_SHARE: Final = 0.01
_SOFT_BOUNCE_SHARE: Final = 0.015
_MOST_OPENS_SHARE: Final = 0.95
_MACHINE_SHARE: Final = 0.9
_MACHINE_WITHIN: Final = 50 * timestamps.SECOND
_SCAN_TAKES: Final = 8 * timestamps.SECOND
_NIGHT_ENDS: Final = 6 * timestamps.HOUR
_NIGHT_OWLS_SHARE: Final = 0.2


class Reactions:
    """Creates reactions to mails."""

    def __init__(self, random: FakeRandom) -> None:
        """Draw from the given random generator."""
        self._random = random

    def to(self, campaign: Campaign, send: Hit, contact: "Contact", now: int) -> Iterator[Reaction]:
        """Create all reactions of a contact to a mail, up to now."""
        random = self._random
        recipient = contact.recipient
        if recipient.habit is UNDELIVERABLE or random.chance(_SOFT_BOUNCE_SHARE):
            bounces = _HARD_BOUNCES if recipient.habit is UNDELIVERABLE else _SOFT_BOUNCES
            bounce = self.react(BOUNCES, campaign, send, now)
            yield Reaction(BOUNCES, bounce._replace(extra=random.pick(bounces)))
            return
        if recipient.machine and random.chance(_MACHINE_SHARE):
            yield from self._by_machine(campaign, send, recipient.machine, now)
        if send.at < contact.left < send.at + _LATE_AFTER:
            yield Reaction(UNSUBSCRIBES, self._unsubscribe(campaign, send, contact.left))
        habit = recipient.habit_at(send.at)
        chance = habit.opens * campaign.appeal * appeal_of_time(send.at)
        if random.chance(min(chance, _MOST_OPENS_SHARE)):
            yield from self._by_reader(campaign, send, habit.clicks, now)
            if random.chance(habit.leaves):
                yield Reaction(UNSUBSCRIBES, self.react(UNSUBSCRIBES, campaign, send, now))

    def _by_machine(
        self, campaign: Campaign, send: Hit, machine: str, now: int
    ) -> Iterator[Reaction]:
        begin = send.at + int(_MACHINE_WITHIN * self._random.random())
        at = min(timestamps.whole_second(begin), now)
        yield Reaction(OPENS, send._replace(at=at), by_machine=True)
        if machine == SCANNER:
            for place, link in enumerate(campaign.links):
                click = at + _SCAN_TAKES * place // len(campaign.links)
                click = min(timestamps.whole_second(click), now)
                hit = send._replace(at=click, extra=(link.uid,))
                yield Reaction(CLICKS, hit, by_machine=True)

    def _by_reader(
        self, campaign: Campaign, send: Hit, clicks: float, now: int
    ) -> Iterator[Reaction]:
        random = self._random
        opened = self._open(campaign, send, now)
        yield Reaction(OPENS, opened)
        chance = clicks
        while random.chance(chance):
            yield Reaction(CLICKS, self.react(CLICKS, campaign, opened, now))
            chance = _CLICK_AGAIN_SHARE
        if random.chance(_FORWARD_SHARE):
            yield Reaction(FORWARDS, self.react(FORWARDS, campaign, opened, now))
        while random.chance(_OPEN_AGAIN_SHARE):
            opened = self._open(campaign, opened, now)
            yield Reaction(OPENS, opened)

    def _open(self, campaign: Campaign, before: Hit, now: int) -> Hit:
        """Let a contact open a mail, mostly by day."""
        hit = self.react(OPENS, campaign, before, now)
        is_night = hit.at % timestamps.DAY < _NIGHT_ENDS
        if not is_night or hit.at + _NIGHT_ENDS > now or self._random.chance(_NIGHT_OWLS_SHARE):
            return hit
        return hit._replace(at=hit.at + _NIGHT_ENDS)

    def react(self, kind: Kind, campaign: Campaign, before: Hit, now: int) -> Hit:
        """Return a later time of an action, but none in the future."""
        random = self._random
        mean = timestamps.MINUTE if kind is CLICKS else _OPEN_AFTER
        if kind in (BOUNCES, UNSUBSCRIBES):
            mean = _LATE_AFTER if random.chance(_LATE_SHARE) else timestamps.HOUR
        delay = min(int(random.expovariate(1 / mean)), int((now - before.at) * random.random()))
        at = timestamps.whole_second(before.at + max(delay, 0))
        return Hit(before.contact_id, before.email, at, self.details(kind, campaign))

    def _unsubscribe(self, campaign: Campaign, send: Hit, at: int) -> Hit:
        return send._replace(
            at=timestamps.whole_second(at), extra=self.details(UNSUBSCRIBES, campaign)
        )

    def details(self, kind: Kind, campaign: Campaign) -> tuple[str, ...]:
        """Create the values of the fields that only one kind of report has."""
        random = self._random
        if kind is CLICKS:
            # Links further up are clicked more often.
            place = int(len(campaign.links) * random.random() ** 2)
            return (campaign.links[place].uid,)
        if kind is BOUNCES:
            return random.pick((*_HARD_BOUNCES, *_SOFT_BOUNCES))
        if kind is UNSUBSCRIBES:
            return (random.pick(_SOURCES), random.pick(_REASONS))
        return ()
