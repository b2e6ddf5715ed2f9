"""Two hundred accounts of one key: `python -m benchmarks.accounts [accounts]`.

* First loads, day by day: 10,000 requests per day, 20 campaigns per account.
* The day after the first loads: 100 campaigns per account, four workers at 4 requests per second.
* Trouble: one account has lost its login, one answers with server errors only.

Accounts are synced in worker processes, each by the tap's own command.
"""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.runner import TAP, most_in_a_second
from sandbox import Account, FaultConfig, serve_accounts
from tap_constantcontact.budget.budget import open_store
from tap_constantcontact.budget.command import lease_shares
from tap_constantcontact.budget.ledger import DAY_SECONDS, RunOutcome

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox import Sandbox

_QUOTA = 10_000
_CLIENT = "client"
_THROTTLED = 429
_NO_RETRY = (RunOutcome.FAILED, RunOutcome.LOGIN_REQUIRED)


@dataclass
class Fleet:
    """Accounts of one key, with a budget store and a state each."""

    boxes: dict[str, Sandbox]
    folder: Path
    per_second: float
    codes: Counter[int] = field(default_factory=Counter)
    tokens: dict[str, str] = field(default_factory=dict)

    @property
    def store(self) -> str:
        """The budget store."""
        return str(self.folder / "budget.json")

    def calls(self) -> list[Any]:
        """Return the requests of all accounts in the order of their arrival."""
        calls = (call for box in self.boxes.values() for call in box.calls)
        return sorted(calls, key=lambda call: call.at)

    def sync(self, label: str) -> int:
        """Run the tap for an account; return its exit code."""
        box, state = self.boxes[label], self.folder / f"{label}.state.json"
        config = self.folder / f"{label}.config.json"
        settings = {
            "api_version": "v3",
            "access_token": self.tokens.get(label, label),
            "client_id": _CLIENT,
            "api_url": box.v3_url,
            "token_store": str(self.folder / "tokens.json"),
            "account_label": label,
            "budget_store": self.store,
            "requests_per_second": self.per_second,
        }
        config.write_text(json.dumps(settings))
        command = [*TAP, "--config", str(config)]
        if state.exists():
            command += ["--state", str(state)]
        with (self.folder / f"{label}.log").open("w") as log:
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log)  # noqa: S603
            assert process.stdout  # noqa: S101 - tells the type checker
            last = b""
            for line in process.stdout:
                if line.startswith(b'{"type":"STATE"'):
                    last = line
            code = process.wait()
        if last:
            state.write_text(json.dumps(json.loads(last)["value"]))
        self.codes[code] += 1
        return code

    def share(self, *, rest: bool = False) -> dict[str, int]:
        """Lease the budget to the accounts."""
        with closing(open_store(self.store)) as store:
            (key,) = store.keys()
            return lease_shares(store, key, (), DAY_SECONDS, rest=rest)

    def ledger(self) -> Any:
        """Return the ledger of the key."""
        with closing(open_store(self.store)) as store:
            (key,) = store.keys()
            return store.ledger(key)

    def sync_shares(self, workers: int) -> int:
        """Share out the budget and run the tap, in rounds, until nothing is left or to do."""
        rounds = 0
        while self.ledger().left or not rounds:
            shares = self.share(rest=rounds > 0)
            granted = [label for label, share in shares.items() if share]
            if rounds:
                accounts = self.ledger().accounts
                granted = [label for label in granted if accounts[label].outcome not in _NO_RETRY]
            if not granted:
                break
            self.sync_all(granted, workers)
            rounds += 1
        return rounds

    def sync_all(self, labels: list[str], workers: int) -> None:
        """Run the tap for accounts, in a pool of workers."""
        with ThreadPoolExecutor(workers) as pool:
            list(pool.map(self.sync, labels))

    def missing(self) -> int:
        """Return the number of accounts that have never been synced completely."""
        return sum(each.backfill != 0 for each in self.ledger().accounts.values())


@contextmanager
def fleet(accounts: int, campaigns: int, **limits: Any) -> Iterator[Fleet]:
    """Serve accounts of one key, with a quota of 10,000 requests per day."""
    worlds = {
        f"account-{number:03}": Account(
            seed=number, contacts=200, campaigns=campaigns, recipients=20, events=2
        )
        for number in range(accounts)
    }
    with (
        tempfile.TemporaryDirectory() as folder,
        serve_accounts(worlds, FaultConfig(**limits)) as boxes,
    ):
        yield Fleet(boxes, Path(folder), per_second=1000)


