"""Check that a state belongs to the account: bookmarks of another one would hide records."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tap_constantcontact.state.ids import fingerprint

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

#: The stream whose bookmark names the account of a state.
ACCOUNT = "account"
#: The key of any other bookmark that names its account.
PROOF = "account_hash"
_PROOF_LENGTH = 8

_OTHER_ACCOUNT = (
    "The state belongs to another account. Use the matching state, or run without a state. If it is"
    " the same account with a new token or a new address of its owner, remove the stream 'account'"
    " from the state."
)


class StateMismatchError(Exception):
    """The state belongs to another account or to the other API."""

    def __init__(self, text: str = "") -> None:
        """Take the message."""
        super().__init__(text or _OTHER_ACCOUNT)


class UnprovenStateError(Exception):
    """The state does not name an account."""


def short_proof(token_hash: str) -> str:
    """Return the value that names the account in a bookmark."""
    return token_hash[:_PROOF_LENGTH]


def stored_account(bookmarks: Mapping[str, Any], token: str, version: str) -> dict[str, Any]:
    """Return what a state contains about its account; nothing if it does not name one.

    Args:
        bookmarks: Bookmarks of the state.
        token: The access token, or another constant value of the account; empty if unknown.
        version: The API.
    """
    stored = dict(bookmarks.get(ACCOUNT) or {})
    proofs = {each.get(PROOF) for name, each in bookmarks.items() if each and name != ACCOUNT}
    if stored or not token or proofs != {short_proof(fingerprint(token))}:
        return stored
    return {"token_hash": fingerprint(token), "api_version": version}


def check_version(stored: Mapping[str, Any], version: str) -> dict[str, str]:
    """Validate the API of a state.

    Args:
        stored: What the state contains about its account; nothing on a first run.
        version: The API of this run.

    Returns:
        What the state shall contain.

    Raises:
        StateMismatchError: The state belongs to the other API.
    """
    before = stored.get("api_version", version)
    if before != version:
        msg = (
            f"The state belongs to the API {before}, and this run reads {version}, which has other"
            " ids and dates. Run without a state, into tables of their own"
            " (docs/migrating-to-v3.md)."
        )
        raise StateMismatchError(msg)
    return {"api_version": version}


def verify_account(
    stored: Mapping[str, Any],
    token: str,
    fetch_owner: Callable[[], str | None],
    *,
    must_fetch: bool,
) -> dict[str, str]:
    """Verify that a state belongs to this account.

    The access token identifies the account. If the token is new or unknown, the owner does.

    Args:
        stored: What the state contains about its account; nothing on a first run.
        token: The access token, or another constant value of the account; empty if unknown.
        fetch_owner: Requests the account's owner; None if the user may not read it.
        must_fetch: Whether to request the owner in any case.

    Returns:
        What the state shall contain.

    Raises:
        StateMismatchError: The state belongs to another account.
        UnprovenStateError: The state does not name its account.
    """
    current = {"token_hash": fingerprint(token)} if token else {}
    owner_before, token_before = stored.get("owner_hash"), stored.get("token_hash")
    is_proven = bool(token) and token_before == current["token_hash"]
    if token and token_before and not is_proven and not owner_before:
        raise StateMismatchError
    if must_fetch or not token or (stored and not is_proven):
        owner = fetch_owner()
        if owner:
            current["owner_hash"] = fingerprint(owner)
    owner_now = current.get("owner_hash")
    if owner_before and owner_now and owner_before != owner_now:
        raise StateMismatchError
    if stored and not is_proven and not (owner_before and owner_now):
        raise UnprovenStateError
    return current
