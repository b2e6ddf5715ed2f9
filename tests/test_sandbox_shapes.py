"""What the sandbox sends is held against the published sample bodies, endpoint by endpoint."""

import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import requests

from sandbox import Account, Sandbox, serve

SAMPLES = Path(__file__).parent / "samples" / "v2"
MOST = 300
CREDENTIALS = {"api_key": "key", "access_token": "token"}


@dataclass(frozen=True)
class Case:
    """One endpoint: the samples of its answer, and where the sandbox differs for a reason.

    `unsent` are keys of the samples that the sandbox leaves out, `beyond` are keys that are
    documented although no sample shows them.
    """

    path: str
    samples: tuple[str, ...]
    unsent: dict[str, str] = field(default_factory=dict)
    beyond: dict[str, str] = field(default_factory=dict)
    params: dict[str, str] = field(default_factory=dict)


EARLY = "in data of 2012 only"
TABLE = "in the documentation's field table"

CONTACT_UNSENT = {
    "department_name": EARLY,
    "action_by": EARLY,
    "source_is_url": EARLY,
}
CONTACT_BEYOND = {
    "contact_id": "with include_contact_id",
    "notes[].modified_date": TABLE,
    "custom_fields[].label": "in later clients' models",
    "email_addresses[].opt_out_source": "in a later client's model",
}
PAGE = "results[]."


KINDS = ("bounces", "clicks", "forwards", "opens", "sends", "unsubscribes")


def of_page(keys: dict[str, str]) -> dict[str, str]:
    return {PAGE + key: why for key, why in keys.items()}


