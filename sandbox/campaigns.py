"""E-mail campaigns: what the account has, and what `/emailmarketing/campaigns` answers."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import msgspec

from sandbox import moments
from sandbox.asking import one_of
from sandbox.making import Dice, Pools
from sandbox.paging import page
from sandbox.refusals import missing

if TYPE_CHECKING:
    from sandbox.account import Account
    from sandbox.asking import Ask
    from sandbox.lists import Lists
    from sandbox.profile import Profile

STATUS_FILTER: Final = one_of("ALL", "DRAFT", "RUNNING", "SENT", "SCHEDULED", "DELETED")
UNTRACKED: Final = frozenset({"DRAFT", "SCHEDULED", "DELETED"})
"""Only campaigns that went out, or are going out, have reports."""

# Most campaigns were sent; the others come early, so that small accounts have them too.
_STATUSES: Final = (
    *("SENT", "SENT", "DRAFT", "SENT", "SCHEDULED", "SENT", "DELETED", "SENT", "SENT", "SENT"),
    *("SENT", "SENT", "SENT", "SENT", "SENT", "DRAFT", "SENT", "SENT", "SENT", "DELETED"),
    *("SENT", "SENT", "SENT", "SENT", "SENT", "SENT", "SENT", "SENT", "SENT", "SENT"),
)
_RUNNING_NUMBER: Final = 1
_KINDS: Final = ("Newsletter", "Invitation", "Special offer", "Thank you", "Announcement")
_TEMPLATES: Final = ("CUSTOM", "TEMPLATE_V2", "CUSTOM", "STOCK")
_OWN_CONTENT: Final = frozenset({"CUSTOM", "STOCK"})
_GREETINGS: Final = ("FIRST_NAME", "LAST_NAME", "FIRST_AND_LAST_NAME", "NONE")
_SITES: Final = ("/", "/shop", "/events", "/about-us", "/blog?utm_source=email")
_HISTORY: Final = 5 * moments.YEAR


@dataclass(slots=True)
class Link:
    """A link in a campaign, under the id that clicks are reported with."""

    uid: str
    url: str


@dataclass(slots=True)
class Campaign:
    """One e-mail campaign.

    Attributes:
        links: What can be clicked; known once the campaign was sent.
        schedules: When it is going to be sent, as (id, time).
        variant: A number by which campaigns differ in lesser settings.
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
    lists: tuple[str, ...] = ()
    links: tuple[Link, ...] = ()
    schedules: list[tuple[str, int]] = field(default_factory=list)
    last_run: int | None = None
    spam_reports: int = 0

    @property
    def tracked(self) -> bool:
        """Whether the campaign has reports."""
        return self.status not in UNTRACKED


