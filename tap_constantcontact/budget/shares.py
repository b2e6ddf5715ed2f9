"""Shares of a day's budget: how many requests each account gets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Demand:
    """The requests that an account needs.

    Attributes:
        account: Its label.
        current: Number of requests of a run, if the account has been synced before.
        spare: Number of requests by which such a run may exceed that.
        backfill: Number of requests for a first sync, or for the rest of one.
        waiting: Seconds since the account was current, or since it was added.
    """

    account: str
    current: int = 0
    spare: int = 0
    backfill: int = 0
    waiting: float = 0.0


def share_out(demands: Sequence[Demand], budget: int) -> dict[str, int]:
    """Share out a budget.

    Current data comes first, for everyone, then spare requests, then backfills. If the budget does
    not suffice, the accounts that have waited longest get theirs. So backfills come one after the
    other, and as many as possible are finished.

    Args:
        demands: By account, each once.
        budget: Number of requests.

    Returns:
        Number of requests by account, of all accounts. Their sum is the budget, or all that is
        needed.
    """
    shares = {demand.account: 0 for demand in demands}
    left = max(0, budget)
    longest_first = sorted(demands, key=lambda demand: (-demand.waiting, demand.account))
    for kind in ("current", "spare", "backfill"):
        for demand in longest_first:
            given = min(left, max(0, getattr(demand, kind)))
            shares[demand.account] += given
            left -= given
    return shares
