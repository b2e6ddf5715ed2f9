"""How many examples a property is tried with, and examples that several try."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import settings
from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from hypothesis.strategies import SearchStrategy

    #: Which streams are selected, the days after it, how many calls it may make if that is limited,
    #: and of which streams the target does not keep the bookmark.
    Run = tuple[set[str], int, int | None, set[str]]


def at_most(examples: int) -> int:
    """So many; fewer when tests are to be quick, more when they are to search."""
    found = settings.default.max_examples if settings.default else examples
    return found if found > _USUAL else min(examples, found)


_USUAL = 100


def runs(selected: Sequence[str], kept: Sequence[str], least: int = 0) -> SearchStrategy[list[Run]]:
    """Some runs, of which some are cut off, and of some not all bookmarks are kept."""
    run = st.tuples(
        st.sets(st.sampled_from(selected), min_size=1),
        st.integers(0, 6),
        st.sampled_from([None, 4, 9, 20]),
        st.sets(st.sampled_from(kept)),
    )
    return st.lists(run, min_size=least, max_size=5)


def partly_kept(
    before: dict[str, Any] | None, after: dict[str, Any], unkept: Iterable[str]
) -> dict[str, Any]:
    """A state with bookmarks of after a run, and for some streams those of before it."""
    old = before["bookmarks"] if before else {}
    new = {name: held for name, held in after["bookmarks"].items() if name not in unkept}
    return {"bookmarks": new | {name: old[name] for name in unkept if name in old}}
