"""Cache for values that several streams share in a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

_T = TypeVar("_T")


class RunCache:
    """Caches results by key."""

    def __init__(self) -> None:
        """Create an empty cache."""
        self._known: dict[str, Any] = {}

    def __call__(self, what: str, ask: Callable[[], _T]) -> _T:
        """Return the cached value, computing it on first use."""
        if what not in self._known:
            self._known[what] = ask()
        result: _T = self._known[what]
        return result
