"""The streams, one module an API area."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_constantcontact.streams.account import Account, AccountEmails
from tap_constantcontact.streams.activities import Activities
from tap_constantcontact.streams.contacts import Contacts
from tap_constantcontact.streams.lists import Lists

if TYPE_CHECKING:
    from tap_constantcontact.client import ConstantContactStream

#: In the order of a run: when calls run out, it is the cheap and important that has been read.
IN_ORDER: tuple[type[ConstantContactStream], ...] = (
    Account,
    AccountEmails,
    Lists,
    Contacts,
    Activities,
)
