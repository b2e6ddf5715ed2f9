"""Tracking events of every mail.

There may be millions of rows, so a row is a small tuple and becomes JSON when it is served.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from sandbox.world import timestamps
from sandbox.world.campaigns import Campaign
from sandbox.world.fake_data import FakeRandom
from sandbox.world.reactions import Reactions
from sandbox.world.reports import (
    BOUNCES,
    CLICKS,
    FORWARDS,
    KINDS,
    OPENS,
    SENDS,
    UNSUBSCRIBES,
    Hit,
    Kind,
    Reports,
)

if TYPE_CHECKING:
    from sandbox.world.contacts import Contact


_SENDING_TAKES: Final = 20 * timestamps.MINUTE

# Kinds of added reactions: mostly opens, but soon one of every kind.
_NEXT_KINDS: Final = (OPENS, CLICKS, OPENS, BOUNCES, OPENS, UNSUBSCRIBES, FORWARDS, OPENS)
_STILL_LIVELY: Final = 5


class Row(NamedTuple):
    """One row of a report together with the report it stands in."""

    kind: Kind
    campaign: Campaign
    hit: Hit


class Tracking:
    """The reports of all campaigns, also by contact."""

    def __init__(self, random: FakeRandom) -> None:
        """Start empty.

        Args:
            random: Source of random numbers.
        """
        self._random = random
        self._reactions = Reactions(random)
        self._reports: dict[str, Reports] = {}
        self._by_contact: dict[str, list[Row]] | None = None

    def of(self, campaign: Campaign) -> Reports:
        """Find the reports of a campaign; of one that was not sent they are empty."""
        return self._reports.get(campaign.id) or Reports()

    def send(self, campaign: Campaign, recipients: Sequence["Contact"], now: int) -> Reports:
        """Send a campaign to its recipients, without reactions yet."""
        begin = campaign.last_run or now
        takes = min(_SENDING_TAKES, now - begin)
        count = len(recipients)
        if campaign.status == "RUNNING":
            count = (count + 1) // 2
        reports = self._reports[campaign.id] = Reports()
        reports.fill(
            SENDS,
            (
                Hit(
                    contact.id,
                    contact.email,
                    timestamps.whole_second(begin + takes * place // count),
                )
                for place, contact in enumerate(recipients[:count])
            ),
        )
        self._by_contact = None
        return reports

    def live(
        self, campaign: Campaign, recipients: Sequence["Contact"], now: int
    ) -> list[tuple["Contact", int]]:
        """Send a campaign and create the reactions to it, up to now.

        Returns:
            The contacts that unsubscribed, and when.
        """
        reports = self.send(campaign, recipients, now)
        people = {contact.id: contact for contact in recipients}
        reactions = [
            reaction
            for send in reports[SENDS]
            for reaction in self._reactions.to(campaign, send, people[send.contact_id], now)
        ]
        for kind in KINDS.values():
            if kind is not SENDS:
                found = [each.hit for each in reactions if each.kind is kind]
                reports.fill(kind, found or self._one(kind, campaign, now))
        reports.by_machine = {(each.kind.name, each.hit) for each in reactions if each.by_machine}
        left = {hit.contact_id: hit.at for hit in reports[UNSUBSCRIBES]}
        return [(each, left[each.id]) for each in recipients if each.id in left and not each.left]

    def _one(self, kind: Kind, campaign: Campaign, now: int) -> list[Hit]:
        """Create one reaction: every report of a campaign that was sent has a row."""
        sends = self.of(campaign)[SENDS]
        if not sends:
            return []
        return [self._reactions.react(kind, campaign, self._random.pick(sends), now)]

    def go_on(self, campaigns: Sequence[Campaign], count: int, now: int) -> list[Row]:
        """Add reactions, most of them to the campaigns sent last."""
        sent = [campaign for campaign in campaigns if self.of(campaign)[SENDS]]
        lively = sorted(sent, key=lambda campaign: campaign.last_run or 0)[-_STILL_LIVELY:]
        if not lively:
            return []
        rows = []
        taken: set[tuple[str, str, str]] = set()
        for number in range(count):
            kind = _NEXT_KINDS[number % len(_NEXT_KINDS)]
            campaign = self._random.pick(lively)
            reports = self.of(campaign)
            # A contact does the same once per second, as long as there are others.
            sends = [
                send
                for send in reports[SENDS]
                if (kind.name, campaign.id, send.contact_id) not in taken
            ]
            who = self._random.pick(sends or reports[SENDS])
            taken.add((kind.name, campaign.id, who.contact_id))
            at = timestamps.whole_second(now)
            hit = Hit(who.contact_id, who.email, at, self._reactions.details(kind, campaign))
            rows.append(Row(kind, campaign, reports.add(kind, hit)))
        self._by_contact = None
        return rows

    def summary(self, campaign: Campaign) -> dict[str, int]:
        """Count a campaign's rows; opens, clicks and forwards count people, not rows."""
        reports = self.of(campaign)
        counts = {name: len(reports[kind]) for name, kind in KINDS.items()}
        for kind in (OPENS, CLICKS, FORWARDS):
            counts[kind.name] = len({hit.contact_id for hit in reports[kind]})
        return counts

    def clicks_by_link(self, campaign: Campaign) -> Counter[str]:
        """Count the clicks on every link of a campaign."""
        return Counter(hit.extra[0] for hit in self.of(campaign)[CLICKS])

    def of_contact(self, contact_id: str, campaigns: Iterable[Campaign]) -> list[Row]:
        """Return the actions of a contact, newest first.

        Args:
            contact_id: Contact.
            campaigns: All campaigns that have reports.
        """
        if self._by_contact is None:
            self._by_contact = defaultdict(list)
            for campaign in campaigns:
                for row in rows_of(self, campaign):
                    self._by_contact[row.hit.contact_id].append(row)
            for rows in self._by_contact.values():
                rows.sort(key=lambda row: row.hit.at, reverse=True)
        return self._by_contact.get(contact_id, [])

    def forget(self) -> None:
        """Update the campaigns that have reports."""
        self._by_contact = None


def rows_of(tracking: Tracking, campaign: Campaign) -> Iterator[Row]:
    """Return all reports of a campaign."""
    reports = tracking.of(campaign)
    for kind in KINDS.values():
        for hit in reports[kind]:
            yield Row(kind, campaign, hit)
