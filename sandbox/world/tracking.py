"""Tracking events of every mail.

There may be millions of rows, so a row is a small tuple and becomes JSON when it is served.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from operator import attrgetter
from typing import TYPE_CHECKING, Final, NamedTuple

from sandbox.world import timestamps
from sandbox.world.campaigns import Campaign
from sandbox.world.fake_data import FakeRandom

if TYPE_CHECKING:
    from sandbox.world.contacts import Contact


class Kind(NamedTuple):
    """One kind of report.

    Attributes:
        name: Its name, in the plural.
        fields: The names of what its rows tell besides.
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

_BOUNCES: Final = (
    ("B", "Non-existent address", ""),
    ("B", "Non-existent address", ""),
    ("B", "Non-existent address", "550 5.1.1 User unknown"),
    ("F", "Mailbox full", "452 4.2.2 Over quota"),
    ("D", "Undeliverable", ""),
    ("S", "Suspended", ""),
    ("V", "Vacation or auto-reply", "Out of office"),
    ("X", "Other", ""),
    ("Z", "Blocked", "554 5.7.1 Blocked"),
)
_SOURCES: Final = ("ACTION_BY_CUSTOMER", "ACTION_BY_CUSTOMER", "ACTION_BY_OWNER")
_REASONS: Final = ("", "", "", "Too many emails", "No longer of interest")

_SENDING_TAKES: Final = 20 * timestamps.MINUTE
_OPEN_AFTER: Final = 9 * timestamps.HOUR
_LATE_AFTER: Final = 14 * timestamps.DAY
_LATE_SHARE: Final = 0.3
_OPEN_SHARE: Final = 0.32
_OPEN_AGAIN_SHARE: Final = 0.35
_CLICK_SHARE: Final = 0.25
_CLICK_AGAIN_SHARE: Final = 0.3
_FORWARD_SHARE: Final = 0.01
_BOUNCE_SHARE: Final = 0.03
_UNSUBSCRIBE_SHARE: Final = 0.004

# What happens when things are made to happen: mostly opens, but soon something of every kind.
_NEXT_KINDS: Final = (OPENS, CLICKS, OPENS, BOUNCES, OPENS, UNSUBSCRIBES, FORWARDS, OPENS)
_STILL_LIVELY: Final = 5


class Hit(NamedTuple):
    """One row of a report.

    Attributes:
        extra: The values of its kind's further fields.
    """

    contact_id: str
    email: str
    at: int
    extra: tuple[str, ...] = ()


class Row(NamedTuple):
    """One row of a report together with the report it stands in."""

    kind: Kind
    campaign: Campaign
    hit: Hit


def _key(kind: Kind, hit: Hit) -> tuple[str, int, tuple[str, ...]]:
    return hit.contact_id, hit.at, hit.extra if kind is CLICKS else ()


class Reports:
    """The six reports of one campaign, each in the order in which it is served.

    Bounces go up with time, everything else goes down. Within a report no two rows have the
    same key.
    """

    def __init__(self) -> None:
        """Begin with nothing."""
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
        """Add a row where its time puts it; if its key is taken, it moves a second back."""
        keys = {_key(kind, known) for known in self._hits[kind.name]}
        while _key(kind, hit) in keys:
            hit = hit._replace(at=hit.at - timestamps.SECOND)
        self.fill(kind, [hit, *self._hits[kind.name]])
        return hit


