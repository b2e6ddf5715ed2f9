"""Making calls before their answers are asked for.

One thread decides, the others only send. The thread that reads asks for one call after another, and
it alone counts calls, keeps the pace, and says what may leave. While it waits for an answer it lets
those calls leave that are expected next. So reading ahead changes when calls are made, and nothing
else.
"""

from __future__ import annotations

import heapq
import itertools
import queue
import threading
from collections import Counter
from typing import TYPE_CHECKING, TypeAlias, cast

from tap_constantcontact.http.refusals import GOOD, MISSING

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator

    import requests

    from tap_constantcontact.http.pace import Pace

    Outcome: TypeAlias = requests.Response | Exception

# Answers wait until they are asked for: many where they are small, few where they are large.
_MOST_UNREAD = 256
_MOST_BYTES = 16 * 2**20
# Where calls are short, only so large a part of those left is made ahead.
_SHARE_OF_THOSE_LEFT = 8
# While an outlook waits, so many answers may wait for those who come after it.
_MOST_OUT_OF_TURN = 16


class Call:
    """A call that is going to be asked for, and what came of it.

    Attributes:
        request: Signed and ready; calls are told apart by their whole address.
        follow: Finds the call for the next page in an answer.
        lane: The outlook that expects it; None if none does.
        rank: Its place in the order of that outlook; its next pages share it.
        is_sent: Whether it is under way or has arrived.
        is_late: Whether it was asked for before it was expected. Its answer is not seen here.
        is_given_up: Whether it failed for good.
        was_asked: Whether it was asked for: from then on it leaves only if it is asked for again.
        outcome: The answer, or why there is none.
        next: The call for the next page, once an answer has named it.
    """

    def __init__(
        self,
        request: requests.PreparedRequest,
        follow: Callable[[requests.Response], Call | None] | None = None,
    ) -> None:
        """Expect a call."""
        self.request = request
        self.follow = follow
        self.lane: _Lane | None = None
        self.rank = 0
        self.is_sent = False
        self.is_late = False
        self.is_given_up = False
        self.was_asked = False
        self.outcome: Outcome | None = None
        self.next: Call | None = None

    @property
    def url(self) -> str:
        """The whole address."""
        return self.request.url or ""

    @property
    def has_arrived(self) -> bool:
        """Whether something can be built on what came of it."""
        return self._status in GOOD or self._status in MISSING

    @property
    def response(self) -> requests.Response | None:
        """The answer, if its status says that it is what was asked for."""
        return cast("requests.Response", self.outcome) if self._status in GOOD else None

    @property
    def size(self) -> int:
        """How many bytes wait to be read."""
        return len(getattr(self.outcome, "content", b""))

    @property
    def _status(self) -> int | None:
        return getattr(self.outcome, "status_code", None)


#: What calls are going to be made, in their order; None where that is not known yet, and depends
#: on what has not arrived.
Outlook: TypeAlias = "Iterator[Call | None]"


class _Lane:
    """What is expected by one outlook, of several that come one after the other."""

    def __init__(self, outlook: Outlook) -> None:
        self._outlook = outlook
        self._numbers = itertools.count()
        self._line: list[tuple[int, int, Call]] = []
        self._is_unclear = False
        #: Whether all that it will ever expect is known.
        self.is_over = False

    @property
    def is_full(self) -> bool:
        return len(self._line) >= _MOST_UNREAD

    def look_again(self) -> None:
        """Something has happened on which it may depend what is expected."""
        self._is_unclear = False

    def pull(self) -> Call | None:
        """Learn of one more call; None if there is none, or none is known yet."""
        if self._is_unclear or self.is_over:
            return None
        try:
            call = next(self._outlook)
        except StopIteration:
            self.is_over = True
            return None
        self._is_unclear = call is None
        if call is not None:
            call.lane, call.rank = self, next(self._numbers)
        return call

    def add(self, call: Call) -> None:
        """Line a call up by its rank."""
        heapq.heappush(self._line, (call.rank, next(self._numbers), call))

    def first(self) -> Call | None:
        """The call that is to leave first, of those that are lined up."""
        while self._line and (self._line[0][2].is_sent or self._line[0][2].was_asked):
            heapq.heappop(self._line)
        return self._line[0][2] if self._line else None


def arrival(call: Call) -> Generator[None, None, requests.Response | None]:
    """Wait for an answer in an outlook; None if there is no such thing, or nobody will see it."""
    while not (call.has_arrived or call.is_late or call.is_given_up):
        yield None
    return call.response


