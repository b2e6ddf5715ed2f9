"""Prefetching: requests that are sent before a stream needs their responses.

One thread decides, the others only send. The thread that reads requests one response after another,
counts requests and keeps the rate limit. While it waits, it sends the requests that streams
forecast. So prefetching changes when requests are sent, and nothing else.
"""

from __future__ import annotations

import heapq
import itertools
import queue
import threading
from collections import Counter
from typing import TYPE_CHECKING, TypeAlias, cast

from tap_constantcontact.http.error_handler import NOT_FOUND, SUCCESS

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator

    import requests

    from tap_constantcontact.http.rate_limiter import RateLimiter

    ResponseOrError: TypeAlias = requests.Response | Exception

# Responses are buffered until they are needed: many small ones, few large ones.
_MAX_BUFFERED = 256
_MAX_BUFFERED_BYTES = 16 * 2**20
# Where few requests are left, only this share of them is prefetched.
_PREFETCH_SHARE = 8
# While a forecast waits, so many responses of later forecasts may be buffered.
_MAX_OUT_OF_TURN = 16


class PendingRequest:
    """A request that a stream will need, and its result.

    Attributes:
        request: Signed and ready. Requests are identified by their URL.
        follow: Returns the request for the next page of a response.
        stream_queue: The queue that contains it; None if none does.
        position: Its place in the queue, which its next pages share.
        is_sent: Whether it is in flight or completed.
        was_missed: Whether it was needed before it was forecast. Its response is not available
            here.
        is_canceled: Whether it failed for good.
        was_requested: Whether it was needed. From then on it is sent only if it is needed again.
        result: The response or the error.
        next: The request for the next page, from its response.
    """

    def __init__(
        self,
        request: requests.PreparedRequest,
        follow: Callable[[requests.Response], PendingRequest | None] | None = None,
    ) -> None:
        """Create a request that is not sent yet."""
        self.request = request
        self.follow = follow
        self.stream_queue: _StreamQueue | None = None
        self.position = 0
        self.is_sent = False
        self.was_missed = False
        self.is_canceled = False
        self.was_requested = False
        self.result: ResponseOrError | None = None
        self.next: PendingRequest | None = None

    @property
    def url(self) -> str:
        """The URL with its parameters."""
        return self.request.url or ""

    @property
    def has_response(self) -> bool:
        """True if later requests can be derived from its result."""
        return self._status in SUCCESS or self._status in NOT_FOUND

    @property
    def response(self) -> requests.Response | None:
        """The response, if its status is a success."""
        return cast("requests.Response", self.result) if self._status in SUCCESS else None

    @property
    def size(self) -> int:
        """Bytes in the buffer."""
        return len(getattr(self.result, "content", b""))

    @property
    def _status(self) -> int | None:
        return getattr(self.result, "status_code", None)


#: The requests of a stream, in their order; None while the next one is not known yet because it
#: depends on a response.
RequestForecast: TypeAlias = "Iterator[PendingRequest | None]"


class _StreamQueue:
    """The requests of one forecast."""

    def __init__(self, forecast_requests: RequestForecast) -> None:
        self._forecast = forecast_requests
        self._numbers = itertools.count()
        self._heap: list[tuple[int, int, PendingRequest]] = []
        self._is_waiting = False
        #: Whether the forecast has ended.
        self.is_exhausted = False

    @property
    def is_full(self) -> bool:
        return len(self._heap) >= _MAX_BUFFERED

    def resume(self) -> None:
        """Ask the forecast again: something has happened on which it may depend."""
        self._is_waiting = False

    def pull(self) -> PendingRequest | None:
        """Return the next request of the forecast; None if there is none, or none is known yet."""
        if self._is_waiting or self.is_exhausted:
            return None
        try:
            call = next(self._forecast)
        except StopIteration:
            self.is_exhausted = True
            return None
        self._is_waiting = call is None
        if call is not None:
            call.stream_queue, call.position = self, next(self._numbers)
        return call

    def add(self, call: PendingRequest) -> None:
        """Insert a request by its position."""
        heapq.heappush(self._heap, (call.position, next(self._numbers), call))

    def first(self) -> PendingRequest | None:
        """Return the first request that is not sent."""
        while self._heap and (self._heap[0][2].is_sent or self._heap[0][2].was_requested):
            heapq.heappop(self._heap)
        return self._heap[0][2] if self._heap else None


