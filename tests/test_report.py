"""Errors of the report say what to do."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import duckdb
import pytest
from constantcontact_report.__main__ import main
from constantcontact_report.figures import verdict
from constantcontact_report.page import cell
from helpers.report import Page

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


# -- overview of accounts -------------------------------------------------------------------

FRESHNESS = """
    create table constant_contact__freshness as select * from (values
        ('s/good', 'contacts', 2, timestamp '2026-11-28 05:00', 'complete', 'unchecked', 30,
            timestamp '2026-11-28 05:00'),
        ('s/good', 'library', null, null, 'unauthorized', 'unchecked', 1,
            timestamp '2026-11-28 05:00'),
        ('s/old', 'contacts', 50, timestamp '2026-11-26 05:00', 'interrupted', 'unchecked', 3,
            timestamp '2026-11-28 05:00'),
        ('s/short', 'campaign_sends', 2, timestamp '2026-11-28 05:00', 'complete', 'missing', 5,
            timestamp '2026-11-28 05:00'),
        ('s/new', 'campaigns', null, null, 'interrupted', 'unchecked', 90,
            timestamp '2026-11-28 05:00')
    ) as t (source_relation, stream, hours_behind, current_until, last_outcome, last_verdict,
        requests_last_day, last_run_at);
    create table constant_contact__contacts as
        select 's/good' as source_relation, 'active' as status from range(1234);
    create table constant_contact__mailings as
        select 's/good' as source_relation, timestamp '2026-11-27 10:00' as last_sent_at;
    create table constant_contact__campaigns (source_relation varchar);
"""
BUDGET = [
    {
        "limit": 10_000,
        "used": 4_321,
        "left": 0,
        "accounts": {
            "good": {"used": 30, "leased": None, "backfill": 0, "outcome": "complete"},
            "new": {"used": 90, "leased": 5, "backfill": 700, "outcome": "interrupted"},
            "gone": {"used": 1, "leased": None, "backfill": None, "outcome": "login required"},
        },
    }
]


def test_overview_has_an_action_for_each_account(file: str, tmp_path: Path) -> None:
    with duckdb.connect(file) as db:
        db.execute(FRESHNESS)
    budget = tmp_path / "budget.json"
    budget.write_text(json.dumps(BUDGET))
    assert main([file, "--accounts", "--budget", str(budget)]) == 0
    page = Page((tmp_path / "accounts.html").read_text())
    assert not page.loads
    table = page.tables["accounts"]
    to_do = {row[0]: row[1] for row in table[1:]}
    assert to_do == {
        "gone": "Log in again",
        "s/new": "Wait for the backfill of 1 stream",
        "s/old": "Start a run: 1 stream older than 36 hours",
        "s/short": "Compare: fewer records than reported in 1 stream",
        "s/good": "",
    }
    assert table[-1][0] == "s/good", "accounts without a problem come last"
    assert [cell.replace("\N{NO-BREAK SPACE}", " ") for cell in table[-1][2:]] == [
        *("2", "28 Nov, 05:00", "30", "1,234", "27 Nov, 10:00", "30", "-", "-")
    ]
    text = " ".join(page.text.split())
    assert "Accounts that need attention: 4 of 5. Someone has to log in again for 1." in text
    assert "Used today of 10,000" in text
    assert "4,321" in text


def test_overview_without_a_budget(file: str, tmp_path: Path) -> None:
    with duckdb.connect(file) as db:
        db.execute(FRESHNESS)
        db.execute("delete from constant_contact__freshness where source_relation <> 's/good'")
    assert main([file, "--accounts"]) == 0
    page = Page((tmp_path / "accounts.html").read_text())
    assert "Current accounts: all 1." in page.text
    assert page.tables["accounts"][0][-1] == "Last mailing"


def test_unreadable_budget_is_named(
    capsys: pytest.CaptureFixture[str], file: str, tmp_path: Path
) -> None:
    with duckdb.connect(file) as db:
        db.execute(FRESHNESS)
    budget = tmp_path / "budget.json"
    budget.write_text("[1]")
    error = failure(capsys, file, "--accounts", "--budget", str(budget))
    assert error == f"The budget cannot be read: {budget}."
