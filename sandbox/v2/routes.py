"""Routes of the API: endpoints, query parameters and pages."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Final, TypeAlias

from sandbox.checks import Check, any_text, flag, timestamp
from sandbox.paths import matcher
from sandbox.v2 import (
    activities,
    campaigns,
    contacts,
    events,
    library,
    lists,
    profile,
    tracking,
)
from sandbox.v2.request import (
    BY_CAMPAIGN_PAGE,
    BY_CONTACT,
    BY_EVENT,
    BY_FILE,
    BY_FOLDER,
    BY_REGISTRANT,
    BY_REPORT_ROW,
    BY_TRASHED_FILE,
    NOT_PAGED,
    ApiRequest,
    Paging,
)
from sandbox.world.reports import KINDS, Kind
from sandbox.world.world import World

Answer: TypeAlias = "Callable[[World, ApiRequest], bytes]"


@dataclass(frozen=True)
class Route:
    """One path of the API.

    Attributes:
        path: The path below `/v2`, with names in braces where ids stand.
        answer: Endpoint.
        parameters: Query parameters, apart from those of paging.
        paging: Its kind of pages.
        match: Tells whether a path is this one, and what stands where the names are.
    """

    path: str
    answer: Answer
    parameters: Mapping[str, Check] = field(default_factory=dict)
    paging: Paging = NOT_PAGED
    match: Callable[[str], re.Match[str] | None] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Compile the path once."""
        object.__setattr__(self, "match", matcher(self.path))

    @property
    def area(self) -> str:
        """Product that it belongs to: the first word of its path."""
        return self.path.split("/")[1]


_CAMPAIGN: Final = "/emailmarketing/campaigns/{campaign_id}"
_CONTACT: Final = "/contacts/{contact_id}"
_EVENT: Final = "/eventspot/events/{event_id}"

_SINCE: Final = {"created_since": timestamp}
_FILES: Final = {
    "sort_by": library.FILE_ORDER,
    "source": library.FILE_SOURCE,
    "type": library.FILE_TYPE,
}
_TRASH: Final = {"sort_by": library.FILE_ORDER, "type": library.FILE_TYPE}


def _tracking(
    owner: str, activity: Answer, report: Callable[[Kind, World, ApiRequest], bytes], link: Answer
) -> Iterator[Route]:
    """Return the reports of a campaign or a contact: complete, by type, by link."""
    yield Route(f"{owner}/tracking", activity, _SINCE, BY_REPORT_ROW)
    for kind in KINDS.values():
        path = f"{owner}/tracking/{kind.name}"
        yield Route(path, partial(report, kind), _SINCE, BY_REPORT_ROW)
    yield Route(f"{owner}/tracking/clicks/{{link_id}}", link, _SINCE, BY_REPORT_ROW)


ROUTES: Final = (
    Route("/account/info", profile.account_info),
    Route(
        "/account/verifiedemailaddresses",
        profile.verified_emails,
        {"status": profile.STATUS_FILTER},
    ),
    Route(
        "/contacts",
        contacts.all_contacts,
        {
            "status": contacts.STATUS_FILTER,
            "modified_since": timestamp,
            "email": any_text,
            "include_contact_id": flag,
        },
        BY_CONTACT,
    ),
    Route("/contacts/{contact_id}", contacts.one_contact),
    Route("/lists", lists.all_lists, {"modified_since": timestamp, "include_list_id": flag}),
    Route("/lists/{list_id}", lists.one_list),
    Route(
        "/lists/{list_id}/contacts",
        contacts.contacts_of_list,
        {"modified_since": timestamp},
        BY_CONTACT,
    ),
    Route(
        "/activities",
        activities.all_activities,
        {"status": activities.STATUS_FILTER, "type": activities.TYPE_FILTER},
    ),
    Route("/activities/{activity_id}", activities.one_activity),
    Route(
        "/emailmarketing/campaigns",
        campaigns.all_campaigns,
        {"status": campaigns.STATUS_FILTER, "modified_since": timestamp},
        BY_CAMPAIGN_PAGE,
    ),
    Route(_CAMPAIGN, campaigns.one_campaign, {"updateSummary": flag}),
    Route(f"{_CAMPAIGN}/preview", campaigns.preview),
    Route(f"{_CAMPAIGN}/schedules", campaigns.schedules),
    Route(f"{_CAMPAIGN}/schedules/{{schedule_id}}", campaigns.one_schedule),
    *_tracking(
        _CAMPAIGN, tracking.campaign_activity, tracking.campaign_report, tracking.campaign_link
    ),
    Route(
        f"{_CAMPAIGN}/tracking/reports/summary",
        tracking.campaign_summary,
        {"updateSummary": flag},
    ),
    *_tracking(_CONTACT, tracking.contact_activity, tracking.contact_report, tracking.contact_link),
    Route(f"{_CONTACT}/tracking/reports/summary", tracking.contact_summary),
    Route(
        f"{_CONTACT}/tracking/reports/summaryByCampaign",
        tracking.contact_summary_by_campaign,
    ),
    Route("/eventspot/events", events.all_events, paging=BY_EVENT),
    Route(_EVENT, events.one_event),
    Route(f"{_EVENT}/fees", events.fees),
    Route(f"{_EVENT}/fees/{{fee_id}}", events.one_fee),
    Route(f"{_EVENT}/registrants", events.registrants, paging=BY_REGISTRANT),
    Route(f"{_EVENT}/registrants/{{registrant_id}}", events.one_registrant),
    Route(f"{_EVENT}/items", events.items),
    Route(f"{_EVENT}/items/{{item_id}}", events.one_item),
    Route(f"{_EVENT}/items/{{item_id}}/attributes", events.attributes),
    Route(f"{_EVENT}/items/{{item_id}}/attributes/{{attribute_id}}", events.one_attribute),
    Route(f"{_EVENT}/promocodes", events.promocodes),
    Route(f"{_EVENT}/promocodes/{{promocode_id}}", events.one_promocode),
    Route("/library/info", library.info),
    Route("/library/folders", library.folders, {"sort_by": library.FOLDER_ORDER}, BY_FOLDER),
    Route("/library/folders/trash/files", library.trash, _TRASH, BY_TRASHED_FILE),
    Route("/library/folders/{folder_id}", library.one_folder),
    Route("/library/folders/{folder_id}/files", library.files_of_folder, _FILES, BY_FILE),
    Route("/library/files", library.all_files, _FILES, BY_FILE),
    Route("/library/files/uploadstatus/{file_ids}", library.upload_status),
    Route("/library/files/{file_id}", library.one_file),
)
"""Fixed paths precede those with an id in the same place: the first match is used."""
