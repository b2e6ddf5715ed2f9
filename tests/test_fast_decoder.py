"""Pages read at full speed, against the same pages read with care."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from helpers.runner import Collector, config, everything, sync
from helpers.strategies import at_most
from hypothesis import given, settings
from hypothesis import strategies as st
from test_conform import SCALARS, SCHEMAS, bodies_of

from tap_constantcontact.http import envelopes
from tap_constantcontact.records.conform import RecordConformer
from tap_constantcontact.records.fast_decoder import FastPageDecoder
from tap_constantcontact.tap import TapConstantContact
from tap_constantcontact.v2.envelopes import PAGED

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox import Sandbox

    Serving = Callable[..., Sandbox]
pytestmark = pytest.mark.slow

# U+0000 is what no page may promise: it is taken out, with care.
_CHARACTERS = st.characters(exclude_characters="\0", codec="utf-8")
TEXT = (
    st.text(_CHARACTERS)
    | st.dates().map(str)
    | st.datetimes().map(lambda each: each.isoformat() + ".000Z")
)
KINDS: dict[str, st.SearchStrategy[Any]] = {
    "string": TEXT,
    "integer": st.integers(-(2**63), 2**63 - 1),
    "number": st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False),
    "boolean": st.booleans(),
}


def promised_by(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Values that are just as a schema says."""
    kinds = schema.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if "object" in kinds and schema.get("properties"):
        known = {name: promised_by(each) for name, each in schema["properties"].items()}
        return st.fixed_dictionaries({}, optional=known)
    if "array" in kinds:
        return st.lists(promised_by(schema["items"]), max_size=2)
    return st.one_of([KINDS.get(kind, st.none()) for kind in kinds])


def page(rows: list[Any]) -> bytes:
    link = {"pagination": {"next_link": "/v2/contacts?next=c3"}}
    return json.dumps({"meta": link, "results": rows}).encode()


def read(body: bytes, schema: dict[str, Any]) -> tuple[list[Any], str | None] | None:
    found = FastPageDecoder(schema, PAGED).read(body)
    if found is None:
        return None
    assert found.as_dict
    rows = [found.as_dict(row) for row in found.rows]
    conform = RecordConformer(schema, lambda _: None)
    for row in rows:
        conform.normalize_timestamps(row)
    return rows, found.next_link


def read_with_care(body: bytes, schema: dict[str, Any]) -> tuple[list[Any], str | None]:
    found = PAGED.open(envelopes.decode(body))
    conform = RecordConformer(schema, lambda _: None)
    return [conform(row) for row in found.rows], found.next_link


def exactly(rows: Any) -> str:
    """With the kinds of numbers told apart."""
    return json.dumps(rows, sort_keys=True)


@pytest.mark.parametrize("stream", sorted(SCHEMAS))
@settings(max_examples=at_most(15))
@given(data=st.data())
def test_rows_as_promised_are_read_at_full_speed(stream: str, data: st.DataObject) -> None:
    schema = SCHEMAS[stream]
    body = page(data.draw(st.lists(promised_by(schema).filter(bool), max_size=3)))

    found = read(body, schema)

    assert found is not None
    assert exactly(found) == exactly(read_with_care(body, schema))


@pytest.mark.parametrize("stream", sorted(SCHEMAS))
@settings(max_examples=at_most(25))
@given(data=st.data())
def test_rows_of_any_kind_come_out_the_same(stream: str, data: st.DataObject) -> None:
    schema = SCHEMAS[stream]
    body = page(data.draw(st.lists(bodies_of(schema) | promised_by(schema), max_size=2)))

    found = read(body, schema)

    if found is not None:
        assert exactly(found) == exactly(read_with_care(body, schema))


@given(SCALARS | st.lists(SCALARS, max_size=2))
def test_invalid_page_is_left_to_the_careful_parser(body: Any) -> None:
    assert FastPageDecoder(SCHEMAS["lists"], PAGED).read(json.dumps(body).encode()) is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        page([])[:-1],
        page([{"id": 1}]),
        page([{"id": "1", "new": 2}]),
        page([{}]),
        page([None]),
        page([{"id": "1", "first_name": "a\0b"}]),
        b'{"results": [], "error_key": "a"}',
        b'{"results": [], "meta": {"pagination": {"next_link": 5}}}',
        b"[" * 5000,
        b"\xff",
    ],
)
def test_a_page_that_has_anything_else_is_read_with_care(body: bytes) -> None:
    assert FastPageDecoder(SCHEMAS["contacts"], PAGED).read(body) is None


def test_the_large_streams_are_read_at_full_speed(
    serving: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    box = serving(contacts=700, campaigns=8)
    streams = ("contacts", "campaign_sends", "campaign_opens", "campaign_clicks")
    expected = sync(box, *streams)

    conform = RecordConformer.__call__

    def campaigns_only(shaper: RecordConformer, obj: Any) -> Any:
        assert "name" in obj, f"read with care: {obj}"
        return conform(shaper, obj)

    monkeypatch.setattr(RecordConformer, "__call__", campaigns_only)
    found = sync(box, *streams)

    assert found.counts == expected.counts
    assert found.counts["contacts"] == 700


def test_a_catalog_with_other_types_is_followed(serving: Serving) -> None:
    box = serving(contacts=5)
    catalog = everything().catalog_dict
    for entry in catalog["streams"]:
        if entry["stream"] == "contacts":
            entry["schema"]["properties"]["confirmed"] = {"type": ["string", "null"]}
        for each in entry["metadata"]:
            if not each["breadcrumb"]:
                each["metadata"]["selected"] = entry["stream"] == "contacts"
            if each["breadcrumb"] == ["properties", "first_name"]:
                each["metadata"]["selected"] = False
    writer = Collector()

    TapConstantContact(config=config(box), catalog=catalog, message_writer=writer).sync_all()

    rows = writer.output.rows("contacts")
    assert {type(row["confirmed"]) for row in rows} == {str}
    assert not any("first_name" in row for row in rows)
    assert all("last_name" in row for row in rows)
