"""Records without an id (docs/api/v3.md §12, §13)."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from tap_constantcontact.v3.stream import V3Stream

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import requests
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
        return {**row, NUMBER: self._seen[key]}


class NumberedStream(V3Stream):
    """A stream of records without an id, newest first, on numbered pages.

    Records that arrive during the sync push others onto the next page, where they appear again.
    They look like records with identical keys, which exist as well.
    """

    @override
    def request_records(self, context: Context | None) -> Iterable[Record]:
        self._numbers = DuplicateNumbering(self.primary_keys)
        self._before: list[tuple[Any, ...]] = []
        self._top: tuple[Any, ...] | None = None
        return super().request_records(context)

    @override
    def parse_response(self, response: requests.Response) -> Iterable[Record]:
        page = self.pages.read(response)
        page = page._replace(rows=self._new(page))
        return self._conform_page(page) if self.conforms_pages else page.rows

    def _new(self, page: Page) -> list[Any]:
        """Return the records of a page that were not on the page before."""
        keys = [self._key_of(row) for row in page.rows]
        if self._top is None and keys:
            self._top = keys[0]
        before, self._before = self._before, keys
        count = repeated(before, keys)
        if not count:
            return page.rows
        look_alike = all(key == keys[0] for key in keys[:count])
        if look_alike and not self._has_grown():
            return page.rows
        return page.rows[count:]

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
        context = self.context or {}
        request = self.build_prepared_request(
            method="GET",
            url=self.get_url(context),
            params={**self.get_url_params(context, None), "limit": 1},
            headers=self.http_headers,
        )
        with self.pages.expecting(self.own_envelope):
            response = self.send(request)
            rows = self.pages.read(response).rows
        return [self._key_of(row) for row in rows[:1]] != [self._top]


def repeated(before: Sequence[Any], rows: Sequence[Any]) -> int:
    """Return the number of rows at the start of a page that end the page before."""
    most = min(len(before), len(rows))
    return next((n for n in range(most, 0, -1) if before[-n:] == rows[:n]), 0)
