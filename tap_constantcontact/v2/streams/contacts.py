"""People."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

from typing_extensions import override

from tap_constantcontact.http import bodies
from tap_constantcontact.http.pagination import NextLinkPaginator
from tap_constantcontact.http.refusals import Verdict
from tap_constantcontact.http.retries import RefusedError
from tap_constantcontact.plan import PAGE, pages
from tap_constantcontact.records import times
from tap_constantcontact.stream import ConstantContactStream
from tap_constantcontact.v2.streams.lists import Lists

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    import requests
    from singer_sdk.helpers.types import Context, Record

    from tap_constantcontact.http.ahead import Outlook


ALL, OPTED_OUT = "ALL", "OPTOUT"
# Changes that fit into so many pages are counted, not estimated.
_PAGES_ASKED = 3


@dataclass
class ContactsPass:
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
            began=times.parse(cursor["began"]),
            since=times.parse(cursor.get("since") or ""),
            is_whole=bool(cursor.get("is_whole")),
            status=cursor["status"],
            next_link=cursor["next_link"],
            newest=cursor.get("newest"),
            rows=cursor.get("rows", 0),
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
            "began": times.write(self.began) if self.began else None,
            "since": times.write(self.since) if self.since else None,
            "is_whole": self.is_whole,
            "status": status,
            "next_link": link,
            "newest": newest,
            "rows": self.rows + rows,
        }


class Contacts(ConstantContactStream):
    """Contacts in every status, with the lists they are on (API docs: Contacts collection).

    Nobody documents that an unsubscribe moves `modified_date`. So a run that starts at a bookmark
    also passes over all opt-outs and takes those that are newer than the bookmark. Neither need a
    change of lists move it, so now and then all contacts are read again. A run that is cut off is
    continued at the page it had come to.
    """

    name = "contacts"
    path = "/contacts"
    primary_keys = ("id",)
    replication_key = "modified_date"
    # One bookmark for both passes.
    state_partitioning_keys = ()
    page_size = 500
    shapes_pages = True
    keeps_marks = True

    @cached_property
    def going(self) -> ContactsPass:
        """What this run reads: what an earlier one left undone, or what is due."""
        if cursor := self.run.bookmarks_of(self.name).get("cursor"):
            return ContactsPass.resume(cursor)
        bookmark = times.parse(self.bookmark or "")
        is_whole = bookmark is None or self.is_refresh_due
        since = self.with_lookback(bookmark) if bookmark and not is_whole else self.start_date
        return ContactsPass(since=since, is_whole=is_whole)

    @property
    def is_refresh_due(self) -> bool:
        """Whether all contacts are to be read, since not all that changes moves a date."""
        days = self.config["contacts_refresh_days"]
        last = times.parse_or_none(self.run.bookmarks_of(self.name).get("refreshed"))
        is_due = last is None or self.run.session.began - last >= dt.timedelta(days=days)
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
        self._link = going.take_link(status)
        if going.newest:
            self.note_newest(going.newest)
        if self._link:
            self.logger.info("Going on where an earlier run stopped.")
            try:
                yield from self.request_records(context)
            except RefusedError as error:
                if self._pages or error.verdict not in {Verdict.END, Verdict.MISSING}:
                    raise
                self.logger.warning("The API no longer knows where. Starting over. %s", error)
                self._link = None
        if not self._pages:
            yield from self.request_records(context)
        self._arrive(status)

    #: The link to go on with, and how many pages of a pass were read.
    _link: str | None = None
    _pages = 0

    @override
    def get_new_paginator(self) -> NextLinkPaginator:
        self._pages = 0
        return NextLinkPaginator(self.pages.read, self._link)

    @override
    def parse_response(self, response: requests.Response) -> Iterable[Record]:
        self._pages += 1
        yield from super().parse_response(response)
        # Comes after the last row of the page was written.
        if link := self.pages.read(response).next_link:
            self._keep_cursor(link)

    def _keep_cursor(self, link: str) -> None:
        state = self.get_context_state(None)
        newest = state.get("progress_markers", {}).get("replication_key_value")
        status = str(self.context["status"]) if self.context else ALL
        self.going.began = self.latest
        state["cursor"] = self.going.cursor(status, link, newest, self.run.progress.rows[self.name])
        self.run.write_state()

    def _arrive(self, status: str) -> None:
        state = self.get_context_state(None)
        if status == self.going.statuses[-1]:
            state.pop("cursor", None)
            if self.going.is_whole:
                state["refreshed"] = times.write(self.latest)
        self._pages = 0

    @override
    def get_url_params(
        self, context: Context | None, next_page_token: str | None
    ) -> dict[str, Any]:
        status = context["status"] if context else ALL
        params = {"status": status, "include_contact_id": "true"}
        if status == ALL and self.since:
            params["modified_since"] = times.write(self.since)
        return params

    @override
    def outlook(self) -> Outlook:
        if self.is_asked:
            self.since = self.going.since
            for status in self.going.statuses:
                link = self.going.next_link if status == self.going.status else None
                yield self.page_ahead({"status": status}, link)

    # -- what it will cost ------------------------------------------------------------------

    @override
    def cost(self) -> tuple[int, str]:
        going = self.going
        self.since = going.since
        if going.next_link:
            left = max(0, self._there_are - going.rows)
            return pages(left), f"about {left:,} left of a run that was cut off"
        if self.since is None:
            return pages(self._there_are), f"about {self._there_are:,} contacts"
        rows, calls = self.first_rows({"status": ALL}, _PAGES_ASKED)
        if calls is None:
            changed = self._share(lambda row: times.is_since(row.get("modified_date"), self.since))
            calls = max(_PAGES_ASKED + 1, pages(changed * self._there_are))
            note = f"about {changed * self._there_are:,.0f} have changed"
        else:
            note = f"{len(rows):,} have changed"
        if not going.is_whole:
            opted_out = self._share(lambda row: row.get("status") == OPTED_OUT) * self._there_are
            calls += pages(opted_out)
            note += f", about {opted_out:,.0f} opted out"
        return calls, note

    @cached_property
    def _sample(self) -> list[Record]:
        """Some contacts, whatever has become of them."""
        since, self.since = self.since, None
        rows, _ = self.first_rows({"status": ALL})
        self.since = since
        return rows

    @cached_property
    def _there_are(self) -> int:
        """How many contacts there are: no answer says, but lists count theirs."""
        if len(self._sample) < PAGE:
            return len(self._sample)
        lists = self.fetch(Lists.path, Lists.envelope)
        counted = sum(row.get("contact_count") or 0 for row in lists)
        on_lists = sum(len(row.get("lists") or ()) for row in self._sample)
        return round(counted * len(self._sample) / on_lists) if on_lists else len(self._sample)

    def _share(self, is_meant: Callable[[Record], bool]) -> float:
        return sum(map(is_meant, self._sample)) / max(len(self._sample), 1)

    # -- one row ----------------------------------------------------------------------------

    @override
    def adapt(self, row: Record, context: Context | None) -> Record | None:
        return row if self.since is None or self._is_wanted(row, self.since, context) else None

    def _is_wanted(self, row: Record, since: dt.datetime, context: Context | None) -> bool:
        # Asked for again here: the filter may get lost after the first page (Pagination).
        changed = times.is_since(row.get("modified_date"), since)
        if context is None or context["status"] == ALL:
            return changed
        # What has changed was in the first pass already.
        return not changed and any(
            moment >= since
            for email in bodies.objects(row.get("email_addresses"))
            if (moment := times.parse_or_none(email.get("opt_out_date")))
        )
