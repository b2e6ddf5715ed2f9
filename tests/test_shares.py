"""Properties of the shares of a budget."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from tap_constantcontact.budget.shares import Demand, share_out

demands = st.lists(
    st.builds(
        Demand,
        account=st.text("abcdef", min_size=1, max_size=3),
        current=st.integers(0, 60),
        spare=st.integers(0, 60),
        backfill=st.integers(0, 900),
        waiting=st.floats(0, 1e6),
    ),
    max_size=30,
    unique_by=lambda demand: demand.account,
)
budgets = st.integers(0, 5_000)


def need_of(demand: Demand) -> int:
    return demand.current + demand.spare + demand.backfill


@given(demands, budgets)
def test_shares_sum_up_to_the_budget_or_the_need(needs: list[Demand], budget: int) -> None:
    shares = share_out(needs, budget)
    assert shares.keys() == {each.account for each in needs}
    assert sum(shares.values()) == min(budget, sum(map(need_of, needs)))
    for each in needs:
        assert 0 <= shares[each.account] <= need_of(each)


@given(demands, budgets)
def test_no_backfill_before_everyone_is_current(needs: list[Demand], budget: int) -> None:
    shares = share_out(needs, budget)
    if any(shares[each.account] < each.current for each in needs):
        assert all(shares[each.account] <= each.current for each in needs)


@given(demands, budgets)
def test_longest_waiting_account_comes_first(needs: list[Demand], budget: int) -> None:
    shares = share_out(needs, budget)
    for one in needs:
        for other in needs:
            if one.waiting <= other.waiting:
                continue
            if shares[one.account] < one.current:
                assert shares[other.account] == 0
            elif shares[one.account] < one.current + one.spare:
                assert shares[other.account] <= other.current
            elif shares[one.account] < need_of(one):
                assert shares[other.account] <= other.current + other.spare


@given(demands, budgets, st.integers(0, 500))
def test_larger_budget_reduces_no_share(needs: list[Demand], budget: int, more: int) -> None:
    shares, larger = share_out(needs, budget), share_out(needs, budget + more)
    assert all(larger[account] >= share for account, share in shares.items())


@given(demands)
def test_order_of_accounts_does_not_matter(needs: list[Demand]) -> None:
    assert share_out(needs, 500) == share_out(needs[::-1], 500)


@given(demands.filter(bool), st.integers(1, 400))
def test_no_account_starves(needs: list[Demand], budget: int) -> None:
    """Day after day, accounts that got nothing wait longer, until each has all that it needs."""
    open_needs = {each.account: each for each in needs}
    for _ in range(sum(map(need_of, needs)) // budget + 1):
        for account, share in share_out(list(open_needs.values()), budget).items():
            need, left = open_needs[account], share
            parts = {}
            for kind in ("current", "spare", "backfill"):
                used = min(left, getattr(need, kind))
                parts[kind] = getattr(need, kind) - used
                left -= used
            open_needs[account] = replace(need, **parts, waiting=need.waiting + 86_400)
    assert not any(map(need_of, open_needs.values()))
