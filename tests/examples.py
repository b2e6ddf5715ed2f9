"""How many examples a property is tried with."""

from __future__ import annotations

from hypothesis import settings


def at_most(examples: int) -> int:
    """So many, or fewer when tests are to be quick."""
    return min(examples, settings.default.max_examples if settings.default else examples)
