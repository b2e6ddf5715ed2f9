"""How many examples a property is tried with."""

from __future__ import annotations

from hypothesis import settings


def at_most(examples: int) -> int:
    """So many; fewer when tests are to be quick, more when they are to search."""
    found = settings.default.max_examples if settings.default else examples
    return found if found > _USUAL else min(examples, found)


_USUAL = 100
