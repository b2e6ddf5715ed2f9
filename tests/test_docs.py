"""The pages for readers agree with the code."""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

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
    absolute = re.findall(rf"\]: {re.escape(REPOSITORY)}([^#\s]+)", PAGES[0].read_text())

    assert not broken
    assert len(absolute) > 5, "the README is read on PyPI too"
    assert all((ROOT / target).exists() for target in absolute)


@pytest.mark.slow
def test_site_builds_without_warnings_and_loads_nothing_from_elsewhere(tmp_path: Path) -> None:
    run = subprocess.run(  # noqa: S603
        [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", ROOT / "docs", tmp_path],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert run.returncode == 0, run.stderr
    pages = list(tmp_path.rglob("*.html"))
    assert len(pages) > 20
    for page in pages:
        text = page.read_text()
        assert not re.findall(r"<(?:script|link|img)[^>]+(?:src|href)=.https?://", text), page


def test_links_of_the_readme_are_defined_and_used() -> None:
    text = PAGES[0].read_text()
    defined = set(re.findall(r"^\[(\w+)\]: ", text, re.MULTILINE))
    assert set(re.findall(r"\]\[(\w+)\]", text)) == defined
    pictures = re.findall(r"/main/(docs/images/[\w.]+)\)", text)
    assert pictures
    assert all((ROOT / picture).exists() for picture in pictures)
