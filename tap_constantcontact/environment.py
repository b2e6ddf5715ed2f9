"""Settings in the environment and in `.env`."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dotenv import load_dotenv

if TYPE_CHECKING:
    from collections.abc import Mapping

_TRUE = frozenset({"true", "1", "yes", "on"})


def variable(setting: str) -> str:
    """Return the environment variable of a setting."""
    return f"TAP_CONSTANTCONTACT_{setting.upper()}"


def is_set(setting: str) -> bool:
    """Return whether the environment has a setting."""
    return bool(os.environ.get(variable(setting)))


def read_settings(properties: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings in the environment. It wins over `.env` of the current folder.

    Args:
        properties: Schemas of the settings, by name. Values that are not valid stay text.
    """
    load_dotenv(Path.cwd() / ".env", override=False)
    return {
        name: _parsed(os.environ[variable(name)], schema)
        for name, schema in properties.items()
        if variable(name) in os.environ
    }


def _parsed(text: str, schema: Mapping[str, Any]) -> Any:
    kinds = schema.get("type", ())
    if "boolean" in kinds:
        return text.lower() in _TRUE
    if "object" in kinds or "array" in kinds:
        try:
            return json.loads(text)
        except ValueError:
            return text
    return text
