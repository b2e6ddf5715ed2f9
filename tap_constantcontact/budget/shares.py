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
        current: Number of requests for streams that have been synced before.
        backfill: Number of requests for a first sync, or for the rest of one.
        waiting: Seconds since the account was current, or since it was added.
    """

    account: str
    current: int = 0
    backfill: int = 0
    waiting: float = 0.0


def share_out(demands: Sequence[Demand], budget: int) -> dict[str, int]:
    """Share out a budget.

    Current data comes first, for everyone. If the budget does not suffice for it, the accounts that
    have waited longest get theirs. What is left goes to backfills one after the other, so that as
    many as possible are finished: again, those that have waited longest come first.

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
    for demand in longest_first:
        shares[demand.account] += (given := min(left, max(0, demand.current)))
        left -= given
    for demand in longest_first:
        shares[demand.account] += (given := min(left, max(0, demand.backfill)))
        left -= given
    return shares
