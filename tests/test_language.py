"""Wording: the rules at the start of CONTRIBUTING.md, and citations of the API notes."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
CODE = ("tap_constantcontact", "sandbox", "loaders", "report", "benchmarks", "scripts", "docs")

# Words that have a term in the glossary, or that CONTRIBUTING.md excludes.
REPLACED = re.compile(
    r"\b(anew|cut off|gone on|goes on from|in good order|in (its|their|the) wake|hangs? on|"
    r"come and gone|looked over|ever more rarely|without a word|is no (URL|JSON|page|number)|"
    r"nobody foresaw|used up|ends? well|under way|read(ing)? ahead|what has become|"
    r"(be|is|are|was) told|of one's own|comes? too soon|passed over|whose state|quaint|hull|"
    r"mishaps?|calls? a (day|second|run)|requests? a (day|second|run))\b",
    re.IGNORECASE,
)
NOUN_CLAUSE = re.compile(
    r"(What|Whether|Who|Whose|Whom|Which|Those|All that|How|Where|When|That|Up to when|Of which) "
)


def modules() -> list[Path]:
    return [path for folder in CODE for path in sorted((ROOT / folder).rglob("*.py"))]


def docstrings(path: Path) -> Iterator[tuple[int, str]]:
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, kinds) and (text := ast.get_docstring(node)):
            yield getattr(node, "lineno", 1), text


def messages(path: Path) -> Iterator[tuple[int, str]]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value if " " in node.value.strip() else ""


def pages() -> list[Path]:
    return [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]


def schema_descriptions() -> Iterator[str]:
    for path in sorted((ROOT / "schemas").rglob("*.json")):
        yield from re.findall(r'"description": (".*")', json.dumps(json.loads(path.read_text())))


def test_docstrings_are_no_noun_clauses() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}: {text.splitlines()[0]}"
        for path in modules()
        for line, text in docstrings(path)
        if NOUN_CLAUSE.match(text)
    ]
    assert not found, "write a verb and its object, or a noun (CONTRIBUTING.md)"


def test_code_uses_the_glossary() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}: {match[0]}"
        for path in modules()
        for line, text in (*docstrings(path), *messages(path))
        if (match := REPLACED.search(" ".join(text.split())))
    ]
    assert not found, "take the word of the glossary (CONTRIBUTING.md)"


@pytest.mark.parametrize("page", pages(), ids=lambda path: str(path.relative_to(ROOT)))
def test_pages_use_the_glossary(page: Path) -> None:
    text = page.read_text()
    if page.name == "CONTRIBUTING.md":
        text = text.partition("## Glossary")[0]
    found = [match[0] for line in text.splitlines() if (match := REPLACED.search(line))]
    assert not found, "take the word of the glossary (CONTRIBUTING.md)"


def test_schema_descriptions_use_the_glossary() -> None:
    assert not [text for text in schema_descriptions() if REPLACED.search(text)]


# -- citations ------------------------------------------------------------------------------


def sections(version: str) -> set[str]:
    text = (ROOT / "docs" / "api" / f"{version}.md").read_text()
    return set(re.findall(r"^#+ (\d+(?:\.\d+)?)\.? ", text, re.MULTILINE))


def test_citations_of_the_api_notes_resolve() -> None:
    known = {version: sections(version) for version in ("v2", "v3")}
    count = 0
    for folder in ("tap_constantcontact", "sandbox", "tests", "benchmarks"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            text = re.sub(r"\s+#?\s*", " ", path.read_text())
            assert "API docs" not in text.replace('"API docs"', ""), path
            for version, cited in re.findall(r"docs/api/(v\d)\.md ((?:§[\d.]+(?:, )?)+)", text):
                for section in re.findall(r"§(\d+(?:\.\d+)?)", cited):
                    count += 1
                    assert section in known[version], f"{path}: docs/api/{version}.md §{section}"
    assert count > 50
