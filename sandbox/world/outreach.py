"""Text messages, automations and social profiles."""

from dataclasses import dataclass
from typing import Final

from sandbox.world import timestamps
from sandbox.world.fake_data import FakeRandom, Name, Pools, edited

_TEXTING_SHARE: Final = 50


@dataclass(slots=True)
class TextContact:
    """A contact without an e-mail address, who gets text messages.

    Attributes:
        number: Orders contacts with the same time.
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
    """An automation."""

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

    def __init__(self, random: FakeRandom, names: Pools, contacts: int, now: int) -> None:
        """Create the data of a new account.

        Args:
            random: Source of random numbers.
            names: The account's names and places.
            contacts: Number of contacts with an address; few others have only a phone number.
            now: Newest time of the data.
        """
        self._random = random
        self._names = names
        self.list_uuid = random.uuid()
        self.list_created = timestamps.whole_second(now - timestamps.YEAR)
        self.contacts: dict[str, TextContact] = {}
        for number in range(-(-contacts // _TEXTING_SHARE)):
            self._text_contact(number, now - random.between(timestamps.HOUR, timestamps.YEAR))
        self.campaigns = [
            TextCampaign(
                random.uuid(),
                f"Text {number}",
                timestamps.whole_second(now - number * timestamps.WEEK),
                random.between(1, 500),
            )
            for number in range(1, 4)
        ]
        self.automations = [
            Automation(
                random.uuid(),
                name,
                now - random.between(timestamps.WEEK, timestamps.YEAR),
                now - random.between(timestamps.HOUR, timestamps.WEEK),
            )
            for name in ("Welcome", "Birthday", "Come back")
        ]
        self.profiles = [
            SocialProfile(random.uuid(), network, random.pick(names.companies))
            for network in ("facebook", "linkedin")
        ]

    def _text_contact(self, number: int, created: int) -> TextContact:
        created = timestamps.whole_second(created)
        name = self._random.pick(self._names.first_names)
        made = TextContact(
            self._random.uuid(),
            number,
            name,
            self._random.phone().replace("-", ""),
            created,
            created,
        )
        self.contacts[made.uuid] = made
        return made

    def edit_automation(self, automation: Automation, now: int) -> None:
        """Change an automation."""
        automation.name = edited(automation.name)
        automation.updated = now
