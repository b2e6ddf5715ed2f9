"""Real bodies of v3, served over HTTP: they become valid rows, and no field is lost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
from contracts import template_of
from scripted import Answer, Scripted
from singer import sync
from test_samples import at, leaves, same

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[1]
SAMPLES = ROOT / "tests" / "samples" / "v3"

# Sample, the path that it answers, and the stream that it becomes rows of.
BODIES = {
    "account_summary": ("/account/summary", "account"),
    "account_summary_extra_fields": ("/account/summary", "account"),
    "account_emails": ("/account/emails", "account_emails"),
    "contact_lists_with_counts": ("/contact_lists", "lists"),
    "contact_lists_deleted": ("/contact_lists", "lists"),
    "contact_list": ("/contact_lists", "lists"),
    "contact_custom_fields": ("/contact_custom_fields", "custom_fields"),
    "contact_custom_fields_types": ("/contact_custom_fields", "custom_fields"),
    "contact_tags": ("/contact_tags", "tags"),
    "contact_tag_with_count": ("/contact_tags", "tags"),
    "contact_tags_guide_internal_next": ("/contact_tags", "tags"),
    "segments": ("/segments", "segments"),
    "segment": ("/segments", "segments"),
    "contacts_core_only": ("/contacts", "contacts"),
    "contacts_include_all": ("/contacts", "contacts"),
    "contacts_page_with_next": ("/contacts", "contacts"),
    "contacts_deleted": ("/contacts", "contacts"),
    "contacts_unsubscribed": ("/contacts", "contacts"),
    "contact_core_full": ("/contacts", "contacts"),
    "contact_every_field": ("/contacts", "contacts"),
    "contact_sms_only": ("/contacts", "contacts"),
    "activities_page_with_next": ("/activities", "activities"),
    "activity": ("/activities", "activities"),
    "activity_export_created": ("/activities", "activities"),
    "automations": ("/automations/workflows", "automations"),
    "social_profiles": ("/social/profiles", "social_profiles"),
    "sms_campaign_summaries": (
        "/reports/summary_reports/sms_campaign_summaries",
        "sms_summaries",
    ),
    "sms_engagement_history": ("/contacts/sms_engagement_history/{id}", "sms_engagement"),
    "contact_activity_details": (
        "/reports/contact_reports/{id}/activity_details",
        "contact_activity",
    ),
    "contact_activity_summary": (
        "/reports/contact_reports/{id}/activity_summary",
        "contact_campaign_summaries",
    ),
    "contact_open_and_click_rates": (
        "/reports/contact_reports/{id}/open_and_click_rates",
        "contact_summaries",
    ),
}
# Samples that become no rows of their own: why.
NO_ROWS = {
    "account_company_logo": "the summary has it",
    "account_physical_address": "the summary has it",
    "account_user_privileges": "asked before the first row",
    "activities_empty": "empty",
    "contacts_counts": "sums of rows",
    "contacts_segment_202": "an answer that is not ready",
    "contacts_with_count_empty": "empty",
    "contact_id_xrefs": "rows of id_map, which asks by a file (test_v3_people)",
    "campaign_id_xrefs": "the same",
    "device_authorize": "signing in",
    "token_": "signing in",
    "error_": "refusals",
    "partner_": "for partners alone",
    "social_connections": "about access, not about the account's data",
    "social_hashtag_groups": "for writing posts",
    "email": "campaigns",
    "event": "events",
    "lp_": "landing pages",
    "non_opener_resends": "campaigns",
    "stats_": "campaigns",
    "tracking_": "campaigns",
}
# (stream, beginning of a path): why the rows do not have it.
NOT_KEPT = {
    ("activities", "_links", "self"): "in lists it is another job's",
}
ENVELOPES = {
    "/contact_lists": "lists",
    "/contact_custom_fields": "custom_fields",
    "/contact_tags": "tags",
    "/segments": "segments",
    "/contacts": "contacts",
    "/activities": "activities",
    "/automations/workflows": "flow_summaries",
    "/reports/summary_reports/sms_campaign_summaries": "bulk_sms_campaign_summaries",
}
REPORTS = {"tracking_activities", "campaign_activities"}
PRIVILEGES = (
    "account:read",
    "contacts:read",
    "contacts:write",
    "contacts:lists:read",
    "campaign:read",
    "ui:campaign:metrics",
    "customer-journey:read",
)


def sample(name: str) -> Any:
    return json.loads((SAMPLES / f"{name}.json").read_text())


def rows_of(name: str) -> list[dict[str, Any]]:
    body = sample(name)
    if isinstance(body, list):
        return body
    keys = {ENVELOPES.get(BODIES[name][0], ""), *REPORTS} & body.keys()
    rows: list[dict[str, Any]] = body[keys.pop()] if keys else [body]
    return rows


_ANY = {"contact_id": "any"}


def serving(name: str) -> Scripted:
    """A server that has one sample, what must be listed to get there, and nothing else."""
    path, _ = BODIES[name]
    body = sample(name)
    rows = rows_of(name)
    contact = next(each["contact_id"] for each in (rows[0], body, _ANY) if "contact_id" in each)
    path = path.format(id=contact)
    if path in ENVELOPES and rows == [body]:
        body = {ENVELOPES[path]: rows}

    def answer(asked: str, params: dict[str, str]) -> Answer:
        asked = asked.removeprefix("/v3")
        if asked == "/account/user/privileges":
            found: Any = [{"privilege_id": 1, "privilege_name": each} for each in PRIVILEGES]
        elif "cursor" in params or params.get("channel_type") == "sms":
            found = {ENVELOPES[asked]: []}
        elif asked == path:
            found = body
        elif asked == "/contacts":
            found = {"contacts": [{"contact_id": contact}]}
        elif asked == "/account/summary":
            found = {"encoded_account_id": "a07e"}
        else:  # The row again, for its detail.
            found = next(row for row in rows if asked.endswith(f"/{_id_of(row)}"))
        return Answer(200, found)

    return Scripted(answer)


def _id_of(row: dict[str, Any]) -> Any:
    return row.get("segment_id") or row.get("id")


@pytest.mark.parametrize("name", BODIES)
def test_every_body_becomes_valid_rows_that_lose_nothing(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    _, stream = BODIES[name]
    sent = rows_of(name)
    schema = json.loads((ROOT / "schemas" / "v3" / f"{stream}.json").read_text())
    with serving(name) as server:
        rows = sync(server, stream, version="v3").rows(stream)
    assert len(rows) == len(sent) > 0
    assert "not in the schema" not in caplog.text
    keys = schema["required"]
    by_key: Callable[[dict[str, Any]], str] = lambda row: str([row.get(key) for key in keys])  # noqa: E731
    validator = jsonschema.Draft202012Validator(
        schema, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
    )
    for row, original in zip(sorted(rows, key=by_key), sorted(sent, key=by_key), strict=True):
        validator.validate(row)
        for leaf, value in leaves(original):
            if not any((stream, *leaf)[: len(each)] == each for each in NOT_KEPT):
                assert same(value, at(row, leaf)), leaf


def test_no_sample_is_left_out() -> None:
    names = {path.stem for path in SAMPLES.iterdir()}
    rest = {each for each in names if not each.startswith(tuple(NO_ROWS))}
    assert rest == BODIES.keys()


@pytest.mark.parametrize("name", BODIES)
def test_samples_are_of_paths_that_the_contract_has(name: str) -> None:
    assert template_of(BODIES[name][0].format(id="x"))
