"""Pagination by next links."""

from __future__ import annotations

from typing import TYPE_CHECKING

from singer_sdk.pagination import BaseAPIPaginator
from typing_extensions import override

from tap_constantcontact.http.envelopes import InvalidResponseError
from tap_constantcontact.http.retries import PaginationError

if TYPE_CHECKING:
    from collections.abc import Callable

    import requests

    from tap_constantcontact.http.envelopes import Page


class NextLinkPaginator(BaseAPIPaginator[str | None]):
    """Follows next links until there is none.

    The number of rows on a page says nothing (docs/api/v2.md §2.3): pages may be short,
    empty or one row over the limit.
    """

    def __init__(
        self,
        page_of: Callable[[requests.Response], Page],
        start: str | None = None,
        is_last: Callable[[requests.Response], bool] = lambda _: False,
    ) -> None:
        """Start at the first page or at a link.

        Args:
            page_of: Parses a response.
            start: A link of an earlier run.
            is_last: Returns whether later pages are not needed.
        """
        super().__init__(start)
        self._page_of = page_of
        self._is_last = is_last
        self._seen: set[str] = {start} if start else set()
        self._is_from_the_start = start is None
        self._records = 0

    @override
    def get_next(self, response: requests.Response) -> str | None:
        page = self._page_of(response)
        self._records += len(page.rows) + page.left_out
        link = page.next_link
        if link and self._is_last(response):
            return None
        if link in self._seen:
            msg = "Pagination loop: the API returned the same next link twice."
            raise PaginationError(msg)
        if link:
            self._seen.add(link)
        return link

    def check(self, page: Page) -> Page:
        """Return a page, after validation if it is the last one.

        Raises:
            InvalidResponseError: There must be more records.
        """
        if page.next_link or page.total is None or not self._is_from_the_start:
            return page
        count = self._records + len(page.rows) + page.left_out
        if count < page.total:
            msg = f"ends the list after {count:,} of {page.total:,} records"
            raise InvalidResponseError(msg)
        return page

    def has_seen(self, link: str) -> bool:
        """Return whether a link was followed before."""
        return link in self._seen

    @override
    def continue_if_empty(self, response: requests.Response) -> bool:
        return True