CASES = [
    Case(
        "/account/info",
        ("account_info",),
        beyond={
            "organization_addresses[].line2": TABLE,
            "organization_addresses[].state": TABLE,
        },
    ),
    Case("/account/verifiedemailaddresses", ("account_verified_email_addresses",)),
    Case(
        "/contacts",
        (
            "contacts.page1",
            "contacts.last_page",
            "contacts.modified_since",
            "contacts.removed_and_active",
        ),
        unsent=of_page(CONTACT_UNSENT),
        beyond=of_page(
            CONTACT_BEYOND
            | {
                "addresses[].state": "in contact.doc",
                "notes[].id": "in contact.note_and_custom_fields",
                "notes[].note": "in contact.note_and_custom_fields",
                "notes[].created_date": "in contact.note_and_custom_fields",
            },
        ),
        params={"limit": "500", "include_contact_id": "true"},
    ),
    Case(
        "/contacts/{contact}",
        ("contact", "contact.doc", "contact.note_and_custom_fields"),
        unsent=CONTACT_UNSENT,
        beyond=CONTACT_BEYOND | {"created_date": TABLE, "modified_date": TABLE},
    ),
    Case(
        "/lists",
        ("lists", "lists.int_ids"),
        unsent={"[].opt_in_default": EARLY},
        beyond={"[].list_id": "with include_list_id"},
        params={"include_list_id": "true"},
    ),
    Case(
        "/lists/{list}",
        ("list", "list.hidden"),
        unsent={"opt_in_default": EARLY},
        beyond={"created_date": TABLE, "modified_date": TABLE},
    ),
    Case(
        "/lists/{list}/contacts",
        ("contacts.page1", "contacts.last_page", "contacts.modified_since"),
        unsent=of_page(CONTACT_UNSENT),
        beyond=of_page(
            CONTACT_BEYOND
            | {
                "addresses[].state": "in contact.doc",
                "notes[].id": "in contact.note_and_custom_fields",
                "notes[].note": "in contact.note_and_custom_fields",
                "notes[].created_date": "in contact.note_and_custom_fields",
            },
        ),
    ),
    Case(
        "/activities",
        ("activities", "activities.mixed"),
        beyond={"[].file_name": TABLE},
    ),
    Case(
        "/activities/{activity}",
        ("activity", "activity.with_errors", "activity.with_string_errors"),
        beyond={
            "warnings[].message": TABLE,
            "warnings[].line_number": TABLE,
            "warnings[].email_address": TABLE,
        },
    ),
    Case("/emailmarketing/campaigns", ("campaigns.page1", "campaigns.modified_since.page1")),
    Case(
        "/emailmarketing/campaigns/{campaign}",
        ("campaign", "campaign.sent", "campaign.draft"),
        unsent={"last_edit_date": EARLY, "is_visible_in_ui": EARLY},
    ),
    Case("/emailmarketing/campaigns/{campaign}/preview", ("campaign_preview",)),
    Case(
        "/emailmarketing/campaigns/{campaign}/schedules",
        ("campaign_schedules", "campaign_schedules.string_id"),
    ),
    Case(
        "/emailmarketing/campaigns/{scheduled}/schedules/{schedule}",
        ("campaign_schedule",),
    ),
    *(
        Case(
            f"/emailmarketing/campaigns/{{sent}}/tracking/{kind}",
            (f"campaign_tracking_{kind}", f"campaign_tracking_{kind}.time_cursor"),
        )
        for kind in KINDS
    ),
    Case(
        "/emailmarketing/campaigns/{sent}/tracking/clicks/{link}",
        ("campaign_tracking_clicks",),
    ),
    Case(
        "/emailmarketing/campaigns/{sent}/tracking",
        tuple(f"campaign_tracking_{kind}" for kind in KINDS),
    ),
    Case(
        "/emailmarketing/campaigns/{sent}/tracking/reports/summary",
        ("campaign_tracking_summary", "campaign_tracking_summary.with_campaign_id"),
        unsent={"campaign_id": EARLY},
    ),
    *(
        Case(f"/contacts/{{reader}}/tracking/{kind}", (f"contact_tracking_{kind}",))
        for kind in KINDS
    ),
    Case(
        "/contacts/{reader}/tracking",
        tuple(f"contact_tracking_{kind}" for kind in KINDS),
    ),
    Case("/contacts/{contact}/tracking/reports/summary", ("contact_tracking_summary",)),
    Case(
        "/contacts/{contact}/tracking/reports/summaryByCampaign",
        ("contact_tracking_summary_by_campaign",),
    ),
    Case(
        "/eventspot/events",
        ("events",),
        beyond=of_page(
            {
                "deleted_date": TABLE,
                "registration_url": "in event",
                "total_registered_count": TABLE,
            },
        ),
    ),
    Case(
        "/eventspot/events/{event}",
        ("event",),
        beyond={
            "active_date": "in events",
            "address.city": TABLE,
            "address.country": TABLE,
            "address.country_code": TABLE,
            "address.latitude": TABLE,
            "address.line1": TABLE,
            "address.line2": TABLE,
            "address.line3": TABLE,
            "address.longitude": TABLE,
            "address.postal_code": TABLE,
            "address.state": TABLE,
            "address.state_code": TABLE,
            "cancelled_date": TABLE,
            "contact.email_address": TABLE,
            "contact.organization_name": TABLE,
            "contact.phone_number": TABLE,
            "deleted_date": TABLE,
            "description": "in events",
            "online_meeting.instructions": TABLE,
            "online_meeting.provider_meeting_id": TABLE,
            "online_meeting.provider_type": TABLE,
            "online_meeting.url": TABLE,
            "payable_to": TABLE,
            "payment_options[]": TABLE,
            "time_zone_description": TABLE,
            "total_registered_count": TABLE,
            "track_information.early_fee_date": TABLE,
            "track_information.late_fee_date": TABLE,
            "updated_date": TABLE,
        },
    ),
    Case("/eventspot/events/{event}/fees", ("event_fees",)),
    Case("/eventspot/events/{event}/fees/{fee}", ("event_fee",)),
    Case(
        "/eventspot/events/{event}/registrants",
        ("event_registrants",),
        beyond=of_page({"attendance_status": TABLE}),
    ),
    Case(
        "/eventspot/events/{event}/registrants/{registrant}",
        ("event_registrant",),
        beyond={
            "attendance_status": TABLE,
            "registration_status": TABLE,
            "sections[].fields[].values[]": TABLE,
            "payment_summary.promo_code.promo_code_info.discount_percent": TABLE,
        },
    ),
    Case("/eventspot/events/{event}/items", ("event_items",)),
    Case(
        "/eventspot/events/{event}/items/{item}",
        ("event_item",),
        beyond={"default_quantity_available": "in event_items"},
    ),
    Case("/eventspot/events/{event}/items/{item}/attributes", ("event_item_attributes",)),
    Case(
        "/eventspot/events/{event}/items/{item}/attributes/{attribute}",
        ("event_item_attribute",),
    ),
    Case("/eventspot/events/{event}/promocodes", ("event_promocodes",)),
    Case(
        "/eventspot/events/{event}/promocodes/{promocode}",
        ("event_promocode",),
        beyond={"discount_amount": "in event_promocodes"},
    ),
    Case("/library/info", ("library_info",)),
    Case("/library/folders", ("library_folders.page1", "library_folders.nested")),
    Case("/library/folders/{folder}", ("library_folder", "library_folder.nested")),
    Case("/library/files", ("library_files", "library_files.page1")),
    Case("/library/folders/{folder}/files", ("library_files_by_folder",)),
    Case("/library/folders/trash/files", ("library_trash_files",)),
    Case("/library/files/{file}", ("library_file",)),
    Case("/library/files/uploadstatus/{file}", ("library_files_upload_status",)),
]


