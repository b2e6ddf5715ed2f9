"""E-mail campaigns: what was written, scheduled and sent."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Final

from sandbox.world import timestamps
from sandbox.world.fake_data import FakeRandom, Pools, stable_uuid

if TYPE_CHECKING:
    from sandbox.world.lists import Lists
UNTRACKED: Final = frozenset({"DRAFT", "SCHEDULED", "DELETED"})
"""Only campaigns that went out, or are going out, have reports."""

# Most campaigns were sent; the others come early, so that small accounts have them too.
_STATUSES: Final = (
    *("SENT", "SENT", "DRAFT", "SENT", "SCHEDULED", "SENT", "DELETED", "SENT", "SENT", "SENT"),
    *("SENT", "SENT", "SENT", "SENT", "SENT", "DRAFT", "SENT", "SENT", "SENT", "DELETED"),
    *("SENT", "SENT", "SENT", "SENT", "SENT", "SENT", "SENT", "SENT", "SENT", "SENT"),
)
_RUNNING_NUMBER: Final = 1
# By how much opens differ from the average.
_KINDS: Final = {
    "Newsletter": 0.9,
    "Invitation": 1.1,
    "Special offer": 1.25,
    "Thank you": 1.0,
    "Announcement": 0.75,
}
_TEMPLATES: Final = ("CUSTOM", "TEMPLATE_V2", "CUSTOM", "STOCK")
_SITES: Final = (
    *("/", "/shop", "/events", "/about-us", "/blog?utm_source=email"),
    *("/shop/sale", "/events/tickets", "/donate"),
)
_SEND_HOURS: Final = (8, 9, 9, 10, 10, 10, 11, 13, 14, 14, 16, 18, 20)
_HISTORY: Final = 5 * timestamps.YEAR


@dataclass(slots=True)
class Link:
    """A link in a campaign, under the id that clicks are reported with."""

    uid: str
    url: str


@dataclass
class Campaign:
    """One e-mail campaign.

    Attributes:
        appeal: By how much opens differ from the average because of the subject.
        links: Its links, once the campaign was sent.
        schedules: When it is going to be sent, as (id, time).
        variant: A number by which campaigns differ in lesser settings.
        resend_of: The campaign whose non-openers it goes to; None if it is no resend.
        resends: The campaigns that are resends of it.
    """

    id: str
    name: str
    subject: str
    status: str
    template: str
    paragraphs: tuple[str, ...]
    created: int
    modified: int
    variant: int
    appeal: float
    lists: tuple[str, ...] = ()
    links: tuple[Link, ...] = ()
    schedules: list[tuple[str, int]] = field(default_factory=list)
    last_run: int | None = None
    spam_reports: int = 0
    resend_of: "Campaign | None" = None
    resends: list["Campaign"] = field(default_factory=list, repr=False, compare=False)

    @property
    def v3_campaign(self) -> "Campaign":
        """The campaign that contains it in v3, where a resend is part of another."""
        return self.resend_of or self

    @property
    def parts(self) -> list["Campaign"]:
        """The sendings: the campaign and its resends."""
        return [self, *self.resends]

    @property
    def changed(self) -> int:
        """The last change: an edit or a resend."""
        return max(each.modified for each in self.parts)

    @cached_property
    def uuid(self) -> str:
        """The id of that in v3."""
        return stable_uuid("campaign", self.v3_campaign.id)

    @cached_property
    def activity_uuid(self) -> str:
        """The id of its activity in v3."""
        return stable_uuid("activity", self.id)

    @property
    def tracked(self) -> bool:
        """True if the campaign has reports."""
        return self.status not in UNTRACKED


class Campaigns:
    """The campaigns of an account, newest first, one per interval where there are not too many."""

    def __init__(  # noqa: PLR0913 - as many as an account has properties that campaigns share
        self,
        random: FakeRandom,
        names: Pools,
        lists: "Lists",
        count: int,
        now: int,
        *,
        interval: int = timestamps.WEEK,
    ) -> None:
        """Create the campaigns of a new account.

        Args:
            random: Source of random numbers.
            names: The account's names and places.
            lists: Lists of recipients.
            count: Number of campaigns.
            now: Newest time of the data.
            interval: Time between two campaigns, in milliseconds.
        """
        self._random = random
        self._names = names
        self._lists = lists
        self.by_id: dict[str, Campaign] = {}
        interval = min(interval, _HISTORY // max(count, 1))
        for number in range(count):
            status = _STATUSES[number % len(_STATUSES)]
            at = now - interval * number - random.between(interval // 4, interval // 2)
            if interval > 4 * timestamps.DAY:
                at -= at % timestamps.DAY - self._hour()
            if number == _RUNNING_NUMBER:
                status, at = "RUNNING", now - timestamps.HOUR
            self.make(status, timestamps.whole_second(at), now)

    def _hour(self) -> int:
        """Return an hour of the day at which people send mail, with its minutes."""
        hour = self._random.pick(_SEND_HOURS) * timestamps.HOUR
        return hour + self._random.between(0, 59) * timestamps.MINUTE

    def make(self, status: str, timestamp: int, now: int) -> Campaign:
        """Create another campaign.

        Args:
            status: Its status.
            timestamp: Time of the sending, or of the last edit.
            now: The current time; scheduled campaigns are later.
        """
        random, names = self._random, self._names
        id_ = self._new_id()
        kind, appeal = random.pick(list(_KINDS.items()))
        made = Campaign(
            id=id_,
            name=f"{kind} {timestamps.text(timestamp)[:10]} ({id_[-5:]})",
            subject=f"{kind}: {random.pick(names.phrases)}",
            status=status,
            template=random.pick(_TEMPLATES),
            paragraphs=tuple(random.some(names.sentences, 12)),
            created=timestamp - random.between(timestamps.HOUR, timestamps.DAY) // 1000 * 1000,
            modified=timestamp - timestamps.SECOND,
            variant=len(self.by_id),
            appeal=appeal,
        )
        if status != "DRAFT":
            made.lists = tuple(random.some(list(self._lists.by_id), random.between(1, 2)))
        if status == "SCHEDULED":
            self.schedule(made, now)
        if status not in UNTRACKED or (status == "DELETED" and random.chance(0.5)):
            self.send(made, timestamp)
        self.by_id[made.id] = made
        return made

    def _new_id(self) -> str:
        return str(1_100_000_000_000 + self._random.between(1, 99_999_999_999))

    def schedule(self, campaign: Campaign, now: int) -> None:
        """Schedule a campaign."""
        day = now - now % timestamps.DAY + self._random.between(1, 20) * timestamps.DAY
        at = day + self._random.between(8, 18) * timestamps.HOUR
        campaign.schedules = [(str(self._random.between(1, 9_999_999)), at)]

    def send(self, campaign: Campaign, timestamp: int) -> None:
        """Send a campaign."""
        random = self._random
        campaign.last_run = timestamp
        campaign.schedules = []
        campaign.links = tuple(
            Link(self._new_id(), f"https://www.example.com{site}")
            for site in random.some(_SITES, random.between(2, 5))
        )
        campaign.spam_reports = int(random.chance(0.1))

    def with_status(self, *statuses: str) -> list[Campaign]:
        """Find the campaigns in certain states."""
        return [campaign for campaign in self.by_id.values() if campaign.status in statuses]

    def tracked(self) -> list[Campaign]:
        """Find the campaigns that have reports."""
        return [campaign for campaign in self.by_id.values() if campaign.tracked]
