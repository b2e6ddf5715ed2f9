"""States on their way out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from singer_sdk.helpers._state import (
    PROGRESS_MARKERS,
    SIGNPOST_MARKER,
    STARTING_MARKER,
    StateWriter,
)
from typing_extensions import override

from tap_constantcontact.state.owner import ACCOUNT, PROOF, short_proof

if TYPE_CHECKING:
    from singer_sdk.helpers.types import TapState

# What the SDK notes of a run that is under way. The next one clears it away before anything else.
_OF_THIS_RUN = frozenset({PROGRESS_MARKERS, SIGNPOST_MARKER, STARTING_MARKER})


class LastingStateWriter(StateWriter):
    """Writes that part of a state which the next run goes on from."""

    @override
    def write_state(self, state: TapState) -> None:
        super().write_state(lasting(state))


def lasting(state: TapState) -> TapState:
    """A state without what is of use to the run only that has made it.

    Each bookmark proves by itself whose it is: some targets keep those of the streams that they
    have stored, and nothing else.
    """
    found = {
        stream: {name: held for name, held in bookmark.items() if name not in _OF_THIS_RUN}
        for stream, bookmark in state.get("bookmarks", {}).items()
    }
    if token := found.get(ACCOUNT, {}).get("token"):
        for stream, bookmark in found.items():
            if bookmark and stream != ACCOUNT:
                bookmark[PROOF] = short_proof(token)
    return {**state, "bookmarks": found} if found else state