def conform(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Walk through a body: where every value stands, and its type."""
    match value:
        case dict():
            for key, inner in value.items():
                yield from conform(inner, f"{path}.{key}" if path else key)
        case list():
            for inner in value:
                yield from conform(inner, f"{path}[]")
        case _:
            yield path, "number" if type(value) in {int, float} else type(value).__name__


def shapes(bodies: list[Any]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for body in bodies:
        for path, kind in conform(body):
            # Folders are nested up to three deep; any depth has the same shape.
            found[path.replace("children[].children[].", "children[].")].add(kind)
    return found


@pytest.fixture(scope="module")
def box() -> Iterator[Sandbox]:
    account = Account(
        contacts=400,
        lists=4,
        activities=40,
        campaigns=30,
        events=8,
        files=80,
        now=datetime(2026, 3, 1, tzinfo=UTC),
    )
    with serve(account) as running:
        yield running


@pytest.fixture(scope="module")
def session() -> Iterator[requests.Session]:
    with requests.Session() as running:
        yield running


STREAMS = {
    "contact": "contacts",
    "list": "lists",
    "activity": "activities",
    "campaign": "campaign_previews",
    "schedule": "campaign_schedules",
    "link": "campaign_links",
    "event": "events",
    "fee": "event_fees",
    "item": "event_items",
    "attribute": "event_item_attributes",
    "promocode": "event_promocodes",
    "registrant": "event_registrants",
    "folder": "library_folders",
}


def ids_below(account: Account, name: str, parents: tuple[str, ...]) -> list[str]:
    """Find the ids that may stand for a name in braces, given those further left."""
    match name:
        case "sent":
            return sorted({key[0] for key in account.ids("campaign_sends")})
        case "scheduled":
            return sorted({key[0] for key in account.ids("campaign_schedules")})
        case "reader":
            return sorted({key[0] for key in account.ids("contact_activity")})
        case "file":
            return [file.id for file in account.library.kept()]
    keys = [key if isinstance(key, tuple) else (key,) for key in account.ids(STREAMS[name])]
    return sorted(key[-1] for key in keys if key[:-1] == parents)


def addresses(account: Account, path: str, parents: tuple[str, ...] = ()) -> Iterator[str]:
    """Put ids where names in braces stand, in every way there is."""
    before, brace, rest = path.partition("{")
    if not brace:
        yield path
        return
    name, _, after = rest.partition("}")
    for id_ in ids_below(account, name, parents):
        for further in addresses(account, after, (*parents, id_)):
            yield f"{before}{quote(id_, safe='')}{further}"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.path)
def test_an_answer_has_the_shape_of_the_samples(
    box: Sandbox,
    session: requests.Session,
    case: Case,
) -> None:
    responses = [
        session.get(box.url + address, params=CREDENTIALS | case.params)
        for address in islice(addresses(box.account, case.path), MOST)
    ]
    assert {response.status_code for response in responses} == {200}
    sent = shapes([response.json() for response in responses])
    samples = (SAMPLES / f"{name}.json" for name in case.samples)
    documented = shapes([json.loads(sample.read_text()) for sample in samples])
    documented.pop("meta.pagination.next_link", None)
    sent.pop("meta.pagination.next_link", None)

    assert documented.keys() - sent.keys() == case.unsent.keys() & documented.keys()
    assert sent.keys() - documented.keys() <= case.beyond.keys()
    for path in sent.keys() & documented.keys():
        if path.endswith("id"):
            assert sent[path] <= {"str", "NoneType"}, path
        else:
            assert sent[path] <= documented[path], path
