"""Allowed imports of each package and module, type imports included."""

from __future__ import annotations

import ast
import re
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# Each package or module of the top level, with what it may import besides itself.
ALLOWED_IMPORTS: dict[str, set[str]] = {
    "tap_constantcontact.text_table": set(),
    "tap_constantcontact.estimate": {"text_table"},
    "tap_constantcontact.shared_file": set(),
    "tap_constantcontact.shared_database": set(),
    "tap_constantcontact.budget": {"shared_database", "shared_file", "text_table"},
    "tap_constantcontact.meltano": set(),
    "tap_constantcontact.cache": {"http"},
    "tap_constantcontact.http": {"budget"},
    "tap_constantcontact.records": {"http"},
    "tap_constantcontact.state": {"records"},
    "tap_constantcontact.terminal": {"http", "text_table"},
    "tap_constantcontact.settings": set(),
    "tap_constantcontact.environment": set(),
    "tap_constantcontact.settings_validation": {"settings", "records", "meltano"},
    "tap_constantcontact.api": {"http"},
    "tap_constantcontact.sync_run": {
        "api", "budget", "cache", "http", "records", "state", "sync_audit", "terminal",
    },
    "tap_constantcontact.client": {"sync_run", "http", "records"},
    "tap_constantcontact.list_requests": {"cache", "client", "http"},
    "tap_constantcontact.api_stream": {"client", "sync_run", "http", "records"},
    "tap_constantcontact.stream": {
        "api_stream", "client", "list_requests", "estimate", "http", "records", "state",
    },
    "tap_constantcontact.account_stream": {"stream", "http"},
    "tap_constantcontact.sync_audit": set(),
    "tap_constantcontact.audit_stream": {"stream", "list_requests", "records"},
    "tap_constantcontact.contacts": {"stream", "estimate", "http", "records"},
    "tap_constantcontact.partitioned": {"stream", "list_requests", "http", "state"},
    "tap_constantcontact.refresh": {"cache", "sync_run", "state"},
    "tap_constantcontact.child_stream": {
        "refresh", "stream", "sync_run", "estimate", "http", "state",
    },
    "tap_constantcontact.parent_samples": {"refresh"},
    "tap_constantcontact.parent_forecast": {
        "child_stream", "client", "refresh", "list_requests", "sync_run", "http", "state",
    },
    "tap_constantcontact.parent_stream": {
        "child_stream", "parent_forecast", "parent_samples", "refresh", "stream", "list_requests",
        "estimate", "http", "state",
    },
    "tap_constantcontact.v2": {
        "parent_stream", "child_stream", "account_stream", "audit_stream", "contacts",
        "partitioned", "stream", "refresh", "list_requests", "sync_run", "api", "estimate",
        "http", "records", "state",
    },
    "tap_constantcontact.v3": {
        "budget", "meltano", "shared_database", "shared_file", "parent_stream", "child_stream",
        "account_stream", "audit_stream", "contacts", "partitioned", "stream", "refresh",
        "list_requests", "sync_run", "api", "cache", "estimate", "http", "records", "state",
    },
    "tap_constantcontact.exit_codes": {"budget", "http"},
    "tap_constantcontact.cli": {
        "estimate", "exit_codes", "meltano", "settings", "records", "terminal", "v3",
    },
    "tap_constantcontact.preflight": {
        "account_stream", "stream", "sync_run", "http", "records", "state",
    },
    "tap_constantcontact.tap": {
        "audit_stream", "budget", "cli", "environment", "exit_codes", "preflight", "meltano",
        "v2", "v3", "stream", "sync_run", "estimate", "settings", "settings_validation", "http",
        "records", "state", "terminal",
    },
    "tap_constantcontact.__main__": {"tap"},
}  # fmt: skip


def modules(package: str) -> dict[str, Path]:
    """Return the modules of a package by name."""
    found = {}
    for path in sorted((ROOT / package).rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(path: Path, known: dict[str, Path]) -> set[str]:
    """Return the known modules that a file imports, type imports included."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {each.name for each in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            for each in node.names:
                inner = f"{node.module}.{each.name}"
                found.add(inner if inner in known else str(node.module))
    return {name for name in found if name.partition(".")[0] in PACKAGES}


PACKAGES = ("tap_constantcontact", "sandbox")
GRAPHS = {
    package: {
        name: imports(path, modules(package)) - {name} for name, path in modules(package).items()
    }
    for package in PACKAGES
}


@pytest.mark.parametrize("package", PACKAGES)
def test_nothing_imports_in_a_circle(package: str) -> None:
    try:
        TopologicalSorter(GRAPHS[package]).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


@pytest.mark.parametrize("package", PACKAGES)
def test_tap_and_sandbox_are_apart(package: str) -> None:
    for name, imported in GRAPHS[package].items():
        assert all(each.partition(".")[0] == package for each in imported), name


@pytest.mark.parametrize("name", GRAPHS["tap_constantcontact"])
def test_arrows_point_one_way(name: str) -> None:
    part = ".".join(name.split(".")[:2])
    if part == "tap_constantcontact":
        assert not GRAPHS[part][name]
        return
    allowed = {part} | {f"tap_constantcontact.{imported}" for imported in ALLOWED_IMPORTS[part]}
    for imported in GRAPHS["tap_constantcontact"][name]:
        assert ".".join(imported.split(".")[:2]) in allowed, imported


@pytest.mark.parametrize("package", PACKAGES)
def test_two_apis_are_apart(package: str) -> None:
    for name, imported in GRAPHS[package].items():
        for one, other in (("v2", "v3"), ("v3", "v2")):
            if name.startswith(f"{package}.{one}"):
                assert not any(each.startswith(f"{package}.{other}") for each in imported), name


def test_the_sandboxs_world_knows_no_api() -> None:
    for name, imported in GRAPHS["sandbox"].items():
        if name.startswith("sandbox.world"):
            assert all(each.startswith("sandbox.world") for each in imported), name


@pytest.mark.parametrize("shared", ["http", "records", "state", "terminal"])
def test_shared_packages_import_no_stream(shared: str) -> None:
    for path in (ROOT / "tap_constantcontact" / shared).glob("*.py"):
        text = path.read_text()
        assert "singer_sdk.streams" not in text, path
        assert "RESTStream" not in text, path


def test_estimate_names_no_stream() -> None:
    schemas = {path.stem for path in (ROOT / "schemas").rglob("*.json")}
    text = (ROOT / "tap_constantcontact" / "estimate.py").read_text()
    words = set(re.findall(r"\w+", text))
    assert not words & schemas
