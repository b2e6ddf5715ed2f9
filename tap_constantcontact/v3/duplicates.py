"""Records without an id (docs/api/v3.md §12, §13)."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from typing_extensions import override

from tap_constantcontact.stream import ConstantContactStream

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from singer_sdk.helpers.types import Context, Record

    from tap_constantcontact.http.envelopes import Page

NUMBER = "row_number"


class DuplicateNumbering:
    """Numbers records with otherwise identical keys, starting at 1.

    Timestamps are truncated to the minute, so identical records exist. They get the same numbers
    each time as long as each minute is read completely.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        """Start at 1.

        Args:
            keys: Fields of a record's key, the number included.
        """
        self._keys = [key for key in keys if key != NUMBER]
        self._seen: Counter[tuple[Any, ...]] = Counter()

    def numbered(self, row: Record) -> Record:
        """Return the record with its number."""
        key = tuple(row.get(name) for name in self._keys)
        self._seen[key] += 1
        row[NUMBER] = self._seen[key]
        return row


class NumberedStream(ConstantContactStream):
    """A stream of records without an id, newest first, on numbered pages.

    Records that arrive during the sync push others onto the next page, where they appear again.
    They look like records with identical keys, which exist as well.
    """

    @override
    def request_records(self, context: Context | None) -> Iterable[Record]:
        self.numbering = DuplicateNumbering(self.primary_keys)
        self._keys_before: list[tuple[Any, ...]] = []
        self._first_key: tuple[Any, ...] | None = None
        return super().request_records(context)

    @override
    def select_rows(self, page: Page) -> Page:
        keys = [self._key_of(row) for row in page.rows]
        if self._first_key is None and keys:
            self._first_key = keys[0]
        before, self._keys_before = self._keys_before, keys
        count = repeated(before, keys)
        if not count:
            return page
        look_alike = all(key == keys[0] for key in keys[:count])
        if look_alike and not self._has_grown():
            return page
        return page._replace(rows=page.rows[count:])

    def _key_of(self, row: Any) -> tuple[Any, ...]:
        """Return the fields that identify a record of the API.

        No other field is the same each time.
        """
        names = (name for name in self.primary_keys if name != NUMBER)
        is_dict = isinstance(row, dict)
        values = (row.get(name) if is_dict else getattr(row, name, None) for name in names)
        return tuple(value if isinstance(value, (str, int, float)) else None for value in values)

    def _has_grown(self) -> bool:
        """Return whether records have arrived since the first page. Sends a request."""
        path = self.get_url(self.context).removeprefix(self.url_base)
        query = urlencode({**self.get_url_params(self.context, None), "limit": 1})
        rows = self.client.get(f"{path}?{query}", self.own_envelope)
        return [self._key_of(row) for row in rows[:1]] != [self._first_key]


def repeated(before: Sequence[Any], rows: Sequence[Any]) -> int:
    """Return the number of rows at the start of a page that end the page before."""
    most = min(len(before), len(rows))
    return next((n for n in range(most, 0, -1) if before[-n:] == rows[:n]), 0)
