"""What became of every mail: the reports of a campaign and of a contact.

There may be millions of rows, so a row is a small tuple and becomes JSON when it is served.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from operator import attrgetter
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from sandbox import moments
from sandbox.campaigns import Campaign, readable
from sandbox.making import Dice
from sandbox.paging import page
from sandbox.refusals import missing

if TYPE_CHECKING:
    from sandbox.account import Account
    from sandbox.asking import Ask
    from sandbox.contacts import Contact


class Kind(NamedTuple):
    """One kind of report.

    Attributes:
        name: Its name in paths and counters.
        activity: The `activity_type` of its rows.
        date: The name of its rows' date.
        fields: The names of what its rows tell besides.
        shifted: Whether the clock that is some hours behind stamps them.
    """

    name: str
    activity: str
    date: str
    fields: tuple[str, ...] = ()
    shifted: bool = True


SENDS: Final = Kind("sends", "EMAIL_SEND", "send_date", shifted=False)
OPENS: Final = Kind("opens", "EMAIL_OPEN", "open_date")
CLICKS: Final = Kind("clicks", "EMAIL_CLICK", "click_date", ("link_id",))
FORWARDS: Final = Kind("forwards", "EMAIL_FORWARD", "forward_date")
UNSUBSCRIBES: Final = Kind(
    "unsubscribes",
    "EMAIL_UNSUBSCRIBE",
    "unsubscribe_date",
    ("unsubscribe_source", "unsubscribe_reason"),
)
BOUNCES: Final = Kind(
    "bounces",
    "EMAIL_BOUNCE",
    "bounce_date",
    ("bounce_code", "bounce_description", "bounce_message"),
)
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

_SENDING_TAKES: Final = 20 * moments.MINUTE
_OPEN_AFTER: Final = 9 * moments.HOUR
_LATE_AFTER: Final = 14 * moments.DAY
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
            hit = hit._replace(at=hit.at - moments.SECOND)
        self.fill(kind, [hit, *self._hits[kind.name]])
        return hit


class Tracking:
    """The reports of all campaigns, and by way of them what every contact did."""

    def __init__(self, dice: Dice) -> None:
        """Begin with nothing.

        Args:
            dice: Where chance comes from.
        """
        self._dice = dice
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
                    moments.whole_second(begin + takes * place // count),
                )
                for place, contact in enumerate(recipients[:count])
            ),
        )
        self._by_contact = None
        return reports

    def live(self, campaign: Campaign, recipients: Sequence["Contact"], now: int) -> None:
        """Send a campaign and let happen all that happens afterwards, up to now."""
        dice = self._dice
        reports = self.send(campaign, recipients, now)
        sends = reports[SENDS]
        if not sends:
            return
        bounced = dice.some(sends, _part(sends, _BOUNCE_SHARE))
        reports.fill(BOUNCES, [self._react(BOUNCES, campaign, send, now) for send in bounced])
        lost = {hit.contact_id for hit in bounced}
        reached = [send for send in sends if send.contact_id not in lost] or sends
        opened = []
        for send in dice.some(reached, _part(reached, _OPEN_SHARE)):
            open_ = self._react(OPENS, campaign, send, now)
            opened.append(open_)
            while dice.chance(_OPEN_AGAIN_SHARE):
                opened.append(self._react(OPENS, campaign, open_, now))
        opens = reports.fill(OPENS, opened)
        clicked = []
        for open_ in dice.some(opens, _part(opens, _CLICK_SHARE)):
            clicked.append(self._react(CLICKS, campaign, open_, now))
            while dice.chance(_CLICK_AGAIN_SHARE):
                clicked.append(self._react(CLICKS, campaign, open_, now))
        reports.fill(CLICKS, clicked)
        gone = {contact.id for contact in recipients if contact.status == "OPTOUT"}
        readers = list({open_.contact_id: open_ for open_ in opens}.values())
        leaving = [open_ for open_ in readers if open_.contact_id in gone] or readers
        for kind, among, share in (
            (FORWARDS, opens, _FORWARD_SHARE),
            (UNSUBSCRIBES, leaving, _UNSUBSCRIBE_SHARE),
        ):
            acting = dice.some(among, _part(sends, share))
            reports.fill(kind, [self._react(kind, campaign, open_, now) for open_ in acting])

    def _react(self, kind: Kind, campaign: Campaign, before: Hit, now: int) -> Hit:
        """Let somebody do something some time after something else, but not after now."""
        dice = self._dice
        mean = moments.MINUTE if kind is CLICKS else _OPEN_AFTER
        if kind in (BOUNCES, UNSUBSCRIBES):
            mean = _LATE_AFTER if dice.chance(_LATE_SHARE) else moments.HOUR
        delay = min(int(dice.expovariate(1 / mean)), int((now - before.at) * dice.random()))
        at = moments.whole_second(before.at + max(delay, 0))
        return Hit(before.contact_id, before.email, at, self._extra(kind, campaign))

    def _extra(self, kind: Kind, campaign: Campaign) -> tuple[str, ...]:
        dice = self._dice
        if kind is CLICKS:
            # Links further up are clicked more often.
            place = int(len(campaign.links) * dice.random() ** 2)
            return (campaign.links[place].uid,)
        if kind is BOUNCES:
            return dice.pick(_BOUNCES)
        if kind is UNSUBSCRIBES:
            return (dice.pick(_SOURCES), dice.pick(_REASONS))
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
            campaign = self._dice.pick(lively)
            reports = self.of(campaign)
            who = self._dice.pick(reports[SENDS])
            at = moments.whole_second(now)
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


def stamp(row: Row, hours: int, *, of_contact: bool = False) -> str:
    """Write a row's time by the clock of its report, which may be behind UTC.

    Args:
        row: The row.
        hours: How far the clock of campaign reports is behind.
        of_contact: Whether it is a contact's report; its clock is twice as far behind, and stamps
            sends too.
    """
    return moments.text(_shown(row, hours, of_contact=of_contact))


def _shown(row: Row, hours: int, *, of_contact: bool) -> int:
    if of_contact:
        hours *= 2
    elif not row.kind.shifted:
        hours = 0
    return row.hit.at - hours * moments.HOUR


def _as_sent(row: Row, hours: int, *, of_contact: bool) -> bytes:
    kind, campaign, hit = row
    sent = {
        "activity_type": kind.activity,
        "campaign_id": campaign.id,
        "contact_id": hit.contact_id,
        "email_address": hit.email,
        **dict(zip(kind.fields, hit.extra, strict=True)),
    }
    if of_contact and kind is CLICKS:
        urls = {link.uid: link.url for link in campaign.links}
        sent["link_uri"] = urls[hit.extra[0]]
    sent[kind.date] = stamp(row, hours, of_contact=of_contact)
    return msgspec.json.encode(sent)


def _answer(ask: "Ask", rows: Sequence[Row], *, of_contact: bool) -> bytes:
    """Answer with rows of all kinds; the filter goes by the time that is shown."""
    hours = ask.trouble.clock_shift_hours
    since = ask.since("created_since")
    if since is not None:
        rows = [row for row in rows if _shown(row, hours, of_contact=of_contact) >= since]
    return page(ask, rows, lambda row: _as_sent(row, hours, of_contact=of_contact))


def _answer_one_kind(ask: "Ask", kind: Kind, campaign: Campaign, hits: Sequence[Hit]) -> bytes:
    """Answer with rows of one report, which may be long: only those on the page are looked at."""
    hours = ask.trouble.clock_shift_hours
    since = ask.since("created_since")
    if since is not None:
        behind = hours * moments.HOUR if kind.shifted else 0
        hits = [hit for hit in hits if hit.at - behind >= since]
    return page(ask, hits, lambda hit: _as_sent(Row(kind, campaign, hit), hours, of_contact=False))


def _tracked(account: "Account", ask: "Ask") -> Campaign:
    found = readable(account, ask)
    if not found.tracked:
        raise missing(found.id, "campaign_id")
    return found


def campaign_report(kind: Kind, account: "Account", ask: "Ask") -> bytes:
    """Answer `/emailmarketing/campaigns/{campaign_id}/tracking/...`, one kind of row."""
    campaign = _tracked(account, ask)
    return _answer_one_kind(ask, kind, campaign, account.tracking.of(campaign)[kind])


def campaign_activity(account: "Account", ask: "Ask") -> bytes:
    """Answer `/emailmarketing/campaigns/{campaign_id}/tracking`: all kinds, newest first."""
    rows = list(rows_of(account.tracking, _tracked(account, ask)))
    rows.sort(key=lambda row: row.hit.at, reverse=True)
    return _answer(ask, rows, of_contact=False)


def campaign_link(account: "Account", ask: "Ask") -> bytes:
    """Answer `/emailmarketing/campaigns/{campaign_id}/tracking/clicks/{link_id}`."""
    campaign = _tracked(account, ask)
    link = ask.find({link.uid: link for link in campaign.links}, "link_id")
    hits = [hit for hit in account.tracking.of(campaign)[CLICKS] if hit.extra[0] == link.uid]
    return _answer_one_kind(ask, CLICKS, campaign, hits)


def campaign_summary(account: "Account", ask: "Ask") -> bytes:
    """Answer `/emailmarketing/campaigns/{campaign_id}/tracking/reports/summary`."""
    return msgspec.json.encode(account.tracking.summary(_tracked(account, ask)))


def _contact_rows(account: "Account", ask: "Ask") -> list[Row]:
    contact = ask.find(account.people.by_id, "contact_id")
    return account.tracking.of_contact(contact.id, account.mailings.tracked())


def contact_activity(account: "Account", ask: "Ask") -> bytes:
    """Answer `/contacts/{contact_id}/tracking`: all kinds, newest first."""
    return _answer(ask, _contact_rows(account, ask), of_contact=True)


def contact_report(kind: Kind, account: "Account", ask: "Ask") -> bytes:
    """Answer `/contacts/{contact_id}/tracking/...`, one kind of row."""
    rows = [row for row in _contact_rows(account, ask) if row.kind is kind]
    return _answer(ask, rows, of_contact=True)


def contact_link(account: "Account", ask: "Ask") -> bytes:
    """Answer `/contacts/{contact_id}/tracking/clicks/{link_id}`."""
    link = ask.ids["link_id"]
    rows = [
        row
        for row in _contact_rows(account, ask)
        if row.kind is CLICKS and row.hit.extra[0] == link
    ]
    return _answer(ask, rows, of_contact=True)


def contact_summary(account: "Account", ask: "Ask") -> bytes:
    """Answer `/contacts/{contact_id}/tracking/reports/summary`: zeroes where nothing happened."""
    counts = Counter(row.kind.name for row in _contact_rows(account, ask))
    sent: dict[str, int | str] = {name: counts[name] for name in KINDS}
    return msgspec.json.encode(sent | {"contact_id": ask.ids["contact_id"]})


_COUNTED_BY_CAMPAIGN: Final = ("opens", "clicks", "forwards", "bounces")


def by_campaign(rows: Iterable[Row]) -> dict[str, Counter[str]]:
    """Count what one contact did, campaign by campaign; a mere send or unsubscribe is nothing."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        if row.kind.name in _COUNTED_BY_CAMPAIGN:
            counts[row.campaign.id][row.kind.name] += 1
    return counts


def contact_summary_by_campaign(account: "Account", ask: "Ask") -> bytes:
    """Answer `/contacts/{contact_id}/tracking/reports/summaryByCampaign`: a bare array."""
    return msgspec.json.encode(
        [
            {
                "campaign_id": campaign_id,
                "contact_id": ask.ids["contact_id"],
                **{name: counts[name] for name in _COUNTED_BY_CAMPAIGN},
            }
            for campaign_id, counts in by_campaign(_contact_rows(account, ask)).items()
        ],
    )
