"""Writes streams.md, every stream with its columns, from the catalog: `python docs/streams.py`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tap_constantcontact.settings import OPTIONAL_STREAMS
from tap_constantcontact.tap import TapConstantContact

PAGE = Path(__file__).with_suffix(".md")
HEAD = """# Streams and their columns

Made from the catalog by `python docs/streams.py`. The [README](../README.md#streams) says what each
stream costs and how they join.
"""
CONFIG = {"api_key": "-", "access_token": "-", "optional_streams": list(OPTIONAL_STREAMS)}


def page() -> str:
    """The page as it should be."""
    catalog = TapConstantContact(config=CONFIG).catalog_dict["streams"]
    return "\n".join([HEAD, *(_section(entry) for entry in catalog)])


def _section(entry: dict[str, Any]) -> str:
    schema = entry["schema"]
    cursor = entry.get("replication_key")
    facts = [
        "key " + ", ".join(f"`{name}`" for name in entry["key_properties"]),
        f"incremental by `{cursor}`" if cursor else "full table",
        *(["optional"] if entry["tap_stream_id"] in OPTIONAL_STREAMS else []),
    ]
    return "\n".join(
        [
            f"## {entry['tap_stream_id']}",
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
    kind = "date and time" if schema.get("format") == "date-time" else kind
    return f"| `{name}` | {kind} | {schema.get('description', '').replace('|', ', ')} |"


if __name__ == "__main__":
    PAGE.write_text(page())
