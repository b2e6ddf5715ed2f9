"""The set of parents that were synced: exact, and small."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_constantcontact.state.id_set import IdSet

IDS = st.sets(st.text(max_size=13) | st.integers(10**12, 2 * 10**12).map(str), max_size=200)


@given(IDS, IDS, IDS)
def test_set_contains_the_ids_that_were_added(
    first: set[str], added: set[str], removed: set[str]
) -> None:
    ids = IdSet(first)
    for parent_id in sorted(added):
        ids.add(parent_id)
    for parent_id in sorted(removed):
        ids.discard(parent_id)

    ids = IdSet.from_state(ids.to_state())

    for parent_id in first | added | removed:
        assert (parent_id in ids) == (parent_id in (first | added) - removed)


def test_ids_that_were_not_added_are_missing() -> None:
    ids = IdSet(map(str, range(5000)))
    assert not any(str(number) in ids for number in range(5000, 10_000))


@pytest.mark.parametrize(("number", "size"), [(0, 20), (150, 850), (2000, 8200)])
def test_size_per_id_is_small(number: int, size: int) -> None:
    assert len(IdSet(map(str, range(number))).to_state()) <= size


@pytest.mark.parametrize("text", ["", "soon", "AAAA", 5, None, "eJxjBAAAAgAC"])
def test_anything_else_is_rejected(text: str) -> None:
    with pytest.raises(ValueError, match="not a set of ids"):
        IdSet.from_state(text)
