"""The account itself: asked once a run, since it also tells whose a state is."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from typing_extensions import override

from tap_constantcontact.http import envelopes, retries
from tap_constantcontact.stream import ConstantContactStream

if TYPE_CHECKING:
    from collections.abc import Iterable

    from singer_sdk.helpers.types import Context, Record

    from tap_constantcontact.http.prefetch import RequestForecast


class AccountStream(ConstantContactStream):
    """The account's organisation and owner: one row, whose key names the account."""

    name = "account"
    envelope = envelopes.ONE

    @property
    def info_path(self) -> str:
        """Where all fields are."""
        return self.path

    @cached_property
    def info(self) -> Record:
        """The one object that there is, asked once a run."""
        with retries.raise_when_exhausted():
            return self.fetch(self.info_path, self.envelope, self.fields)[0]

    @property
    def owner(self) -> str | None:
        """What names the account; None if the API does not say."""
        found = self.info.get(self.primary_keys[0])
        return str(found) if found else None

    @property
    def granted(self) -> frozenset[str] | None:
        """What the token's user may do; None if the API does not say."""
        return None

    @override
    def read(self, context: Context | None) -> Iterable[Record]:
        return [self.info]

    @override
    def outlook(self) -> RequestForecast:
        return iter(())  # A run asks for it before anything else.
