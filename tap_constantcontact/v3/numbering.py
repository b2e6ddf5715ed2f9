"""Telling rows apart that have no id (API docs: v3 §12)."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from singer_sdk.helpers.types import Record

NUMBER = "row_number"


class RowNumbers:
    """Numbers rows that are the same in all else that makes up their key, from 1.

    Times are cut to the minute, so that equal rows are possible. They come out with the same
    numbers each time as long as a minute is read whole.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        """Begin to count.

        Args:
            keys: What makes up a row's key, the number among it.
        """
        self._keys = [key for key in keys if key != NUMBER]
        self._seen: Counter[tuple[Any, ...]] = Counter()

    def numbered(self, row: Record) -> Record:
        """The row with its number."""
        key = tuple(row.get(name) for name in self._keys)
        self._seen[key] += 1
        return {**row, NUMBER: self._seen[key]}


def repeated(before: Sequence[Any], rows: Sequence[Any]) -> int:
    """With how many rows a page begins that the page before has ended with."""
    most = min(len(before), len(rows))
    return next((n for n in range(most, 0, -1) if before[-n:] == rows[:n]), 0)
