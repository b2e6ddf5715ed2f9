"""The account itself."""

from __future__ import annotations

from tap_constantcontact.account_stream import AccountStream
from tap_constantcontact.http import envelopes
from tap_constantcontact.stream import ConstantContactStream


class Account(AccountStream):
    """The account's organisation and owner: one row (docs/api/v2.md §3)."""

    path = "/account/info"
    primary_keys = ("email",)


class AccountEmails(ConstantContactStream):
    """Addresses that the account may send from (docs/api/v2.md §3)."""

    name = "account_emails"
    path = "/account/verifiedemailaddresses"
    envelope = envelopes.ARRAY
    primary_keys = ("email_address",)
