"""Writes an outline of each stream in the catalog to `tests/catalog/`: a change shows in a diff."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tap_constantcontact.settings import OPTIONAL_STREAMS, VERSIONS
from tap_constantcontact.tap import TapConstantContact

FOLDER = Path(__file__).parents[1] / "tests" / "catalog"


def catalog(version: str) -> list[dict[str, Any]]:
    """Return the catalog with all streams of an API."""
    config = {"api_version": version, "optional_streams": list(OPTIONAL_STREAMS[version])}
    tap = TapConstantContact(config=config, validate_config=False)
    streams: list[dict[str, Any]] = tap.catalog_dict["streams"]
    return streams


def outline(entry: dict[str, Any]) -> dict[str, Any]:
    """Return what a pipeline depends on: keys, replication and types, without descriptions."""
    return {
        "key_properties": list(entry["key_properties"]),
        "replication_method": entry["replication_method"],
        "replication_key": entry.get("replication_key"),
        "fields": _types(entry["schema"]),
    }


def _types(schema: dict[str, Any]) -> Any:
    if "properties" in schema:
        return {name: _types(each) for name, each in schema["properties"].items()}
    if "items" in schema:
        return [_types(schema["items"])]
    kind = schema["type"] if isinstance(schema["type"], str) else "/".join(schema["type"])
    return f"{kind} {schema['format']}" if "format" in schema else kind


if __name__ == "__main__":
    for api in VERSIONS:
        (FOLDER / api).mkdir(exist_ok=True)
        for stream in catalog(api):
            text = json.dumps(outline(stream), indent=2) + "\n"
            (FOLDER / api / f"{stream['stream']}.json").write_text(text)
