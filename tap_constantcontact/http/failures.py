"""Objects that could not be synced, and the bounds beyond which the API is down."""

from __future__ import annotations

from collections import defaultdict

from singer_sdk.exceptions import FatalAPIError

from tap_constantcontact.http.retries import ExhaustedError

# So many objects may fail, and beyond that this share of the requested ones.
_MAX_FAILED = 20
_MAX_SHARE = 0.1
# So many failures in a row mean that an endpoint, or the API, is down.
_MAX_IN_A_ROW = 5


class Failures:
    """The objects that failed in a run, by stream and id.

    Attributes:
        requested: Number of objects that were requested.
    """

    def __init__(self) -> None:
        """Start with none."""
        self.requested = 0
        self._failed: dict[tuple[str, str], FatalAPIError] = {}
        self._skipped: set[str] = set()
        self._in_a_row: set[str] = set()
        self._in_a_row_by_stream: dict[str, set[str]] = defaultdict(set)

    def __bool__(self) -> bool:
        """True if anything that was selected is missing."""
        return bool(self._failed or self._skipped)

    def skip(self, stream: str) -> None:
        """Count a stream that the token is not authorized to read."""
        self._skipped.add(stream)

    def note_response(self) -> None:
        """Count a valid response: the API is up."""
        self._in_a_row.clear()

    def note_success(self, stream: str) -> None:
        """Count an object that was synced."""
        self._in_a_row_by_stream.pop(stream, None)

    def is_down(self, stream: str) -> bool:
        """Return whether the last objects of a stream all failed, so that others will too."""
        return len(self._in_a_row_by_stream[stream]) >= _MAX_IN_A_ROW

    def add(self, stream: str, object_id: str, error: FatalAPIError, *, is_known: bool) -> None:
        """Count an object that failed.

        Args:
            stream: The stream that requested it.
            object_id: The id of the object.
            error: The reason.
            is_known: Whether it failed in the previous run: then it says nothing about others.

        Raises:
            FatalAPIError: Too many objects failed: the API must be down.
        """
        self._failed[stream, object_id] = error
        if isinstance(error, ExhaustedError) and not is_known:
            self._in_a_row.add(object_id)
            self._in_a_row_by_stream[stream].add(object_id)
        objects = {failed for _, failed in self._failed}
        is_beyond = len(objects) > max(_MAX_FAILED, _MAX_SHARE * self.requested)
        if is_beyond or len(self._in_a_row) >= _MAX_IN_A_ROW:
            msg = f"{len(objects)} objects failed: the API seems to be down. The last one: {error}"
            raise FatalAPIError(msg) from error

    @property
    def streams(self) -> set[str]:
        """Names of the streams with objects that failed."""
        return {stream for stream, _ in self._failed}

    @property
    def summary(self) -> str:
        """The failures and what happens next, in one line."""
        parts = []
        if count := len(self._failed):
            *_, reason = self._failed.values()
            streams = ", ".join(sorted(self.streams))
            objects = "1 object" if count == 1 else f"{count:,} objects"
            parts.append(f"{objects} could not be synced in the streams: {streams} ({reason}).")
        if self._skipped:
            parts.append(f"Access denied to the streams: {', '.join(sorted(self._skipped))}.")
        return f"{' '.join(parts)} See the warnings above. The next run requests them again."
