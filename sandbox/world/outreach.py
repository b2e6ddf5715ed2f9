"""Text messages, automations and social profiles."""

from dataclasses import dataclass
from typing import Final

from sandbox.world import moments
from sandbox.world.making import Dice, Name, Pools, edited

_TEXTING_SHARE: Final = 50


@dataclass(slots=True)
class TextContact:
    """A contact without an e-mail address, who gets text messages.

    Attributes:
        number: Puts contacts that came in at the same moment in order.
    """

    uuid: str
    number: int
    first_name: Name
    phone: str
    created: int
    modified: int


@dataclass(slots=True)
class TextCampaign:
    """A campaign of text messages."""

    uuid: str
    name: str
    sent: int
    sends: int


@dataclass(slots=True)
class Automation:
    """A path that contacts go along by themselves."""

    uuid: str
    name: str
    created: int
    updated: int


@dataclass(slots=True)
class SocialProfile:
    """A profile in a social network."""

    uuid: str
    network: str
    name: str


class Outreach:
    """All of that of one account."""

    def __init__(self, dice: Dice, names: Pools, contacts: int, now: int) -> None:
        """Make up what an account begins with.

        Args:
            dice: Where chance comes from.
            names: The account's names and places.
            contacts: How many contacts have an address: few others have but a number.
            now: The account's beginning; everything is older.
        """
        self._dice = dice
        self._names = names
        self.list_uuid = dice.uuid()
        self.list_created = moments.whole_second(now - moments.YEAR)
        self.contacts: dict[str, TextContact] = {}
        for number in range(-(-contacts // _TEXTING_SHARE)):
            self._text_contact(number, now - dice.between(moments.HOUR, moments.YEAR))
        self.campaigns = [
            TextCampaign(
                dice.uuid(),
                f"Text {number}",
                moments.whole_second(now - number * moments.WEEK),
                dice.between(1, 500),
            )
            for number in range(1, 4)
        ]
        self.automations = [
            Automation(
                dice.uuid(),
                name,
                now - dice.between(moments.WEEK, moments.YEAR),
                now - dice.between(moments.HOUR, moments.WEEK),
            )
            for name in ("Welcome", "Birthday", "Come back")
        ]
        self.profiles = [
            SocialProfile(dice.uuid(), network, dice.pick(names.companies))
            for network in ("facebook", "linkedin")
        ]

    def _text_contact(self, number: int, created: int) -> TextContact:
        created = moments.whole_second(created)
        name = self._dice.pick(self._names.first_names)
        made = TextContact(
            self._dice.uuid(), number, name, self._dice.phone().replace("-", ""), created, created
        )
        self.contacts[made.uuid] = made
        return made

    def edit_automation(self, automation: Automation, now: int) -> None:
        """Change an automation."""
        automation.name = edited(automation.name)
        automation.updated = now
