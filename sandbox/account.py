"""The fictional account, with the expected keys of each stream."""

from typing import Any

from sandbox.v2.expected_keys import KEYS
from sandbox.v3 import expected_keys as v3
from sandbox.world.contacts import Document
from sandbox.world.locking import at_once
from sandbox.world.world import World


class Account(World):
    """A fictional Constant Contact account."""

    def contact(self, contact_id: str) -> Document:
        """Return a contact as the API sends it."""
        return self.contacts.by_id[contact_id].document()

    @at_once
    def ids(self, stream: str, *, clock_shift_hours: int = 0) -> set[Any]:
        """Return the keys of all records of a stream.

        Args:
            stream: Name of the stream.
            clock_shift_hours: Hours by which the clock of reports is behind, if times are part of
                the key.

        Returns:
            The keys: strings, or tuples of strings where a key has several parts.
        """
        return set(KEYS[stream](self, clock_shift_hours))

    @at_once
    def v3_ids(self, stream: str) -> set[Any]:
        """Return the keys of all records of a stream of v3."""
        return set(v3.KEYS[stream](self))

    @at_once
    def v3_counts(self) -> dict[str, int]:
        """Count the rows of every stream of v3."""
        return {stream: sum(1 for _ in keys(self)) for stream, keys in v3.KEYS.items()}

    @at_once
    def counts(self) -> dict[str, int]:
        """Count the rows of every stream."""
        return {stream: sum(1 for _ in keys(self, 0)) for stream, keys in KEYS.items()}
