"""One call for each of a list: such as a report on every contact."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import quote

from singer_sdk.exceptions import FatalAPIError
from typing_extensions import override

from tap_constantcontact.http import retries
from tap_constantcontact.http.error_handler import ResponseAction
from tap_constantcontact.http.retries import APIError
from tap_constantcontact.plan import pages
from tap_constantcontact.state.watermarks import pass_timestamp
from tap_constantcontact.stream import ConstantContactStream

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Generator, Iterable, Mapping

    from singer_sdk.helpers.types import Context, Record

    from tap_constantcontact.http.envelopes import Envelope
    from tap_constantcontact.http.prefetch import RequestForecast
    from tap_constantcontact.state.watermarks import Watermarks

# Written more often, states would outnumber the rows.
_MEMBERS_A_STATE = 50
# In place of a member's context, for the list itself.
_LISTING = {"list": "members"}


class EachStream(ConstantContactStream):
    """What there is to be read of every member of a list.

    The members are listed, and gone through in the order of their ids. A run that is cut off is
    continued by the next one at the member it had come to; the next pass over all of them starts
    when one is through.
    """

    keeps_marks = True
    state_partitioning_keys = ()

    #: What the members are, for people.
    members: ClassVar[str] = "contacts"
    #: Where they are listed, and of which stream they are the rows.
    members_path: ClassVar[str]
    members_stream: ClassVar[str]
    members_page_size: ClassVar[int] = 500
    members_envelope: ClassVar[Envelope]
    #: Their id in the list, which the path of the stream names as well.
    member_id: ClassVar[str]
    member_field: ClassVar[str]
    #: The streams that take turns with this one where calls are short, itself among them.
    turns: ClassVar[tuple[str, ...]] = ()

    def listing_params(self) -> Mapping[str, Any]:
        """With which parameters."""
        return {}

    @override
    def read(self, context: Context | None) -> Iterable[Record]:
        members = self.ids()
        marks = self.marks(members)
        if marks.unfinished is None and self.others_are_behind():
            self.logger.info("Left for another run: another report's pass is to be ended first.")
            return
        self.logger.warning(
            "This stream costs a call for each of %d %s.", len(members), self.members
        )
        started = self._moment(marks)
        before = self.run.session.calls
        self.run.failures.requested += len(members)
        try:
            begun = None
            for position, member in enumerate(members):
                synced_until = marks.synced_until(position)
                if synced_until == started:
                    continue
                begun = position if begun is None else begun
                self.run.progress.set_position(self.members, position, len(members), begun, before)
                has_failed = yield from self._of_member(member, synced_until)
                marks.advance(position, started)
                if has_failed:
                    marks.keep_failure(position, synced_until)
                    if not self.is_open:
                        return
                else:
                    marks.forget_failure(position)
                    self.run.failures.note_success(self.name)
                if position % _MEMBERS_A_STATE == 0:
                    self.keep_marks(marks)
                    self.run.write_state()
            marks.complete(started)
            self.run.progress.clear_position()
        finally:
            self.keep_marks(marks)

    def _moment(self, marks: Watermarks) -> dt.datetime:
        """What marks the pass that goes on or begins."""
        return marks.unfinished or pass_timestamp(self.run.session.started_at, [marks.last])

    def others_are_behind(self) -> bool:
        """Whether calls that are short are better spent on a report that was read less lately."""
        others = self.run.selected.intersection(self.turns)
        mine = self._last_pass(self.name)
        return any(self._last_pass(each) < mine for each in others)

    def _last_pass(self, stream: str) -> str:
        marks = self.run.bookmarks_of(stream).get("watermarks") or [{"synced_until": ""}]
        return str(marks[-1]["synced_until"]) if marks[-1].get("last_ids") is None else ""

    def ids(self) -> list[str]:
        """List all members' ids in the order in which they are gone through."""
        fields = self.run.api.schemas.get_schema(self.members_stream)["properties"]
        with self.pages.expecting(self.members_envelope, frozenset(fields)):
            rows = self.request_records(_LISTING)
            return _in_order(row[self.member_id] for row in self.identified(rows, self.member_id))

    @override
    def limit(self, context: Context | None) -> int | None:
        # Members are listed with the same stream.
        return self.members_page_size if context == _LISTING else self.page_size

    @override
    def cost(self) -> tuple[int, str]:
        members = self.run.once(f"the {self.members} that are gone through", self.ids)
        listing = pages(len(members), self.members_page_size)
        marks = self.marks(members)
        if marks.unfinished is None and self.others_are_behind():
            return listing, "another report's pass is to be ended first"
        left = sum(
            marks.unfinished is None or marks.synced_until(position) != marks.unfinished
            for position in range(len(members))
        )
        return listing + left, f"{left:,} {self.members}"

    def _of_member(
        self, member: str, synced_until: dt.datetime | None
    ) -> Generator[Record, None, bool]:
        """Read what there is of a member; returns whether that has failed."""
        context = self._context_of(member, synced_until)
        self.since = context["since"]
        try:
            with retries.raise_when_exhausted():
                for row in self.request_records(context):
                    yield {**row, self.member_field: member}
        except FatalAPIError as error:
            is_missing = isinstance(error, APIError) and error.action is ResponseAction.NOT_FOUND
            if is_missing and self.has_vanished(member):
                return False
            self.leave_behind(member, error)
            return True
        return False

    def has_vanished(self, member: str) -> bool:
        """Whether a member is gone, with a warning: of one that is there nothing may be missing."""
        path = f"{self.members_path}/{quote(member, safe='')}"
        return self.detail(path, member, self.member_id) is None

    def _context_of(self, member: str, synced_until: dt.datetime | None) -> Context:
        since = None
        if self.replication_key:
            since = self.with_lookback(synced_until) if synced_until else self.start_date
        return {self.member_field: member, "since": since}

    @override
    def outlook(self) -> RequestForecast:
        if not self.is_asked:
            return
        while self.run.reading != self.name:
            # Whether it is its turn shows when the report before it is through.
            yield None
        envelope = self.members_envelope
        listing = self.page_ahead(_LISTING, envelope=envelope)
        yield listing
        rows = yield from self.rows_ahead(listing, envelope, self.member_id)
        members = _in_order(row[self.member_id] for row in rows)
        marks = self.marks(members)
        if marks.unfinished is None and self.others_are_behind():
            return
        started = self._moment(marks)
        for position, member in enumerate(members):
            synced_until = marks.synced_until(position)
            if synced_until != started:
                yield self.page_ahead(self._context_of(member, synced_until))

    @override
    def get_url(self, context: Context | None) -> str:
        if context == _LISTING:
            return f"{self.url_base}{self.members_path}"
        return super().get_url(context)

    @override
    def get_url_params(
        self, context: Context | None, next_page_token: str | None
    ) -> dict[str, Any]:
        if context == _LISTING:
            return dict(self.listing_params())
        return self.member_params(context["since"] if context else None)

    def member_params(self, since: dt.datetime | None) -> dict[str, Any]:
        """The parameters for one member, of whom changes since a moment are wanted."""
        return {}


def _in_order(ids: Iterable[str]) -> list[str]:
    return sorted(set(ids), key=lambda each: (len(each), each))
