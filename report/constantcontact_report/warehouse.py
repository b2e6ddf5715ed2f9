"""Warehouses that have the models: a DuckDB file, or a PostgreSQL database."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, TypeAlias

import duckdb
import psycopg

Row: TypeAlias = dict[str, Any]

PREFIX: Final = "constant_contact__"
_SCHEMAS: Final = f"""
    select distinct table_schema
    from information_schema.tables
    where table_name = '{PREFIX}campaigns'
    order by table_schema
"""  # noqa: S608 - our own name


_SOURCES: Final = "select distinct source_relation from {mart}contacts order by source_relation"


class WarehouseError(Exception):
    """A warehouse without the models, or with several where one has to be chosen."""


class Warehouse:
    """The models of one account.

    Attributes:
        source: The account: a value of `source_relation`.
        is_one_of_several: True if the models have other accounts, too.
    """

    def __init__(
        self,
        location: str,
        schema: str | None = None,
        source: str | None = None,
        *,
        has_all_sources: bool = False,
    ) -> None:
        """Find the models.

        Args:
            location: Path of a DuckDB file, or a URL `postgresql://…`.
            schema: Schema of the models. Default: the only one.
            source: The account. Default: the only one.
            has_all_sources: Whether to select no account.

        Raises:
            WarehouseError: There is no such warehouse, schema or account, or several.
        """
        self._db = _connect(location)
        self._schema = _only(
            [row["table_schema"] for row in self._rows(_SCHEMAS)],
            schema,
            "schema with the models. Build them first: ./models.sh, or `dbt build` in transform/",
            "--schema",
        )
        sources = [row["source_relation"] for row in self.rows(_SOURCES)]
        self.is_one_of_several = len(sources) > 1
        self.source = (
            ""
            if has_all_sources
            else _only(
                sources,
                source,
                "account in the models. Run the tap and build them again",
                "--source",
            )
        )

    def rows(self, sql: str, **values: str) -> list[Row]:
        """Return the rows of a query.

        Args:
            sql: A query with `{mart}` before the names of models, and other names in braces.
            values: Text for these names, which is quoted.
        """
        quoted = {name: "'" + value.replace("'", "''") + "'" for name, value in values.items()}
        return self._rows(sql.format(mart=f'"{self._schema}".{PREFIX}', **quoted))

    def _rows(self, sql: str) -> list[Row]:
        found = self._db.execute(sql)
        names = [column[0] for column in found.description]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]

    def close(self) -> None:
        """Close the connection."""
        self._db.close()


def _connect(location: str) -> Any:
    """Connect to a warehouse: both libraries have the same `execute`."""
    if location.startswith(("postgresql://", "postgres://")):
        return psycopg.connect(location)
    if not Path(location).is_file():
        msg = f"There is no DuckDB file '{location}'. Run the tap and a loader first."
        raise WarehouseError(msg)
    return duckdb.connect(location, read_only=True)


def _only(found: list[str], wanted: str | None, what: str, option: str) -> str:
    if wanted is not None and wanted in found:
        return wanted
    if not found:
        msg = f"There is no {what}."
        raise WarehouseError(msg)
    if wanted is not None or len(found) > 1:
        msg = f"Choose one with {option}: {', '.join(found)}."
        raise WarehouseError(msg)
    return found[0]
