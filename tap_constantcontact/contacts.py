"""Contacts: a long list that is read in passes, and resumed after an interruption."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import cached_property
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Self

from singer_sdk.exceptions import RetriableAPIError
from typing_extensions import override

from tap_constantcontact.estimate import pages
from tap_constantcontact.http import retries
from tap_constantcontact.http.retries import APIError, PaginationError
from tap_constantcontact.records import timestamps
from tap_constantcontact.stream import ConstantContactStream

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import requests
    from singer_sdk.helpers.types import Context, Record


# Pages that time out are requested with half the size, down to the smallest.
_LARGEST_PAGE, _SMALLEST_PAGE = 500, 50

#: The passes of a run: changed contacts, and unsubscribed ones.
ALL, OPTED_OUT = "ALL", "OPTOUT"


@dataclass
class ContactsCursor:
    """Progress in the contacts, over one run or several interrupted ones.

    Attributes:
        since: The oldest change to read; None for all contacts.
        is_full: Whether it is a full sync.
        status: The current pass.
        next_link: Link to its next page; None for the first.
        newest: The newest timestamp that was read.
        rows: Number of records.
        pass_started_at: Start of the first run; None before the first page.
    """

    since: dt.datetime | None
    is_full: bool
    status: str = ALL
    next_link: str | None = None
    newest: str | None = None
    rows: int = 0
    pass_started_at: dt.datetime | None = None

    @classmethod
    def resume(cls, to_state: Mapping[str, Any]) -> Self:
        """Load what `to_state` returned."""
        return cls(
            pass_started_at=timestamps.parse(to_state["pass_started_at"]),
            since=timestamps.parse(to_state.get("since") or ""),
            is_full=bool(to_state.get("is_whole")),
            status=to_state["status"],
            next_link=to_state["next_link"],
            newest=to_state.get("newest"),
            rows=to_state.get("records", 0),
        )

    @property
    def statuses(self) -> list[str]:
        """The remaining passes."""
        passes = [ALL] if self.is_full else [ALL, OPTED_OUT]
        return passes[passes.index(self.status) :] if self.status in passes else passes

    def to_state(self, status: str, link: str, newest: str | None, rows: int) -> dict[str, Any]:
        """Return the cursor for the state."""
        return {
            "pass_started_at": timestamps.write(self.pass_started_at)
            if self.pass_started_at
            else None,
            "since": timestamps.write(self.since) if self.since else None,
            "is_whole": self.is_full,
            "status": status,
            "next_link": link,
            "newest": newest,
            "records": self.rows + rows,
        }


class ContactsStream(ConstantContactStream):
    """Contacts of every status.

    An unsubscribe need not update a contact's modification date, so incremental runs scan all
    unsubscribed contacts as well. A change of lists need not either, so all contacts are synced
    again from time to time. An interrupted run is resumed at its page.
    """

    name = "contacts"
    # Both passes share one bookmark.
    state_partitioning_keys = ()
    is_large = True

    @cached_property
    def cursor(self) -> ContactsCursor:
        """The work of this run: that of an interrupted run, or what is due."""
        if to_state := self.run.bookmarks_of(self.name).get("cursor"):
            return ContactsCursor.resume(to_state)
        bookmark = timestamps.parse(self.bookmark or "")
        is_full = bookmark is None or self.is_refresh_due
        since = self.run.period.oldest_change(None if is_full else bookmark)
        return ContactsCursor(since=since, is_full=is_full)

    @property
    def is_refresh_due(self) -> bool:
        """True if a full sync is due: some changes do not update the modification date."""
        days = self.config["contacts_full_refresh_days"]
        last = timestamps.parse_or_none(self.run.bookmarks_of(self.name).get("full_refresh_at"))
        is_due = last is None or self.run.session.started_at - last >= dt.timedelta(days=days)
        return bool(days) and is_due

    @property
    @override
    def partitions(self) -> list[dict[str, str]]:
        """The passes of a run."""
        return [{"status": status} for status in self.cursor.statuses]

    @property
    @override
    def signpost(self) -> dt.datetime:
        # Changes during a pass belong to the next one.
        return self.cursor.pass_started_at or super().signpost

    @override
    def first_link(self, context: Context | None) -> str | None:
        return self.cursor.next_link if _status_of(context) == self.cursor.status else None

    @override
    def fetch_records(self, context: Context | None) -> Iterable[Record]:
        if self.cursor.newest:
            self.advance_bookmark(self.cursor.newest)
        while True:
            try:
                yield from self._fetch_pass(context)
                break
            except RetriableAPIError as error:
                if not self._asks_for_less(error):
                    raise
        self._complete_pass(_status_of(context))

    def _fetch_pass(self, context: Context | None) -> Iterable[Record]:
        if self.first_link(context):
            self.logger.info("Resuming at the page where an earlier run stopped.")
            try:
                yield from self.request_records(context)
            except (APIError, PaginationError) as error:
                if self.has_read_pages or not retries.concerns_one_object(error):
                    raise
                self.logger.warning("The saved cursor cannot be used. Starting over. %s", error)
                self.cursor.next_link = None
            else:
                return
        yield from self.request_records(context)

    # -- page size -----------------------------------------------------------------------------

    @property
    def rows_a_page(self) -> int:
        """The largest page size, or a smaller one after timeouts."""
        saved = self.run.bookmarks_of(self.name).get("page_size")
        return min(int(saved or _LARGEST_PAGE), _LARGEST_PAGE)

    @override
    def limit(self, context: Context | None) -> int | None:
        return self.rows_a_page

    def pages_of(self, rows: float) -> int:
        """Return the number of pages for a number of records."""
        return pages(rows, self.rows_a_page)

    def _asks_for_less(self, error: RetriableAPIError) -> bool:
        """Restart with smaller pages: a cursor keeps its page size."""
        smaller = self.rows_a_page // 2
        status = None if error.response is None else error.response.status_code
        if status != HTTPStatus.GATEWAY_TIMEOUT or smaller < _SMALLEST_PAGE:
            return False
        self.logger.warning(
            "Pages of %d contacts time out. Starting over with pages of %d.",
            self.rows_a_page,
            smaller,
        )
        self.get_context_state(None)["page_size"] = smaller
        self.cursor.next_link, self.cursor.rows = None, -self.run.progress.records[self.name]
        return True

    @override
    def parse_response(self, response: requests.Response) -> Iterable[Record]:
        yield from super().parse_response(response)
        # Called after the last record of the page was written.
        link = self.parser.read(response).next_link
        if link and self.may_follow(link):
            self._keep_cursor(link)
        elif link:
            # The run fails. The next one would fail at this link as well.
            self.get_context_state(None).pop("cursor", None)

    def _keep_cursor(self, link: str) -> None:
        state = self.get_context_state(None)
        newest = state.get("progress_markers", {}).get("replication_key_value")
        self.cursor.pass_started_at = self.signpost
        state["cursor"] = self.cursor.to_state(
            _status_of(self.context), link, newest, self.run.progress.records[self.name]
        )
        self.run.write_state()

    def _complete_pass(self, status: str) -> None:
        state = self.get_context_state(None)
        if status == self.cursor.statuses[-1]:
            state.pop("cursor", None)
            if self.cursor.is_full:
                state["full_refresh_at"] = timestamps.write(self.signpost)


def _status_of(context: Context | None) -> str:
    return str(context["status"]) if context else ALL