class ReadAhead:
    """Sends calls from several threads, and those ahead that are expected."""

    def __init__(
        self,
        transmit: Callable[[requests.PreparedRequest], requests.Response],
        at_once: int,
        pace: Pace,
        note_sent: Callable[[], None],
        left: Callable[[], int | None],
    ) -> None:
        """Start with nothing expected, and no thread.

        Args:
            transmit: Sends one request and reads its whole answer, in whatever thread.
            at_once: How many calls may be under way.
            pace: When the next call may leave.
            note_sent: Is told of each call before it leaves; raises if none may.
            left: How many calls may still be made; None for no limit.
        """
        self._transmit = transmit
        self._at_once = at_once
        self._pace = pace
        self._note_sent = note_sent
        self._left = left
        self._known: dict[str, Call] = {}
        self._lanes: list[_Lane] = []
        self._is_answered = False
        self._unexpected: Counter[int] = Counter()
        # Calls that failed, and whether that was told to who had asked for them.
        self._failed: dict[Call, bool] = {}
        self._under_way = 0
        self._unread: set[Call] = set()
        self._threads = 0
        self._to_send: queue.Queue[Call | None] = queue.Queue()
        self._arrived: queue.Queue[tuple[Call, Outcome]] = queue.Queue()

    def expect(self, outlooks: Iterable[Outlook]) -> None:
        """Read ahead by what calls are going to be made, looked at a few calls ahead.

        Args:
            outlooks: In the order in which their calls will be asked for. While one waits, the next
                is looked at.
        """
        self._lanes = [_Lane(each) for each in outlooks]

    def give_up(self, url: str) -> None:
        """Let go on what depends on a request that failed for good."""
        if call := self._known.pop(url, None):
            call.is_given_up = True
            self._look_again()

    def close(self) -> None:
        """Let the threads end, each when its call is through."""
        for _ in range(self._threads):
            self._to_send.put(None)
        self._threads = 0

    def take(self, request: requests.PreparedRequest) -> requests.Response:
        """The answer to a call: one that has arrived, is under way, or is sent first of all.

        Raises:
            Exception: Of the kind that `transmit` or `note_sent` raise.
        """
        self._absorb_arrivals()
        # What is known also depends on how far those have come who ask.
        self._look_again()
        call = self._asked(request)
        while call.outcome is None:
            self._go_on(call)
        outcome = call.outcome
        self._unread.discard(call)
        self._forget(call)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    # -- what is asked for ------------------------------------------------------------------

    def _asked(self, request: requests.PreparedRequest) -> Call:
        url = request.url or ""
        while url not in self._known and self._learn_in_turn():
            pass
        if url not in self._known:
            self._unexpected[hash(url)] += 1
            self._known[url] = Call(request)
        call = self._known[url]
        call.was_asked = True
        if not call.is_sent:
            call.request = request  # What is repeated may be signed anew.
        return call

    def _forget(self, call: Call) -> None:
        """Note that what came of a call was told."""
        if call.has_arrived:
            del self._known[call.url]
            self._is_answered = True
            # What failed before this was told is behind us.
            self._failed = {each: told for each, told in self._failed.items() if not told}
            self._failed.pop(call, None)
        else:
            # It may be asked for again, and who looks ahead still waits for it.
            self._failed[call] = True
            call.outcome, call.is_sent = None, False

    # -- what goes on meanwhile -------------------------------------------------------------

    def _go_on(self, asked: Call) -> None:
        """Send the next call as soon as it may leave, or see what arrives before that."""
        following = self._next(asked) if self._under_way < self._at_once else None
        delay = self._pace.delay() if following else None
        try:
            arrived = self._arrived.get(timeout=delay) if delay != 0 else self._arrived.get_nowait()
        except queue.Empty:
            if following:
                self._send(following)
        else:
            self._absorb(*arrived)

    def _next(self, asked: Call) -> Call | None:
        if not asked.is_sent:
            return asked
        if self._failed or not self._has_room():
            return None
        for lane in self._lanes:
            while not (call := lane.first()) and self._learn(lane):
                pass
            if call:
                return call
            if not lane.is_over and not self._has_room_beyond(lane):
                break
        return None

    def _has_room(self) -> bool:
        if not self._is_answered:
            return False  # A wrong key costs one call.
        left = self._left()
        most = _MOST_UNREAD if left is None else min(_MOST_UNREAD, left // _SHARE_OF_THOSE_LEFT)
        size = sum(each.size for each in self._unread)
        return len(self._unread) < most and size < _MOST_BYTES

    def _has_room_beyond(self, waiting: _Lane) -> bool:
        # Where calls are short, the run may end before anybody asks for these.
        out_of_turn = sum(each.lane is not waiting for each in self._unread)
        return self._left() is None and out_of_turn < _MOST_OUT_OF_TURN

    def _look_again(self) -> None:
        for lane in self._lanes:
            lane.look_again()

    def _learn_in_turn(self) -> bool:
        """Learn of one more call, unless what comes before it is not known yet."""
        for lane in self._lanes:
            if not lane.is_full and self._learn(lane):
                return True
            if not lane.is_over:
                break
        return False

    def _learn(self, lane: _Lane) -> bool:
        """Learn of one more call; False if there is none, or none is known yet."""
        call = lane.pull()
        if call is not None:
            self._add(call, lane)
        return call is not None

    def _add(self, call: Call, lane: _Lane) -> None:
        if self._unexpected[hash(call.url)]:
            self._unexpected[hash(call.url)] -= 1
            call.is_late = True
        elif call.url not in self._known:
            self._known[call.url] = call
            lane.add(call)

    def _send(self, call: Call) -> None:
        self._note_sent()
        self._pace.wait()
        call.is_sent = True
        self._unread.add(call)
        self._under_way += 1
        if self._threads < self._under_way:
            self._threads += 1
            # Daemons are not waited for at the end: it must not hang on a slow answer.
            threading.Thread(target=self._work, daemon=True).start()
        self._to_send.put(call)

    def _work(self) -> None:
        while call := self._to_send.get():
            try:
                outcome: Outcome = self._transmit(call.request)
            except Exception as error:  # noqa: BLE001 - raised where the call is asked for
                outcome = error
            self._arrived.put((call, outcome))

    def _absorb_arrivals(self) -> None:
        while not self._arrived.empty():
            self._absorb(*self._arrived.get())

    def _absorb(self, call: Call, outcome: Outcome) -> None:
        self._under_way -= 1
        call.outcome = outcome
        self._look_again()
        if not call.has_arrived:
            # Nothing more leaves until it has been asked for, and something went well again.
            self._failed[call] = False
        elif call.response is not None and call.follow:
            call.next = call.follow(call.response)
            if call.next and call.lane:
                call.next.lane, call.next.rank = call.lane, call.rank
                self._add(call.next, call.lane)
