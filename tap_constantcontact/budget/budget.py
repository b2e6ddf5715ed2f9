"""The budget of one run, and its store by the settings."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tap_constantcontact.budget.ledger import (
    AccountLedger,
    BudgetExhaustedError,
    LeaseEndedError,
    SlotRequest,
)
from tap_constantcontact.budget.store import FileStore, MemoryStore

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_constantcontact.budget.ledger import RunOutcome, Slots
    from tap_constantcontact.budget.store import BudgetStore


class Budget:
    """The budget of one run. Every method raises `BudgetStoreError` if its store cannot be used."""

    def __init__(
        self, store: BudgetStore, key: str = "", account: str = "", limit: int | None = None
    ) -> None:
        """Create a budget, without opening the store.

        Args:
            store: Shared with the other runs of the key.
            key: Hash of the key.
            account: Label of the account; empty without.
            limit: Requests per day of the key; None to keep the limit of the store.
        """
        self._store = store
        self._key = key
        self._account = account
        self._limit = limit
        self._left: int | None = None

    @cached_property
    def _has_lease(self) -> bool:
        ledger = self._store.open(self._key, self._account, self._limit)
        self._left = ledger.accounts.get(self._account, AccountLedger()).leased
        return self._left is not None

    def open(self) -> None:
        """Open the store, if it is not open: the first connection may take its time."""
        _ = self._has_lease

    @property
    def left(self) -> int | None:
        """Number of requests left of the lease; None without a lease."""
        return self._left if self._has_lease else None

    def reserve(self, spacing: float, count: int = 1, unused: int = 0, lead: float = 0.0) -> Slots:
        """Reserve slots.

        Args:
            spacing: Seconds between two slots.
            count: Number of slots.
            unused: Number of slots that were reserved before, and not used.
            lead: Seconds before the first slot.

        Raises:
            LeaseEndedError: The run has used its lease.
            BudgetExhaustedError: The key has used its requests of the day.
        """
        request = SlotRequest(self._account, spacing, count, unused, lead, self._has_lease)
        slots = self._store.reserve(self._key, request)
        if slots is None:
            raise LeaseEndedError if self._has_lease else BudgetExhaustedError
        self._left = slots.left
        return slots

    def exhaust(self) -> None:
        """Leave no request for today: the API has rejected one."""
        self._store.exhaust(self._key)

    def note_estimate(self, requests: int) -> None:
        """Keep the number of requests that the next run of the account needs."""
        if self._account:
            self.open()
            self._store.note_estimate(self._key, self._account, requests)

    def note_run(self, requests: int, outcome: RunOutcome) -> None:
        """Keep the result of the run. A complete one returns its lease."""
        if self._account:
            self.open()
            self._store.note_run(self._key, self._account, requests, outcome)

    def close(self) -> None:
        """Release connections."""
        self._store.close()


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
