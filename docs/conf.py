"""Configuration of the docs site: `./scripts/docs`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sphinx.application import Sphinx

project = "tap-constantcontact"
author = "The contributors of tap-constantcontact"
project_copyright = f"2026, {author}"

extensions = ["myst_parser", "sphinxcontrib.mermaid"]
exclude_patterns = ["_build"]
myst_enable_extensions = ["linkify"]
myst_linkify_fuzzy_links = False
myst_heading_anchors = 3
myst_fence_as_directive = ["mermaid"]
smartquotes = False  # They would break options such as --login.
html_theme = "furo"
html_title = project
html_static_path = [path for path in ["_static"] if (Path(__file__).parent / path).exists()]
html_show_sphinx = False
# Diagrams are drawn by a file of the site, and no page loads anything from elsewhere.
mermaid_use_local = "mermaid.esm.min.mjs"
mermaid_include_elk = False
mermaid_d3_zoom = False

_REPOSITORY = "https://github.com/tap-constantcontact/tap-constantcontact/blob/main/"


def _link_to_repository(_app: Sphinx, page: str, source: list[str]) -> None:
    """Replace links to files of the repository that are not part of the site."""
    up = "../" * (page.count("/") + 1)
    source[0] = re.sub(rf"\]\({re.escape(up)}", f"]({_REPOSITORY}", source[0])


def setup(app: Sphinx) -> None:
    """Set up the site."""
    app.connect("source-read", _link_to_repository)
