"""What each contact did, asked contact by contact: a call each, and so off by default."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from typing_extensions import override

from tap_constantcontact.http import bodies
from tap_constantcontact.http.refusals import Verdict
from tap_constantcontact.http.retries import RefusedError
from tap_constantcontact.plan import pages
from tap_constantcontact.records import times
from tap_constantcontact.stream import ConstantContactStream
from tap_constantcontact.v2.bodies import PAGED
from tap_constantcontact.v2.streams.contacts import Contacts

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable

    from singer_sdk.helpers.types import Context, Record

    from tap_constantcontact.http.ahead import Outlook


_DATES = {
    "EMAIL_SEND": "send_date",
    "EMAIL_OPEN": "open_date",
    "EMAIL_CLICK": "click_date",
    "EMAIL_BOUNCE": "bounce_date",
    "EMAIL_FORWARD": "forward_date",
    "EMAIL_UNSUBSCRIBE": "unsubscribe_date",
}


class ContactReportStream(ConstantContactStream):
    """A report on every contact.

    The contacts are listed, and gone through in the order of their ids. A run that is cut off is
    continued by the next one at the contact it had come to; the next pass over all of them starts
    when one is through.
    """

    keeps_marks = True
    state_partitioning_keys = ()

    @override
    def read(self, context: Context | None) -> Iterable[Record]:
        contacts = self.contacts()
        state = self.get_context_state(None)
        marks = self.marks(contacts)
        if marks.unfinished is None and self.others_are_behind():
            self.logger.info("Left for another run: another report's pass is to be ended first.")
            return
        self.logger.warning("This stream costs a call for each of %d contacts.", len(contacts))
        started = marks.unfinished or self.run.session.began
        before = self.run.session.calls
        try:
            begun = None
            for position, contact_id in enumerate(contacts):
                read_to = marks.read_to(position)
                if read_to == started:
                    continue
                begun = position if begun is None else begun
                self.run.progress.expect("contacts", position, len(contacts), begun, before)
                yield from self._report(contact_id, read_to)
                marks.advance(position, started)
                if position % _CONTACTS_A_STATE == 0:
                    state["reach"] = marks.dump()
                    self.run.write_state()
            marks.complete(started)
            self.run.progress.arrive()
        finally:
            state["reach"] = marks.dump()

    def others_are_behind(self) -> bool:
        """Whether calls that are short are better spent on a report that was read less lately."""
        others = self.run.selected.intersection(each.name for each in REPORTS)
        mine = self._last_pass(self.name)
        return any(self._last_pass(each) < mine for each in others)

    def _last_pass(self, stream: str) -> str:
        marks = self.run.bookmarks_of(stream).get("reach") or [{"to": ""}]
        return str(marks[-1]["to"]) if marks[-1].get("down_to") is None else ""

    def contacts(self) -> list[str]:
        """List all contacts' ids in the order in which they are gone through."""
        fields = self.run.api.schemas.get_schema(Contacts.name)["properties"]
        with self.pages.expecting(PAGED, frozenset(fields)):
            rows = self.request_records({"status": "ALL"})
            return _in_order(row["id"] for row in self.identified(rows))

    @override
    def limit(self, context: Context | None) -> int | None:
        # Contacts are listed with the same stream.
        return Contacts.page_size if context and "status" in context else self.page_size

    @override
    def cost(self) -> tuple[int, str]:
        contacts = self.run.once("the contacts of reports", self.contacts)
        listing = pages(len(contacts))
        marks = self.marks(contacts)
        if marks.unfinished is None and self.others_are_behind():
            return listing, "another report's pass is to be ended first"
        left = sum(
            marks.unfinished is None or marks.read_to(position) != marks.unfinished
            for position in range(len(contacts))
        )
        return listing + left, f"{left:,} contacts"

    def _report(self, contact_id: str, read_to: dt.datetime | None) -> Iterable[Record]:
        context = self._context_of(contact_id, read_to)
        self.since = context["since"]
        try:
            for row in self.request_records(context):
                yield {**row, "contact_id": contact_id}
        except RefusedError as error:
            if error.verdict is not Verdict.MISSING:
                raise
            self.logger.warning("Contact %s has vanished since it was listed.", contact_id)

    def _context_of(self, contact_id: str, read_to: dt.datetime | None) -> Context:
        since = None
        if self.replication_key:
            since = self.with_lookback(read_to) if read_to else self.start_date
        return {"contact_id": contact_id, "since": since}

    @override
    def outlook(self) -> Outlook:
        if not self.is_asked:
            return
        while self.run.reading != self.name:
            # Whether it is its turn shows when the report before it is through.
            yield None
        listing = self.page_ahead({"status": "ALL"}, envelope=PAGED)
        yield listing
        contacts = _in_order(row["id"] for row in (yield from self.rows_ahead(listing, PAGED)))
        marks = self.marks(contacts)
        if marks.unfinished is None and self.others_are_behind():
            return
        started = marks.unfinished or self.run.session.began
        for position, contact_id in enumerate(contacts):
            read_to = marks.read_to(position)
            if read_to != started:
                yield self.page_ahead(self._context_of(contact_id, read_to))

    @override
    def get_url(self, context: Context | None) -> str:
        if context and "contact_id" in context:
            return super().get_url(context)
        return f"{self.url_base}{Contacts.path}"

    @override
    def get_url_params(
        self, context: Context | None, next_page_token: str | None
    ) -> dict[str, Any]:
        if context and "status" in context:
            return dict(context)
        since = context and context["since"]
        return {"created_since": times.write(since)} if since else {}


# Written more often, states would outnumber the rows.
_CONTACTS_A_STATE = 50


class ContactActivity(ContactReportStream):
    """All that a contact was sent and did, over all campaigns (API docs: Contact tracking)."""

    name = "contact_activity"
    path = "/contacts/{contact_id}/tracking"
    primary_keys = ("contact_id", "activity_type", "campaign_id", "occurred_at", "link_id")
    replication_key = "occurred_at"
    page_size = 500

    @override
    def adapt(self, row: Record, context: Context | None) -> Record | None:
        happened = row.get(_DATES.get(str(row.get("activity_type")), ""))
        if not times.is_since(happened, self.since):
            return None
        # A key has no nulls: only clicks have a link.
        keys = {key: row.get(key) or "" for key in ("campaign_id", "link_id")}
        return {**row, **keys, "occurred_at": happened}


class ContactSummaries(ContactReportStream):
    """How often a contact was sent something, opened, clicked (API docs: Contact summary)."""

    name = "contact_summaries"
    path = "/contacts/{contact_id}/tracking/reports/summary"
    envelope = bodies.ONE
    primary_keys = ("contact_id",)


class ContactCampaignSummaries(ContactReportStream):
    """The same by campaign, without sends (API docs: Contact summary by campaign)."""

    name = "contact_campaign_summaries"
    path = "/contacts/{contact_id}/tracking/reports/summaryByCampaign"
    envelope = bodies.ARRAY
    primary_keys = ("contact_id", "campaign_id")


def _in_order(ids: Iterable[str]) -> list[str]:
    return sorted(set(ids), key=lambda each: (len(each), each))


REPORTS = (ContactActivity, ContactSummaries, ContactCampaignSummaries)
