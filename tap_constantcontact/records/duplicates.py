"""Records without an id (docs/api/v3.md §12, §13).

A list of such records, newest first and on numbered pages, has two kinds of duplicates. Timestamps
are truncated to the minute, so identical records exist: they are numbered. Records that arrive
during the sync push others onto the next page, where they appear again: those are dropped.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from singer_sdk.helpers.types import Record

#: Part of the key of such records.
NUMBER = "row_number"

_Key: TypeAlias = "tuple[Any, ...]"


class DuplicateHandler:
    """Tells identical records of a list apart."""

    def __init__(self, keys: Sequence[str], fetch_first: Callable[[], Any]) -> None:
        """Start at the top of a list.

        Args:
            keys: Fields of a record's key, the number included.
            fetch_first: Requests the first record of the list; None if there is none.
        """
        self._names = [key for key in keys if key != NUMBER]
        self._fetch_first = fetch_first
        self._counts: Counter[_Key] = Counter()
        self._keys_before: list[_Key] = []
        self._first_key: _Key | None = None

    def numbered(self, row: Record) -> Record:
        """Return a record with its number, starting at 1.

        Identical records get the same numbers each time as long as each minute is read completely.
        """
        key = tuple(row.get(name) for name in self._names)
        self._counts[key] += 1
        row[NUMBER] = self._counts[key]
        return row

    def new_rows(self, rows: list[Any]) -> list[Any]:
        """Return the rows of a page that were not on the page before."""
        keys = [self._key_of(row) for row in rows]
        if self._first_key is None and keys:
            self._first_key = keys[0]
        before, self._keys_before = self._keys_before, keys
        count = repeated(before, keys)
        if not count:
            return rows
        look_alike = all(key == keys[0] for key in keys[:count])
        if look_alike and self._key_of(self._fetch_first()) == self._first_key:
            # No record has arrived since the first page.
            return rows
        return rows[count:]

    def _key_of(self, row: Any) -> _Key:
        """Return the fields that identify a record of the API.

        No other field is the same each time.
        """
        is_dict = isinstance(row, dict)
        values = (row.get(name) if is_dict else getattr(row, name, None) for name in self._names)
        return tuple(value if isinstance(value, (str, int, float)) else None for value in values)


def repeated(before: Sequence[Any], rows: Sequence[Any]) -> int:
    """Return the number of rows at the start of a page that end the page before."""
    most = min(len(before), len(rows))
    return next((n for n in range(most, 0, -1) if before[-n:] == rows[:n]), 0)
