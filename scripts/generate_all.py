"""Writes all generated files: docs, catalog snapshots, plugin definitions."""

from __future__ import annotations

import runpy
from pathlib import Path

GENERATORS = (
    "generate_stream_docs",
    "generate_settings_docs",
    "generate_catalog_snapshots",
    "generate_plugin_yaml",
)

if __name__ == "__main__":
    for name in GENERATORS:
        runpy.run_path(str(Path(__file__).with_name(f"{name}.py")), run_name="__main__")
