"""The command `constantcontact-budget`: shares of a budget, for schedulers."""

from __future__ import annotations

import datetime as dt
import json
import math
import time
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

import click

from tap_constantcontact.budget.base import BudgetStoreError, Usage
from tap_constantcontact.budget.selection import open_store
from tap_constantcontact.budget.shares import Demand, share_out

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tap_constantcontact.budget.base import AccountUsage, BudgetStore

# The next run may need more requests than the last one. What it does not use is returned.
_MARGIN = 1.5
_EXTRA_REQUESTS = 20


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


@main.command()
@click.argument("accounts", nargs=-1)
@click.pass_obj
def unknown(store: str, accounts: tuple[str, ...]) -> None:
    """Print the accounts whose demand is unknown, as JSON.

    `tap-constantcontact --plan` estimates it, and stores the estimate.
    """
    with _opened(store) as opened:
        known = {
            label
            for key in opened.keys()  # noqa: SIM118 - no dictionary
            for label, usage in opened.usage(key).accounts.items()
            if usage.backfill is not None
        }
    click.echo(json.dumps([label for label in accounts if label not in known]))


@main.command()
@click.option("--hours", default=24.0, help="Duration of the leases. They end at 00:00 UTC.")
@click.option("--backfills", is_flag=True, help="Only for accounts that are not synced yet.")
@click.argument("accounts", nargs=-1)
@click.pass_obj
def share(store: str, hours: float, backfills: bool, accounts: tuple[str, ...]) -> None:  # noqa: FBT001 - click's way
    """Lease the budget of today to accounts, and print their shares as JSON.

    Without ACCOUNTS, to all accounts of the store. Current data comes first, then backfills; in
    both, accounts that have waited longest.
    """
    shares: dict[str, int] = {}
    with _opened(store) as opened:
        for key in opened.keys():  # noqa: SIM118 - no dictionary
            leased = share_of_key(opened.usage(key), accounts, backfills=backfills)
            opened.lease(key, leased, hours * 3600)
            shares |= {label: shares.get(label, 0) + share for label, share in leased.items()}
    click.echo(json.dumps(shares))


@main.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def show(store: str, as_json: bool) -> None:  # noqa: FBT001 - click's way
    """Show the requests of today, and what each account waits for."""
    with _opened(store) as opened:
        usages = [opened.usage(key) for key in opened.keys()]  # noqa: SIM118 - no dictionary
    click.echo(json.dumps([_as_dict(each) for each in usages]) if as_json else _table(usages))


@contextmanager
def _opened(store: str) -> Iterator[BudgetStore]:
    try:
        with closing(open_store(store)) as opened:
            yield opened
    except BudgetStoreError as error:
        raise click.ClickException(str(error)) from None


def share_of_key(usage: Usage, accounts: Sequence[str], *, backfills: bool) -> dict[str, int]:
    """Return the shares of the accounts of a key.

    Args:
        usage: The usage of the key.
        accounts: Labels; none for all accounts.
        backfills: Whether to leave out accounts that have been synced.
    """
    chosen = {
        label: each
        for label, each in usage.accounts.items()
        if (not accounts or label in accounts) and not (backfills and each.backfill == 0)
    }
    budget = (usage.left or 0) + sum(each.leased or 0 for each in chosen.values())
    return share_out([demand_of(label, each, budget) for label, each in chosen.items()], budget)


def demand_of(label: str, usage: AccountUsage, budget: int) -> Demand:
    """Return the demand of an account.

    Args:
        label: Its label.
        usage: Its usage.
        budget: Number of requests to share out: the demand of a backfill that is not estimated.
    """
    current = math.ceil(_MARGIN * usage.current) + _EXTRA_REQUESTS if usage.backfill == 0 else 0
    backfill = budget if usage.backfill is None else math.ceil(_MARGIN * usage.backfill)
    return Demand(label, current, backfill, time.time() - usage.waiting_since)


def _as_dict(usage: Usage) -> dict[str, Any]:
    return {
        "limit": usage.limit,
        "used": usage.used,
        "left": usage.left,
        "accounts": {label: _account(each) for label, each in sorted(usage.accounts.items())},
    }


def _account(usage: AccountUsage) -> dict[str, Any]:
    is_synced = usage.backfill == 0
    since = dt.datetime.fromtimestamp(usage.waiting_since, dt.UTC)
    return {
        "used": usage.used,
        "leased": usage.leased,
        "synced_at": f"{since:%Y-%m-%dT%H:%M:%SZ}" if is_synced else None,
        "backfill": usage.backfill,
    }


def _table(usages: Sequence[Usage]) -> str:
    lines = []
    for usage in usages:
        lines.append(f"{usage.used:,} of {usage.limit:,} requests today, {usage.left:,} left")
        rows = [("account", "used", "leased", "last complete sync", "to backfill")]
        for label, each in _as_dict(usage)["accounts"].items():
            left = each["backfill"]
            rows.append(
                (
                    label,
                    f"{each['used']:,}",
                    "" if each["leased"] is None else f"{each['leased']:,}",
                    each["synced_at"] or "never",
                    "unknown" if left is None else f"{left:,}" if left else "",
                )
            )
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines += [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in rows
        ]
    return "\n".join(lines)
