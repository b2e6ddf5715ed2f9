"""Writes `docs/settings.md`, every setting with type, default and meaning, from the JSON schema."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any

from tap_constantcontact.settings import JSON_SCHEMA, SETTINGS
from tap_constantcontact.tap import TapConstantContact

PAGE = Path(__file__).parents[1] / "docs" / "settings.md"
HEAD = """# Settings

Generated from `tap-constantcontact --about` by `python scripts/generate_settings_docs.py`.

Set them in a config file, in Meltano, or as environment variables `TAP_CONSTANTCONTACT_…` with
`--config=ENV`. v3 requires `client_id` and a login, v2 requires `api_key` and `access_token`.

## Settings of the tap
"""
SDK = """
## Settings of the SDK

For stream maps, flattening and BATCH files. See the [SDK's docs](https://sdk.meltano.com).
"""
TABLE = ["| setting | type | default | meaning |", "| --- | --- | --- | --- |"]


def page() -> str:
    """The page as it should be."""
    schema = copy.deepcopy(JSON_SCHEMA)
    TapConstantContact.append_builtin_config(schema)
    own = SETTINGS.to_dict()["properties"]
    built_in = {name: each for name, each in schema["properties"].items() if name not in own}
    return "\n".join([HEAD, *TABLE, *_rows(own), SDK, *TABLE, *_rows(built_in), ""])


def _rows(properties: dict[str, Any]) -> list[str]:
    rows = []
    for name, each in properties.items():
        default = f"`{json.dumps(each['default'])}`" if "default" in each else ""
        # Options and placeholders are code.
        text = re.sub(r"--[a-z]\S*[a-z]|\S+<\w+>", r"`\g<0>`", each["description"])
        rows.append(f"| `{name}` | {_type(each)} | {default} | {text} |")
    return rows


def _type(setting: dict[str, Any]) -> str:
    if setting.get("secret"):
        return "secret"
    if choices := [each for each in setting.get("enum", ()) if each is not None]:
        return " or ".join(f"`{each}`" for each in choices)
    if setting.get("format") == "date-time":
        return "timestamp"
    kind = "/".join(each for each in setting["type"] if each != "null")
    if "minimum" in setting:
        return f"{kind}, {setting['minimum']:,} to {setting['maximum']:,}"
    return kind


if __name__ == "__main__":
    PAGE.write_text(page())
