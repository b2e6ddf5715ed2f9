"""Output of states."""

from __future__ import annotations

from typing import TYPE_CHECKING

from singer_sdk.helpers._state import (
    PROGRESS_MARKERS,
    SIGNPOST_MARKER,
    STARTING_MARKER,
    StateWriter,
)
from typing_extensions import override

from tap_constantcontact.state.account_check import ACCOUNT, PROOF, short_proof

if TYPE_CHECKING:
    from singer_sdk.helpers.types import TapState

# Notes of the SDK about the current run, which the next run deletes before anything else.
_PROGRESS_KEYS = frozenset({PROGRESS_MARKERS, SIGNPOST_MARKER, STARTING_MARKER})


class CleanStateWriter(StateWriter):
    """Writes the part of a state that the next run needs."""

    @override
    def write_state(self, state: TapState) -> None:
        super().write_state(without_progress_markers(state))


def without_progress_markers(state: TapState) -> TapState:
    """Return a state without notes about the current run.

    Each bookmark names its account, since some targets keep single bookmarks.
    """
    result = {
        stream: {name: held for name, held in bookmark.items() if name not in _PROGRESS_KEYS}
        for stream, bookmark in state.get("bookmarks", {}).items()
    }
    if token := result.get(ACCOUNT, {}).get("token_hash"):
        for stream, bookmark in result.items():
            if bookmark and stream != ACCOUNT:
                bookmark[PROOF] = short_proof(token)
    return {**state, "bookmarks": result} if result else state
