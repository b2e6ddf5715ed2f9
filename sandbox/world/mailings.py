"""Sending of campaigns: who receives them, and what follows."""

from bisect import bisect_left
from operator import attrgetter
from typing import Final

from sandbox.world import timestamps
from sandbox.world.campaigns import Campaign, Campaigns
from sandbox.world.contacts import Contact, Contacts
from sandbox.world.fake_data import FakeRandom
from sandbox.world.reports import OPENS, SENDS
from sandbox.world.tracking import Tracking

_RESENT_AFTER: Final = 3 * timestamps.DAY


class Mailings:
    """Sends the campaigns of an account to its contacts."""

    def __init__(
        self, contacts: Contacts, campaigns: Campaigns, tracking: Tracking, recipients: int
    ) -> None:
        """Send each campaign to the given number of recipients."""
        self._contacts = contacts
        self._campaigns = campaigns
        self._tracking = tracking
        self._recipients = recipients

    def begin(self, random: FakeRandom, now: int, resends: int) -> None:
        """Send the campaigns that the account begins with, the oldest first.

        Args:
            random: Source of random numbers.
            now: Newest time of the reactions.
            resends: Number of campaigns that are sent again.
        """
        sent = [each for each in self._campaigns.with_status("SENT") if each.last_run]
        for campaign in sent[1 :: max(len(sent) // max(resends, 1), 1)][:resends]:
            self._make_resend(campaign, (campaign.last_run or 0) + _RESENT_AFTER)
        mailable = self._contacts.mailable()
        for campaign in sorted(self._campaigns.tracked(), key=lambda each: each.last_run or 0):
            if campaign.resend_of:
                recipients = self._not_opened(campaign.resend_of)
            else:
                recipients = self._reachable(campaign, mailable, random)
            for contact, left in self._tracking.live(campaign, recipients, now):
                self._contacts.unsubscribe(contact, left, move_modified=left > contact.modified)

    def send(self, campaign: Campaign, random: FakeRandom, now: int) -> None:
        """Send a new campaign, without reactions yet."""
        recipients = random.some(self._contacts.mailable(), self._recipients)
        self._tracking.send(campaign, recipients, now)

    def resend(self, campaign: Campaign, now: int) -> Campaign:
        """Send a campaign again to contacts that did not open it, without reactions yet."""
        again = self._make_resend(campaign, now)
        self._tracking.send(again, self._not_opened(campaign), now)
        return again

    def _make_resend(self, campaign: Campaign, at: int) -> Campaign:
        again = self._campaigns.make("SENT", at, at)
        again.resend_of = campaign
        again.subject = f"Reminder: {campaign.subject}"
        again.appeal = campaign.appeal
        campaign.resends.append(again)
        return again

    def _reachable(
        self, campaign: Campaign, mailable: list[Contact], random: FakeRandom
    ) -> list[Contact]:
        """Pick contacts that were there already and had not left, as long as they are enough."""
        sent = campaign.last_run or 0
        there = max(bisect_left(mailable, sent, key=attrgetter("created")), self._recipients)
        reachable = [row for row in mailable[:there] if not row.left or row.left > sent]
        if len(reachable) < self._recipients:
            reachable = mailable[:there]
        return random.some(reachable, self._recipients)

    def _not_opened(self, campaign: Campaign) -> list[Contact]:
        """Find the contacts that have not opened a campaign and can still be mailed."""
        reports = self._tracking.of(campaign)
        opened = {hit.contact_id for hit in reports[OPENS]}
        sent = {hit.contact_id for hit in reports[SENDS]} - opened
        return [row for row in self._contacts.mailable() if row.id in sent]
