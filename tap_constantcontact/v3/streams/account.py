"""The account (docs/api/v3.md §6)."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from singer_sdk.exceptions import FatalAPIError
from typing_extensions import override

from tap_constantcontact.account_stream import AccountStream
from tap_constantcontact.http import envelopes, retries
from tap_constantcontact.stream import ConstantContactStream

if TYPE_CHECKING:
    from collections.abc import Sequence

    from singer_sdk.helpers.types import Record

_ALL_FIELDS = "extra_fields=physical_address,company_logo"
#: Where an API says what a token's user may do.
PRIVILEGES = "/account/user/privileges"


def privileges_in(rows: Sequence[Record]) -> frozenset[str] | None:
    """The names of the privileges in a response; None if it does not show what is lacking."""
    names = [row.get("privilege_name") for row in rows]
    is_full = bool(names) and all(isinstance(name, str) for name in names)
    return frozenset(map(str, names)) if is_full else None


class Account(AccountStream):
    """The account's organization and owner, with address and logo: one record."""

    path = "/account/summary"
    privileges = ("account:read",)
    primary_keys = ("encoded_account_id",)

    @property
    @override
    def info_path(self) -> str:
        return f"{self.path}?{_ALL_FIELDS}"

    @cached_property
    @override
    def granted(self) -> frozenset[str] | None:
        try:
            with retries.raise_when_exhausted():
                granted = privileges_in(self.client.get(PRIVILEGES, envelopes.ARRAY))
        except FatalAPIError as error:
            if not (self.is_denied(error) or retries.concerns_one_object(error)):
                raise
            self.logger.warning(
                "Could not determine the user's privileges (path: %s). %s", PRIVILEGES, error
            )
            return None
        if granted is None:
            self.logger.warning(
                "Could not determine the user's privileges (path: %s): the response lists none,"
                " or some without a name.",
                PRIVILEGES,
            )
        return granted


class AccountEmails(ConstantContactStream):
    """Email addresses of the account, including unconfirmed ones."""

    name = "account_emails"
    path = "/account/emails"
    envelope = envelopes.ARRAY
    privileges = ("account:read",)
    primary_keys = ("email_id",)
