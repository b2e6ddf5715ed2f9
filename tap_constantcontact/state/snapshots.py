"""Snapshots of parents that may still change: a short text for each.

Watermarks say until when a list is synced. A parent that was skipped since, because it had not
changed, is synced until an earlier timestamp, which is stored here beside its snapshot.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from tap_constantcontact.records import timestamps
from tap_constantcontact.state.ids import SHORT_ID_LENGTH, short_id

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable

# Further parents are checked in each run, so that the state stays small.
_MAX_ENTRIES = 80


class Snapshot(NamedTuple):
    """The content of a parent at a time.

    Attributes:
        synced_until: The timestamp until which it is synced.
        text: A short form of its content, without blanks.
    """

    synced_until: dt.datetime
    text: str


class Snapshots:
    """Snapshots of parents, by their short id."""

    def __init__(self, groups: Any = None) -> None:
        """Load what `dump` returned; anything else counts as nothing."""
        self._snapshots: dict[str, Snapshot] = {}
        for group in groups if isinstance(groups, list) else ():
            if not isinstance(group, dict):
                continue
            synced_until = timestamps.parse_or_none(group.get("synced_until"))
            if synced_until is not None:
                for entry in str(group.get("values")).split():
                    key, text = entry[:SHORT_ID_LENGTH], entry[SHORT_ID_LENGTH:]
                    self._snapshots[key] = Snapshot(synced_until, text)

    def get(self, parent_id: str) -> Snapshot | None:
        """Return the snapshot of a parent; None if there is none."""
        return self._snapshots.get(short_id(parent_id))

    def as_of(self, parent_id: str, synced_until: dt.datetime) -> Snapshot | None:
        """Return the snapshot of a parent if it is not younger than a sync of it.

        All streams of a list share the snapshots, so one may be younger than what a stream has
        synced: runs may select only some streams, and targets may keep only some bookmarks.
        """
        snapshot = self.get(parent_id)
        return snapshot if snapshot and snapshot.synced_until <= synced_until else None

    def put(self, parent_id: str, snapshot: Snapshot | None) -> None:
        """Keep the snapshot of a parent, if there is room; None removes it."""
        key = short_id(parent_id)
        if snapshot is None:
            self._snapshots.pop(key, None)
        elif key in self._snapshots or len(self._snapshots) < _MAX_ENTRIES:
            self._snapshots[key] = snapshot

    def retain(self, short_ids: Iterable[str]) -> None:
        """Drop all but these parents, by their short ids."""
        kept = set(short_ids)
        self._snapshots = {key: each for key, each in self._snapshots.items() if key in kept}

    def dump(self) -> list[dict[str, str]]:
        """Return the snapshots for the state, grouped by their timestamps."""
        groups: dict[dt.datetime, list[str]] = {}
        for key, (synced_until, text) in self._snapshots.items():
            groups.setdefault(synced_until, []).append(f"{key}{text}")
        return [
            {"synced_until": timestamps.write(synced_until), "values": " ".join(entries)}
            for synced_until, entries in groups.items()
        ]
