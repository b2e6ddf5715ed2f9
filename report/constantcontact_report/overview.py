"""Overview of several accounts: which are current, and what there is to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from constantcontact_report.warehouse import Row, Warehouse

_STALE_HOURS: Final = 36
_FRESHNESS: Final = f"""
    select
        source_relation as account,
        max(hours_behind) as age,
        sum(case when current_until is null then 1 else 0 end) as never,
        sum(case when hours_behind > {_STALE_HOURS} then 1 else 0 end) as behind,
        sum(case when last_verdict = 'missing' then 1 else 0 end) as incomplete,
        sum(requests_last_day) as requests,
        max(last_run_at) as last_run_at
    from {{mart}}freshness
    where last_outcome <> 'unauthorized'
    group by source_relation
"""  # noqa: S608 - our own number
_CONTACTS: Final = """
    select source_relation as account, count(*) as contacts
    from {mart}contacts
    where status = 'active'
    group by source_relation
"""
_MAILINGS: Final = """
    select source_relation as account, max(last_sent_at) as last_sent_at
    from {mart}mailings
    group by source_relation
"""
_LOGIN: Final = "Log in again"


@dataclass(frozen=True)
class Overview:
    """The figures of the overview.

    Attributes:
        accounts: A row per account, those with something to do first.
        as_of: Start of the last run of any account; None if there was none.
        used: Requests of today, of all keys; None without a budget.
        limit: Requests per day, of all keys.
    """

    accounts: Sequence[Row]
    as_of: datetime | None = None
    used: int | None = None
    limit: int = 0

    @property
    def columns(self) -> dict[str, str]:
        """Titles of the columns, by name."""
        columns = {
            "account": "Account",
            "to_do": "To do",
            "age": "Age",
            "last_run_at": "Last run",
            "requests": "Requests",
            "contacts": "Active contacts",
            "last_sent_at": "Last mailing",
        }
        if self.used is not None:
            columns |= {"used": "Used today", "leased": "Share left", "backfill": "To backfill"}
        return columns

    @property
    def problems(self) -> int:
        """Number of accounts with something to do."""
        return sum(bool(row["to_do"]) for row in self.accounts)

    @property
    def verdict(self) -> str:
        """The result in one sentence."""
        count, logins = len(self.accounts), self._count(_LOGIN)
        if not self.problems:
            return f"Current accounts: all {count:,}."
        sentence = f"Accounts that need attention: {self.problems:,} of {count:,}."
        return f"{sentence} Someone has to log in again for {logins:,}." if logins else sentence

    @property
    def key_figures(self) -> dict[str, str]:
        """The most important figures, by name."""
        figures = {
            "Accounts": f"{len(self.accounts):,}",
            "Current": f"{len(self.accounts) - self.problems:,}",
            "Requests in 24 hours": f"{sum(row['requests'] or 0 for row in self.accounts):,}",
        }
        if self.used is not None:
            figures[f"Used today of {self.limit:,}"] = f"{self.used:,}"
        return figures

    def _count(self, to_do: str) -> int:
        return sum(row["to_do"] == to_do for row in self.accounts)


def overview(warehouse: Warehouse, budget: Sequence[Mapping[str, Any]] | None = None) -> Overview:
    """Return the overview of all accounts in the models.

    Args:
        warehouse: The models.
        budget: What `constantcontact-budget show --json` prints; None without a budget store.
    """
    fresh = _by_account(warehouse.rows(_FRESHNESS))
    contacts = _by_account(warehouse.rows(_CONTACTS))
    mailings = _by_account(warehouse.rows(_MAILINGS))
    budgets = {label: each for key in budget or () for label, each in key["accounts"].items()}
    # Models name an account by its schema and its label.
    labels = {name: name.rpartition("/")[2] for name in (*fresh, *contacts)}
    unloaded = {label: label for label in budgets if label not in labels.values()}
    rows = [
        _row(
            name,
            fresh.get(name, {}),
            contacts.get(name, {}) | mailings.get(name, {}),
            budgets.get(label, {}),
        )
        for name, label in (labels | unloaded).items()
    ]
    rows.sort(key=lambda row: (not row["to_do"], -(row["age"] or 0), row["account"]))
    return Overview(
        rows,
        max((row["last_run_at"] for row in rows if row["last_run_at"]), default=None),
        sum(key["used"] for key in budget) if budget is not None else None,
        sum(key["limit"] or 0 for key in budget or ()),
    )


def _by_account(rows: Sequence[Row]) -> dict[str, Row]:
    return {row["account"]: row for row in rows}


def _row(name: str, fresh: Row, figures: Row, budget: Mapping[str, Any]) -> Row:
    requests = fresh.get("requests")
    return {
        "account": name,
        "to_do": _to_do(fresh, budget),
        "age": fresh.get("age"),
        "last_run_at": fresh.get("last_run_at"),
        "requests": None if requests is None else int(requests),
        "contacts": figures.get("contacts"),
        "last_sent_at": figures.get("last_sent_at"),
        "used": budget.get("used"),
        "leased": budget.get("leased"),
        "backfill": budget.get("backfill") or None,
    }


def _to_do(fresh: Row, budget: Mapping[str, Any]) -> str:
    """Return what a person has to do for an account; empty for nothing."""
    never, behind, incomplete = (
        int(fresh.get(name) or 0) for name in ("never", "behind", "incomplete")
    )
    texts = {
        _LOGIN: budget.get("outcome") == "login required",
        "See the log: the last run failed": budget.get("outcome") == "failed",
        "Wait for the first sync, or start it": not fresh,
        f"Wait for the backfill of {_streams(never)}": never,
        f"Start a run: {_streams(behind)} older than {_STALE_HOURS} hours": behind,
        f"Compare: fewer records than reported in {_streams(incomplete)}": incomplete,
    }
    return next((text for text, applies in texts.items() if applies), "")


def _streams(count: int) -> str:
    return "1 stream" if count == 1 else f"{count:,} streams"
