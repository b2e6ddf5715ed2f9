"""The paths of v3.

Endpoints, parameters and privileges (docs/api/v3.md §1).
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final, TypeAlias

from sandbox.checks import Check, any_text, flag, one_of, some_of, timestamp
from sandbox.paths import matcher
from sandbox.v3 import (
    activities,
    campaigns,
    contacts,
    events,
    groups,
    mail_reports,
    outreach,
    profile,
    reports,
)
from sandbox.v3.plain_lists import PLAIN_LISTS
from sandbox.v3.request import WHOLE, ApiRequest, Limit

if TYPE_CHECKING:
    from sandbox.http import Reply
    from sandbox.world.world import World

Answer: TypeAlias = "Callable[[World, ApiRequest], bytes | Reply]"


@dataclass(frozen=True)
class Route:
    """One path.

    Attributes:
        path: The path below `/v3`, with names in braces where ids stand.
        answer: Endpoint.
        scope: Required scope of the token; empty for none.
        privilege: What its user must be allowed; empty where nothing is needed.
        parameters: Query parameters, apart from those of paging.
        limit: Its page sizes.
        match: Tells whether a path is this one, and what stands where the names are.
    """

    path: str
    answer: Answer
    scope: str
    privilege: str
    parameters: Mapping[str, Check] = field(default_factory=dict)
    limit: Limit = WHOLE
    match: Callable[[str], re.Match[str] | None] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Compile the path once."""
        object.__setattr__(self, "match", matcher(self.path))


_ACCOUNT: Final = ("account_read", "account:read")
_CONTACTS: Final = ("contact_data", "contacts:read")
_LISTS: Final = ("contact_data", "contacts:lists:read")
_CAMPAIGNS: Final = ("campaign_data", "campaign:read")
_REPORTS: Final = ("campaign_data", "ui:campaign:metrics")
_CONTACT_REPORTS: Final = ("contact_data", "ui:campaign:metrics")
_ACTIVITY: Final = "/emails/activities/{campaign_activity_id}"
_MAIL: Final = "/reports/email_reports/{campaign_activity_id}"
_REPORT: Final = "/reports/contact_reports/{contact_id}"
_INCLUDE: Final = {"include": some_of(*contacts.INCLUDES)}
_RANGE: Final = {"start": timestamp, "end": timestamp}


def _number(text: str) -> str:
    return str(int(text))


