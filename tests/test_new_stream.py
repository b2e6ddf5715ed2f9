"""Steps for a new stream (docs/architecture.md): each failure names the file of the next step."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sandbox.v2 import expected_keys as v2_keys
from sandbox.v2.routes import ROUTES as V2_ROUTES
from sandbox.v3 import expected_keys as v3_keys
from sandbox.v3.routes import ROUTES as V3_ROUTES
from tap_constantcontact.stream import ConstantContactStream
from tap_constantcontact.v2 import streams as v2_streams
from tap_constantcontact.v3 import streams as v3_streams

if TYPE_CHECKING:
    from types import ModuleType

ROOT = Path(__file__).parents[1]
OVERVIEW = (ROOT / "docs" / "overview.md").read_text()
PACKAGES = {"v2": v2_streams, "v3": v3_streams}
ROUTES: dict[str, Any] = {"v2": V2_ROUTES, "v3": V3_ROUTES}
KEYS: dict[str, Any] = {"v2": v2_keys.KEYS, "v3": v3_keys.KEYS}
SANDBOX = {
    "v2": "sandbox/v2/routes.py and sandbox/v2/expected_keys.py",
    "v3": "sandbox/v3/plain_lists.py, or to sandbox/v3/routes.py and expected_keys.py",
}
# The sandbox does not know which ids a file names.
WITHOUT_KEYS = {"id_map"}


def declared(package: ModuleType) -> list[Any]:
    """Return the streams that the modules of a package declare."""
    modules = (
        importlib.import_module(f"{package.__name__}.{each.name}")
        for each in pkgutil.iter_modules(package.__path__)
    )
    return [
        each
        for module in modules
        for each in vars(module).values()
        if inspect.isclass(each)
        and issubclass(each, ConstantContactStream)
        and each.__module__ == module.__name__
        and isinstance(getattr(each, "name", None), str)
    ]


STREAMS = [
    pytest.param(version, stream, id=f"{version}-{stream.name}")
    for version, package in PACKAGES.items()
    for stream in declared(package)
]


@pytest.mark.parametrize(("version", "stream"), STREAMS)
def test_step_1_stream_has_a_schema(version: str, stream: Any) -> None:
    file = f"schemas/{version}/{stream.name}.json"
    assert (ROOT / file).exists(), f"next step: describe the fields of a record in {file}"


@pytest.mark.parametrize(("version", "stream"), STREAMS)
def test_optional_keys_are_keys(version: str, stream: Any) -> None:
    keys = set(stream.primary_keys)
    assert set(stream.optional_keys) <= keys, f"{version}: remove others from optional_keys"


@pytest.mark.parametrize(("version", "stream"), STREAMS)
def test_step_2_stream_has_its_place_in_a_run(version: str, stream: Any) -> None:
    is_placed = stream in PACKAGES[version].IN_ORDER
    file = f"tap_constantcontact/{version}/streams/__init__.py"
    assert is_placed, f"next step: add {stream.__name__} to IN_ORDER in {file}"


@pytest.mark.parametrize(("version", "stream"), STREAMS)
def test_step_3_sandbox_serves_the_stream(version: str, stream: Any) -> None:
    prefix = stream.path.partition("{")[0]
    message = f"next step: add {stream.path} to {SANDBOX[version]}"
    assert any(route.path.startswith(prefix) for route in ROUTES[version]), message
    assert stream.name in {*KEYS[version], *WITHOUT_KEYS}, message


@pytest.mark.parametrize(("version", "stream"), STREAMS)
def test_step_4_readme_lists_the_stream(version: str, stream: Any) -> None:
    tables = dict(
        zip(("v3", "v2"), OVERVIEW.split("| stream | key | replication |")[1:], strict=True)
    )
    first_cells = re.findall(r"^\| (.*?) \|", tables[version], re.MULTILINE)
    names = {name for cell in first_cells for name in re.findall(r"`(\w+)`", cell)}
    message = (
        f"next step: add a row for `{stream.name}` to the table of {version} in docs/overview.md"
    )
    assert stream.name in names, message


@pytest.mark.parametrize(("version", "stream"), STREAMS)
def test_step_5_generated_files_have_the_stream(version: str, stream: Any) -> None:
    file = ROOT / "tests" / "catalog" / version / f"{stream.name}.json"
    assert file.exists(), "next step: run .venv/bin/python scripts/generate_all.py"
