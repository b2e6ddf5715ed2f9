"""The pages for readers agree with the code."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def test_the_page_of_streams_is_what_the_catalog_says() -> None:
    made = runpy.run_path(str(ROOT / "docs" / "streams.py"))["page"]()

    assert (ROOT / "docs" / "streams.md").read_text() == made


def test_links_between_pages_lead_somewhere() -> None:
    broken = [
        (page.name, target)
        for page in PAGES
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text())
        if not (page.parent / target).exists()
    ]

    assert not broken
