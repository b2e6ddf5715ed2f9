r"""Models in Snowflake's dialect, against an imitation: `fakesnow` and the adapter of dbt.

Neither is a dependency of the project:

    uv run --no-project --with 'fakesnow[server]' --with dbt-snowflake --with duckdb \
        python -m benchmarks.snowflake output/sandbox-v3.duckdb

Tables are copied from a DuckDB file that the demo has loaded. Unit tests and second builds are left
out: the imitation cannot do them.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
COMMANDS = Path(sys.executable).parent
PORT = 8765
SERVER = {"account": "a", "user": "u", "host": "localhost", "port": PORT, "protocol": "http"}
SECRET = {"password": "p"}
TYPES = {
    "BIGINT": "bigint",
    "BOOLEAN": "boolean",
    "DATE": "date",
    "DOUBLE": "float",
    "JSON": "variant",
}
PROFILE = """
constant_contact:
  target: prod
  outputs:
    prod: {{type: snowflake, account: a, user: u, password: p, host: localhost, port: {port},
      protocol: http, database: CC, schema: PUBLIC, warehouse: w, role: r, threads: 1}}
"""
SOURCES = "{constant_contact__sources: [{schema: RAW}]}"


@contextmanager
def snowflake() -> Iterator[Any]:
    """Serve the imitation and connect to it."""
    from snowflake import connector  # type: ignore[import-not-found] # noqa: PLC0415 - see above

    with subprocess.Popen(  # noqa: S603
        [COMMANDS / "fakesnow", "-s", "-p", str(PORT)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as server:
        try:
            for _ in range(50):
                try:
                    connection = connector.connect(**SERVER, **SECRET, database="CC")
                    break
                except Exception:  # noqa: BLE001 - of whatever kind: it is not up yet
                    time.sleep(0.2)
            yield connection.cursor()
        finally:
            server.terminate()


def literal(value: Any, kind: str) -> str:
    """Return a value as Snowflake writes it."""
    if value is None:
        return "null"
    if isinstance(value, bool | int | float):
        return str(value).lower()
    text = str(value)
    if isinstance(value, datetime):
        text = f"{value:%Y-%m-%d %H:%M:%S}"
    elif isinstance(value, date):
        text = value.isoformat()
    quoted = "'" + text.replace("'", "''") + "'"
    if kind == "JSON":
        escaped = quoted.replace("\\", "\\\\")
        return f"parse_json({escaped})"
    return quoted


def copy(file: str, cursor: Any) -> int:
    """Copy the tables of a DuckDB file and return the number of rows."""
    rows_copied = 0
    cursor.execute("create schema if not exists cc.raw")
    with duckdb.connect(file, read_only=True) as db:
        tables = db.execute(
            "select table_name from duckdb_tables() where schema_name = 'main'"
        ).fetchall()
        for (table,) in tables:
            columns = {name: kind for name, kind, *_ in db.execute(f"describe {table}").fetchall()}
            # A name in mixed case, which the models do not use.
            columns.pop("checkedIn_tickets", None)
            kinds = [
                f"{name} "
                + ("timestamp_ntz" if kind.startswith("TIME") else TYPES.get(kind, "varchar"))
                for name, kind in columns.items()
            ]
            cursor.execute(f"create or replace table cc.raw.{table} ({', '.join(kinds)})")
            rows = db.execute(f"select {', '.join(columns)} from {table}").fetchall()  # noqa: S608
            rows_copied += len(rows)
            for begin in range(0, len(rows), 500):
                selects = (
                    "select " + ", ".join(map(literal, row, columns.values()))
                    for row in rows[begin : begin + 500]
                )
                cursor.execute(f"insert into cc.raw.{table} {' union all '.join(selects)}")
    return rows_copied


def main(file: str) -> int:
    """Build the models and return the exit code of dbt."""
    with tempfile.TemporaryDirectory() as folder, snowflake() as cursor:
        rows = copy(file, cursor)
        (Path(folder) / "profiles.yml").write_text(PROFILE.format(port=PORT))
        started = time.monotonic()
        done = subprocess.run(  # noqa: S603
            [
                COMMANDS / "dbt",
                "build",
                "--exclude-resource-type",
                "unit_test",
                *("--project-dir", ROOT / "transform", "--profiles-dir", folder),
                *("--target-path", folder, "--log-path", folder, "--vars", SOURCES),
            ],
            check=False,
        )
        print(f"{rows:,} rows, dbt took {time.monotonic() - started:.1f} s")  # noqa: T201
    return done.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
