"""Budget stores: they keep the ledger of each key, in memory or in a file."""

from __future__ import annotations

import contextlib
import copy
import json
import time
from abc import ABC, abstractmethod
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from filelock import Timeout
from singer_sdk.exceptions import FatalAPIError
from typing_extensions import override

from tap_constantcontact.budget.ledger import Ledger
from tap_constantcontact.shared_file import SharedFile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from tap_constantcontact.budget.ledger import RunOutcome, SlotRequest, Slots

_T = TypeVar("_T")
_LOCK_SECONDS = 60.0


class BudgetStoreError(FatalAPIError):
    """The budget store cannot be used."""


class BudgetStore(ABC):
    """Keeps the ledger of each key.

    A key is an API key or an OAuth application: the API limits the requests of all accounts that
    share it (docs/api/v3.md §5). Every method raises `BudgetStoreError` if the store cannot be
    used.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        """Create a store, without opening it.

        Args:
            clock: Seconds from any start.
        """
        self._clock = clock

    @abstractmethod
    def update(self, key: str, change: Callable[[Ledger, float], _T]) -> _T:
        """Change the ledger of a key, which is locked meanwhile.

        Args:
            key: Hash of the key.
            change: Receives the ledger as of now, and the time in seconds since 1970. It may be
                called twice. An exception leaves the ledger as it was.

        Returns:
            What `change` returns.
        """

    @abstractmethod
    def keys(self) -> list[str]:
        """Return the hashes of all keys."""

    def close(self) -> None:
        """Release connections. The store may be used again."""
        return

    def open(self, key: str, account: str, limit: int | None) -> Ledger:
        """Prepare the store for an account, and return the ledger of its key.

        Args:
            key: Hash of the key.
            account: Label of the account; empty without.
            limit: Requests per day; None to keep the limit of the store.
        """

        def change(ledger: Ledger, now: float) -> Ledger:
            if limit is not None:
                ledger.limit = limit
            ledger.account(account, now)
            return copy.deepcopy(ledger)

        return self.update(key, change)

    def ledger(self, key: str) -> Ledger:
        """Return the ledger of a key, as of now."""
        return self.update(key, lambda ledger, _: copy.deepcopy(ledger))

    def reserve(self, key: str, request: SlotRequest) -> Slots | None:
        """Reserve the next free slots; None if the requests are not left."""
        slots, reserved_at = self.update(
            key, lambda ledger, now: (ledger.reserve(request, now), self._clock())
        )
        # The slots have come nearer until the ledger was written.
        delay = self._clock() - reserved_at
        return slots and replace(slots, wait=slots.wait - delay, delay=delay)

    def lease(self, key: str, shares: Mapping[str, int], seconds: float) -> None:
        """Reserve requests of today for accounts, in place of the leases that they have.

        Args:
            key: Hash of the key.
            shares: Number of requests by label of the account.
            seconds: Duration of the leases. They end with the day in any case.

        Raises:
            BudgetExhaustedError: The requests are not left.
        """
        self.update(key, lambda ledger, now: ledger.lease(shares, seconds, now))

    def note_estimate(self, key: str, account: str, requests: int) -> None:
        """Keep the number of requests that the next run of an account needs."""
        self.update(key, lambda ledger, now: ledger.account(account, now).note_estimate(requests))

    def note_run(self, key: str, account: str, requests: int, outcome: RunOutcome) -> None:
        """Keep the result of a run. A complete one returns its lease.

        Args:
            key: Hash of the key.
            account: Label of the account.
            requests: Number of requests of the run.
            outcome: How it ended.
        """

        def change(ledger: Ledger, now: float) -> None:
            ledger.account(account, now).note_run(requests, outcome, now)

        self.update(key, change)

    def exhaust(self, key: str) -> None:
        """Leave no request for today: the API has rejected one."""
        self.update(key, lambda ledger, _: ledger.exhaust())


class MemoryStore(BudgetStore):
    """The store of a run that shares its key with nobody. The API alone limits its day."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        """Create an empty store.

        Args:
            clock: Seconds from any start.
        """
        super().__init__(clock)
        self._ledgers: dict[str, Ledger] = {}

    @override
    def update(self, key: str, change: Callable[[Ledger, float], _T]) -> _T:
        ledger = self._ledgers.setdefault(key, Ledger(limit=None))
        now = self._clock()
        ledger.begin(now)
        return change(ledger, now)

    @override
    def keys(self) -> list[str]:
        return list(self._ledgers)


class FileStore(BudgetStore):
    """A JSON file, for several processes of one machine."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        """Create a store, without reading its file.

        Args:
            path: Path of the file, which need not exist.
            clock: Seconds since 1970.
        """
        super().__init__(clock)
        self._file = SharedFile(path)

    @override
    def update(self, key: str, change: Callable[[Ledger, float], _T]) -> _T:
        with self._locked() as ledgers:
            ledger = ledgers.setdefault(key, Ledger())
            now = self._clock()
            ledger.begin(now)
            result = change(ledger, now)
            kept = {key: each.to_dict() for key, each in ledgers.items()}
            self._file.replace(json.dumps({"version": 1, "keys": kept}))
            return result

    @override
    def keys(self) -> list[str]:
        with self._locked() as ledgers:
            return list(ledgers)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[dict[str, Ledger]]:
        """Hold the lock, and read the file."""
        try:
            with self._file.locked(_LOCK_SECONDS):
                yield self._read()
        except Timeout:
            msg = f"Another run holds the lock of the budget store {self._file.path}."
            raise BudgetStoreError(msg) from None
        except OSError as error:
            msg = (
                f"The budget store {self._file.path} cannot be used:"
                f" {error.strerror or type(error).__name__}. Use another one with the setting"
                " `budget_store`."
            )
            raise BudgetStoreError(msg) from None

    def _read(self) -> dict[str, Ledger]:
        try:
            text = self._file.read()
            kept = {} if text is None else json.loads(text)["keys"]
            return {key: Ledger.from_dict(each) for key, each in kept.items()}
        except (ValueError, TypeError, KeyError, AttributeError):
            msg = (
                f"The budget store {self._file.path} contains something else than a budget. Use"
                " another file with the setting `budget_store`, or delete this one."
            )
            raise BudgetStoreError(msg) from None
