"""The sandbox's second face: held against the vendor's contract, and v3's quirks."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from helpers.contracts import CONTRACT, DEVIATIONS, faults_of, template_of

from sandbox import Account, FaultConfig, Sandbox
from sandbox.v3.campaigns import is_tested
from sandbox.v3.routes import ROUTES
from sandbox.world.reports import OPENS

if TYPE_CHECKING:
    from collections.abc import Callable

    Asking = Callable[..., requests.Response]


def made() -> Account:
    made_up = Account(contacts=300, campaigns=12, recipients=40)
    made_up.resend_campaigns(2)
    return made_up


@pytest.fixture
def ask(box: Sandbox, session: requests.Session) -> Asking:
    def call(path: str, **params: str | int) -> requests.Response:
        return session.get(box.v3_url + path, params=params)

    return call


def ids(account: Account) -> dict[str, str]:
    """One of each thing that a path can name; the contact is one that got mail."""
    mailed = account.tracking.of(account.campaigns.tracked()[0])[OPENS][0]
    tested = next(each for each in account.campaigns.tracked() if is_tested(each))
    event = next(iter(account.v3_events.events.values()))
    return {
        "campaign_id": tested.uuid,
        "campaign_ids": tested.uuid,
        "campaign_activity_id": tested.activity_uuid,
        "campaign_activity_ids": tested.activity_uuid,
        "event_id": event.uuid,
        "track_id": event.track,
        "contact_id": account.contacts.by_id[mailed.contact_id].uuid,
        "segment_id": "1",
        "activity_id": next(iter(account.v3_ids("activities"))),
        "automation_flow_id": account.outreach.automations[0].uuid,
    }


NEEDED = {
    "/contacts/contact_id_xrefs": "sequence_ids=1,2",
    "/contact_lists/list_id_xrefs": "sequence_ids=1",
    "/emails/campaign_id_xrefs": "v2_email_campaign_ids=1",
    "/reports/contact_reports/{contact_id}/activity_details": (
        "tracking_activities_list=em_sends,em_opens"
    ),
    "/reports/contact_reports/{contact_id}/activity_summary": (
        "start=2019-01-01T00:00:00Z&end=2027-01-01T00:00:00Z"
    ),
    "/reports/contact_reports/{contact_id}/open_and_click_rates": (
        "start=2022-01-01T00:00:00Z&end=2027-01-01T00:00:00Z"
    ),
    "/reports/summary_reports/sms_campaign_summaries": "start_at=2020-01-01T00:00:00Z",
}
ALL = "custom_fields,list_memberships,phone_numbers,street_addresses,taggings,notes"
FULL = {
    "/contacts": f"include={ALL}&status=all&limit=100",
    "/contacts/{contact_id}": f"include={ALL}",
    "/account/summary": "extra_fields=physical_address,company_logo",
    "/contact_lists": "include_membership_count=all&status=all&include_count=true",
    "/contact_tags": "include_count=true",
    "/emails/activities/{campaign_activity_id}": (
        "include=physical_address_in_footer,permalink_url,html_content"
    ),
    "/social/profiles": "include=accessible",
}


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: str(route.path))
def test_answers_are_as_the_contract_says(route: Any, box: Sandbox, ask: Asking) -> None:
    things = ids(box.account)
    if "landing_pages" in route.path:
        things["campaign_activity_id"] = box.account.v3_events.page.uuid
    path = route.path.format(**things)
    for query in {NEEDED.get(route.path, ""), FULL.get(route.path, NEEDED.get(route.path, ""))}:
        answer = ask(f"{path}?{query}")
        assert answer.status_code == 200, answer.text
        assert faults_of(path, answer.content) == []


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: str(route.path))
def test_parameters_are_those_of_the_contract(route: Any) -> None:
    template = template_of(route.path)
    assert template
    known = CONTRACT["paths"][template]["parameters"]
    assert set(route.parameters) <= set(known)
    assert ("limit" in known) == bool(route.limit.most and not route.limit.is_fixed)


def test_deviations_name_their_section() -> None:
    assert all("docs/api/v3.md §" in reason for reason in DEVIATIONS.values())


# -- quirks ------------------------------------------------------------------------------------


def pages(ask: Asking, path: str, key: str, **params: str | int) -> list[dict[str, Any]]:
    found = [ask(path, **params).json()]
    while link := ((found[-1].get("_links") or {}).get("next") or {}).get("href"):
        assert link.startswith("/v3/")
        assert len(found[-1][key]) == params["limit"]
        found.append(ask(link.removeprefix("/v3")).json())
    return found


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("/contacts", "contacts"),
        ("/contact_lists", "lists"),
        ("/contact_tags", "tags"),
        ("/contact_custom_fields", "custom_fields"),
        ("/activities", "activities"),
        ("/segments", "segments"),
    ],
)
def test_pages_lead_from_one_to_the_next(ask: Asking, path: str, key: str) -> None:
    whole = pages(ask, path, key, limit=100)
    small = pages(ask, path, key, limit=2)
    together = [[row for page in each for row in page[key]] for each in (whole, small)]
    if key == "activities":
        for row in (row for rows in together for row in rows):
            row.pop("_links")
    assert together[0] == together[1]


def test_last_pages_have_four_forms(ask: Asking) -> None:
    forms = {
        json.dumps(ask("/contacts", limit=limit).json().get("_links", "none"))
        for limit in range(400, 404)
    } | {
        json.dumps(pages(ask, path, key, limit=100)[-1].get("_links", "none"))
        for path, key in (("/contact_lists", "lists"), ("/activities", "activities"))
    }
    assert len(forms) >= 2


def test_a_cursor_holds_the_filters_and_stands_alone(ask: Asking) -> None:
    first = ask("/contacts", limit=20, status="unsubscribed", include="notes").json()
    link = first["_links"]["next"]["href"]
    (cursor,) = parse_qs(urlsplit(link).query)["cursor"]
    held = parse_qs(base64.b64decode(cursor).decode())
    assert held == {
        "limit": ["20"],
        "next": ["2"],
        "status": ["unsubscribed"],
        "include": ["notes"],
    }
    second = ask("/contacts", cursor=cursor).json()
    assert second == ask("/contacts", cursor=cursor, status="active", unknown="x").json()
    assert all(
        row["email_address"]["permission_to_send"] == "unsubscribed" for row in second["contacts"]
    )


def test_contacts_shift_while_they_are_paged(ask: Asking, account: Account) -> None:
    first = ask("/contacts", limit=20, status="all").json()
    account.add_contacts(3)
    second = ask(first["_links"]["next"]["href"].removeprefix("/v3")).json()
    shown = [row["contact_id"] for page in (first, second) for row in page["contacts"]]
    assert len(shown) - len(set(shown)) == 3, "rows that come push others onto the next page"


def test_unknown_parameters_are_ignored_and_bad_values_are_not(ask: Asking) -> None:
    assert ask("/contact_tags", updated_after="whenever").status_code == 200
    for bad in ({"limit": 501}, {"limit": 0}, {"status": "gone"}, {"updated_after": "soon"}):
        answer = ask("/contacts", **bad)
        assert answer.status_code == 400
        assert answer.json()[0]["error_key"] == "contacts.api.validation.error"


def test_deleted_contacts_show_only_if_they_are_asked_for(ask: Asking, account: Account) -> None:
    def people(**params: str | int) -> dict[str, dict[str, Any]]:
        return {
            row["contact_id"]: row
            for page in pages(ask, "/contacts", "contacts", limit=500, **params)
            for row in page["contacts"]
        }

    (removed,) = (account.contacts.by_id[each].uuid for each in account.remove_contacts(1))
    assert removed not in people()
    assert len(people(status="all")[removed]["deleted_at"]) == len("2026-01-01")
    assert removed in people(status="deleted")


def test_an_unsubscribe_moves_the_address_and_not_the_contact(
    ask: Asking, account: Account
) -> None:
    (number,) = account.unsubscribe(1)
    uuid = account.contacts.by_id[number].uuid
    row = ask(f"/contacts/{uuid}").json()
    assert row["email_address"]["updated_at"] == row["email_address"]["opt_out_date"]
    assert row["updated_at"] < row["email_address"]["updated_at"]


def test_an_activity_links_to_the_last_of_its_page(ask: Asking) -> None:
    rows = ask("/activities").json()["activities"]
    assert {row["_links"]["self"]["href"] for row in rows} == {
        f"/v3/activities/{rows[-1]['activity_id']}"
    }


def test_a_segment_takes_its_time_and_no_other_parameters(ask: Asking, box: Sandbox) -> None:
    box.faults.slow_segments = 1
    assert ask("/contacts", segment_id=1).status_code == 202
    assert ask("/contacts", segment_id=1).status_code == 200
    assert ask("/contacts", segment_id=1, status="all").status_code == 400


# -- refusals ----------------------------------------------------------------------------------


def test_a_path_is_looked_at_before_the_token(box: Sandbox) -> None:
    for path in ("/v3/nothing", "/v3/v3/contacts"):
        answer = requests.get(box.origin + path, timeout=5)
        assert answer.status_code == 404
        assert answer.json()[0]["error_key"] == "not_found"
    assert requests.post(f"{box.v3_url}/contacts", timeout=5).status_code == 404


@pytest.mark.parametrize("header", ["", "Basic token", "Bearer wrong", "Bearer"])
def test_a_token_is_good_or_not(box: Sandbox, header: str) -> None:
    headers = {"Authorization": header} if header else {}
    answer = requests.get(f"{box.v3_url}/contacts", headers=headers, timeout=5)
    assert answer.status_code == 401
    assert answer.json() == {"error_key": "unauthorized", "error_message": "Unauthorized"}
    assert answer.headers["WWW-Authenticate"] == "Bearer realm=api.cc.email"


def test_two_kinds_of_too_much(ask: Asking, box: Sandbox) -> None:
    box.faults = FaultConfig(throttle=1)
    keys = {ask("/account/summary").json().get("error_key") for _ in range(4)}
    box.faults = FaultConfig(quota=1)
    assert keys <= {None, "throttled"}
    assert "throttled" in keys
    assert ask("/account/summary").json()["error_key"] == "quota_exceeded"


def test_privileges_and_scopes(ask: Asking, box: Sandbox) -> None:
    box.faults = FaultConfig(missing_privileges={"contacts:read"})
    assert ask("/contacts").status_code == 403
    assert ask("/contacts").json()["error_key"] == "access_denied"
    names = {row["privilege_name"] for row in ask("/account/user/privileges").json()}
    assert "contacts:read" not in names
    assert ask("/contact_lists").status_code == 200
