"""The world of an account: its data and its changes."""

from collections.abc import Callable
from datetime import UTC, datetime
from threading import RLock
from typing import Final

from sandbox.world import timestamps
from sandbox.world.activities import Activities
from sandbox.world.campaigns import Campaigns
from sandbox.world.contacts import Contacts
from sandbox.world.events import Events
from sandbox.world.fake_data import FakeRandom, edited, pools
from sandbox.world.groups import Groups
from sandbox.world.library import Library
from sandbox.world.lists import Lists
from sandbox.world.locking import at_once
from sandbox.world.mailings import Mailings
from sandbox.world.outreach import Outreach
from sandbox.world.profile import Profile
from sandbox.world.tracking import Tracking
from sandbox.world.v3_events import V3Events

_SUBSCRIBED: Final = ("ACTIVE", "UNCONFIRMED")
_NOT_REMOVED: Final = (*_SUBSCRIBED, "OPTOUT", "NON_SUBSCRIBER", "VISITOR")
_ANY: Final = (*_NOT_REMOVED, "REMOVED")


def _start_of_day() -> datetime:
    return datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def _now() -> datetime:
    return datetime.now(UTC)


class World:
    """A fictional account and its changes.

    The same seed, sizes and `now` make the same account. Later changes have the time of the clock.
    """

    def __init__(  # noqa: PLR0913 - the sizes of one account, each with its default
        self,
        *,
        seed: int = 1,
        contacts: int = 1000,
        lists: int = 8,
        activities: int = 12,
        campaigns: int = 30,
        recipients: int = 200,
        events: int = 4,
        files: int = 40,
        resends: int = 0,
        campaign_days: int = 7,
        now: datetime | None = None,
        clock: Callable[[], datetime] = _now,
    ) -> None:
        """Create an account.

        Args:
            seed: Seed of the random data.
            contacts: Number of contacts, of all statuses.
            lists: Number of contact lists.
            activities: Number of bulk jobs; the API returns 50 at most.
            campaigns: Number of email campaigns, of all statuses.
            recipients: Number of recipients of each campaign.
            events: Number of events.
            files: Number of library files, including the trash.
            resends: Number of campaigns with a resend to contacts that had not opened.
            campaign_days: Days between two campaigns.
            now: Newest time in the account. Default: start of today, UTC.
            clock: Returns the time of later changes.
        """
        self.lock = RLock()
        self._clock = clock
        begin = timestamps.millis(now or _start_of_day())
        names = pools(seed)
        self.profile = Profile(FakeRandom(f"{seed} profile"), names)
        self.contact_lists = Lists(FakeRandom(f"{seed} lists"), names, lists, begin)
        self.contacts = Contacts(
            FakeRandom(f"{seed} contacts"),
            names,
            self.contact_lists,
            contacts,
            begin,
        )
        self.activities = Activities(FakeRandom(f"{seed} activities"), names, activities, begin)
        self.campaigns = Campaigns(
            FakeRandom(f"{seed} campaigns"),
            names,
            self.contact_lists,
            campaigns,
            begin,
            interval=campaign_days * timestamps.DAY,
        )
        self.tracking = Tracking(FakeRandom(f"{seed} tracking"))
        self.events = Events(FakeRandom(f"{seed} events"), names, events, begin)
        self.library = Library(FakeRandom(f"{seed} library"), names, files, begin)
        self.v3_events = V3Events(FakeRandom(f"{seed} gatherings"), names, events, begin)
        self.groups = Groups(FakeRandom(f"{seed} groups"), names, begin)
        self.outreach = Outreach(FakeRandom(f"{seed} outreach"), names, contacts, begin)
        self._mailings = Mailings(self.contacts, self.campaigns, self.tracking, recipients)
        self._random = FakeRandom(f"{seed} changes")
        self._mailings.begin(FakeRandom(f"{seed} recipients"), begin, resends)

    def now(self) -> datetime:
        """The current time of the account, to the second."""
        return self._clock().astimezone(UTC).replace(microsecond=0)

    def _stamp(self) -> int:
        """Read the clock for a change."""
        return timestamps.millis(self._clock())

    # Contacts and lists

    @at_once
    def edit_contacts(self, n: int) -> list[str]:
        """Edit the details of some contacts, and return their ids."""
        now = self._stamp()
        picked = self.contacts.pick(n, _ANY)
        for row in picked:
            self.contacts.edit(row, now)
        return [row.id for row in picked]

    @at_once
    def unsubscribe(self, n: int, move_modified: bool = False) -> list[str]:  # noqa: FBT001, FBT002 - reads well at the call
        """Let some contacts unsubscribe.

        Args:
            n: How many.
            move_modified: Whether their `modified_date` changes, too; it is not known
                whether the API does so.

        Returns:
            Their ids.
        """
        now = self._stamp()
        picked = self.contacts.pick(n, _SUBSCRIBED)
        for row in picked:
            self.contacts.unsubscribe(row, now, move_modified=move_modified)
        return [row.id for row in picked]

    @at_once
    def add_contacts(self, n: int) -> list[str]:
        """Add contacts."""
        return [row.id for row in self.contacts.add(n, self._stamp())]

    @at_once
    def remove_contacts(self, n: int) -> list[str]:
        """Remove some contacts from all lists. Their status is `REMOVED`."""
        now = self._stamp()
        picked = self.contacts.pick(n, _NOT_REMOVED)
        for row in picked:
            self.contacts.remove(row, now)
        return [row.id for row in picked]

    @at_once
    def purge_contacts(self, n: int) -> list[str]:
        """Delete some contacts. The API does not return them any more."""
        now = self._stamp()
        picked = self.contacts.pick(n, _ANY)
        for row in picked:
            self.contacts.purge(row, now)
        return [row.id for row in picked]

    @at_once
    def rename_lists(self, n: int) -> list[str]:
        """Rename some lists."""
        now = self._stamp()
        picked = self._random.some(list(self.contact_lists.by_id.values()), n)
        for found in picked:
            found.name = edited(found.name, "renamed")
            found.modified = timestamps.whole_second(now)
        return [found.id for found in picked]

    @at_once
    def add_lists(self, n: int) -> list[str]:
        """Add some empty lists."""
        now = self._stamp()
        return [self.contact_lists.make(now, now).id for _ in range(n)]

    @at_once
    def remove_lists(self, n: int) -> list[str]:
        """Delete some lists; their contacts stay, less one membership."""
        now = self._stamp()
        picked = self._random.some(list(self.contact_lists.by_id), n)
        for list_id in picked:
            self.contacts.drop_list(list_id, now)
            self.contact_lists.deleted[list_id] = (self.contact_lists.by_id.pop(list_id), now)
        return picked

    @at_once
    def add_tags(self, n: int) -> list[str]:
        """Make some tags, which some contacts have at once."""
        now = timestamps.whole_second(self._stamp())
        return [self.groups.add_tag(now).uuid for _ in range(n)]

    @at_once
    def edit_segments(self, n: int) -> list[str]:
        """Change the criteria of some segments."""
        now = timestamps.whole_second(self._stamp())
        picked = self._random.some(self.groups.segments, n)
        for segment in picked:
            self.groups.edit_segment(segment, now)
        return [str(segment.number) for segment in picked]

    # Bulk jobs

    @at_once
    def add_activities(self, n: int) -> list[str]:
        """Start some bulk jobs."""
        now = self._stamp()
        return [self.activities.make(now).id for _ in range(n)]

    @at_once
    def finish_activities(self, n: int) -> list[str]:
        """Let some of the unfinished bulk jobs complete, the oldest first."""
        return [job.id for job in self.activities.finish(n, self._stamp())]

    # Campaigns and their reports

    @at_once
    def add_campaigns(self, n: int) -> list[str]:
        """Draft some campaigns."""
        now = timestamps.whole_second(self._stamp())
        return [self.campaigns.make("DRAFT", now, now).id for _ in range(n)]

    @at_once
    def send_campaigns(self, n: int) -> list[str]:
        """Create some campaigns and send them at once, without reactions yet."""
        now = timestamps.whole_second(self._stamp())
        made = [self.campaigns.make("SENT", now, now) for _ in range(n)]
        for campaign in made:
            self._mailings.send(campaign, self._random, now)
        return [campaign.id for campaign in made]

    @at_once
    def send_scheduled(self, n: int) -> list[str]:
        """Send some scheduled campaigns."""
        now = timestamps.whole_second(self._stamp())
        due = self.campaigns.with_status("SCHEDULED")[:n]
        for campaign in due:
            campaign.status = "SENT"
            campaign.modified = now
            self.campaigns.send(campaign, now)
            self._mailings.send(campaign, self._random, now)
        return [campaign.id for campaign in due]

    @at_once
    def resend_campaigns(self, n: int) -> list[str]:
        """Send some campaigns again to contacts that did not open them."""
        now = timestamps.whole_second(self._stamp())
        open_ = [
            each
            for each in self.campaigns.with_status("SENT")
            if each.resend_of is None and not each.resends
        ]
        return [self._mailings.resend(each, now).id for each in self._random.some(open_, n)]

    @at_once
    def edit_campaigns(self, n: int) -> list[str]:
        """Edit the names of some campaigns, sent ones among them."""
        now = timestamps.whole_second(self._stamp())
        picked = self._random.some(self.campaigns.with_status("DRAFT", "SENT", "SCHEDULED"), n)
        for campaign in picked:
            campaign.name = edited(campaign.name)
            campaign.modified = now
        return [campaign.id for campaign in picked]

    @at_once
    def delete_campaigns(self, n: int) -> list[str]:
        """Delete some campaigns; their reports go with them."""
        now = timestamps.whole_second(self._stamp())
        picked = self._random.some(self.campaigns.with_status("DRAFT", "SENT", "SCHEDULED"), n)
        for campaign in picked:
            campaign.status = "DELETED"
            campaign.modified = now
            campaign.schedules = []
        self.tracking.forget()
        return [campaign.id for campaign in picked]

    @at_once
    def add_tracking(self, n: int) -> list[str]:
        """Let recipients of the campaigns sent last open, click, bounce, forward, unsubscribe.

        Args:
            n: How many rows; with eight there is at least one of every kind.

        Returns:
            The campaigns that the rows belong to, one for every row: rows have no id.
        """
        rows = self.tracking.go_on(self.campaigns.tracked(), n, self._stamp())
        return [row.campaign.id for row in rows]

    @at_once
    def edit_automations(self, n: int) -> list[str]:
        """Edit some automations."""
        now = self._stamp()
        picked = self._random.some(self.outreach.automations, n)
        for automation in picked:
            self.outreach.edit_automation(automation, now)
        return [automation.uuid for automation in picked]

    # Events

    @at_once
    def add_events(self, n: int) -> list[str]:
        """Announce some events."""
        now = self._stamp()
        return [self.events.make("ACTIVE", now).id for _ in range(n)]

    @at_once
    def edit_events(self, n: int) -> list[str]:
        """Edit some events."""
        now = self._stamp()
        picked = self._random.some(list(self.events.by_id.values()), n)
        for event in picked:
            self.events.edit(event, now)
        return [event.id for event in picked]

    @at_once
    def add_registrants(self, n: int) -> list[str]:
        """Add registrations to events that are open."""
        now = self._stamp()
        events = self.events.open_events()
        if not events:
            return []
        return [self.events.register(self._random.pick(events), now) for _ in range(n)]

    @at_once
    def edit_registrants(self, n: int) -> list[str]:
        """Check some registrants in, which changes their `updated_date`."""
        now = self._stamp()
        everybody = [
            registrant
            for event in self.events.by_id.values()
            for registrant in event.registrants.values()
        ]
        picked = self._random.some(everybody, n)
        for registrant in picked:
            self.events.attend(registrant, now)
        return [registrant.row["id"] for registrant in picked]

    @at_once
    def edit_v3_events(self, n: int) -> list[str]:
        """Edit some events of v3."""
        now = self._stamp()
        picked = self._random.some(list(self.v3_events.events.values()), n)
        for event in picked:
            self.v3_events.edit(event, now)
        return [event.uuid for event in picked]

    @at_once
    def add_registrations(self, n: int) -> list[str]:
        """Add registrations to events of v3."""
        now = self._stamp()
        events = list(self.v3_events.events.values())
        return [self.v3_events.register(self._random.pick(events), now).uuid for _ in range(n)]

    # Library

    @at_once
    def add_folders(self, n: int) -> list[str]:
        """Add some folders."""
        now = self._stamp()
        return [self.library.make_folder(now).id for _ in range(n)]

    @at_once
    def add_files(self, n: int) -> list[str]:
        """Upload some files."""
        now = self._stamp()
        return [self.library.make_file(now).id for _ in range(n)]

    @at_once
    def trash_files(self, n: int) -> list[str]:
        """Move some files to the trash."""
        now = self._stamp()
        picked = self._random.some(self.library.kept(), n)
        for file in picked:
            self.library.trash(file, now)
        return [file.id for file in picked]
