"""Writes `docs/streams.md`, every stream with its columns, from the catalog."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tap_constantcontact.settings import OPTIONAL_STREAMS, VERSIONS
from tap_constantcontact.tap import TapConstantContact

PAGE = Path(__file__).parents[1] / "docs" / "streams.md"
HEAD = """# Streams and their columns

Generated from the catalog by `python scripts/generate_stream_docs.py`.
[Streams](overview.md) contains the requests of each stream and how they join.
"""


def page() -> str:
    """The page as it should be."""
    return "\n".join([HEAD, *(part for version in reversed(VERSIONS) for part in _part(version))])


def _part(version: str) -> list[str]:
    named = list(OPTIONAL_STREAMS[version])
    tap = TapConstantContact(
        config={"api_version": version, "optional_streams": named}, validate_config=False
    )
    entries = tap.catalog_dict["streams"]
    return [f"## API {version}\n", *(_section(entry, named) for entry in entries)]


def _section(entry: dict[str, Any], optional: list[str]) -> str:
    schema = entry["schema"]
    cursor = entry.get("replication_key")
    facts = [
        "key " + ", ".join(f"`{name}`" for name in entry["key_properties"]),
        f"incremental by `{cursor}`" if cursor else "full table",
        *(["optional"] if entry["tap_stream_id"] in optional else []),
    ]
    return "\n".join(
        [
            f"### {entry['tap_stream_id']}",
            "",
            schema.get("description", ""),
            "",
            f"*{'; '.join(facts)}.*",
            "",
            "| column | type | meaning |",
            "| --- | --- | --- |",
            *(_row(name, each) for name, each in schema["properties"].items()),
            "",
        ]
    )


def _row(name: str, schema: dict[str, Any]) -> str:
    types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    kind = "/".join(each for each in types if each != "null")
    kind = {"date-time": "date and time", "date": "date"}.get(schema.get("format", ""), kind)
    return f"| `{name}` | {kind} | {schema.get('description', '').replace('|', ', ')} |"


if __name__ == "__main__":
    PAGE.write_text(page())
