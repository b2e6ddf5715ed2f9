"""The schemas of v3: what they may say, and that each field of the contract is in one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from helpers.contracts import CONTRACT
from helpers.runner import everything
from jsonschema import Draft202012Validator
from test_schemas import SAID_OF_A_PROPERTY, SAID_OF_A_STREAM, is_told, kinds, properties

ROOT = Path(__file__).parents[1]
SCHEMAS = {
    path.stem: json.loads(path.read_text(encoding="utf-8"))
    for path in sorted((ROOT / "schemas" / "v3").glob("*.json"))
}
KEYS = {name: list(stream.primary_keys) for name, stream in everything("v3").streams.items()}

# The stream, and the definition in the contract that its rows are of.
DEFINITIONS = {
    "account": "/account/summary",
    "account_emails": "/account/emails",
    "lists": "/contact_lists/{list_id}",
    "custom_fields": "/contact_custom_fields/{custom_field_id}",
    "tags": "/contact_tags/{tag_id}",
    "segments": "/segments/{segment_id}",
    "contacts": "/contacts/{contact_id}",
    "activities": "/activities/{activity_id}",
    "automations": "/automations/workflows/{automation_flow_id}",
    "social_profiles": "/social/profiles",
    "contact_summaries": "/reports/contact_reports/{contact_id}/open_and_click_rates",
    "sms_engagement": "/contacts/sms_engagement_history/{contact_id}",
}
# Fields of the contract, with all that is below them, that a stream does not have: why.
NOT_TAKEN = {
    ("activities", "_links.self"): "in lists it is another job's",
    ("automations", "active_definition"): "JSON text, since it is recursive",
    ("automations", "draft_definition"): "JSON text, since it is recursive",
    ("social_profiles", "settings"): "JSON text, since each network has its own",
}

per_stream = pytest.mark.parametrize("stream", SCHEMAS)


def test_one_file_for_each_stream() -> None:
    assert SCHEMAS.keys() == KEYS.keys()


@per_stream
def test_describes_its_rows(stream: str) -> None:
    schema = SCHEMAS[stream]
    Draft202012Validator.check_schema(schema)
    assert set(schema) == SAID_OF_A_STREAM
    assert is_told(schema)
    assert schema["required"] == KEYS[stream]


@per_stream
def test_every_property_has_a_type_and_a_description_and_nothing_narrows(stream: str) -> None:
    for where, prop in properties(SCHEMAS[stream]):
        assert is_told(prop), where
        (kind,) = kinds(prop) - {"null"}
        assert set(prop) <= SAID_OF_A_PROPERTY[kind], where
        assert ("null" in kinds(prop)) == (where not in KEYS[stream]), where
        if kind == "object":
            assert prop["properties"], where


@per_stream
def test_times_are_times_and_days_are_days(stream: str) -> None:
    for where, prop in properties(SCHEMAS[stream]):
        name = where.rpartition(".")[2]
        is_day = name == "deleted_at" and stream != "lists"
        is_time = name.endswith(("_at", "_date", "_time", "start_on", "event_start", "event_end"))
        is_time = is_time and not is_day
        expected = "date" if is_day else "date-time" if is_time else None
        assert prop.get("format") == expected, where


def fields(schema: dict[str, Any], path: str = "", depth: int = 0) -> set[str]:
    """Every field of a definition of the contract at every depth, by path."""
    if "$ref" in schema:
        schema = CONTRACT["definitions"][schema["$ref"].rpartition("/")[2]]
    found: set[str] = set()
    for part in schema.get("allOf", ()):
        found |= fields(part, path, depth)
    if "items" in schema:
        found |= fields(schema["items"], path, depth)
    for name, each in schema.get("properties", {}).items():
        where = f"{path}.{name}" if path else name
        found |= {where} | (fields(each, where, depth + 1) if depth < 4 else set())
    return found


@pytest.mark.parametrize("stream", DEFINITIONS)
def test_no_field_of_the_contract_is_missing(stream: str) -> None:
    responses = CONTRACT["paths"][DEFINITIONS[stream]]["responses"]
    (schema,) = list(responses.values())[:1]
    known = {where.replace("[]", "") for where, _ in properties(SCHEMAS[stream])}
    missing = {
        where
        for where in fields(schema) - known
        if not any(
            owner == stream and (where == path or where.startswith(f"{path}."))
            for owner, path in NOT_TAKEN
        )
    }
    assert not missing
