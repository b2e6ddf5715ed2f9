"""Audit of a run: what became of each stream, and whether records match the API's counts."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

COMPLETE, PARTIAL, INTERRUPTED = "complete", "partial", "interrupted"
NOT_STARTED, UNAUTHORIZED = "not_started", "unauthorized"


@dataclass
class Comparison:
    """Records of a stream, compared with the API's counts.

    Attributes:
        objects: Number of objects that were compared.
        reported: Number of their records by the API's counts.
        received: Number of their records that the API returned.
        missing: Number of objects with fewer records than reported.
    """

    objects: int = 0
    reported: int = 0
    received: int = 0
    missing: int = 0

    @property
    def verdict(self) -> str:
        """The result in one word."""
        if not self.objects:
            return "unchecked"
        if self.missing:
            return "missing"
        return "match" if self.received == self.reported else "more"

    def as_dict(self) -> dict[str, Any]:
        """Return the comparison as fields of a record."""
        counts = {"reported": self.reported, "received": self.received}
        counts["difference"] = self.received - self.reported
        return {
            "objects_checked": self.objects,
            **(counts if self.objects else dict.fromkeys(counts)),
            "verdict": self.verdict,
        }


@dataclass
class SyncAudit:
    """The audit of a run.

    Attributes:
        started: Names of the streams whose sync has started.
        finished: Names of those whose sync has ended without an error.
        comparisons: By stream.
    """

    started: set[str] = field(default_factory=set)
    finished: set[str] = field(default_factory=set)
    comparisons: defaultdict[str, Comparison] = field(
        default_factory=lambda: defaultdict(Comparison)
    )

    def start(self, stream: str) -> None:
        """Note that the sync of a stream, or of one more of its contexts, has started."""
        self.started.add(stream)
        self.finished.discard(stream)

    def finish(self, stream: str) -> None:
        """Note that it has ended without an error."""
        self.finished.add(stream)

    def compare(self, stream: str, *, reported: int, received: int) -> None:
        """Note how many records an object has by the API's count, and how many it returned."""
        comparison = self.comparisons[stream]
        comparison.objects += 1
        comparison.reported += reported
        comparison.received += received
        comparison.missing += received < reported

    def outcome(
        self, stream: str, parent: str, *, is_authorized: bool, failed: Iterable[str]
    ) -> str:
        """Return how the sync of a stream ended.

        Args:
            stream: Its name.
            parent: Name of the stream that syncs it: itself, or its parent.
            is_authorized: Whether the token may read it.
            failed: Names of streams with objects that could not be synced.
        """
        if stream in failed:
            return PARTIAL
        if not is_authorized:
            return UNAUTHORIZED
        if parent in self.finished:
            return COMPLETE
        return INTERRUPTED if parent in self.started else NOT_STARTED
