"""Location of the streams' schemas."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from singer_sdk import SchemaDirectory


def schemas_of(version: str) -> SchemaDirectory:
    """Return the schemas of an API, such as `v2`, by stream.

    They are inside the installed package or, in an editable install, beside it.
    """
    packaged = files("tap_constantcontact") / "schemas" / version
    beside = Path(__file__).parents[2] / "schemas" / version
    return SchemaDirectory(packaged if packaged.is_dir() else beside)
