"""Real bodies, served over HTTP: they become valid rows, and no field is lost but those named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

import jsonschema
import pytest
from helpers.fake_server import Answer, Scripted, in_envelope, rows_of
from helpers.runner import sync

from tap_constantcontact.records import timestamps

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
SAMPLES = ROOT / "tests" / "samples" / "v2"

CAMPAIGNS = "/emailmarketing/campaigns"
CAMPAIGN = f"{CAMPAIGNS}/{{campaign_id}}"
EVENTS = "/eventspot/events"
EVENT = f"{EVENTS}/{{event_id}}"
KINDS = ("sends", "opens", "clicks", "bounces", "forwards", "unsubscribes")

# Sample, the path it answers, and the stream it becomes rows of. Ids in a path are the sample's.
BODIES = {
    "account_info": ("/account/info", "account"),
    "account_verified_email_addresses": ("/account/verifiedemailaddresses", "account_emails"),
    "contacts.page1": ("/contacts", "contacts"),
    "contacts.removed_and_active": ("/contacts", "contacts"),
    "contacts.last_page": ("/contacts", "contacts"),
    "contacts.modified_since": ("/contacts", "contacts"),
    "contacts.beta_bare_array": ("/contacts", "contacts"),
    "contact": ("/contacts", "contacts"),
    "contact.note_and_custom_fields": ("/contacts", "contacts"),
    "contact.doc": ("/contacts", "contacts"),
    "lists": ("/lists", "lists"),
    "lists.int_ids": ("/lists", "lists"),
    "list": ("/lists", "lists"),
    "list.hidden": ("/lists", "lists"),
    "activities": ("/activities", "activities"),
    "activities.mixed": ("/activities", "activities"),
    "activity": ("/activities", "activities"),
    "activity.with_errors": ("/activities", "activities"),
    "activity.with_string_errors": ("/activities", "activities"),
    "activity.export_created": ("/activities", "activities"),
    "activity.export_created.contacts_count": ("/activities", "activities"),
    "campaigns.page1": (CAMPAIGNS, "campaigns"),
    "campaigns.modified_since.page1": (CAMPAIGNS, "campaigns"),
    "campaigns.modified_since.page2": (CAMPAIGNS, "campaigns"),
    "campaigns.beta_path": (CAMPAIGNS, "campaigns"),
    "campaign": (f"{CAMPAIGNS}/{{id}}", "campaigns"),
    "campaign.sent": (f"{CAMPAIGNS}/{{id}}", "campaigns"),
    "campaign.draft": (f"{CAMPAIGNS}/{{id}}", "campaigns"),
    "campaign_preview": (f"{CAMPAIGN}/preview", "campaign_previews"),
    "campaign_schedule": (f"{CAMPAIGN}/schedules", "campaign_schedules"),
    "campaign_schedules": (f"{CAMPAIGN}/schedules", "campaign_schedules"),
    "campaign_schedules.string_id": (f"{CAMPAIGN}/schedules", "campaign_schedules"),
    **{
        f"campaign_tracking_{kind}{conform}": (f"{CAMPAIGN}/tracking/{kind}", f"campaign_{kind}")
        for kind in KINDS
        for conform in ("", ".time_cursor")
    },
    "events": (EVENTS, "events"),
    "event": (f"{EVENTS}/{{id}}", "events"),
    "event_fees": (f"{EVENT}/fees", "event_fees"),
    "event_fee": (f"{EVENT}/fees", "event_fees"),
    "event_items": (f"{EVENT}/items", "event_items"),
    "event_item": (f"{EVENT}/items", "event_items"),
    "event_promocodes": (f"{EVENT}/promocodes", "event_promocodes"),
    "event_promocode": (f"{EVENT}/promocodes", "event_promocodes"),
    "event_registrants": (f"{EVENT}/registrants", "event_registrants"),
    "event_registrant": (f"{EVENT}/registrants/{{id}}", "event_registrants"),
    "library_info": ("/library/info", "library_usage"),
    "library_info.array": ("/library/info", "library_usage"),
    "library_folders.page1": ("/library/folders", "library_folders"),
    "library_folders.nested": ("/library/folders", "library_folders"),
    "library_folder": ("/library/folders", "library_folders"),
    "library_folder.nested": ("/library/folders", "library_folders"),
    "library_files": ("/library/files", "library_files"),
    "library_files.page1": ("/library/files", "library_files"),
    "library_files_by_folder": ("/library/files", "library_files"),
    "library_file": ("/library/files", "library_files"),
    "library_trash_files": ("/library/folders/trash/files", "library_files"),
    **{
        f"contact_tracking_{kind}": ("/contacts/{contact_id}/tracking", "contact_activity")
        for kind in KINDS
    },
    "contact_tracking_summary": (
        "/contacts/{contact_id}/tracking/reports/summary",
        "contact_summaries",
    ),
    "contact_tracking_summary_by_campaign": (
        "/contacts/{contact_id}/tracking/reports/summaryByCampaign",
        "contact_campaign_summaries",
    ),
}

# Things that come inside others: the sample, the field that holds them, and their stream.
HELD = [
    ("campaign", "click_through_details", "campaign_links"),
    ("campaign.sent", "click_through_details", "campaign_links"),
    ("event_items", "attributes", "event_item_attributes"),
    ("event_item", "attributes", "event_item_attributes"),
]

# Beginnings of samples that become no rows of their own: why.
NO_ROWS = {
    "errors.": "refusals, of which the tests of refusals tell",
    "token_info": "asked by those who set up a token",
    "campaign_tracking_summary": "the detail of a campaign has the same numbers",
    "event_item_attribute": "the same comes inside the item",
    "library_files_upload_status": "asked by those who upload",
}

# (stream, field): why the rows do not have it under that name.
NOT_KEPT = {
    ("activities", "contacts_count"): "a spelling of contact_count, under which it is kept",
    ("library_files", "type"): "what the trash calls file_type, under which it is kept",
    ("library_folders", "children"): "rows of their own, which name their parent",
}


def sample(name: str) -> Any:
    return json.loads((SAMPLES / f"{name}.json").read_text())


def leaves(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every scalar in a value with the names that lead to it; empty ones count as themselves."""
    if isinstance(value, dict) and value:
        for name, held in value.items():
            yield from leaves(held, (*path, name))
    elif isinstance(value, list) and value:
        for place, held in enumerate(value):
            yield from leaves(held, (*path, str(place)))
    else:
        yield path, value


