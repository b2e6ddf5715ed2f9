"""The command `constantcontact-report`."""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import psycopg

from constantcontact_report.figures import figures
from constantcontact_report.overview import overview
from constantcontact_report.page import overview_page, page
from constantcontact_report.warehouse import Warehouse, WarehouseError

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the page.

    Args:
        arguments: The command line without the program's name.

    Returns:
        The exit code: 1 if there are no models to read.
    """
    parser = argparse.ArgumentParser(
        prog="constantcontact-report",
        description="Write one HTML page from the models of tap-constantcontact.",
    )
    parser.add_argument("warehouse", help="path of a DuckDB file, or postgresql://user@host/name")
    parser.add_argument("--schema", help="schema of the models (the only one)")
    parser.add_argument("--source", help="account, if the models read several (the only one)")
    parser.add_argument(
        "--accounts", action="store_true", help="write an overview of all accounts instead"
    )
    parser.add_argument(
        "--budget", type=Path, help="with --accounts: output of constantcontact-budget show --json"
    )
    parser.add_argument(
        "--output", type=Path, help="file to write (report.html or accounts.html beside the file)"
    )
    options = parser.parse_args(arguments)
    output = options.output or _beside(options.warehouse, is_overview=options.accounts)
    try:
        text = _text(options)
    except WarehouseError as error:
        return _fail(str(error))
    except (duckdb.Error, psycopg.Error) as error:
        return _fail(f"The models cannot be read: {str(error).splitlines()[0]}")
    except (OSError, ValueError, KeyError, TypeError):
        return _fail(f"The budget cannot be read: {options.budget}.")
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(text, encoding="utf-8")
    sys.stdout.write(f"The report is in {output}.\n")
    return 0


def _text(options: argparse.Namespace) -> str:
    with closing(
        Warehouse(
            options.warehouse, options.schema, options.source, has_all_sources=options.accounts
        )
    ) as warehouse:
        if not options.accounts:
            return page(figures(warehouse))
        budget = json.loads(options.budget.read_text()) if options.budget else None
        return overview_page(overview(warehouse, budget))


def _beside(warehouse: str, *, is_overview: bool) -> Path:
    folder = Path() if "://" in warehouse else Path(warehouse).parent
    return folder / ("accounts.html" if is_overview else "report.html")


def _fail(message: str) -> int:
    sys.stderr.write(f"{message}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