def wait_for(call: PendingRequest) -> Generator[None, None, requests.Response | None]:
    """Wait for a response in a forecast; None if there is none, or it is not available here."""
    while not (call.has_response or call.was_missed or call.is_canceled):
        yield None
    return call.response


class Prefetcher:
    """Sends requests from several threads, and prefetches the forecast ones."""

    def __init__(
        self,
        transmit: Callable[[requests.PreparedRequest], requests.Response],
        max_concurrency: int,
        rate_limiter: RateLimiter,
        before_sending: Callable[[], None],
        remaining: Callable[[], int | None],
    ) -> None:
        """Start without forecasts and threads.

        Args:
            transmit: Sends one request and reads its whole response, in any thread.
            max_concurrency: Maximum number of requests in flight.
            rate_limiter: Tells for how long no request may be sent.
            before_sending: Waits until a request may be sent, and counts it; raises if none may be.
            remaining: Number of requests that may still be sent; None for no limit.
        """
        self._transmit = transmit
        self._max_concurrency = max_concurrency
        self._rate_limiter = rate_limiter
        self._before_sending = before_sending
        self._remaining = remaining
        self._requests: dict[str, PendingRequest] = {}
        self._queues: list[_StreamQueue] = []
        self._is_answered = False
        self._missed: Counter[int] = Counter()
        # Requests that failed, and whether the reader has seen the error.
        self._failed: dict[PendingRequest, bool] = {}
        self._in_flight = 0
        self._buffered: set[PendingRequest] = set()
        self._threads = 0
        self._to_send: queue.Queue[PendingRequest | None] = queue.Queue()
        self._completed: queue.Queue[tuple[PendingRequest, ResponseOrError]] = queue.Queue()

    def schedule(self, forecasts: Iterable[RequestForecast]) -> None:
        """Prefetch by these forecasts, a few requests ahead.

        Args:
            forecasts: In the order in which their responses will be needed. While one waits, the
                next one is used.
        """
        self._queues = [_StreamQueue(forecast) for forecast in forecasts]

    def cancel(self, url: str) -> None:
        """Release the forecasts that depend on a request that failed for good."""
        if call := self._requests.pop(url, None):
            call.is_canceled = True
            self._resume_forecasts()

    def close(self) -> None:
        """Let each thread end after its request."""
        for _ in range(self._threads):
            self._to_send.put(None)
        self._threads = 0

    def get_response(self, request: requests.PreparedRequest) -> requests.Response:
        """Return the response to a request: prefetched, in flight, or sent first of all.

        Raises:
            Exception: As `transmit` or `before_sending` raise it.
        """
        self._handle_all_completed()
        # Forecasts also depend on the progress of the streams.
        self._resume_forecasts()
        call = self._lookup_or_create(request)
        while call.result is None:
            self._step(call)
        result = call.result
        self._buffered.discard(call)
        self._forget(call)
        if isinstance(result, Exception):
            raise result
        return result

    # -- requests that are needed ---------------------------------------------------------------

    def _lookup_or_create(self, request: requests.PreparedRequest) -> PendingRequest:
        url = request.url or ""
        while url not in self._requests and self._pull_in_turn():
            pass
        if url not in self._requests:
            self._missed[hash(url)] += 1
            self._requests[url] = PendingRequest(request)
        call = self._requests[url]
        call.was_requested = True
        if not call.is_sent:
            call.request = request  # A retry may be signed differently.
        return call

    def _forget(self, call: PendingRequest) -> None:
        """Drop a request whose result the reader has seen."""
        if call.has_response:
            del self._requests[call.url]
            self._is_answered = True
            # Errors before this success no longer hold requests back.
            self._failed = {each: told for each, told in self._failed.items() if not told}
            self._failed.pop(call, None)
        else:
            # It may be needed again, and its forecast still waits for it.
            self._failed[call] = True
            call.result, call.is_sent = None, False

    # -- requests in the meantime ---------------------------------------------------------------

    def _step(self, asked: PendingRequest) -> None:
        """Send the next request as soon as it may leave, or handle what completes before that."""
        following = self._next(asked) if self._in_flight < self._max_concurrency else None
        delay = self._rate_limiter.delay() if following else None
        try:
            arrived = (
                self._completed.get(timeout=delay) if delay != 0 else self._completed.get_nowait()
            )
        except queue.Empty:
            if following:
                self._send(following)
        else:
            self._handle_completed(*arrived)

    def _next(self, asked: PendingRequest) -> PendingRequest | None:
        if not asked.is_sent:
            return asked
        if self._failed or not self._has_capacity():
            return None
        for stream_queue in self._queues:
            while not (call := stream_queue.first()) and self._pull_next(stream_queue):
                pass
            if call:
                return call
            if not stream_queue.is_exhausted and not self._may_prefetch_next_stream(stream_queue):
                break
        return None

    def _has_capacity(self) -> bool:
        if not self._is_answered:
            return False  # A wrong key costs one request.
        remaining = self._remaining()
        most = (
            _MAX_BUFFERED if remaining is None else min(_MAX_BUFFERED, remaining // _PREFETCH_SHARE)
        )
        size = sum(each.size for each in self._buffered)
        return len(self._buffered) < most and size < _MAX_BUFFERED_BYTES

    def _may_prefetch_next_stream(self, waiting: _StreamQueue) -> bool:
        # Where few requests are left, the run may end before these are needed.
        out_of_turn = sum(each.stream_queue is not waiting for each in self._buffered)
        return self._remaining() is None and out_of_turn < _MAX_OUT_OF_TURN

    def _resume_forecasts(self) -> None:
        for stream_queue in self._queues:
            stream_queue.resume()

    def _pull_in_turn(self) -> bool:
        """Add one more request, unless an earlier one is not known yet."""
        for stream_queue in self._queues:
            if not stream_queue.is_full and self._pull_next(stream_queue):
                return True
            if not stream_queue.is_exhausted:
                break
        return False

    def _pull_next(self, stream_queue: _StreamQueue) -> bool:
        """Add one more request of a queue; False if there is none, or none is known yet."""
        call = stream_queue.pull()
        if call is not None:
            self._add(call, stream_queue)
        return call is not None

    def _add(self, call: PendingRequest, stream_queue: _StreamQueue) -> None:
        if self._missed[hash(call.url)]:
            self._missed[hash(call.url)] -= 1
            call.was_missed = True
        elif call.url not in self._requests:
            self._requests[call.url] = call
            stream_queue.add(call)

    def _send(self, call: PendingRequest) -> None:
        self._before_sending()
        call.is_sent = True
        self._buffered.add(call)
        self._in_flight += 1
        if self._threads < self._in_flight:
            self._threads += 1
            # Daemons do not delay the end of the process by a slow response.
            threading.Thread(target=self._work, daemon=True).start()
        self._to_send.put(call)

    def _work(self) -> None:
        while call := self._to_send.get():
            try:
                result: ResponseOrError = self._transmit(call.request)
            except Exception as error:  # noqa: BLE001 - raised where the call is asked for
                result = error
            self._completed.put((call, result))

    def _handle_all_completed(self) -> None:
        while not self._completed.empty():
            self._handle_completed(*self._completed.get())

    def _handle_completed(self, call: PendingRequest, result: ResponseOrError) -> None:
        self._in_flight -= 1
        call.result = result
        self._resume_forecasts()
        if not call.has_response:
            # Nothing more is sent until the reader has seen the error, and another request
            # succeeded.
            self._failed[call] = False
        elif call.response is not None and call.follow:
            call.next = call.follow(call.response)
            if call.next and call.stream_queue:
                call.next.stream_queue, call.next.position = call.stream_queue, call.position
                self._add(call.next, call.stream_queue)
