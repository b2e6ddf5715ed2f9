"""The wheel, installed into an empty environment."""

from __future__ import annotations

import json
import subprocess
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
UV = str(ROOT / "scripts" / "uv")


def run(*command: str | Path) -> str:
    done = subprocess.run(  # noqa: S603
        command,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    run(UV, "build", "--quiet", "--wheel", "--out-dir", folder, ROOT)
    (built,) = folder.glob("*.whl")
    return built


def test_the_wheel_holds_the_schemas_and_nothing_else_of_the_project(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    schemas = {str(path.relative_to(ROOT)) for path in (ROOT / "schemas").rglob("*.json")}
    assert {f"tap_constantcontact/{name}" for name in schemas} <= names
    assert {name.split("/")[0].split("-")[0] for name in names} == {"tap_constantcontact"}


def test_the_tap_works_from_the_wheel_alone(wheel: Path, tmp_path: Path) -> None:
    venv = tmp_path / "venv"
    run(UV, "venv", "--quiet", venv)
    run(UV, "pip", "install", "--quiet", "--python", venv, wheel)
    tap = venv / "bin" / "tap-constantcontact"

    catalog = json.loads(run(tap, "--discover"))

    assert "contacts" in {entry["stream"] for entry in catalog["streams"]}
    assert run(tap, "--version").startswith("tap-constantcontact v")
