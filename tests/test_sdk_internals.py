"""Lists the private parts of the SDK that the tap uses, and compares them with the docs."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path

from singer_sdk import RESTStream, Tap

ROOT = Path(__file__).parents[1]
_PRIVATE = re.compile(r"(?:\bself\.|\bcls\.|\bdef )(_[a-z]\w+)")


def private_names_of_the_sdk() -> set[str]:
    classes = (*Tap.__mro__, *RESTStream.__mro__)
    sources = [inspect.getsource(c) for c in classes if c.__module__.startswith("singer_sdk")]
    return {name for source in sources for name in _PRIVATE.findall(source)}


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def extends_the_sdk(tree: ast.Module) -> bool:
    """Return whether a module has a class of a stream or a tap."""
    bases = {
        ast.unparse(base).partition("[")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
        for base in node.bases
    }
    return any(base.endswith("Stream") or base == "Tap" for base in bases)


def private_parts_in(path: Path, names: set[str]) -> set[str]:
    tree = ast.parse(path.read_text())
    found = set[str]()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("singer_sdk"):
            found |= set(filter(is_private, str(node.module).split(".")))
            found |= {alias.name for alias in node.names if is_private(alias.name)}
        elif isinstance(node, ast.Attribute) and extends_the_sdk(tree) and node.attr in names:
            found.add(node.attr)
        elif isinstance(node, ast.FunctionDef):
            decorators = {ast.unparse(decorator) for decorator in node.decorator_list}
            if "override" in decorators and is_private(node.name):
                found.add(node.name)
    return found


def documented_parts() -> set[str]:
    text = (ROOT / "docs" / "architecture.md").read_text()
    section = text.partition("## Private parts of the SDK")[2].partition("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("| `")]
    return {name for row in rows for name in re.findall(r"`(\w+)`", row.split("|")[1])}


def final_methods() -> set[str]:
    tree = ast.parse((ROOT / "tap_constantcontact" / "tap.py").read_text())
    methods = [node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    return {name for name in methods if getattr(getattr(Tap, name, None), "__final__", False)}


def test_docs_list_every_private_part_of_the_sdk() -> None:
    names = private_names_of_the_sdk()
    found = final_methods()
    for path in (ROOT / "tap_constantcontact").rglob("*.py"):
        found |= private_parts_in(path, names)
    assert found == documented_parts()
