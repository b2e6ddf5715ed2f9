"""The pages for readers agree with the code."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def test_page_of_streams_matches_the_catalog() -> None:
    made = runpy.run_path(str(ROOT / "scripts" / "generate_stream_docs.py"))["page"]()

    page = (ROOT / "docs" / "streams.md").read_text()
    assert page == made, "after an intended change: python scripts/generate_all.py"


REPOSITORY = "https://github.com/tap-constantcontact/tap-constantcontact/blob/main/"


def test_links_between_pages_lead_somewhere() -> None:
    broken = [
        (page.name, target)
        for page in PAGES
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text())
        if not (page.parent / target).exists()
    ]
    absolute = re.findall(rf"\]\({re.escape(REPOSITORY)}([^)#]+)", PAGES[0].read_text())

    assert not broken
    assert len(absolute) > 5, "the README is read on PyPI too"
    assert all((ROOT / target).exists() for target in absolute)
