"""Whose account a state is of: the marks of one would hide rows of another."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

#: The stream in whose state it says whose account a state is of.
ACCOUNT = "account"
#: The key of a bookmark that proves by itself whose it is.
PROOF = "account"
_PROOF_LENGTH = 8
# States of this API do not name it: when they were first written there was no other.
_FIRST = "v2"


_OF_ANOTHER_ACCOUNT = (
    "The state is another account's: its marks would hide rows of this one. Give the state that"
    " belongs to the access token, or none to read everything. If it is the same account with a new"
    " token or a new address of its owner, take the stream 'account' out of the state."
)


class ForeignStateError(Exception):
    """The state is another account's, or of another API."""

    def __init__(self, text: str = "") -> None:
        """Say what to do."""
        super().__init__(text or _OF_ANOTHER_ACCOUNT)


class UnprovenStateError(Exception):
    """Nothing tells whose account a state is of."""


def fingerprint(text: str) -> str:
    """What stands in a state for something that is not to be told."""
    return hashlib.sha256(text.strip().lower().encode()).hexdigest()[:24]


def short_proof(token: str) -> str:
    """What proves in a bookmark whose it is, by what stands for the token."""
    return token[:_PROOF_LENGTH]


def known_of(bookmarks: Mapping[str, Any], token: str, version: str) -> dict[str, str]:
    """What a state says of whose it is, by its account or by what each bookmark proves.

    Args:
        bookmarks: Of the state.
        token: The access token, or what else stays the same with the account; empty if unknown.
        version: The API.

    Returns:
        Nothing if it does not say.
    """
    known = dict(bookmarks.get(ACCOUNT) or {})
    proofs = {each.get(PROOF) for name, each in bookmarks.items() if each and name != ACCOUNT}
    if known or not token or proofs != {short_proof(fingerprint(token))}:
        return known
    return {"token": fingerprint(token), "api": version}


def check_version(known: Mapping[str, str], version: str) -> dict[str, str]:
    """Make sure that a state is of the API that is read.

    Args:
        known: What the state says of whose it is; nothing on a first run.
        version: The API.

    Returns:
        What the state is to say from now on: nothing of v2, as before there was another.

    Raises:
        ForeignStateError: It is of another API.
    """
    before = known.get("api", _FIRST)
    if known and before != version:
        msg = (
            f"The state is of the API {before}, and this run reads {version}, which has other ids"
            " and dates. Start without a state, into tables of their own (docs/moving-to-v3.md)."
        )
        raise ForeignStateError(msg)
    return {} if version == _FIRST else {"api": version}


def identify(
    known: Mapping[str, str], token: str, ask_owner: Callable[[], str | None], *, must_ask: bool
) -> dict[str, str]:
    """Make sure that a state is this account's.

    It is known by its access token, or what stands for it; if that is another one or unknown, by
    the account's owner.

    Args:
        known: What the state says of whose it is; nothing on a first run.
        token: The access token, or what else stays the same with the account; empty if unknown.
        ask_owner: Asks for the account's owner, which costs a call; None if nobody may know.
        must_ask: Whether to ask in any case.

    Returns:
        What the state is to say from now on.

    Raises:
        ForeignStateError: It is another account's.
        UnprovenStateError: It cannot be told.
    """
    marks = {"token": fingerprint(token)} if token else {}
    before, token_before = known.get("owner"), known.get("token")
    is_proven = bool(token) and token_before == marks["token"]
    if token and token_before and not is_proven and not before:
        raise ForeignStateError
    if must_ask or not token or (known and not is_proven):
        owner = ask_owner()
        if owner:
            marks["owner"] = fingerprint(owner)
    now = marks.get("owner")
    if before and now and before != now:
        raise ForeignStateError
    if known and not is_proven and not (before and now):
        raise UnprovenStateError
    return marks
