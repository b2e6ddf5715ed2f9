"""Parents, the work on them, and refresh policies."""

from __future__ import annotations

import dataclasses
import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, Self, TypeVar

from tap_constantcontact.cache import RunCache

if TYPE_CHECKING:
    import datetime as dt

    from singer_sdk.helpers.types import Record

    from tap_constantcontact.state.sync_pass import SyncedUntil
    from tap_constantcontact.sync_run import SyncRun


@dataclass(frozen=True)
class Parent:
    """A record that has children.

    Attributes:
        id: Its id, as text.
        record: Its record in the list, with its detail if that was required.
    """

    id: str
    record: Record

    def with_detail(self, detail: Record) -> Self:
        """Return the parent with its detail."""
        return dataclasses.replace(self, record={**self.record, **detail})


ParentT = TypeVar("ParentT", bound=Parent)


@dataclass(frozen=True)
class ParentTask(Generic[ParentT]):
    """The work on one parent.

    Attributes:
        parent: The parent, with its detail if that was required.
        due: Names of the streams that are due, each with the timestamp until which it is synced,
            None for never.
        cache: Values that several streams share for this parent.
        failed: Names of the streams that could not sync it.
    """

    parent: ParentT
    due: SyncedUntil
    cache: RunCache = field(default_factory=RunCache)
    failed: set[str] = field(default_factory=set)


class FetchLevel(enum.Enum):
    """The data of a parent that a pass requires."""

    SKIP = "nothing is due"
    LIST = "its record in the list is enough"
    DETAIL = "its detail, which costs a request"


class RefreshPolicy(Generic[ParentT]):
    """Decides of which parents a stream is synced. By default, of each in every run."""

    def applies_to(self, parent: ParentT) -> bool:
        """Return whether a parent, by its record in the list, may have records of the stream."""
        return True

    def is_due(self, parent: ParentT, synced_until: dt.datetime | None, run: SyncRun) -> bool:
        """Return whether the API may have records that are not synced.

        Args:
            parent: The parent; without its detail if that was not required.
            synced_until: The timestamp until which the stream is synced; None for never.
            run: The run, with its period and bookmarks.
        """
        return True
