"""The command `constantcontact-budget`: shares of a budget, for schedulers."""

from __future__ import annotations

import datetime as dt
import json
import math
import time
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING, Any

import click

from tap_constantcontact import text_table
from tap_constantcontact.budget.budget import open_store
from tap_constantcontact.budget.ledger import DAY_SECONDS, BudgetExhaustedError, Ledger, RunOutcome
from tap_constantcontact.budget.shares import Demand, share_out
from tap_constantcontact.budget.store import BudgetStoreError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tap_constantcontact.budget.ledger import AccountLedger
    from tap_constantcontact.budget.store import BudgetStore

# The next run may need more requests than the last one. What it does not use is returned.
_MARGIN = 1.5
_EXTRA_REQUESTS = 20
_MAX_TRIES = 10


@click.group()
@click.option(
    "--store",
    required=True,
    envvar="TAP_CONSTANTCONTACT_BUDGET_STORE",
    help="The setting budget_store: a file or a database URL.",
)
@click.pass_context
def main(context: click.Context, store: str) -> None:
    """Share out the requests of a day between the accounts of a budget store."""
    context.obj = store


_LINES = click.option("--lines", is_flag=True, help="Print labels, one per line, and no JSON.")


@main.command()
@_LINES
@click.argument("accounts", nargs=-1)
@click.pass_obj
def unknown(store: str, lines: bool, accounts: tuple[str, ...]) -> None:  # noqa: FBT001 - click's way
    """Print the accounts whose demand is unknown, as JSON.

    `tap-constantcontact --plan` estimates it, and stores the estimate.
    """
    with _opened(store) as opened:
        known = {
            label
            for key in opened.keys()  # noqa: SIM118 - no dictionary
            for label, account in opened.ledger(key).accounts.items()
            if account.backfill is not None
        }
    labels = [label for label in accounts if label not in known]
    click.echo("\n".join(labels) if lines else json.dumps(labels))


@main.command()
@click.option("--hours", default=24.0, help="Duration of the leases. They end at 00:00 UTC.")
@_LINES
@click.option("--rest", is_flag=True, help="Only for accounts without a complete run today.")
@click.argument("accounts", nargs=-1)
@click.pass_obj
def share(
    store: str,
    hours: float,
    rest: bool,  # noqa: FBT001 - click's way
    lines: bool,  # noqa: FBT001
    accounts: tuple[str, ...],
) -> None:
    """Lease the budget of today to accounts, and print their shares as JSON.

    Without ACCOUNTS, to all accounts of the store. Current data comes first, then backfills; in
    both, accounts that have waited longest.
    """
    shares: dict[str, int] = {}
    with _opened(store) as opened:
        for key in opened.keys():  # noqa: SIM118 - no dictionary
            leased = lease_shares(opened, key, accounts, hours * 3600, rest=rest)
            shares |= {label: shares.get(label, 0) + share for label, share in leased.items()}
    granted = [label for label, requests in shares.items() if requests]
    click.echo("\n".join(granted) if lines else json.dumps(shares))


@main.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def show(store: str, as_json: bool) -> None:  # noqa: FBT001 - click's way
    """Show the requests of today, and what each account waits for."""
    with _opened(store) as opened:
        ledgers = [opened.ledger(key) for key in opened.keys()]  # noqa: SIM118 - no dictionary
    click.echo(json.dumps([_as_dict(each) for each in ledgers]) if as_json else _table(ledgers))


@contextmanager
def _opened(store: str) -> Iterator[BudgetStore]:
    try:
        with closing(open_store(store)) as opened:
            yield opened
    except BudgetStoreError as error:
        raise click.ClickException(str(error)) from None


def lease_shares(
    store: BudgetStore, key: str, accounts: Sequence[str], seconds: float, *, rest: bool
) -> dict[str, int]:
    """Lease the budget of a key to accounts, and return their shares.

    Runs may use some of it in the meantime: then it is shared out again.

    Args:
        store: The store.
        key: Hash of the key.
        accounts: Labels; none for all accounts.
        seconds: Duration of the leases.
        rest: Whether to leave out accounts with a complete run today.

    Raises:
        BudgetStoreError: The store cannot be used.
    """
    for _ in range(_MAX_TRIES):
        shares = share_of_key(store.ledger(key), accounts, rest=rest)
        with suppress(BudgetExhaustedError):
            store.lease(key, shares, seconds)
            return shares
    msg = "The budget is in use, and could not be shared out. Try again."
    raise BudgetStoreError(msg)


def share_of_key(ledger: Ledger, accounts: Sequence[str], *, rest: bool) -> dict[str, int]:
    """Return the shares of the accounts of a key.

    Args:
        ledger: The ledger of the key.
        accounts: Labels; none for all accounts.
        rest: Whether to leave out accounts with a complete run today.
    """
    today = time.time() // DAY_SECONDS * DAY_SECONDS
    chosen = {
        label: each
        for label, each in ledger.accounts.items()
        if (not accounts or label in accounts)
        and not (rest and each.backfill == 0 and each.waiting_since >= today)
    }
    budget = (ledger.left or 0) + sum(each.leased or 0 for each in chosen.values())
    return share_out([demand_of(label, each, budget) for label, each in chosen.items()], budget)


def demand_of(label: str, account: AccountLedger, budget: int) -> Demand:
    """Return the demand of an account.

    Args:
        label: Its label.
        account: Its ledger.
        budget: Number of requests to share out: the demand of a backfill that is not estimated.
    """
    if account.outcome == RunOutcome.LOGIN_REQUIRED:
        return Demand(label, current=_EXTRA_REQUESTS)  # Enough to find out if someone logged in.
    is_synced = account.backfill == 0
    spare = math.ceil((_MARGIN - 1) * account.current) + _EXTRA_REQUESTS if is_synced else 0
    backfill = budget if account.backfill is None else math.ceil(_MARGIN * account.backfill)
    # An account that fails every day must not keep the others waiting.
    has_failed = account.outcome == RunOutcome.FAILED
    waiting = 0.0 if has_failed else time.time() - account.waiting_since
    return Demand(label, account.current if is_synced else 0, spare, backfill, waiting)


def _as_dict(ledger: Ledger) -> dict[str, Any]:
    return {
        "limit": ledger.limit,
        "used": ledger.used,
        "left": ledger.left,
        "accounts": {label: _account(each) for label, each in sorted(ledger.accounts.items())},
    }


def _account(account: AccountLedger) -> dict[str, Any]:
    is_synced = account.backfill == 0
    since = dt.datetime.fromtimestamp(account.waiting_since, dt.UTC)
    return {
        "used": account.used,
        "leased": account.leased,
        "synced_at": f"{since:%Y-%m-%dT%H:%M:%SZ}" if is_synced else None,
        "backfill": account.backfill,
        "outcome": account.outcome or None,
    }


def _table(ledgers: Sequence[Ledger]) -> str:
    lines = []
    for ledger in ledgers:
        lines.append(f"{ledger.used:,} of {ledger.limit:,} requests today, {ledger.left:,} left")
        rows = [("account", "used", "leased", "last complete sync", "to backfill", "last run")]
        for label, each in _as_dict(ledger)["accounts"].items():
            left = each["backfill"]
            rows.append(
                (
                    label,
                    f"{each['used']:,}",
                    "" if each["leased"] is None else f"{each['leased']:,}",
                    each["synced_at"] or "never",
                    "unknown" if left is None else f"{left:,}" if left else "",
                    each["outcome"] or "",
                )
            )
        lines += text_table.lines_of(rows, numbers=(1, 2, 4))
    return "\n".join(lines) or "No run has used this budget store yet."
