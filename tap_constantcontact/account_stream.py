"""The account stream, whose request also identifies the account of a state."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from typing_extensions import override

from tap_constantcontact.http import envelopes, retries
from tap_constantcontact.stream import ConstantContactStream

if TYPE_CHECKING:
    from collections.abc import Iterable

    from singer_sdk.helpers.types import Context, Record


class AccountStream(ConstantContactStream):
    """The account's organization and owner: one record."""

    name = "account"
    envelope = envelopes.ONE
    # The only request is sent before anything is prefetched.
    is_prefetched = False

    @property
    def info_path(self) -> str:
        """Path with all fields."""
        return self.path

    @cached_property
    def info(self) -> Record:
        """The account, requested once per run."""
        with retries.raise_when_exhausted():
            return self.client.get(self.info_path, self.envelope, self.fields)[0]

    @property
    def owner(self) -> str | None:
        """The id of the account; None if the API does not return it."""
        result = self.info.get(self.api_keys[0])
        return str(result) if result else None

    @property
    def granted(self) -> frozenset[str] | None:
        """The user's privileges; None if the API does not return them."""
        return None

    @override
    def fetch_records(self, context: Context | None) -> Iterable[Record]:
        return [self.info]
