"""Selection of the budget store by the settings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from tap_constantcontact.budget.base import Budget
from tap_constantcontact.budget.ledger import FileStore, MemoryStore

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_constantcontact.budget.base import BudgetStore


def open_store(where: str | None) -> BudgetStore:
    """Return the store of a setting: a path, a database URL, or memory.

    Args:
        where: The setting.

    Raises:
        BudgetStoreError: SQLAlchemy is not installed.
    """
    if not where:
        return MemoryStore()
    if "://" in where:
        from tap_constantcontact.budget.database import DatabaseStore  # noqa: PLC0415 - an extra

        return DatabaseStore(where)
    return FileStore(Path(where))


def budget_of(config: Mapping[str, Any], key: str) -> Budget:
    """Return the budget of a run.

    Args:
        config: The settings.
        key: Hash of the API key or OAuth application.

    Raises:
        BudgetStoreError: SQLAlchemy is not installed.
    """
    label = str(config.get("account_label") or "")
    return Budget(
        open_store(config.get("budget_store")), key, label, config.get("requests_per_day")
    )