ROUTES: Final = (
    Route(
        "/account/summary",
        profile.summary,
        *_ACCOUNT,
        {"extra_fields": some_of("physical_address", "company_logo")},
    ),
    Route("/account/summary/physical_address", profile.physical_address, *_ACCOUNT),
    Route("/account/emails", profile.emails, *_ACCOUNT, {"confirm_status": any_text}),
    Route("/account/user/privileges", profile.privileges, "", ""),
    Route(
        "/contacts",
        contacts.all_contacts,
        *_CONTACTS,
        {
            **_INCLUDE,
            "status": some_of(*contacts.STATUSES),
            **{
                f"{what}_{when}": timestamp
                for what in ("updated", "created", "optout")
                for when in ("after", "before")
            },
            "email": any_text,
            "lists": any_text,
            "segment_id": _number,
            "include_count": flag,
        },
        Limit(50, 500),
    ),
    Route("/contacts/counts", contacts.counts, *_CONTACTS),
    Route(
        "/contacts/contact_id_xrefs",
        contacts.contact_xrefs,
        *_CONTACTS,
        {"sequence_ids": any_text},
    ),
    Route("/contacts/{contact_id}", contacts.one_contact, *_CONTACTS, _INCLUDE),
    Route("/contacts/sms_engagement_history/{contact_id}", contacts.sms_history, *_CONTACTS),
    Route(
        "/contact_lists",
        groups.all_lists,
        *_LISTS,
        {
            "status": some_of(*groups.LIST_STATUSES),
            "channel_type": one_of(*groups.CHANNELS),
            "include_membership_count": one_of("all", "active"),
            "include_count": flag,
        },
        Limit(50, 1000),
    ),
    Route("/contact_lists/list_id_xrefs", groups.list_xrefs, *_LISTS, {"sequence_ids": any_text}),
    Route("/contact_tags", groups.tags, *_CONTACTS, {"include_count": flag}, Limit(50, 500)),
    Route("/segments", groups.segments, *_LISTS, {"sort_by": any_text}, Limit(1000, 1000)),
    Route("/segments/{segment_id}", groups.one_segment, *_LISTS),
    Route(
        "/activities",
        activities.all_activities,
        "contact_data",
        "contacts:write",
        {"state": one_of(*activities.STATES)},
        Limit(50, 500),
    ),
    Route("/activities/{activity_id}", activities.one_activity, "contact_data", "contacts:write"),
    Route(
        "/emails/campaign_id_xrefs",
        reports.campaign_xrefs,
        *_CAMPAIGNS,
        {"v2_email_campaign_ids": any_text},
    ),
    Route(
        "/emails", campaigns.all_campaigns, *_CAMPAIGNS, {"after_date": timestamp}, Limit(50, 500)
    ),
    Route("/emails/{campaign_id}", campaigns.one_campaign, *_CAMPAIGNS),
    Route(
        _ACTIVITY,
        campaigns.one_activity,
        *_CAMPAIGNS,
        {"include": some_of(*campaigns.ACTIVITY_INCLUDES)},
    ),
    Route(f"{_ACTIVITY}/schedules", campaigns.schedules, *_CAMPAIGNS),
    Route(f"{_ACTIVITY}/previews", campaigns.preview, *_CAMPAIGNS),
    Route(f"{_ACTIVITY}/send_history", campaigns.send_history, *_CAMPAIGNS),
    Route(f"{_ACTIVITY}/non_opener_resends", campaigns.resends, *_CAMPAIGNS),
    Route(f"{_ACTIVITY}/abtest", campaigns.ab_test, *_CAMPAIGNS),
    Route(
        "/reports/summary_reports/email_campaign_summaries",
        mail_reports.summaries,
        *_REPORTS,
        {},
        Limit(50, 500),
    ),
    Route("/reports/stats/email_campaigns/{campaign_ids}", mail_reports.campaign_stats, *_REPORTS),
    Route(
        "/reports/stats/email_campaign_activities/{campaign_activity_ids}",
        mail_reports.activity_stats,
        *_REPORTS,
    ),
    Route(f"{_MAIL}/links", mail_reports.links, *_REPORTS, {"no_clicks": flag}),
    *(
        Route(
            f"{_MAIL}/tracking/{name}",
            partial(mail_reports.tracking, name),
            *_REPORTS,
            {},
            Limit(500, 500),
        )
        for name in mail_reports.TRACKED
    ),
    Route(
        f"{_MAIL}/tracking/didnotopens",
        mail_reports.did_not_open,
        *_REPORTS,
        {},
        Limit(500, 500),
    ),
    *(
        Route(
            f"/reports/landing_pages/campaign_details/{{campaign_activity_id}}/{name}",
            partial(mail_reports.landing, name),
            *_REPORTS,
            {},
            Limit(50, 500),
        )
        for name in mail_reports.LANDING
    ),
    Route(
        "/events",
        events.all_events,
        *_CAMPAIGNS,
        {"sort_by": any_text, "sort_order": one_of("ASC", "DESC")},
        Limit(100, 100),
    ),
    Route("/events/{event_id}", events.one_event, *_CAMPAIGNS, {"include": flag}),
    Route(
        "/events/{event_id}/tracks/{track_id}/registrations",
        events.registrations,
        *_CAMPAIGNS,
        {},
        Limit(100, 100),
    ),
    Route(
        f"{_REPORT}/activity_details",
        reports.activity_details,
        *_CONTACT_REPORTS,
        {
            "tracking_activities_list": some_of(*reports.TYPES),
            "tracking_activity_type": one_of(*reports.TYPES),
        },
        Limit(100, 100),
    ),
    Route(
        f"{_REPORT}/activity_summary",
        reports.activity_summary,
        *_CONTACT_REPORTS,
        _RANGE,
        Limit(200, 200, is_fixed=True),
    ),
    Route(
        f"{_REPORT}/open_and_click_rates",
        reports.open_and_click_rates,
        *_CONTACT_REPORTS,
        _RANGE,
    ),
    Route(
        "/reports/summary_reports/sms_campaign_summaries",
        outreach.sms_summaries,
        *_REPORTS,
        {"start_at": timestamp, "end_at": timestamp},
        Limit(50, 50),
    ),
    Route("/automations/workflows", outreach.automations, "campaign_data", "customer-journey:read"),
    Route(
        "/automations/workflows/{automation_flow_id}",
        outreach.one_automation,
        "campaign_data",
        "customer-journey:read",
    ),
    Route("/social/profiles", outreach.profiles, *_CAMPAIGNS, {"include": any_text}),
    *(
        Route(each.path, each.respond, each.scope, each.privilege, {}, each.limit)
        for each in PLAIN_LISTS
    ),
)
"""Fixed paths precede those with an id in the same place: the first match is used."""
