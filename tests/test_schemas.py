"""What holds for every file in `schemas/v2`, and that no key of a sample body is forgotten."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from jsonschema import Draft202012Validator

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
SCHEMAS = ROOT / "schemas" / "v2"
SAMPLES = ROOT / "tests" / "samples" / "v2"

KEYS: dict[str, list[str]] = {
    "account": ["email"],
    "account_emails": ["email_address"],
    "activities": ["id"],
    "campaign_bounces": ["campaign_id", "contact_id", "bounce_date"],
    "campaign_clicks": ["campaign_id", "contact_id", "click_date", "link_id"],
    "campaign_forwards": ["campaign_id", "contact_id", "forward_date"],
    "campaign_links": ["campaign_id", "url_uid"],
    "campaign_opens": ["campaign_id", "contact_id", "open_date"],
    "campaign_previews": ["campaign_id"],
    "campaign_schedules": ["campaign_id", "id"],
    "campaign_sends": ["campaign_id", "contact_id", "send_date"],
    "campaign_unsubscribes": ["campaign_id", "contact_id", "unsubscribe_date"],
    "campaigns": ["id"],
    "deleted_campaigns": ["id"],
    "contact_activity": ["contact_id", "activity_type", "campaign_id", "occurred_at", "link_id"],
    "contact_campaign_summaries": ["contact_id", "campaign_id"],
    "contact_summaries": ["contact_id"],
    "contacts": ["id"],
    "event_fees": ["event_id", "id"],
    "event_item_attributes": ["event_id", "item_id", "id"],
    "event_items": ["event_id", "id"],
    "event_promocodes": ["event_id", "id"],
    "event_registrants": ["event_id", "id"],
    "events": ["id"],
    "library_files": ["id"],
    "library_folders": ["id"],
    "library_usage": ["image_root"],
    "lists": ["id"],
}

# A property may say only this, so that nothing narrows or hides what the API sends.
SAID_OF_A_STREAM = {"type", "description", "properties", "required"}
SAID_OF_A_PROPERTY = {
    "string": {"type", "description", "format"},
    "integer": {"type", "description"},
    "number": {"type", "description"},
    "boolean": {"type", "description"},
    "object": {"type", "description", "properties"},
    "array": {"type", "description", "items"},
}


class Source(NamedTuple):
    """Sample bodies that hold rows of a stream, or a part of them."""

    files: str
    stream: str
    part: str  # what the body is to the row: "list", "detail", or "child" of another stream's row
    below: str = ""  # the key under which each object of the body holds the rows
    within: str = ""  # the property of the row that the body fills, where it is not the row


SOURCES = [
    Source("account_info.json", "account", "detail"),
    Source("account_verified_email_addresses.json", "account_emails", "list"),
    Source("contacts.*json", "contacts", "list"),
    Source("contact.*json", "contacts", "detail"),
    Source("lists.*json", "lists", "list"),
    Source("list.*json", "lists", "detail"),
    Source("activities.*json", "activities", "list"),
    Source("activity.*json", "activities", "detail"),
    Source("campaigns.*json", "campaigns", "list"),
    Source("campaigns.*json", "deleted_campaigns", "list"),
    Source("campaign.*json", "campaigns", "detail"),
    Source("campaign_tracking_summary.*json", "campaigns", "detail", within="tracking_summary"),
    Source("campaign.*json", "campaign_links", "child", below="click_through_details"),
    Source("campaign_preview.json", "campaign_previews", "detail"),
    Source("campaign_schedules.*json", "campaign_schedules", "list"),
    Source("campaign_schedule.json", "campaign_schedules", "detail"),
    Source("campaign_tracking_bounces.*json", "campaign_bounces", "list"),
    Source("campaign_tracking_clicks.*json", "campaign_clicks", "list"),
    Source("campaign_tracking_forwards.*json", "campaign_forwards", "list"),
    Source("campaign_tracking_opens.*json", "campaign_opens", "list"),
    Source("campaign_tracking_sends.*json", "campaign_sends", "list"),
    Source("campaign_tracking_unsubscribes.*json", "campaign_unsubscribes", "list"),
    Source("contact_tracking_bounces.json", "contact_activity", "list"),
    Source("contact_tracking_clicks.json", "contact_activity", "list"),
    Source("contact_tracking_forwards.json", "contact_activity", "list"),
    Source("contact_tracking_opens.json", "contact_activity", "list"),
    Source("contact_tracking_sends.json", "contact_activity", "list"),
    Source("contact_tracking_unsubscribes.json", "contact_activity", "list"),
    Source("contact_tracking_summary.json", "contact_summaries", "detail"),
    Source("contact_tracking_summary_by_campaign.json", "contact_campaign_summaries", "list"),
    Source("events.json", "events", "list"),
    Source("event.json", "events", "detail"),
    Source("event_fees.json", "event_fees", "list"),
    Source("event_fee.json", "event_fees", "detail"),
    Source("event_items.json", "event_items", "list"),
    Source("event_item.json", "event_items", "detail"),
    Source("event_items.json", "event_item_attributes", "child", below="attributes"),
    Source("event_item.json", "event_item_attributes", "child", below="attributes"),
    Source("event_item_attributes.json", "event_item_attributes", "list"),
    Source("event_item_attribute.json", "event_item_attributes", "detail"),
    Source("event_promocodes.json", "event_promocodes", "list"),
    Source("event_promocode.json", "event_promocodes", "detail"),
    Source("event_registrants.json", "event_registrants", "list"),
    Source("event_registrant.json", "event_registrants", "detail"),
    Source("library_info.*json", "library_usage", "detail"),
    Source("library_folders.*json", "library_folders", "list"),
    Source("library_folder.*json", "library_folders", "detail"),
    Source("library_folder*.json", "library_folders", "child", below="children"),
    Source("library_files.*json", "library_files", "list"),
    Source("library_files_by_folder.json", "library_files", "list"),
    Source("library_trash_files.json", "library_files", "list"),
    Source("library_file.json", "library_files", "detail"),
]

# The declared types that fit a value of a body.
FITTING = {
    str: {"string"},
    bool: {"boolean"},
    int: {"integer", "number"},
    float: {"number"},
    list: {"array"},
    dict: {"object"},
    type(None): {"null"},
}

# Bodies that no stream reads.
NOT_READ = {
    "errors.*json": "throttled",
    "token_info.json": "about the access token, not about the account",
    "library_files_upload_status.json": "about files by id; library_files has their status",
}

# Keys of sample bodies, with all that is below them, that a stream does not have.
NOT_TAKEN = {
    ("activities", "contacts_count"): "other spelling of contact_count, which the tap makes of it",
    ("campaigns", "tracking_summary.campaign_id"): "the id of the row",
    ("deleted_campaigns", "status"): "all of them are deleted",
    ("library_files", "type"): "other name of file_type, which the tap makes of it",
    ("library_folders", "children"): "rows of their own, with parent_id",
}

# Values that the tap turns into the declared shape.
RESHAPED = {
    ("activities", "errors[]"): "plain text becomes an object with message",
}


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    assert len(names) == len(set(names)), f"a name occurs twice in {names}"
    return dict(pairs)


@cache
def schema_of(stream: str) -> dict[str, Any]:
    text = (SCHEMAS / f"{stream}.json").read_text(encoding="utf-8")
    schema: dict[str, Any] = json.loads(text, object_pairs_hook=_once)
    return schema


def kinds(prop: dict[str, Any]) -> set[str]:
    declared = prop["type"]
    return {declared} if isinstance(declared, str) else set(declared)


def properties(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every property at every depth, as `outer.inner` or `outer[].inner`."""
    for name, prop in schema.get("properties", {}).items():
        where = f"{path}{name}"
        yield where, prop
        yield from properties(prop, f"{where}.")
        yield from properties(prop.get("items", {}), f"{where}[].")


