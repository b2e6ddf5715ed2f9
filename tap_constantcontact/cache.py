"""Values that several streams share in a run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_constantcontact.http.prefetch import PendingRequest

#: The records of a list, or the error that it failed with.
Outcome: TypeAlias = "list[dict[str, Any]] | Exception"

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


@dataclass(frozen=True)
class SharedLists:
    """Lists that are requested once per run, by path.

    Attributes:
        outcomes: Those that were fetched.
        pending: Those that were only forecast.
    """

    outcomes: dict[str, Outcome] = field(default_factory=dict)
    pending: dict[str, PendingRequest] = field(default_factory=dict)
