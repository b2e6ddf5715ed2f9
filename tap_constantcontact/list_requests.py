"""Lists that a stream requests before its own pages, declared once.

A stream with parents declares the lists that it depends on as a generator, which yields requests
and receives their records. `fetch` sends the requests; `forecast` prefetches them, ahead of the
stream. So a stream says once what it requests, and how the records are combined.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from singer_sdk.exceptions import FatalAPIError

from tap_constantcontact.http import envelopes, retries
from tap_constantcontact.http.envelopes import InvalidResponseError
from tap_constantcontact.http.prefetch import wait_for
from tap_constantcontact.http.retries import ForbiddenError

if TYPE_CHECKING:
    from collections.abc import Collection, Generator, Iterable, Sequence

    import requests
    from singer_sdk.helpers.types import Record

    from tap_constantcontact.cache import Outcome
    from tap_constantcontact.client import ApiClient
    from tap_constantcontact.http.envelopes import Envelope
    from tap_constantcontact.http.prefetch import PendingRequest

_T = TypeVar("_T")


@dataclass(frozen=True)
class ListRequest:
    """A list with all its pages.

    Attributes:
        path: Its path, with parameters.
        envelope: Envelope of its pages.
        key: Field with the ids, which are converted to text.
        fields: Each object has one of these fields; None if its envelope is enough.
        kept: Fields that are needed; None for all.
        is_shared: Whether all streams of a run share the list.
        may_fail: Whether the stream can do without: an error that does not concern the whole run
            is returned instead of records.
    """

    path: str
    envelope: Envelope
    key: str = "id"
    fields: frozenset[str] | None = None
    kept: Collection[str] | None = None
    is_shared: bool = False
    may_fail: bool = False


#: Requests for lists. Yields those that do not depend on each other at once; receives the outcome
#: of each.
ListRequests: TypeAlias = "Generator[Sequence[ListRequest], Sequence[Outcome], _T]"


def records_of(outcome: Outcome) -> list[Record]:
    """Return the records of a list.

    Raises:
        Exception: The error that it failed with.
    """
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


def fetch(list_requests: ListRequests[_T], client: ApiClient) -> _T:
    """Send the requests, one after another; return what the generator returns.

    Raises:
        FatalAPIError: A list that may not fail did.
    """
    try:
        needed = next(list_requests)
        while True:
            needed = list_requests.send([_fetch(each, client) for each in needed])
    except StopIteration as end:
        result: _T = end.value
        return result


def _fetch(request: ListRequest, client: ApiClient) -> Outcome:
    shared = client.run.shared_lists
    if not request.is_shared:
        outcome = _outcome(request, client)
    elif request.path in shared.outcomes:
        outcome = shared.outcomes[request.path]
    else:
        outcome = shared.outcomes[request.path] = _outcome(request, client)
        shared.pending.pop(request.path, None)
    return outcome if request.may_fail else records_of(outcome)


def _outcome(request: ListRequest, client: ApiClient) -> Outcome:
    try:
        with retries.raise_when_exhausted():
            records: list[Record] = []
            for page in client.get_pages(request.path, request.envelope, request.fields):
                records += _needed(request, client.with_string_ids(page, request.key))
            return records
    except FatalAPIError as error:
        if not (isinstance(error, ForbiddenError) or retries.concerns_one_object(error)):
            raise
        client.cancel_prefetch()
        return error


def _needed(request: ListRequest, rows: Iterable[Record]) -> Iterable[Record]:
    if request.kept is None:
        return rows
    return ({name: row.get(name) for name in request.kept} for row in rows)


def forecast(
    list_requests: ListRequests[_T], client: ApiClient
) -> Generator[PendingRequest | None, None, _T]:
    """Forecast the requests, and wait for their responses; return what the generator returns.

    Raises:
        InvalidResponseError: A list that may not fail is not available.
    """
    try:
        needed = next(list_requests)
        while True:
            pending = {}
            for request in needed:
                pending[request] = yield from _pending(request, client)
            outcomes = {}
            for request, first in pending.items():
                outcomes[request] = yield from _await(request, first, client)
            needed = list_requests.send(list(outcomes.values()))
    except StopIteration as end:
        result: _T = end.value
        return result


def _pending(
    request: ListRequest, client: ApiClient
) -> Generator[PendingRequest | None, None, PendingRequest | None]:
    shared = client.run.shared_lists
    if request.is_shared and request.path in shared.outcomes:
        return None
    if request.is_shared and request.path in shared.pending:
        return shared.pending[request.path]
    first = client.prefetch_pages(request.path, request.envelope)
    if request.is_shared:
        shared.pending[request.path] = first
    yield first
    return first


def _await(
    request: ListRequest, first: PendingRequest | None, client: ApiClient
) -> Generator[PendingRequest | None, None, Outcome]:
    try:
        if first is None:
            return records_of(client.run.shared_lists.outcomes[request.path])
        rows = yield from await_rows(first, request.envelope, request.key)
    except (InvalidResponseError, FatalAPIError) as error:
        if not request.may_fail:
            raise
        return error
    return list(_needed(request, rows))


def await_rows(
    call: PendingRequest | None, envelope: Envelope, key: str = "id"
) -> Generator[PendingRequest | None, None, list[Record]]:
    """Wait for all pages of a list.

    Raises:
        InvalidResponseError: A page is not available, or not valid.
    """
    rows: list[Record] = []
    while call is not None:
        response = yield from wait_for(call)
        rows += parse_unvalidated(response, envelope, key)
        call = call.next
    return rows


def parse_unvalidated(
    response: requests.Response | None, envelope: Envelope, key: str = "id"
) -> list[Record]:
    """Parse a prefetched response without error handling.

    Raises:
        InvalidResponseError: It is not available, or not valid.
    """
    if response is None:
        msg = "is not available"
        raise InvalidResponseError(msg)
    rows = envelope.open(envelopes.decode(response.content)).rows
    return list(envelopes.with_string_ids(rows, lambda: None, key))