def declared(stream: str) -> dict[str, dict[str, Any]]:
    """Every property and every array's item, by path."""
    found = dict(properties(schema_of(stream)))
    items = {f"{where}[]": prop["items"] for where, prop in found.items() if "items" in prop}
    return found | items


def values(value: object, path: str) -> Iterator[tuple[str, object]]:
    """Every value at every depth below `value`, by the same paths."""
    if isinstance(value, dict):
        for name, inner in value.items():
            where = f"{path}.{name}" if path else name
            yield where, inner
            yield from values(inner, where)
    elif isinstance(value, list):
        for inner in value:
            yield f"{path}[]", inner
            yield from values(inner, f"{path}[]")


def rows(body: Any, below: str = "") -> list[dict[str, Any]]:
    """The objects of a body, whatever its envelope; or what they hold under the key `below`."""
    if isinstance(body, dict) and "results" in body:
        assert set(body) == {"meta", "results"}
        assert set(body["meta"]) == {"pagination"}
        assert set(body["meta"]["pagination"]) <= {"next_link"}
        body = body["results"]
    found: list[dict[str, Any]] = body if isinstance(body, list) else [body]
    return [row for outer in found for row in outer.get(below, [])] if below else found


def sample_values(source: Source) -> Iterator[tuple[str, object]]:
    for path in sorted(SAMPLES.glob(source.files)):
        for row in rows(json.loads(path.read_text(encoding="utf-8")), source.below):
            yield from values(row, source.within)


def covered(where: str, stream: str, table: dict[tuple[str, str], str]) -> bool:
    return any(
        owner == stream and (where == path or where.startswith((f"{path}.", f"{path}[]")))
        for owner, path in table
    )


def is_id(where: str) -> bool:
    name = where.rpartition(".")[2]
    return name == "id" or name.endswith(("_id", "_uid"))


def fits(value: object, where: str, prop: dict[str, Any]) -> bool:
    """Whether a value is of the declared type, once ids are text."""
    if isinstance(value, str) and re.match(r"\d{4}-\d\d-\d\dT", value):
        return prop.get("format") == "date-time"
    if isinstance(value, int) and is_id(where):
        value = str(value)
    return bool(FITTING[type(value)] & kinds(prop))


