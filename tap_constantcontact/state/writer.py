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
    """A state without what is of use to the run only that has made it."""
    found = {
        stream: {name: held for name, held in bookmark.items() if name not in _OF_THIS_RUN}
        for stream, bookmark in state.get("bookmarks", {}).items()
    }
    return {**state, "bookmarks": found} if found else state
