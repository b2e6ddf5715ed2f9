"""Real bodies, served over HTTP: they become valid rows, and no field is lost but those named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
from scripted import Answer, Scripted
from singer import sync

from tap_constantcontact.api import times

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
SAMPLES = ROOT / "tests" / "samples"

# Sample, the path it answers, and the stream it becomes rows of.
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
}

# (stream, field): why the rows do not have it under that name.
NOT_KEPT = {
    ("activities", "contacts_count"): "a spelling of contact_count, under which it is kept",
}


def rows_of(body: Any) -> list[dict[str, Any]]:
    found = body.get("results", [body]) if isinstance(body, dict) else body
    assert isinstance(found, list)
    return found


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
        return sent == "" or (isinstance(sent, str) and times.parse(sent) is None)
    return isinstance(sent, str) and times.parse(sent) == times.parse(kept)


def at(row: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        row = row[int(name)] if isinstance(row, list) else row[name]
    return row


@pytest.mark.parametrize("name", BODIES)
def test_every_body_becomes_valid_rows_that_lose_nothing(name: str) -> None:
    path, stream = BODIES[name]
    sent = rows_of(json.loads((SAMPLES / f"{name}.json").read_text()))

    def answer(asked: str, params: dict[str, str]) -> Answer:
        if "next" in params:
            return Answer(200, {"meta": {"pagination": {}}, "results": []})
        if asked == f"/v2{path}":
            return Answer(200, json.loads((SAMPLES / f"{name}.json").read_text()))
        return Answer(404, [])  # Details of jobs.

    with Scripted(answer) as server:
        rows = sync(server, stream).rows(stream)

    schema = json.loads((ROOT / "schemas" / "v2" / f"{stream}.json").read_text())
    assert len(rows) == len(sent) > 0
    for row, original in zip(rows, sent, strict=True):
        jsonschema.Draft202012Validator(schema).validate(row)
        for leaf, value in leaves(original):
            if (stream, leaf[0]) in NOT_KEPT:
                continue
            # An error that is plain text arrives as the message of an object.
            kept_at = (*leaf, "message") if leaf[0] == "errors" and len(leaf) == 2 else leaf
            assert same(value, at(row, kept_at)), leaf


@pytest.mark.parametrize("detail", ["activity.with_errors", "activity.with_string_errors"])
def test_errors_of_jobs_arrive_in_both_their_shapes(detail: str) -> None:
    full = json.loads((SAMPLES / f"{detail}.json").read_text())
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
