"""People: a long list that is read in passes, and gone on with where a run was cut off."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import cached_property
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Self

from singer_sdk.exceptions import RetriableAPIError
from typing_extensions import override

from tap_constantcontact.http import retries
from tap_constantcontact.http.retries import APIError, PaginationError
from tap_constantcontact.plan import pages
from tap_constantcontact.records import timestamps
from tap_constantcontact.stream import ConstantContactStream

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import requests
    from singer_sdk.helpers.types import Context, Record

    from tap_constantcontact.http.prefetch import RequestForecast


# Half of what takes the API too long is asked for, and half of that.
_LARGEST_PAGE, _SMALLEST_PAGE = 500, 50

#: The passes of a run: over what has changed, and over those who opted out.
ALL, OPTED_OUT = "ALL", "OPTOUT"


@dataclass
class PeoplePass:
    """What one run reads of the contacts, or several that are cut off one after the other.

    Attributes:
        since: The oldest change wanted; None for everything.
        is_whole: Whether it is all contacts, and not only what has changed.
        status: The pass that is under way.
        next_link: Where it goes on; None at the top.
        newest: The newest date that was read.
        rows: How many rows were.
        began: When the first of them began; None until there is something to go on from.
    """

    since: dt.datetime | None
    is_whole: bool
    status: str = ALL
    next_link: str | None = None
    newest: str | None = None
    rows: int = 0
    began: dt.datetime | None = None

    @classmethod
    def resume(cls, cursor: Mapping[str, Any]) -> Self:
        """Go on from what `cursor` has made."""
        return cls(
            began=timestamps.parse(cursor["pass_started_at"]),
            since=timestamps.parse(cursor.get("since") or ""),
            is_whole=bool(cursor.get("is_whole")),
            status=cursor["status"],
            next_link=cursor["next_link"],
            newest=cursor.get("newest"),
            rows=cursor.get("records", 0),
        )

    @property
    def statuses(self) -> list[str]:
        """The passes that are left: over what has changed, and over those who opted out."""
        passes = [ALL] if self.is_whole else [ALL, OPTED_OUT]
        return passes[passes.index(self.status) :] if self.status in passes else passes

    def take_link(self, status: str) -> str | None:
        """Where a pass goes on, once."""
        link, self.next_link = self.next_link, None
        return link if status == self.status else None

    def cursor(self, status: str, link: str, newest: str | None, rows: int) -> dict[str, Any]:
        """What a state holds to go on from, if this run is cut off before the next page."""
        return {
            "pass_started_at": timestamps.write(self.began) if self.began else None,
            "since": timestamps.write(self.since) if self.since else None,
            "is_whole": self.is_whole,
            "status": status,
            "next_link": link,
            "newest": newest,
            "records": self.rows + rows,
        }


class PeopleStream(ConstantContactStream):
    """Contacts in every status.

    An unsubscribe need not move a contact's own date. So a run that starts at a bookmark also
    passes over those who opted out. Neither need a change of lists move it, so now and then all
    contacts are read again. A run that is cut off is continued at the page it had come to.
    """

    name = "contacts"
    # One bookmark for both passes.
    state_partitioning_keys = ()
    conforms_pages = True
    keeps_marks = True

    @cached_property
    def going(self) -> PeoplePass:
        """What this run reads: what an earlier one left undone, or what is due."""
        if cursor := self.run.bookmarks_of(self.name).get("cursor"):
            return PeoplePass.resume(cursor)
        bookmark = timestamps.parse(self.bookmark or "")
        is_whole = bookmark is None or self.is_refresh_due
        since = self.with_lookback(bookmark) if bookmark and not is_whole else self.start_date
        return PeoplePass(since=since, is_whole=is_whole)

    @property
    def is_refresh_due(self) -> bool:
        """Whether all contacts are to be read, since not all that changes moves a date."""
        days = self.config["contacts_refresh_days"]
        last = timestamps.parse_or_none(self.run.bookmarks_of(self.name).get("full_refresh_at"))
        is_due = last is None or self.run.session.started_at - last >= dt.timedelta(days=days)
        return bool(days) and is_due

    @property
    @override
    def partitions(self) -> list[dict[str, str]]:
        """The passes of a run."""
        return [{"status": status} for status in self.going.statuses]

    @property
    @override
    def latest(self) -> dt.datetime:
        # What is changed while a pass is under way, or cut off, is for the next one.
        return self.going.began or super().latest

    @override
    def read(self, context: Context | None) -> Iterable[Record]:
        going = self.going
        self.since = going.since
        status = str(context["status"]) if context else ALL
        self.first_link = going.take_link(status)
        if going.newest:
            self.note_newest(going.newest)
        while True:
            try:
                yield from self._read_pass(context)
                break
            except RetriableAPIError as error:
                if not self._asks_for_less(error):
                    raise
        self._arrive(status)

    def _read_pass(self, context: Context | None) -> Iterable[Record]:
        if self.first_link:
            self.logger.info("Resuming at the page where an earlier run stopped.")
            try:
                yield from self.request_records(context)
            except (APIError, PaginationError) as error:
                if self.has_read_pages or not retries.concerns_one_object(error):
                    raise
                self.logger.warning("The saved cursor cannot be used. Starting over. %s", error)
                self.first_link = None
            else:
                return
        yield from self.request_records(context)

    # -- how much is asked for at once ------------------------------------------------------

    @property
    def rows_a_page(self) -> int:
        """As many as the API gives at once, unless that took it too long."""
        known = self.run.bookmarks_of(self.name).get("page_size")
        return min(int(known or _LARGEST_PAGE), _LARGEST_PAGE)

    @override
    def limit(self, context: Context | None) -> int | None:
        return self.rows_a_page

    def pages_of(self, rows: float) -> int:
        """How many calls so many contacts take."""
        return pages(rows, self.rows_a_page)

    def _asks_for_less(self, error: RetriableAPIError) -> bool:
        """Whether to begin again with smaller pages: a cursor holds the size it was made with."""
        smaller = self.rows_a_page // 2
        status = None if error.response is None else error.response.status_code
        if status != HTTPStatus.GATEWAY_TIMEOUT or smaller < _SMALLEST_PAGE:
            return False
        self.logger.warning(
            "%d contacts at once take the API too long. Starting over with %d at once.",
            self.rows_a_page,
            smaller,
        )
        self.get_context_state(None)["page_size"] = smaller
        self.first_link, self.going.rows = None, -self.run.progress.records[self.name]
        return True

    @override
    def parse_response(self, response: requests.Response) -> Iterable[Record]:
        yield from super().parse_response(response)
        # Comes after the last row of the page was written.
        link = self.pages.read(response).next_link
        if link and self.may_follow(link):
            self._keep_cursor(link)
        elif link:
            # The run is going to fail. The next one would fail at this link as well.
            self.get_context_state(None).pop("cursor", None)

    def _keep_cursor(self, link: str) -> None:
        state = self.get_context_state(None)
        newest = state.get("progress_markers", {}).get("replication_key_value")
        status = str(self.context["status"]) if self.context else ALL
        self.going.began = self.latest
        state["cursor"] = self.going.cursor(
            status, link, newest, self.run.progress.records[self.name]
        )
        self.run.write_state()

    def _arrive(self, status: str) -> None:
        state = self.get_context_state(None)
        if status == self.going.statuses[-1]:
            state.pop("cursor", None)
            if self.going.is_whole:
                state["full_refresh_at"] = timestamps.write(self.latest)

    @override
    def outlook(self) -> RequestForecast:
        if self.is_asked:
            self.since = self.going.since
            for status in self.going.statuses:
                link = self.going.next_link if status == self.going.status else None
                yield self.page_ahead({"status": status}, link)
