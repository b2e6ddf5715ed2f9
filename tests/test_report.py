"""Errors of the report say what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb
import pytest
from constantcontact_report.__main__ import main
from constantcontact_report.figures import verdict
from constantcontact_report.page import cell

if TYPE_CHECKING:
    from pathlib import Path

MODELS = "create schema {0}; create table {0}.constant_contact__{1} (source_relation varchar)"


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = str(tmp_path / "x.duckdb")
    duckdb.connect(path).close()
    return path


def failure(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(arguments) == 1
    out, err = capsys.readouterr()
    assert not out
    (line,) = err.splitlines()
    return line


def test_a_missing_file_is_named(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    error = failure(capsys, str(tmp_path / "none.duckdb"))
    assert error.endswith("none.duckdb'. Run the tap and a loader first.")


def test_a_file_without_models_says_how_to_build_them(
    capsys: pytest.CaptureFixture[str], file: str
) -> None:
    assert "./models.sh" in failure(capsys, file)


def test_one_of_several_schemas_and_accounts_is_chosen(
    capsys: pytest.CaptureFixture[str], file: str
) -> None:
    with duckdb.connect(file) as db:
        for schema in ("one", "two"):
            db.execute(MODELS.format(schema, "campaigns"))
    assert failure(capsys, file) == "Choose one with --schema: one, two."
    assert failure(capsys, file, "--schema", "three") == "Choose one with --schema: one, two."
    with duckdb.connect(file) as db:
        db.execute("create table one.constant_contact__contacts (source_relation varchar)")
        db.execute("insert into one.constant_contact__contacts values ('a'), ('b')")
    assert failure(capsys, file, "--schema", "one") == "Choose one with --source: a, b."
    error = failure(capsys, file, "--schema", "one", "--source", "a")
    assert error.startswith("The models cannot be read: ")


def test_a_server_that_cannot_be_reached_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    error = failure(capsys, "postgresql://nobody:hidden@127.0.0.1:1/x")
    assert error.startswith("The models cannot be read: ")
    assert "hidden" not in error


@pytest.mark.parametrize(
    ("value", "column", "text"),
    [
        (None, "open_rate", "-"),
        (0.256, "open_rate", "25.6 %"),
        (12345, "sends", "12,345"),
        ("unique_opens", "metric", "unique opens"),
        ("a_b", "subject", "a_b"),
    ],
)
def test_cells_are_text(value: object, column: str, text: str) -> None:
    assert cell(value, column) == text


def row(metric: str, counted: int, reported: int, **counts: int) -> dict[str, object]:
    return {"metric": metric, "counted": counted, "reported": reported} | {
        name: counts.get(name, 0) for name in ("short", "over_reported", "not_synced")
    }


def test_the_verdict_names_what_is_short() -> None:
    complete = [row("sends", 1200, 1200), row("unique_opens", 30, 30)]
    assert verdict(complete) == (
        True,
        "Counted 1,200 of 1,200 sends and 30 of 30 unique opens reported. No figure is short.",
    )
    assert verdict([row("sends", 1199, 1200, short=1)]) == (
        False,
        "Counted 1,199 of 1,200 sends reported. Figures of campaigns that are short: 1.",
    )
    assert verdict([row("opens", 0, 9, not_synced=4)])[0] is False
    assert verdict([])[0] is False
