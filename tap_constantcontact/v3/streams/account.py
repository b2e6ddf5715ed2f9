"""The account itself (API docs: v3 §6)."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from typing_extensions import override

from tap_constantcontact.http import bodies, retries
from tap_constantcontact.http.refusals import Verdict
from tap_constantcontact.http.retries import RefusedError
from tap_constantcontact.v3.stream import V3Stream

if TYPE_CHECKING:
    from collections.abc import Iterable

    from singer_sdk.helpers.types import Context, Record

    from tap_constantcontact.http.ahead import Outlook

_ALL_FIELDS = "extra_fields=physical_address,company_logo"
_PRIVILEGES = "/account/user/privileges"


class Account(V3Stream):
    """The account's organisation and owner, with address and logo: one row."""

    name = "account"
    path = "/account/summary"
    envelope = bodies.ONE
    privileges = ("account:read",)
    primary_keys = ("encoded_account_id",)

    @cached_property
    def info(self) -> Record:
        """The one object that there is, asked once a run."""
        with retries.giving_up():
            return self.fetch(f"{self.path}?{_ALL_FIELDS}", self.envelope, self.fields)[0]

    @property
    def owner(self) -> str | None:
        """What names the account; None if the API does not say."""
        found = self.info.get("encoded_account_id")
        return str(found) if found else None

    @cached_property
    def granted(self) -> frozenset[str] | None:
        """What the token's user may do; None if the API does not say."""
        try:
            with retries.giving_up():
                rows = self.fetch(_PRIVILEGES, bodies.ARRAY)
        except RefusedError as error:
            if error.verdict not in {Verdict.FORBIDDEN, Verdict.MISSING}:
                raise
            return None
        return frozenset(str(row.get("privilege_name")) for row in rows)

    @override
    def read(self, context: Context | None) -> Iterable[Record]:
        if self.area not in self.run.skipped_areas:
            yield self.info

    @override
    def outlook(self) -> Outlook:
        return iter(())  # A run asks for it before anything else.


class AccountEmails(V3Stream):
    """Addresses that the account may send from, and those to be confirmed."""

    name = "account_emails"
    path = "/account/emails"
    envelope = bodies.ARRAY
    privileges = ("account:read",)
    primary_keys = ("email_id",)