def is_told(prop: dict[str, Any]) -> bool:
    """Whether there is a description, of one line and of whole sentences."""
    text = prop.get("description", "")
    return text[:1].isupper() and text.endswith(".") and "\n" not in text and "  " not in text


per_stream = pytest.mark.parametrize("stream", sorted(KEYS))
per_source = pytest.mark.parametrize(
    "source",
    SOURCES,
    ids=lambda source: f"{source.files}-{source.stream}-{source.part}",
)


def test_one_file_for_each_stream() -> None:
    assert sorted(path.name for path in SCHEMAS.iterdir()) == sorted(
        f"{name}.json" for name in [*KEYS, "sync_audit"]
    )


@per_stream
def test_is_a_valid_json_schema(stream: str) -> None:
    Draft202012Validator.check_schema(schema_of(stream))


@per_stream
def test_is_laid_out_like_the_others(stream: str) -> None:
    text = (SCHEMAS / f"{stream}.json").read_text(encoding="utf-8")
    assert text.endswith("\n}\n")
    for line in text.splitlines():
        assert line == line.rstrip()
        assert (len(line) - len(line.lstrip(" "))) % 2 == 0
        assert "\t" not in line


@per_stream
def test_describes_its_rows(stream: str) -> None:
    schema = schema_of(stream)
    assert set(schema) == SAID_OF_A_STREAM
    assert schema["type"] == "object"
    assert is_told(schema)


@per_stream
def test_every_property_has_a_type_and_a_description(stream: str) -> None:
    found = dict(properties(schema_of(stream)))
    assert found
    assert [where for where, prop in found.items() if "type" not in prop] == []
    assert [where for where, prop in found.items() if not is_told(prop)] == []


@per_stream
def test_nothing_is_said_that_narrows(stream: str) -> None:
    for where, prop in properties(schema_of(stream)):
        (kind,) = kinds(prop) - {"null"}
        assert set(prop) <= SAID_OF_A_PROPERTY[kind], where


@per_stream
def test_objects_and_arrays_declare_their_content(stream: str) -> None:
    for where, prop in properties(schema_of(stream)):
        if "object" in kinds(prop):
            assert prop["properties"], where
        if "array" in kinds(prop):
            items = prop["items"]
            assert items == {"type": "string"} or (
                set(items) == {"type", "properties"}
                and items["type"] == "object"
                and items["properties"]
            ), where


@per_stream
def test_keys_are_required_and_only_they_are_never_null(stream: str) -> None:
    schema = schema_of(stream)
    assert schema["required"] == KEYS[stream]
    for where, prop in properties(schema):
        if where in KEYS[stream]:
            assert prop["type"] == "string", where
        else:
            assert isinstance(prop["type"], list), where
            assert len(prop["type"]) == 2, where
            assert prop["type"][1] == "null", where


@per_stream
def test_timestamps_and_only_they_are_date_times(stream: str) -> None:
    for where, prop in properties(schema_of(stream)):
        if where.endswith(("_date", "occurred_at")):
            assert prop.get("format") == "date-time", where
        else:
            assert "format" not in prop, where


@per_stream
def test_ids_are_text(stream: str) -> None:
    for where, prop in properties(schema_of(stream)):
        if is_id(where):
            assert kinds(prop) <= {"string", "null"}, where
        if where.endswith("_ids"):
            assert prop["items"] == {"type": "string"}, where


@per_stream
def test_has_a_sample(stream: str) -> None:
    assert any(source.stream == stream for source in SOURCES)


def test_every_sample_has_a_path() -> None:
    everything = {path.name for path in SAMPLES.iterdir()}
    read = {path.name for source in SOURCES for path in SAMPLES.glob(source.files)}
    not_read = {path.name for files in NOT_READ for path in SAMPLES.glob(files)}
    assert read | not_read == everything
    assert read & not_read == set()


@per_source
def test_every_key_of_a_sample_is_declared(source: Source) -> None:
    found = {where for where, _ in sample_values(source)}
    assert found, "no such sample, or nothing in it"
    unknown = found - set(declared(source.stream))
    assert {where for where in unknown if not covered(where, source.stream, NOT_TAKEN)} == set()


@per_source
def test_every_value_of_a_sample_is_of_the_declared_type(source: Source) -> None:
    known = declared(source.stream)
    wrong = {
        where: value
        for where, value in sample_values(source)
        if where in known
        and not covered(where, source.stream, RESHAPED)
        and not fits(value, where, known[where])
    }
    assert wrong == {}


@pytest.mark.parametrize(("stream", "path"), sorted(NOT_TAKEN))
def test_dropped_fields_occur_in_samples_only(stream: str, path: str) -> None:
    found = {
        where for source in SOURCES if source.stream == stream for where, _ in sample_values(source)
    }
    assert path in found
    assert path not in declared(stream)
