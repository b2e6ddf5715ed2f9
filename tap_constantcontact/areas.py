"""Parts of the product that an account need not have."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from typing_extensions import override

from tap_constantcontact.http.error_handler import ResponseAction
from tap_constantcontact.http.prefetch import wait_for
from tap_constantcontact.http.retries import APIError
from tap_constantcontact.plan import Cost
from tap_constantcontact.stream import ConstantContactStream

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from singer_sdk.exceptions import FatalAPIError

    from tap_constantcontact.http.prefetch import RequestForecast


class OptionalAreaStream(ConstantContactStream):
    """A stream of a part of the product that an account need not have.

    The first refusal skips the whole area with a warning; the rest of the run goes on.
    """

    #: The area, as a person calls it.
    area: str
    #: The rights that open it, where the API can say beforehand who has them.
    privileges: ClassVar[tuple[str, ...]] = ()
    #: Which refusals mean that the account does not have it.
    refused_by: Collection[ResponseAction] = (ResponseAction.FORBIDDEN,)

    @property
    @override
    def is_open(self) -> bool:
        return super().is_open and self.area not in self.run.skipped_areas

    @override
    def is_denied(self, error: FatalAPIError) -> bool:
        return isinstance(error, APIError) and error.action in self.refused_by

    @override
    def close(self, error: FatalAPIError) -> None:
        """Skip the area for the rest of the run, with a warning."""
        self.run.skipped_areas.add(self.area)
        self.logger.warning("%s is not open to this token and is skipped. %s", self.area, error)

    @override
    def costs(self) -> Iterable[Cost]:
        if self.is_asked and not self.is_open:
            return [Cost(self.name, 0, f"{self.area} is not open to this token")]
        try:
            return list(super().costs())
        except APIError as error:
            if not self.is_denied(error):
                raise
            self.close(error)
            return [Cost(self.name, 1, f"{self.area} is not open to this token")]

    @override
    def outlook(self) -> RequestForecast:
        if not self.is_open:
            return
        for call in super().outlook():
            if call is None or self.area in self.run.open_areas:
                yield call
                continue
            # A refusal of the first call spares the account all others, whichever stream's it is.
            first = self.run.first_calls.setdefault(self.area, call)
            if first is call:
                yield call
            yield from wait_for(first)
            self.run.open_areas.add(self.area)
            if first is not call:
                yield call
