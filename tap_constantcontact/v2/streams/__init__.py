"""The streams, one module an API area."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_constantcontact.audit_stream import SyncAuditStream
from tap_constantcontact.v2.streams.account import Account, AccountEmails
from tap_constantcontact.v2.streams.activities import Activities
from tap_constantcontact.v2.streams.campaigns import (
    CampaignLinks,
    CampaignPreviews,
    Campaigns,
    CampaignSchedules,
    DeletedCampaigns,
)
from tap_constantcontact.v2.streams.contact_reports import (
    ContactActivity,
    ContactCampaignSummaries,
    ContactSummaries,
)
from tap_constantcontact.v2.streams.contacts import Contacts
from tap_constantcontact.v2.streams.events import (
    EventFees,
    EventItemAttributes,
    EventItems,
    EventPromocodes,
    EventRegistrants,
    Events,
)
from tap_constantcontact.v2.streams.library import LibraryFiles, LibraryFolders, LibraryUsage
from tap_constantcontact.v2.streams.lists import Lists
from tap_constantcontact.v2.streams.tracking import (
    CampaignBounces,
    CampaignClicks,
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
    Contacts,
    Activities,
    Campaigns,
    DeletedCampaigns,
    CampaignLinks,
    CampaignSchedules,
    CampaignSends,
    CampaignOpens,
    CampaignClicks,
    CampaignBounces,
    CampaignForwards,
    CampaignUnsubscribes,
    CampaignPreviews,
    Events,
    EventFees,
    EventItems,
    EventItemAttributes,
    EventPromocodes,
    EventRegistrants,
    LibraryUsage,
    LibraryFolders,
    LibraryFiles,
    ContactActivity,
    ContactSummaries,
    ContactCampaignSummaries,
    SyncAuditStream,
)
