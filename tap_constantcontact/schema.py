"""Where the streams' schemas are."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from singer_sdk import SchemaDirectory

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable


def _directory() -> Traversable | Path:
    """The schemas inside the installed package or, in an editable install, beside it."""
    packaged = files("tap_constantcontact") / "schemas" / "v2"
    return packaged if packaged.is_dir() else Path(__file__).parents[1] / "schemas" / "v2"


SCHEMAS = SchemaDirectory(_directory())
