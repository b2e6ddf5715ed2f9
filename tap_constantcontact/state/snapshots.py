"""Parents that differ from what the watermarks say: deferred, failed, or with a snapshot.

Watermarks say by position until when parents are synced. Exceptions are stored here, by a short id,
so that parents may move in the list or vanish.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Self

from tap_constantcontact.records import timestamps
from tap_constantcontact.state.ids import SHORT_ID_LENGTH, short_id

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Collection

#: Further parents are checked in each run, so that the state stays small.
MAX_ENTRIES = 100


class Snapshot(NamedTuple):
    """A parent at the time of its last sync.

    Attributes:
        synced_until: The timestamp until which it is synced; None for never.
        text: A short form of its content, without blanks.
        next_check_at: The timestamp until which passes skip it; None if they do not.
    """

    synced_until: dt.datetime | None
    text: str = ""
    next_check_at: dt.datetime | None = None


class Snapshots:
    """Snapshots of parents, by their short id."""

    def __init__(self, max_entries: int | None = MAX_ENTRIES) -> None:
        """Create an empty collection.

        Args:
            max_entries: Maximum number of entries; None for no limit.
        """
        self._max_entries = max_entries
        self._by_short_id: dict[str, Snapshot] = {}

    @classmethod
    def from_state(cls, groups: Any, max_entries: int | None = MAX_ENTRIES) -> Self:
        """Load what `to_state` returned; None for nothing.

        Raises:
            ValueError: If it is something else.
        """
        result = cls(max_entries)
        try:
            for group in groups or ():
                times = [group.get(name) for name in ("synced_until", "next_check_at")]
                synced_until, next_check_at = (timestamps.parse(text or "") for text in times)
                for entry in group["values"].split():
                    key, text = entry[:SHORT_ID_LENGTH], entry[SHORT_ID_LENGTH:]
                    result._by_short_id[key] = Snapshot(synced_until, text, next_check_at)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            msg = "it is not a list of groups of values"
            raise ValueError(msg) from error
        return result

    def to_state(self) -> list[dict[str, str | None]]:
        """Return the snapshots for the state, grouped by their timestamps."""
        groups: dict[tuple[dt.datetime | None, dt.datetime | None], list[str]] = {}
        for key, (synced_until, text, next_check_at) in self._by_short_id.items():
            groups.setdefault((synced_until, next_check_at), []).append(f"{key}{text}")
        return [
            {
                "synced_until": timestamps.write(synced_until) if synced_until else None,
                **({"next_check_at": timestamps.write(next_check_at)} if next_check_at else {}),
                "values": " ".join(entries),
            }
            for (synced_until, next_check_at), entries in groups.items()
        ]

    def copy(self) -> Snapshots:
        """Return a copy."""
        result = Snapshots(self._max_entries)
        result._by_short_id = dict(self._by_short_id)
        return result

    def __bool__(self) -> bool:
        """Return whether there are any."""
        return bool(self._by_short_id)

    def __contains__(self, parent_id: str) -> bool:
        """Return whether there is a snapshot of a parent."""
        return short_id(parent_id) in self._by_short_id

    def get(self, parent_id: str) -> Snapshot | None:
        """Return the snapshot of a parent; None if there is none."""
        return self._by_short_id.get(short_id(parent_id))

    def as_of(self, parent_id: str, synced_until: dt.datetime) -> Snapshot | None:
        """Return the snapshot of a parent if it is not younger than a sync of it.

        All streams of a list share the snapshots, so one may be younger than what a stream has
        synced: runs may select only some streams, and targets may keep only some bookmarks.
        """
        snapshot = self.get(parent_id)
        is_older = snapshot and snapshot.synced_until and snapshot.synced_until <= synced_until
        return snapshot if is_older else None

    def put(self, parent_id: str, snapshot: Snapshot | None) -> None:
        """Keep the snapshot of a parent, if there is room; None removes it."""
        key = short_id(parent_id)
        if snapshot is None:
            self._by_short_id.pop(key, None)
        elif (
            key in self._by_short_id
            or self._max_entries is None
            or len(self._by_short_id) < self._max_entries
        ):
            self._by_short_id[key] = snapshot

    def retain(self, short_ids: Collection[str]) -> None:
        """Drop all but these parents, by their short ids."""
        kept = set(short_ids)
        self._by_short_id = {key: each for key, each in self._by_short_id.items() if key in kept}
