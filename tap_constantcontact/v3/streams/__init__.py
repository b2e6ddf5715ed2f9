"""The streams, one module an API area."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_constantcontact.audit_stream import SyncAuditStream
from tap_constantcontact.v3.streams.account import Account, AccountEmails
from tap_constantcontact.v3.streams.activities import Activities
from tap_constantcontact.v3.streams.campaign_activities import (
    CampaignAbTests,
    CampaignActivities,
    CampaignActivityStats,
    CampaignLinks,
    CampaignPreviews,
    CampaignResends,
    CampaignSchedules,
    CampaignSendHistory,
)
from tap_constantcontact.v3.streams.campaign_metrics import CampaignStats, CampaignSummaries
from tap_constantcontact.v3.streams.campaigns import Campaigns
from tap_constantcontact.v3.streams.contact_reports import (
    ContactActivity,
    ContactCampaignSummaries,
    ContactSummaries,
    SmsEngagement,
)
from tap_constantcontact.v3.streams.contacts import Contacts
from tap_constantcontact.v3.streams.events import EventRegistrations, Events, EventTracks
from tap_constantcontact.v3.streams.groups import (
    CustomFields,
    Lists,
    SegmentMembers,
    Segments,
    Tags,
)
from tap_constantcontact.v3.streams.id_map import IdMap
from tap_constantcontact.v3.streams.landing_pages import LandingPageEvents
from tap_constantcontact.v3.streams.outreach import Automations, SmsSummaries, SocialProfiles
from tap_constantcontact.v3.streams.tracking import (
    CampaignBounces,
    CampaignClicks,
    CampaignDidNotOpens,
    CampaignForwards,
    CampaignOpens,
    CampaignSends,
    CampaignUnsubscribes,
)

if TYPE_CHECKING:
    from tap_constantcontact.stream import ConstantContactStream

#: In the order of a run: if requests run out, the cheap and important streams are synced.
IN_ORDER: tuple[type[ConstantContactStream], ...] = (
    Account,
    AccountEmails,
    Lists,
    CustomFields,
    Tags,
    Segments,
    Contacts,
    Activities,
    Automations,
    SocialProfiles,
    SmsSummaries,
    CampaignSummaries,
    CampaignStats,
    Campaigns,
    CampaignActivities,
    CampaignSchedules,
    CampaignSendHistory,
    CampaignResends,
    CampaignAbTests,
    CampaignLinks,
    CampaignActivityStats,
    CampaignSends,
    CampaignOpens,
    CampaignClicks,
    CampaignBounces,
    CampaignForwards,
    CampaignUnsubscribes,
    CampaignDidNotOpens,
    CampaignPreviews,
    Events,
    EventTracks,
    EventRegistrations,
    LandingPageEvents,
    IdMap,
    SegmentMembers,
    ContactActivity,
    ContactSummaries,
    ContactCampaignSummaries,
    SmsEngagement,
    SyncAuditStream,
)