class Tracking:
    """The reports of all campaigns, and by way of them what every contact did."""

    def __init__(self, random: FakeRandom) -> None:
        """Begin with nothing.

        Args:
            random: Where chance comes from.
        """
        self._random = random
        self._reports: dict[str, Reports] = {}
        self._by_contact: dict[str, list[Row]] | None = None

    def of(self, campaign: Campaign) -> Reports:
        """Find the reports of a campaign; of one that was not sent they are empty."""
        return self._reports.get(campaign.id) or Reports()

    def send(self, campaign: Campaign, recipients: Sequence["Contact"], now: int) -> Reports:
        """Let a campaign go out to its recipients, of whom nobody has reacted yet."""
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

    def live(self, campaign: Campaign, recipients: Sequence["Contact"], now: int) -> None:
        """Send a campaign and let happen all that happens afterwards, up to now."""
        random = self._random
        reports = self.send(campaign, recipients, now)
        sends = reports[SENDS]
        if not sends:
            return
        bounced = random.some(sends, _part(sends, _BOUNCE_SHARE))
        reports.fill(BOUNCES, [self._react(BOUNCES, campaign, send, now) for send in bounced])
        lost = {hit.contact_id for hit in bounced}
        reached = [send for send in sends if send.contact_id not in lost] or sends
        opened = []
        for send in random.some(reached, _part(reached, _OPEN_SHARE)):
            open_ = self._react(OPENS, campaign, send, now)
            opened.append(open_)
            while random.chance(_OPEN_AGAIN_SHARE):
                opened.append(self._react(OPENS, campaign, open_, now))
        opens = reports.fill(OPENS, opened)
        clicked = []
        for open_ in random.some(opens, _part(opens, _CLICK_SHARE)):
            clicked.append(self._react(CLICKS, campaign, open_, now))
            while random.chance(_CLICK_AGAIN_SHARE):
                clicked.append(self._react(CLICKS, campaign, open_, now))
        reports.fill(CLICKS, clicked)
        gone = {contact.id for contact in recipients if contact.status == "OPTOUT"}
        readers = list({open_.contact_id: open_ for open_ in opens}.values())
        leaving = [open_ for open_ in readers if open_.contact_id in gone] or readers
        for kind, among, share in (
            (FORWARDS, opens, _FORWARD_SHARE),
            (UNSUBSCRIBES, leaving, _UNSUBSCRIBE_SHARE),
        ):
            acting = random.some(among, _part(sends, share))
            reports.fill(kind, [self._react(kind, campaign, open_, now) for open_ in acting])

    def _react(self, kind: Kind, campaign: Campaign, before: Hit, now: int) -> Hit:
        """Let somebody do something some time after something else, but not after now."""
        random = self._random
        mean = timestamps.MINUTE if kind is CLICKS else _OPEN_AFTER
        if kind in (BOUNCES, UNSUBSCRIBES):
            mean = _LATE_AFTER if random.chance(_LATE_SHARE) else timestamps.HOUR
        delay = min(int(random.expovariate(1 / mean)), int((now - before.at) * random.random()))
        at = timestamps.whole_second(before.at + max(delay, 0))
        return Hit(before.contact_id, before.email, at, self._extra(kind, campaign))

    def _extra(self, kind: Kind, campaign: Campaign) -> tuple[str, ...]:
        random = self._random
        if kind is CLICKS:
            # Links further up are clicked more often.
            place = int(len(campaign.links) * random.random() ** 2)
            return (campaign.links[place].uid,)
        if kind is BOUNCES:
            return random.pick(_BOUNCES)
        if kind is UNSUBSCRIBES:
            return (random.pick(_SOURCES), random.pick(_REASONS))
        return ()

    def go_on(self, campaigns: Sequence[Campaign], count: int, now: int) -> list[Row]:
        """Let further things happen, most of them to the campaigns sent last."""
        sent = [campaign for campaign in campaigns if self.of(campaign)[SENDS]]
        lively = sorted(sent, key=lambda campaign: campaign.last_run or 0)[-_STILL_LIVELY:]
        if not lively:
            return []
        rows = []
        for number in range(count):
            kind = _NEXT_KINDS[number % len(_NEXT_KINDS)]
            campaign = self._random.pick(lively)
            reports = self.of(campaign)
            who = self._random.pick(reports[SENDS])
            at = timestamps.whole_second(now)
            hit = Hit(who.contact_id, who.email, at, self._extra(kind, campaign))
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
        """Find what one contact did, newest first.

        Args:
            contact_id: Whose rows.
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
        """Look afresh which campaigns have reports."""
        self._by_contact = None


def _part(of: Sequence[Hit], share: float) -> int:
    """Take a share, but at least one: every report of a campaign should have something in it."""
    return max(1, round(len(of) * share))


def rows_of(tracking: Tracking, campaign: Campaign) -> Iterator[Row]:
    """Go through all reports of a campaign."""
    reports = tracking.of(campaign)
    for kind in KINDS.values():
        for hit in reports[kind]:
            yield Row(kind, campaign, hit)