class Campaigns:
    """The campaigns of an account, newest first, one a week where there are not too many."""

    def __init__(self, dice: Dice, names: Pools, lists: "Lists", count: int, now: int) -> None:
        """Make up the campaigns an account begins with.

        Args:
            dice: Where chance comes from.
            names: The account's names and places.
            lists: Who they go to.
            count: How many campaigns to make up.
            now: The account's beginning; everything is older.
        """
        self._dice = dice
        self._names = names
        self._lists = lists
        self.by_id: dict[str, Campaign] = {}
        interval = min(moments.WEEK, _HISTORY // max(count, 1))
        for number in range(count):
            status = _STATUSES[number % len(_STATUSES)]
            ago = interval * number + dice.between(interval // 4, interval // 2)
            if number == _RUNNING_NUMBER:
                status, ago = "RUNNING", moments.HOUR
            self.make(status, moments.whole_second(now - ago), now)

    def make(self, status: str, moment: int, now: int) -> Campaign:
        """Make up one more campaign.

        Args:
            status: What has become of it.
            moment: When it was sent; if it was not, when it was last edited.
            now: The present; what is scheduled comes later.
        """
        dice, names = self._dice, self._names
        id_ = self._new_id()
        made = Campaign(
            id=id_,
            name=f"{dice.pick(_KINDS)} {moments.text(moment)[:10]} ({id_[-5:]})",
            subject=dice.pick(names.phrases),
            status=status,
            template=dice.pick(_TEMPLATES),
            paragraphs=tuple(dice.some(names.sentences, 12)),
            created=moment - dice.between(moments.HOUR, moments.DAY) // 1000 * 1000,
            modified=moment - moments.SECOND,
            variant=len(self.by_id),
        )
        if status != "DRAFT":
            made.lists = tuple(dice.some(list(self._lists.by_id), dice.between(1, 2)))
        if status == "SCHEDULED":
            self.schedule(made, now)
        if status not in UNTRACKED or (status == "DELETED" and dice.chance(0.5)):
            self.send(made, moment)
        self.by_id[made.id] = made
        return made

    def _new_id(self) -> str:
        return str(1_100_000_000_000 + self._dice.between(1, 99_999_999_999))

    def schedule(self, campaign: Campaign, now: int) -> None:
        """Let a campaign wait for its time."""
        day = now - now % moments.DAY + self._dice.between(1, 20) * moments.DAY
        at = day + self._dice.between(8, 18) * moments.HOUR
        campaign.schedules = [(str(self._dice.between(1, 9_999_999)), at)]

    def send(self, campaign: Campaign, moment: int) -> None:
        """Let a campaign go out."""
        dice = self._dice
        campaign.last_run = moment
        campaign.schedules = []
        campaign.links = tuple(
            Link(self._new_id(), f"https://www.example.com{site}")
            for site in dice.some(_SITES, dice.between(1, 4))
        )
        campaign.spam_reports = int(dice.chance(0.1))

    def with_status(self, *statuses: str) -> list[Campaign]:
        """Find the campaigns in certain states."""
        return [campaign for campaign in self.by_id.values() if campaign.status in statuses]

    def tracked(self) -> list[Campaign]:
        """Find the campaigns that have reports."""
        return [campaign for campaign in self.by_id.values() if campaign.tracked]


def _in_order(campaigns: Sequence[Campaign], status: str) -> list[Campaign]:
    """Sort campaigns as the API does, which depends on the status one asks for."""
    if status == "SCHEDULED":
        return sorted(campaigns, key=lambda campaign: (campaign.schedules[0][1], campaign.id))
    if status in {"SENT", "RUNNING", "DELETED"}:
        return sorted(
            campaigns,
            key=lambda campaign: (campaign.last_run or campaign.modified, campaign.id),
            reverse=True,
        )
    return sorted(campaigns, key=lambda campaign: (campaign.modified, campaign.id), reverse=True)


def _as_listed(campaign: Campaign) -> bytes:
    return msgspec.json.encode(
        {
            "id": campaign.id,
            "name": campaign.name,
            "status": campaign.status,
            "modified_date": moments.text(campaign.modified),
        },
    )


def _footer(campaign: Campaign, profile: "Profile") -> dict[str, Any]:
    address = profile.address
    footer: dict[str, Any] = {
        "city": address["city"],
        "state": address["state_code"],
        "country": "US" if campaign.variant % 2 else "us",
        "organization_name": profile.organization,
        "address_line_1": address["line1"],
        "address_line_2": address["line2"],
        "address_line_3": "",
        "international_state": "",
        "postal_code": address["postal_code"],
        "include_forward_email": campaign.variant % 3 == 0,
        "include_subscribe_link": campaign.variant % 4 == 0,
    }
    if footer["include_forward_email"]:
        footer["forward_email_link_text"] = "Forward this email"
    if footer["include_subscribe_link"]:
        footer["subscribe_link_text"] = "Subscribe to our newsletter!"
    return footer


def _html(campaign: Campaign) -> str:
    links = "".join(f'<p><a href="{link.url}">{link.url}</a></p>' for link in campaign.links)
    text = "".join(f"<p>{paragraph}</p>" for paragraph in campaign.paragraphs)
    return f"<html><body><h1>{campaign.subject}</h1>{text}{links}</body></html>"


def _plain(campaign: Campaign) -> str:
    links = (link.url for link in campaign.links)
    return "\n\n".join((campaign.subject, *campaign.paragraphs, *links))


def _in_full(account: "Account", campaign: Campaign) -> dict[str, Any]:
    """Write a campaign's detail; what does not apply to it is left out, never null."""
    reminder = campaign.variant % 2 == 0
    webpage = campaign.variant % 3 != 0
    greeting = _GREETINGS[campaign.variant % len(_GREETINGS)]
    detail: dict[str, Any] = {
        "id": campaign.id,
        "name": campaign.name,
        "subject": campaign.subject,
        "status": campaign.status,
        "from_name": account.profile.organization,
        "from_email": "news@example.com",
        "reply_to_email": "owner@example.com",
        "template_type": campaign.template,
        "created_date": moments.text(campaign.created),
        "modified_date": moments.text(campaign.modified),
    }
    if campaign.last_run is not None:
        detail["last_run_date"] = moments.text(campaign.last_run)
        if campaign.variant % 5:
            detail["permalink_url"] = f"https://campaign.example.com/{campaign.id}.html"
    if campaign.schedules:
        detail["next_run_date"] = moments.text(campaign.schedules[0][1])
    detail |= {
        "is_permission_reminder_enabled": reminder,
        "permission_reminder_text": "You asked for our news." if reminder else "",
        "is_view_as_webpage_enabled": webpage,
        "view_as_web_page_text": "Having trouble viewing this email?" if webpage else "",
        "view_as_web_page_link_text": "Click here" if webpage else "",
        "greeting_salutations": "" if greeting == "NONE" else "Hello",
        "greeting_name": greeting,
        "greeting_string": "" if greeting == "NONE" else "Dear friend",
    }
    if campaign.template in _OWN_CONTENT:
        detail |= {
            "email_content": _html(campaign),
            "text_content": _plain(campaign),
            "email_content_format": "XHTML" if campaign.template == "STOCK" else "HTML",
            "style_sheet": "",
        }
    summary = account.tracking.summary(campaign)
    detail |= {
        "message_footer": _footer(campaign, account.profile),
        "tracking_summary": summary | {"spam_count": campaign.spam_reports},
    }
    if campaign.lists:
        detail["sent_to_contact_lists"] = [{"id": list_id} for list_id in campaign.lists]
    if campaign.tracked:
        clicks = account.tracking.clicks_by_link(campaign)
        detail["click_through_details"] = [
            {"url": link.url, "url_uid": link.uid, "click_count": clicks[link.uid]}
            for link in campaign.links
        ]
    return detail


def readable(account: "Account", ask: "Ask") -> Campaign:
    """Find the campaign of a path; a deleted one is only ever listed."""
    found = ask.find(account.mailings.by_id, "campaign_id")
    if found.status == "DELETED":
        raise missing(found.id, "campaign_id")
    return found


def all_campaigns(account: "Account", ask: "Ask") -> bytes:
    """Answer `/emailmarketing/campaigns`: four fields a row, deleted ones only on demand."""
    status = ask.text("status", "ALL")
    since = ask.since("modified_since")
    found = [
        campaign
        for campaign in account.mailings.by_id.values()
        if (campaign.status == status or (status == "ALL" and campaign.status != "DELETED"))
        and (since is None or campaign.modified >= since)
    ]
    return page(ask, _in_order(found, status), _as_listed)


def one_campaign(account: "Account", ask: "Ask") -> bytes:
    """Answer `/emailmarketing/campaigns/{campaign_id}`; its statistics are always fresh."""
    return msgspec.json.encode(_in_full(account, readable(account, ask)))


def preview(account: "Account", ask: "Ask") -> bytes:
    """Answer `/emailmarketing/campaigns/{campaign_id}/preview`."""
    campaign = readable(account, ask)
    footer = "This email was sent to {Email Address} by news@example.com."
    return msgspec.json.encode(
        {
            "subject": campaign.subject,
            "from_email": "news@example.com",
            "reply_to_email": "owner@example.com",
            "preview_email_content": _html(campaign).replace("</body>", f"<p>{footer}</p></body>"),
            "preview_text_content": f"{_plain(campaign)}\n\n{footer}\n",
        },
    )


def _schedule(id_: str, at: int) -> dict[str, str]:
    return {"id": id_, "scheduled_date": moments.text(at)}


def schedules(account: "Account", ask: "Ask") -> bytes:
    """Answer `/emailmarketing/campaigns/{campaign_id}/schedules`: a bare array."""
    campaign = readable(account, ask)
    if not campaign.schedules and ask.trouble.no_schedules_is_404:
        raise missing(campaign.id, "schedule_id")
    return msgspec.json.encode([_schedule(*schedule) for schedule in campaign.schedules])


def one_schedule(account: "Account", ask: "Ask") -> bytes:
    """Answer `/emailmarketing/campaigns/{campaign_id}/schedules/{schedule_id}`."""
    known = {id_: (id_, at) for id_, at in readable(account, ask).schedules}
    return msgspec.json.encode(_schedule(*ask.find(known, "schedule_id")))