def same(sent: Any, kept: Any) -> bool:
    """Whether a row's value says what was sent, as text, as UTC, or as null for "never"."""
    if sent == kept or str(sent) == str(kept):
        return True
    if kept is None:
        return sent == "" or (isinstance(sent, str) and timestamps.parse(sent) is None)
    return isinstance(sent, str) and timestamps.parse(sent) == timestamps.parse(kept)


def at(row: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        row = row[int(name)] if isinstance(row, list) else row[name]
    return row


def unfolded(row: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A folder and those inside it; anything else is just itself."""
    yield row
    for child in row.get("children", ()):
        yield from unfolded(child)


def serving(name: str) -> Scripted:
    """A server that has one sample, what must be listed to get there, and nothing else."""
    path, stream = BODIES[name]
    body = sample(name)
    own = rows_of(body)
    ids = {"campaign_id": "1", "event_id": "1", **own[0]}
    path = path.format_map({key: quote(str(each), safe="") for key, each in ids.items()})
    status = "SCHEDULED" if stream == "campaign_schedules" else own[0].get("status", "SENT")

    def answer(asked: str, params: dict[str, str]) -> Answer:
        asked = asked.removeprefix("/v2")
        if "next" in params:
            return Answer(200, {"meta": {"pagination": {}}, "results": []})
        if asked == path:
            found = body
        elif path.startswith(f"{asked}/"):  # The list that the sample, or its owner, is on.
            next_id = path.removeprefix(f"{asked}/").partition("/")[0]
            found = [{"id": unquote(next_id), "status": status}]
        else:  # The list row again for a detail.
            found = [row for row in own if asked == f"{path}/{quote(str(row.get('id')), safe='')}"]
        if asked == CAMPAIGNS:
            found = [row for row in rows_of(found) if params["status"] in (row["status"], "ALL")]
        return Answer(200, in_envelope(asked, found))

    return Scripted(answer)


def check(stream: str, rows: list[dict[str, Any]], sent: list[dict[str, Any]]) -> None:
    """Check that rows are valid and say all that was sent."""
    schema = json.loads((ROOT / "schemas" / "v2" / f"{stream}.json").read_text())
    assert len(rows) == len(sent) > 0
    in_order = [sorted(each, key=lambda row: str(row.get("id"))) for each in (rows, sent)]
    for row, original in zip(*in_order, strict=True):
        jsonschema.Draft202012Validator(schema).validate(row)
        for leaf, value in leaves(original):
            if (stream, leaf[0]) in NOT_KEPT:
                continue
            # An error that is plain text arrives as the message of an object.
            kept_at = (*leaf, "message") if leaf[0] == "errors" and len(leaf) == 2 else leaf
            assert same(value, at(row, kept_at)), leaf


@pytest.mark.parametrize("name", BODIES)
def test_every_body_becomes_valid_rows_that_lose_nothing(name: str) -> None:
    _, stream = BODIES[name]
    sent = [each for row in rows_of(sample(name)) for each in unfolded(row)]

    with serving(name) as server:
        rows = sync(server, stream).rows(stream)

    check(stream, rows, sent)


@pytest.mark.parametrize(("name", "field", "stream"), HELD)
def test_embedded_objects_keep_all_fields(name: str, field: str, stream: str) -> None:
    sent = [each for row in rows_of(sample(name)) for each in row[field]]

    with serving(name) as server:
        rows = sync(server, stream).rows(stream)

    check(stream, rows, sent)


def test_no_sample_is_left_out() -> None:
    names = {path.name.removesuffix(".json") for path in SAMPLES.iterdir()}

    assert {each for each in names if not each.startswith(tuple(NO_ROWS))} == BODIES.keys()


@pytest.mark.parametrize("detail", ["activity.with_errors", "activity.with_string_errors"])
def test_errors_of_jobs_arrive_in_both_their_shapes(detail: str) -> None:
    full = sample(detail)
    listed = {k: v for k, v in full.items() if k not in {"errors", "warnings"}}

    with Scripted(
        lambda asked, _: Answer(200, [listed] if asked.endswith("ies") else full)
    ) as server:
        (row,) = sync(server, "activities").rows("activities")

    texts = [each if isinstance(each, str) else each["message"] for each in full["errors"]]
    assert [error["message"] for error in row["errors"]] == texts
    assert [path for path, *_ in server.requests] == [
        "/v2/activities",
        f"/v2/activities/{full['id']}",
    ]
