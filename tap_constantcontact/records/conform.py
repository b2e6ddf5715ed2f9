"""Conversion of API objects to records that conform to their schema.

The API sends ids as numbers or text, "never" in four ways, offsets in some timestamps, and fields
without documentation. A `RecordConformer` is compiled once from a stream's schema and handles all
of that in one pass, so that loaders get one type per column.
"""

from __future__ import annotations

import datetime as dt
import json
import math
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, TypeAlias

from tap_constantcontact.records import timestamps

Schema: TypeAlias = Mapping[str, Any]
Converter: TypeAlias = Callable[[Any], Any]
WarnFunction: TypeAlias = Callable[[str], None]

#: Value for a missing part of a key. Loaders that use CSV would read an empty string as null, which
#: a key cannot be.
NO_VALUE = "none"
_TRUE = frozenset({"true", "yes", "1"})
_FALSE = frozenset({"false", "no", "0"})
# What `times.write` makes, with or without milliseconds, but for the years in which "never" lies.
_IN_FORM = re.compile(
    r"(?!1969|1970)[0-9]{4}-[0-9]{2}-[0-9]{2}T(?:[01][0-9]|2[0-3]):[0-9]{2}:[0-9]{2}(\.[0-9]{3})?Z"
).fullmatch


class RecordConformer:
    """Converts API objects to records of one stream.

    Unknown fields are dropped at every depth. Values of an unexpected type are converted if that is
    lossless, else null. Each such field is reported once. Missing fields stay missing.
    """

    def __init__(self, schema: Schema, notice: WarnFunction) -> None:
        """Compile a schema.

        Args:
            schema: JSON schema of a record.
            notice: Is called with one sentence for each field that is dropped or null, once per
                field.
        """
        say = _warn_once(notice)
        self._conform = _object(schema, "", say)
        self._date = _dates(schema, "", say)

    def __call__(self, obj: Mapping[str, Any]) -> dict[str, Any]:
        """Return the record of an API object, which is not changed."""
        row: dict[str, Any] = self._conform(obj)
        return row

    def normalize_timestamps(self, row: dict[str, Any]) -> None:
        """Normalize the timestamps of a record in place; everything else conforms already."""
        self._date(row)


def _warn_once(notice: WarnFunction) -> WarnFunction:
    said: set[str] = set()

    def say(text: str) -> None:
        if text not in said:
            said.add(text)
            notice(text)

    return say


def _converter(schema: Schema, path: str, notice: WarnFunction) -> Converter:
    kinds = schema.get("type", ())
    kinds = {kinds} if isinstance(kinds, str) else set(kinds)
    kinds.discard("null")
    if kinds == {"string"} and (dated := _with_dates(schema, path, notice)):
        return dated
    if kinds == {"object"}:
        return _nullable(_object(schema, path, notice), Mapping, path, notice)
    if kinds == {"array"}:
        return _array(schema.get("items", {}), path, notice)
    plain = {"integer": _integer, "number": _number, "boolean": _boolean}
    if len(kinds) == 1 and (convert := plain.get(next(iter(kinds)))):
        return _scalar(convert, path, notice)
    return _text if kinds == {"string"} else _unchanged


def _unchanged(value: Any) -> Any:
    return value


def _text(value: Any) -> str | None:
    if value.__class__ is str or value is None:
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value) if isinstance(value, (str, int)) else json.dumps(value, ensure_ascii=False)


# Most timestamps of a record are the same few.
@lru_cache(1024)
def _timestamp(text: str) -> str | None:
    if result := _IN_FORM(text):
        dt.datetime.fromisoformat(text)
        return text if result[1] else f"{text[:-1]}.000Z"
    timestamp = timestamps.parse(text)
    return timestamps.write(timestamp) if timestamp else None


def _day(text: str) -> str:
    # A timestamp starts with its date.
    return dt.date.fromisoformat(text[:10]).isoformat()


# By format, what brings a text into it, and what a person calls it.
_FORMATS: dict[str, tuple[Converter, str]] = {
    "date-time": (_timestamp, "date"),
    "date": (_day, "day"),
}


def _with_dates(schema: Schema, path: str, notice: WarnFunction) -> Converter | None:
    """Return the converter of a field with a format; None for other fields."""
    if (result := _FORMATS.get(schema.get("format", ""))) is None:
        return None
    read, what = result

    def cast(value: Any) -> str | None:
        if not value:
            return None
        try:
            text: str | None = read(value)
        except (TypeError, ValueError):
            notice(f"Field '{path}' holds something that is no {what}: null in the rows")
            return None
        return text

    return cast


def _dates(schema: Schema, path: str, notice: WarnFunction) -> Callable[[dict[str, Any]], None]:
    """Return a converter of all timestamps in an object."""
    prefix = f"{path}." if path else ""
    dates: list[tuple[str, Converter]] = []
    inner: list[tuple[str, Callable[[dict[str, Any]], None]]] = []
    for name, each in schema.get("properties", {}).items():
        held = each.get("items", each)
        if dated := _with_dates(each, prefix + name, notice):
            dates.append((name, dated))
        elif "'format'" in str(held):
            suffix = "[]" if "items" in each else ""
            inner.append((name, _dates(held, prefix + name + suffix, notice)))

    def cast(obj: dict[str, Any]) -> None:
        for name, convert in dates:
            if (text := obj.get(name)) is not None:
                obj[name] = convert(text)
        for name, convert_in in inner:
            if result := obj.get(name):
                for each in result if result.__class__ is list else (result,):
                    convert_in(each)

    return cast


def _integer(value: Any) -> int:
    number = float(value) if isinstance(value, str) and not value.strip("+-").isdecimal() else value
    if isinstance(number, float) and not number.is_integer():
        raise ValueError
    return int(number)


def _number(value: Any) -> float | int:
    number = float(value) if isinstance(value, (str, bool)) else value
    if not math.isfinite(number):
        raise ValueError
    return number


def _boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    word = str(value).lower()
    if word in _TRUE or word in _FALSE:
        return word in _TRUE
    raise ValueError


def _scalar(convert: Converter, path: str, notice: WarnFunction) -> Converter:
    def cast(value: Any) -> Any:
        if value is None or value == "":
            return None
        try:
            return convert(value)
        except (TypeError, ValueError, OverflowError):
            notice(f"Field '{path}' holds values of an unexpected kind: null in the rows")
            return None

    return cast


def _nullable(cast: Converter, kind: type, path: str, notice: WarnFunction) -> Converter:
    def cast_or_null(value: Any) -> Any:
        if isinstance(value, kind):
            return cast(value)
        if value:
            notice(f"Field '{path}' holds values of an unexpected kind: null in the rows")
        return None

    return cast_or_null


def _object(schema: Schema, path: str, notice: WarnFunction) -> Converter:
    properties = schema.get("properties")
    if not properties:
        return _unchanged
    prefix = f"{path}." if path else ""
    casts = {name: _converter(each, prefix + name, notice) for name, each in properties.items()}

    def cast(value: Mapping[str, Any]) -> dict[str, Any]:
        shaped = {}
        for name, held in value.items():
            if (convert := casts.get(name)) is not None:
                shaped[name] = convert(held)
            else:
                notice(f"Field '{prefix}{name}' is not in the schema: left out of the rows")
        return shaped

    return cast


def _array(items: Schema, path: str, notice: WarnFunction) -> Converter:
    convert = _converter(items, f"{path}[]", notice)

    def cast(value: Any) -> list[Any] | None:
        if value is None or value == "":
            return None
        held = value if isinstance(value, list) else [value]
        return [shaped for item in held if (shaped := convert(item)) is not None]

    return cast
