from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from helpers.strategies import at_most
from hypothesis import given, settings
from hypothesis import strategies as st

from tap_constantcontact.records.conform import RecordConformer

SCHEMAS = {
    path.stem: json.loads(path.read_text())
    for path in (Path(__file__).parents[1] / "schemas" / "v2").glob("*.json")
}
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(),
    st.sampled_from(["", "12", "1.5", "true", "1970-01-01T00:00:00.000Z"]),
    st.datetimes().map(dt.datetime.isoformat),
    st.datetimes(timezones=st.timezones()).map(dt.datetime.isoformat),
)
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


def bodies_of(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Values of the outline that a schema gives, right or wrong in every detail."""
    kinds = schema.get("type", [])
    if "object" in kinds and schema.get("properties"):
        known = {name: bodies_of(each) for name, each in schema["properties"].items()}
        return st.fixed_dictionaries({}, optional={**known, "unheard_of": ANYTHING})
    if "array" in kinds:
        return st.lists(bodies_of(schema["items"]), max_size=3) | SCALARS
    return SCALARS | ANYTHING


def strictly_typed(schema: dict[str, Any]) -> jsonschema.Draft202012Validator:
    checker = jsonschema.FormatChecker(formats=())

    @checker.checks("date-time", raises=ValueError)
    def is_utc(value: object) -> bool:
        if isinstance(value, str):
            assert value.endswith("Z")
            dt.datetime.fromisoformat(value)
        return True

    return jsonschema.Draft202012Validator(schema, format_checker=checker)


def without_required(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema but for what only the stream can promise: that keys are there."""
    keys = schema["required"]
    properties = {
        name: {**each, "type": [each["type"], "null"]} if name in keys else each
        for name, each in schema["properties"].items()
    }
    return {"type": "object", "properties": properties, "additionalProperties": False}


@pytest.mark.parametrize("stream", sorted(SCHEMAS))
@settings(max_examples=at_most(30))
@given(data=st.data())
def test_any_body_of_the_right_outline_becomes_a_valid_row(
    stream: str, data: st.DataObject
) -> None:
    body = data.draw(bodies_of(SCHEMAS[stream]))
    before = json.dumps(body)

    row = RecordConformer(SCHEMAS[stream], lambda _: None)(body)

    strictly_typed(without_required(SCHEMAS[stream])).validate(row)
    assert json.dumps(body) == before, "the body is left as it was"
    assert row.keys() == body.keys() - {"unheard_of"}


@pytest.mark.parametrize("stream", sorted(SCHEMAS))
@settings(max_examples=at_most(12))
@given(data=st.data())
def test_shaping_a_row_again_changes_nothing(stream: str, data: st.DataObject) -> None:
    conform = RecordConformer(SCHEMAS[stream], lambda _: None)
    row = conform(data.draw(bodies_of(SCHEMAS[stream])))

    assert conform(row) == row


def shaped(value: Any, **schema: Any) -> Any:
    return RecordConformer({"properties": {"it": schema}}, lambda _: None)({"it": value})["it"]


@given(st.datetimes(min_value=dt.datetime(1970, 1, 2), timezones=st.timezones()))  # noqa: DTZ001
def test_dates_are_the_same_moment_in_utc(moment: dt.datetime) -> None:
    row = shaped(moment.isoformat(), type="string", format="date-time")

    back = dt.datetime.fromisoformat(row)
    assert row.endswith("Z")
    assert dt.timedelta(0) <= moment - back < dt.timedelta(milliseconds=1)


@pytest.mark.parametrize(
    ("sent", "row"),
    [
        ("2013-03-11T20:37:28.000Z", "2013-03-11T20:37:28.000Z"),
        ("2013-06-19T11:36:43.000-04:00", "2013-06-19T15:36:43.000Z"),
        ("2012-02-09T23:27:35.517Z", "2012-02-09T23:27:35.517Z"),
        ("2013-03-11", "2013-03-11T00:00:00.000Z"),
        ("", None),
        (None, None),
        ("1969-12-31T19:00:00.000Z", None),
        ("1970-01-01T00:00:00.000Z", None),
        ("1969-12-31T19:00:00.000-05:00", None),
        ("soon", None),
        ("2013-02-30T00:00:00.000Z", None),
        ("2012-06-30T23:59:60.000Z", None),
        (1359516630590, None),
        ("0001-01-01T00:00:00.000+14:00", None),
    ],
)
def test_dates(sent: Any, row: str | None) -> None:
    assert shaped(sent, type=["string", "null"], format="date-time") == row


@given(st.integers() | st.text() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False))
def test_ids_are_text(sent: Any) -> None:
    assert isinstance(shaped(sent, type="string"), str)


@pytest.mark.parametrize(
    ("sent", "kind", "row"),
    [
        (196, "string", "196"),
        (196.0, "string", "196"),
        ("", "string", ""),
        (True, "string", "true"),
        ({"a": 1}, "string", '{"a": 1}'),
        ("17", "integer", 17),
        ("18.0", "integer", 18),
        (17.0, "integer", 17),
        (17.5, "integer", None),
        ("", "integer", None),
        ("many", "integer", None),
        ("54.5", "number", 54.5),
        (54, "number", 54),
        ("inf", "number", None),
        ("false", "boolean", False),
        (1, "boolean", True),
        ("", "boolean", None),
        ("perhaps", "boolean", None),
    ],
)
def test_scalars(sent: Any, kind: str, row: Any) -> None:
    assert shaped(sent, type=[kind, "null"]) == row


def test_a_lone_object_where_an_array_belongs_is_its_only_item() -> None:
    items = {"type": "object", "properties": {"id": {"type": ["string", "null"]}}}
    assert shaped({"id": 1}, type=["array", "null"], items=items) == [{"id": "1"}]
    assert shaped([{"id": 1}, None], type=["array", "null"], items=items) == [{"id": "1"}]
    assert shaped("", type=["array", "null"], items=items) is None


def test_unknown_fields_are_dropped_at_every_depth_and_named_once() -> None:
    said: list[str] = []
    conform = RecordConformer(SCHEMAS["contacts"], said.append)

    for _ in range(3):
        row = conform({"id": "1", "new": 1, "addresses": [{"planet": "Earth", "city": "Boston"}]})

    assert row == {"id": "1", "addresses": [{"city": "Boston"}]}
    assert said == [
        "Field 'new' is not in the schema: left out of the rows",
        "Field 'addresses[].planet' is not in the schema: left out of the rows",
    ]


def test_values_of_another_kind_are_named_once() -> None:
    said: list[str] = []
    conform = RecordConformer(SCHEMAS["lists"], said.append)

    rows = [conform({"id": "1", "contact_count": "lots", "created_date": "soon"}) for _ in range(3)]

    assert rows[0] == {"id": "1", "contact_count": None, "created_date": None}
    assert len(said) == 2


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("2015-08-10", "2015-08-10"),
        ("2015-08-10T13:00:00Z", "2015-08-10"),
        ("", None),
        ("yesterday", None),
        (5, None),
        (None, None),
    ],
)
def test_days_are_days(sent: Any, kept: str | None) -> None:
    said: list[str] = []
    schema = {"properties": {"day": {"type": ["string", "null"], "format": "date"}}}
    conform = RecordConformer(schema, said.append)
    assert conform({"day": sent}) == {"day": kept}
    row = {"day": sent}
    if isinstance(sent, str):
        conform.normalize_timestamps(row)
        assert row == {"day": kept}
    assert bool(said) == (sent in {"yesterday", 5})