def a_day_passes(group: Fleet) -> None:
    """Begin a new day for the API and the budget store, in which a few things happened."""
    for number, box in enumerate(group.boxes.values()):
        # Newsletters are sent once per week, and opened on the next day, too.
        if number % 7 == 0:
            box.account.send_campaigns(1)
        if number % 7 in {0, 1}:
            box.account.add_tracking(10)
        box.account.edit_contacts(3)
    a_day_passes_for_budget(Path(group.store))


def a_day_passes_for_budget(store: Path) -> None:
    """Begin a new day for the budget store alone."""
    ledgers = json.loads(store.read_text())
    for ledger in ledgers["keys"].values():
        ledger["day"] -= 1
        ledger["next_at"] = 0.0
        for account in ledger["accounts"].values():
            account["waiting_since"] -= DAY_SECONDS
    store.write_text(json.dumps(ledgers))


def report(**figures: Any) -> None:
    """Print figures."""
    print(json.dumps(figures), flush=True)  # noqa: T201


def first_loads(accounts: int, workers: int = 4) -> None:
    """Load accounts for the first time, with the budget of as many days as that takes."""
    with fleet(accounts, campaigns=20) as group:
        group.sync(next(iter(group.boxes)))  # Creates the store.
        with closing(open_store(group.store)) as store:
            (key,) = store.keys()
            for label in group.boxes:
                store.open(key, label, _QUOTA)
        for day in itertools.count(1):
            began = time.time()
            current = [
                label for label, each in group.ledger().accounts.items() if each.backfill == 0
            ]
            rounds = group.sync_shares(workers)
            ledger = group.ledger()
            stale = [label for label in current if ledger.accounts[label].waiting_since < began]
            report(
                day=day,
                used=ledger.used,
                left=ledger.left,
                rounds=rounds,
                synced=accounts - group.missing(),
                no_longer_current=len(stale),
                codes=group.codes,
            )
            if not group.missing():
                break
            a_day_passes(group)


def day_after(accounts: int, workers: int = 4) -> None:
    """Sync accounts on the day after their first loads, at the rate of the key."""
    with fleet(accounts, campaigns=100, throttle=None) as group:
        store = Path(group.store)
        for chunk in range(0, accounts, 8):
            group.sync_all(list(group.boxes)[chunk : chunk + 8], 2)
            a_day_passes_for_budget(store)
        assert not group.missing()  # noqa: S101
        report(first_loads=len(group.calls()), codes=group.codes)
        a_day_passes(group)
        before, group.codes = len(group.calls()), Counter()
        group.per_second = 4
        began = time.time()
        group.sync_shares(workers)
        seconds = time.time() - began
        calls = group.calls()[before:]
        at = [call.at for call in calls]
        report(
            accounts=accounts,
            requests=len(calls),
            throttled=sum(call.status == _THROTTLED for call in calls),
            most_in_a_second=most_in_a_second(at),
            seconds=round(seconds, 1),
            ratio=round(seconds / (len(calls) / 4), 3),
            codes=group.codes,
            current=accounts
            - sum(each.waiting_since < began for each in group.ledger().accounts.values()),
        )


def trouble(accounts: int, workers: int = 4) -> None:
    """Sync accounts of which one has lost its login, and one answers with server errors only."""
    accounts = min(accounts, 24)
    with fleet(accounts, campaigns=10) as group:
        group.sync_all(list(group.boxes), 2)
        group.per_second = 4
        labels = list(group.boxes)
        for name in ("without trouble", "with trouble"):
            a_day_passes(group)
            group.codes.clear()
            if name == "with trouble":
                group.tokens[labels[3]] = "expired"
                group.boxes[labels[7]].faults.change({"fail_every": 1})
            before, began = len(group.calls()), time.time()
            group.sync_shares(workers)
            ledger = group.ledger()
            current = [
                label for label, each in ledger.accounts.items() if each.waiting_since >= began
            ]
            last = max(ledger.accounts[label].waiting_since for label in current) - began
            report(
                name=name,
                current=len(current),
                requests=len(group.calls()) - before,
                seconds_until_the_others_are_current=round(last, 1),
                seconds=round(time.time() - began, 1),
                outcomes=Counter(each.outcome for each in ledger.accounts.values()),
                codes=group.codes,
            )


if __name__ == "__main__":
    number = int(sys.argv[1]) if sys.argv[1:] else 200
    for part in sys.argv[2:] or ("first_loads", "day_after", "trouble"):
        parts = {"first_loads": first_loads, "day_after": day_after, "trouble": trouble}
        parts[part](number)
