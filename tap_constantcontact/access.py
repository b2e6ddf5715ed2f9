"""Products that an account need not have."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from typing_extensions import override

from tap_constantcontact.estimate import StreamEstimate
from tap_constantcontact.http.prefetch import wait_for
from tap_constantcontact.http.retries import APIError, ForbiddenError
from tap_constantcontact.stream import ConstantContactStream

if TYPE_CHECKING:
    from collections.abc import Iterable

    from singer_sdk.exceptions import FatalAPIError

    from tap_constantcontact.http.prefetch import RequestForecast


class OptionalProductStream(ConstantContactStream):
    """A stream of a product that an account need not have.

    The first 403 skips all streams of the product with a warning. The run continues.
    """

    #: Name of the product.
    product: str
    #: Privileges that the product requires, if the API can tell who has them.
    privileges: ClassVar[tuple[str, ...]] = ()
    #: Errors that mean that the account does not have the product.
    unauthorized_errors: ClassVar[tuple[type[APIError], ...]] = (ForbiddenError,)

    @property
    @override
    def is_authorized(self) -> bool:
        return super().is_authorized and self.product not in self.run.unavailable

    @override
    def is_denied(self, error: FatalAPIError) -> bool:
        return isinstance(error, self.unauthorized_errors)

    @override
    def mark_unauthorized(self, error: FatalAPIError) -> None:
        """Skip the product for the rest of the run, with a warning."""
        self.run.unavailable.add(self.product)
        self.logger.warning(
            "Skipping %s: the access token is not authorized for it. %s", self.product, error
        )

    @override
    def estimates(self) -> Iterable[StreamEstimate]:
        if self.is_requested and not self.is_authorized:
            return [
                StreamEstimate(
                    self.name, 0, f"The access token is not authorized for {self.product}"
                )
            ]
        try:
            return list(super().estimates())
        except APIError as error:
            if not self.is_denied(error):
                raise
            self.mark_unauthorized(error)
            return [
                StreamEstimate(
                    self.name, 1, f"The access token is not authorized for {self.product}"
                )
            ]

    @override
    def forecast_requests(self) -> RequestForecast:
        if not self.is_authorized:
            return
        for call in super().forecast_requests():
            if call is None or self.product in self.run.available:
                yield call
                continue
            # A 403 of the first request avoids all others, whichever stream sends it.
            first = self.run.probe_requests.setdefault(self.product, call)
            if first is call:
                yield call
            yield from wait_for(first)
            self.run.available.add(self.product)
            if first is not call:
                yield call
