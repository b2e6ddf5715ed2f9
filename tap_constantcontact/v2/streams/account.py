"""The account itself."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from typing_extensions import override

from tap_constantcontact.http import bodies, retries
from tap_constantcontact.stream import ConstantContactStream

if TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Set as AbstractSet

    from singer_sdk.helpers.types import Context, Record

    from tap_constantcontact.http.ahead import Outlook


class Account(ConstantContactStream):
    """The account's organisation and owner: one row (API docs: Account info)."""

    name = "account"
    path = "/account/info"
    envelope = bodies.ONE
    primary_keys = ("email",)

    @cached_property
    def info(self) -> Record:
        """The one object that there is, asked once a run."""
        with retries.giving_up():
            return self.fetch(self.path, self.envelope, self.fields)[0]

    @property
    def owner(self) -> str | None:
        """What names the account; None if the API does not say."""
        email = self.info.get("email")
        return str(email) if email else None

    #: What the token's user may read: v2 does not say.
    granted: AbstractSet[str] | None = None

    @override
    def read(self, context: Context | None) -> Iterable[Record]:
        return [self.info]

    @override
    def outlook(self) -> Outlook:
        return iter(())  # A run asks for it before anything else.


class AccountEmails(ConstantContactStream):
    """Addresses that the account may send from (API docs: Verified e-mail addresses)."""

    name = "account_emails"
    path = "/account/verifiedemailaddresses"
    envelope = bodies.ARRAY
    primary_keys = ("email_address",)
