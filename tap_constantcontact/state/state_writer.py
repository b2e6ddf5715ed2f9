"""Output of states."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from singer_sdk.singerlib import Message, StateMessage
from typing_extensions import override

from tap_constantcontact.records.message_writer import BufferedMessageWriter
from tap_constantcontact.state.account_check import ACCOUNT, PROOF, short_proof

if TYPE_CHECKING:
    from collections.abc import Mapping

# Notes of the SDK about the current run, which the next run deletes before anything else.
_PROGRESS_KEYS = frozenset(
    {"progress_markers", "replication_key_signpost", "starting_replication_value"}
)


class CleanStateWriter(BufferedMessageWriter):
    """Writes messages, and of a state the part that the next run needs."""

    @override
    def write_message(self, message: Message) -> None:
        if isinstance(message, StateMessage):
            message = StateMessage(value=without_progress_markers(message.value))
        super().write_message(message)


def without_progress_markers(state: Mapping[str, Any]) -> dict[str, Any]:
    """Return a state without notes about the current run.

    Each bookmark names its account, since some targets keep single bookmarks.
    """
    bookmarks = {
        stream: {name: value for name, value in bookmark.items() if name not in _PROGRESS_KEYS}
        for stream, bookmark in state.get("bookmarks", {}).items()
    }
    if token := bookmarks.get(ACCOUNT, {}).get("token_hash"):
        for stream, bookmark in bookmarks.items():
            if bookmark and stream != ACCOUNT:
                bookmark[PROOF] = short_proof(token)
    return {**state, "bookmarks": bookmarks} if bookmarks else dict(state)
