"""Real bodies of v3, served over HTTP: they become valid rows, and no field is lost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
from helpers.contracts import template_of
from helpers.fake_server import Answer, Scripted
from helpers.runner import sync
from helpers.v3 import STREAMS
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
_ACTIVITY = "/emails/activities/{activity}"
_MAIL = "/reports/email_reports/{activity}"
BODIES |= {
    "emails": ("/emails", "campaigns"),
    "email_campaigns_page_with_next": ("/emails", "campaigns"),
    "email_campaign": ("/emails", "campaigns"),
    "email_campaign_with_resend": ("/emails", "campaigns"),
    "email_activity_format4": (_ACTIVITY, "campaign_activities"),
    "email_activity_format1_all_includes": (_ACTIVITY, "campaign_activities"),
    "email_activity_abtest": (f"{_ACTIVITY}/abtest", "campaign_ab_tests"),
    "email_activity_preview": (f"{_ACTIVITY}/previews", "campaign_previews"),
    "email_send_history_lists": (f"{_ACTIVITY}/send_history", "campaign_send_history"),
    "non_opener_resends_sent": (f"{_ACTIVITY}/non_opener_resends", "campaign_resends"),
    "email_links": (f"{_MAIL}/links", "campaign_links"),
    "email_campaign_summaries_guide": (
        "/reports/summary_reports/email_campaign_summaries",
        "campaign_summaries",
    ),
    "stats_campaigns_guide": ("/reports/stats/email_campaigns/{campaign}", "campaign_stats"),
    "stats_activities_dotted": (
        "/reports/stats/email_campaign_activities/{activity}",
        "campaign_activity_stats",
    ),
    "tracking_sends_page": (f"{_MAIL}/tracking/sends", "campaign_sends"),
    "tracking_opens_guide": (f"{_MAIL}/tracking/opens", "campaign_opens"),
    "tracking_clicks_guide": (f"{_MAIL}/tracking/clicks", "campaign_clicks"),
    "tracking_bounces": (f"{_MAIL}/tracking/bounces", "campaign_bounces"),
    "tracking_forwards": (f"{_MAIL}/tracking/forwards", "campaign_forwards"),
    "tracking_optouts_guide": (f"{_MAIL}/tracking/optouts", "campaign_unsubscribes"),
    "tracking_didnotopens": (f"{_MAIL}/tracking/didnotopens", "campaign_did_not_opens"),
    "events_page": ("/events", "events"),
    "event": ("/events/{event}", "event_tracks"),
    "event_registrations": (
        "/events/{event}/tracks/{track}/registrations",
        "event_registrations",
    ),
    **{
        name: (
            f"/reports/landing_pages/campaign_details/{{activity}}/{report}",
            "landing_page_events",
        )
        for name, report in (
            ("lp_contact_opens", "p_contact_opens"),
            ("lp_unique_contact_clicks", "p_unique_contact_clicks"),
            ("lp_unique_contact_updates", "p_unique_contact_updates"),
        )
    },
}
# Samples of further streams have the name of their stream, and perhaps more behind it.
_OTHERS = STREAMS.keys() - {stream for _, stream in BODIES.values()}
BODIES |= {
    path.stem: (STREAMS[stream].path, stream)
    for path in SAMPLES.iterdir()
    for stream in _OTHERS
    if path.stem not in BODIES and path.stem.startswith(stream)
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
    "error_": "throttled",
    "partner_": "for partners alone",
    "social_connections": "about access, not about the account's data",
    "social_hashtag_groups": "for writing posts",
    "email_activity_schedules_empty": "empty",
    "email_campaign_performance": "a ranking of what the sums have (docs/api/v3.md §11)",
    "email_campaign_summaries_empty": "empty",
    "event_registration": "the list has the registrations",
    "lp_unique_contact_opens": "all opens are in another report",
    "non_opener_resends_none": "empty",
    "tracking_empty": "empty",
}
# (stream, beginning of a path): why the rows do not have it.
NOT_KEPT = {
    ("activities", "_links", "self"): "in lists it is another job's",
    ("campaigns", "campaign_activities"): "rows of their own",
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
ENVELOPES |= {
    "/emails": "campaigns",
    "/events": "records",
    "/reports/summary_reports/email_campaign_summaries": "bulk_email_campaign_summaries",
}
ENVELOPES |= {
    STREAMS[stream].path: STREAMS[stream].own_envelope.rows or ""
    for stream in _OTHERS
    if STREAMS[stream].own_envelope.rows
}
REPORTS = {"tracking_activities", "campaign_activities", "link_click_counts", "results", "records"}
PRIVILEGES = sorted({name for stream in STREAMS.values() for name in stream.privileges})


def sample(name: str) -> Any:
    return json.loads((SAMPLES / f"{name}.json").read_text())


def rows_of(name: str) -> list[dict[str, Any]]:
    body = sample(name)
    if isinstance(body, list):
        return body
    if name == "event":
        return [{**body["default_track"], "event_id": body["event_id"]}]
    keys = {ENVELOPES.get(BODIES[name][0], ""), *REPORTS} & body.keys() - {
        "campaign_activities" if name.startswith("email_campaign") else ""
    }
    rows: list[dict[str, Any]] = body[keys.pop()] if keys else [body]
    return rows


_ANY = {"contact_id": "any"}


IDS = {"activity": "an-activity", "campaign": "a-campaign", "event": "an-event", "track": "a-track"}


def serving(name: str) -> Scripted:
    """A server that has one sample, what must be listed to get there, and nothing else."""
    path, _ = BODIES[name]
    body = sample(name)
    rows = rows_of(name)
    contact = next(each["contact_id"] for each in (rows[0], body, _ANY) if "contact_id" in each)
    known = {
        kind: next(
            (each[field] for each in (rows[0], body) if field in each and isinstance(each, dict)),
            IDS[kind],
        )
        for kind, field in (
            ("activity", "campaign_activity_id"),
            ("campaign", "campaign_id"),
            ("event", "event_id"),
            ("track", "track_key"),
        )
    }
    path = path.format(id=contact, **known)
    if path in ENVELOPES and rows == [body]:
        body = {ENVELOPES[path]: rows}

    pages = set[str]()

    def answer(asked: str, params: dict[str, str]) -> Answer:
        asked = asked.removeprefix("/v3")
        is_next_page = asked == path and asked in pages
        pages.add(asked)
        if is_next_page or "cursor" in params or "next" in params:
            key = ENVELOPES.get(asked, "tracking_activities")
            return Answer(200, {key: []})
        return Answer(200, body if asked == path else _listed(asked, rows, known, contact))

    return Scripted(answer)


def _listed(asked: str, rows: list[dict[str, Any]], known: dict[str, str], contact: str) -> Any:
    """What leads to a sample: lists, and details of what is on them."""
    campaign = {"campaign_id": known["campaign"], "current_status": "Done"}
    activity = {"campaign_activity_id": known["activity"], "role": "primary_email"}
    event = {"event_id": known["event"]}
    answers: dict[str, Any] = {
        "/account/user/privileges": [
            {"privilege_id": 1, "privilege_name": each} for each in PRIVILEGES
        ],
        "/account/summary": {"encoded_account_id": "a07e"},
        "/contacts": {"contacts": [{"contact_id": contact}]},
        "/emails": {"campaigns": [campaign]},
        f"/emails/{known['campaign']}": {**campaign, "campaign_activities": [activity]},
        "/reports/summary_reports/email_campaign_summaries": {
            "bulk_email_campaign_summaries": [{"campaign_id": known["campaign"]}]
        },
        f"/reports/stats/email_campaigns/{known['campaign']}": {
            "results": [{"campaign_id": known["campaign"]}]
        },
        "/events": {"records": [event]},
        f"/events/{known['event']}": {**event, "default_track": {"track_id": known["track"]}},
    }
    if asked in answers:
        return answers[asked]
    if "landing_pages" in asked:
        return {"tracking_activities": []}
    # The row again, for its detail.
    return next(row for row in rows if asked.endswith(f"/{_id_of(row)}"))


def _id_of(row: dict[str, Any]) -> Any:
    return row.get("segment_id") or row.get("id") or row.get("campaign_id") or row.get("event_id")


@pytest.mark.parametrize("name", BODIES)
def test_every_body_becomes_valid_rows_that_lose_nothing(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    _, stream = BODIES[name]
    sent = rows_of(name)
    schema = json.loads((ROOT / "schemas" / "v3" / f"{stream}.json").read_text())
    with serving(name) as server:
        pages = [sent[0].get("campaign_activity_id", "-")]
        rows = sync(server, stream, version="v3", landing_page_ids=pages).rows(stream)
    assert len(rows) == len(sent) > 0
    assert "not in the schema" not in caplog.text
    keys = schema["required"]
    by_key: Callable[[dict[str, Any]], str] = lambda row: str([row.get(key) for key in keys])  # noqa: E731
    validator = jsonschema.Draft202012Validator(
        schema, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
    )
    # Of one kind of thing a sample has but one, or all with keys of their own.
    paired = zip(sorted(rows, key=by_key), sorted(sent, key=by_key), strict=True)
    for row, original in paired if len(rows) > 1 else [(rows[0], sent[0])]:
        validator.validate(row)
        for leaf, value in leaves(original):
            if not any((stream, *leaf)[: len(each)] == each for each in NOT_KEPT):
                # The guide's dots are the contract's underscores.
                kept_at = tuple(name.replace(".", "_") for name in leaf)
                assert same(value, at(row, kept_at)), leaf


def test_no_sample_is_left_out() -> None:
    names = {path.stem for path in SAMPLES.iterdir()}
    rest = names - BODIES.keys()
    assert BODIES.keys() <= names
    assert {each for each in rest if not each.startswith(tuple(NO_ROWS))} == set()


@pytest.mark.parametrize("name", BODIES)
def test_samples_are_of_paths_that_the_contract_has(name: str) -> None:
    assert template_of(BODIES[name][0].format(id="x", **IDS))
