"""The account itself."""

from __future__ import annotations

from tap_constantcontact.client import ConstantContactStream


class Account(ConstantContactStream):
    """The account's organisation and owner: one row (API docs: Account info)."""

    name = "account"
    path = "/account/info"
    primary_keys = ("email",)


class AccountEmails(ConstantContactStream):
    """Addresses that the account may send from (API docs: Verified e-mail addresses)."""

    name = "account_emails"
    path = "/account/verifiedemailaddresses"
    primary_keys = ("email_address",)
