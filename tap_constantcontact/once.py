"""Asking once what several want to know."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

_T = TypeVar("_T")


class Once:
    """Answers, by what was asked; the first who asks finds out."""

    def __init__(self) -> None:
        """Know nothing yet."""
        self._known: dict[str, Any] = {}

    def __call__(self, what: str, ask: Callable[[], _T]) -> _T:
        """The answer to something, asked for unless it is known."""
        if what not in self._known:
            self._known[what] = ask()
        found: _T = self._known[what]
        return found
