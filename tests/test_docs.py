"""The pages for readers agree with the code."""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("name", ["stream", "settings"])
def test_generated_page_is_current(name: str) -> None:
    made = runpy.run_path(str(ROOT / "scripts" / f"generate_{name}_docs.py"))

    page = made["PAGE"].read_text()
    assert page == made["page"](), "after an intended change: python scripts/generate_all.py"


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
    used = re.findall(r"\]\[(\w+)\]|(?<!\])\[(\w+)\](?![\[(:])", text)
    assert {(named or short).lower() for named, short in used} == defined
    pictures = re.findall(r"/main/(docs/images/[\w.]+)\)", text)
    assert pictures
    assert all((ROOT / picture).exists() for picture in pictures)


@pytest.mark.parametrize("folder", ["", "loaders/target-duckdb-file", "report"])
def test_version_has_a_section_in_the_changelog(folder: str) -> None:
    project = tomllib.loads((ROOT / folder / "pyproject.toml").read_text())["project"]
    changelog = (ROOT / folder / "CHANGELOG.md").read_text()
    versions = re.findall(r"^## \[([\d.]+)\] - \d{4}-\d\d-\d\d$", changelog, re.MULTILINE)
    links = re.findall(r"^\[([\d.]+)\]: https://\S+$", changelog, re.MULTILINE)

    assert versions[0] == project["version"]
    assert versions == links


def test_dbt_package_has_the_version_of_the_tap() -> None:
    """The tag of the tap is the revision that a dbt project names."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    package = yaml.safe_load((ROOT / "transform" / "dbt_project.yml").read_text())
    assert package["version"] == project["version"]


def test_every_variable_of_the_dbt_package_is_documented() -> None:
    folder = ROOT / "transform"
    variables = yaml.safe_load((folder / "dbt_project.yml").read_text())["vars"]
    rows = re.findall(
        r"^\| `(\w+)` \| `(.*?)` \|", (folder / "README.md").read_text(), re.MULTILINE
    )
    assert {f"constant_contact__{name}": yaml.safe_load(value) for name, value in rows} == variables
