"""Meltano projects, and the warehouses that they load."""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import duckdb
import psycopg
import yaml
from typing_extensions import override

from helpers.runner import environment

if TYPE_CHECKING:
    from collections.abc import Iterable

ROOT = Path(__file__).parents[2]


@functools.cache
def executable(target: str) -> Path:
    """Where a target's command is; those of others are installed once, as the project says."""
    ours = Path(sys.executable).parent / target
    if ours.exists():
        return ours
    loaders = yaml.safe_load((ROOT / "meltano.yml").read_text())["plugins"]["loaders"]
    (pip_url,) = (each["pip_url"] for each in loaders if each["name"] == target)
    venv = Path(tempfile.mkdtemp(prefix=target))
    atexit.register(shutil.rmtree, venv, ignore_errors=True)
    for command in (["venv", venv], ["pip", "install", "--python", venv, pip_url]):
        subprocess.run([ROOT / "scripts" / "uv", *command, "--quiet"], check=True)  # noqa: S603
    return venv / "bin" / target


class Project:
    """A copy of the Meltano project, with a state of its own."""

    def __init__(self, folder: Path, **variables: str) -> None:
        self.folder = folder
        self._variables = variables
        shutil.copy(ROOT / "meltano.yml", folder)
        (folder / "output").mkdir()

    def run(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        commands = Path(sys.executable).parent
        path = os.pathsep.join([str(commands), os.environ["PATH"]])
        return subprocess.run(  # noqa: S603
            [commands / "meltano", "--environment=prod", *arguments],
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=300,
            # Meltano installs loaders with a uv of its own, from wherever this machine trusts.
            env=environment(PATH=path, UV_SYSTEM_CERTS="1", **{**self._variables, **variables}),
        )

    def meltano(self, *arguments: str, **variables: str) -> str:
        done = self.run(*arguments, **variables)
        assert done.returncode == 0, done.stdout
        return done.stdout


class Warehouse(Protocol):
    """Where a target puts rows."""

    target: str
    variables: dict[str, str]
    settings: dict[str, Any]

    def query(self, sql: str) -> list[tuple[Any, ...]]: ...


class DuckDB(Warehouse):
    target = "target-duckdb-file"

    def __init__(self, folder: Path) -> None:
        self._path = str(folder / "warehouse.duckdb")
        self.variables = {"TARGET_DUCKDB_FILE_PATH": self._path}
        self.settings = {"path": self._path}

    @override
    def query(self, sql: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(self._path, read_only=True) as db:
            return db.execute(sql).fetchall()


class Postgres(Warehouse):
    target = "target-postgres"

    def __init__(self, server: dict[str, str], schema: str) -> None:
        self._server = server
        self._schema = schema
        self.variables = {f"TARGET_POSTGRES_{name}": value for name, value in server.items()}
        self.variables["TARGET_POSTGRES_DEFAULT_TARGET_SCHEMA"] = schema
        self.settings = {name.lower(): value for name, value in server.items()}
        self.settings |= {"port": int(server["PORT"]), "default_target_schema": schema}

    @override
    def query(self, sql: str) -> list[tuple[Any, ...]]:
        names = {"DATABASE": "dbname"}
        where = " ".join(f"{names.get(k, k).lower()}={v}" for k, v in self._server.items())
        options = f"-c search_path={self._schema} -c timezone=UTC"
        with psycopg.connect(where, options=options) as db:
            return db.execute(sql.encode()).fetchall()


def counts(warehouse: Warehouse, streams: Iterable[str]) -> dict[str, int]:
    """Rows by stream."""
    return {
        stream: warehouse.query(f"select count(*) from {stream}")[0][0]  # noqa: S608
        for stream in streams
    }
