"""The set of synced parents.

A list with page numbers can lose a parent: if one before it is deleted between two pages, it moves
to a page that was read already. By its position in the next list it would count as synced. So the
state contains all synced ids, as hashes of four bytes: 2,000 ids take 8 KB.
"""

from __future__ import annotations

import base64
import hashlib
import itertools
import struct
import zlib
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Iterable

_HASH_SIZE = 4


class IdSet:
    """A set of ids that is small in a state."""

    def __init__(self, ids: Iterable[str] = ()) -> None:
        """Create the set of these ids."""
        self._hashes = set(map(_hash, ids))

    @classmethod
    def from_state(cls, text: Any) -> Self:
        """Load what `to_state` returned.

        Raises:
            ValueError: If it is something else.
        """
        result = cls()
        try:
            columns = zlib.decompress(base64.b64decode(text, validate=True))
            number, rest = divmod(len(columns), _HASH_SIZE)
            packed = b"".join(columns[row::number] for row in range(number))
            differences = struct.unpack(f">{number}I", packed + columns[:rest])
        except (ValueError, TypeError, zlib.error, struct.error) as error:
            msg = "it is not a set of ids"
            raise ValueError(msg) from error
        result._hashes = set(itertools.accumulate(differences))
        return result

    def to_state(self) -> str:
        """Return the set for the state: the compressed differences of the sorted hashes."""
        hashes = sorted(self._hashes)
        differences = [
            after - before for before, after in itertools.pairwise(itertools.chain([0], hashes))
        ]
        packed = struct.pack(f">{len(differences)}I", *differences)
        # The first bytes of differences are mostly zero: side by side they compress well.
        columns = b"".join(packed[column::_HASH_SIZE] for column in range(_HASH_SIZE))
        return base64.b64encode(zlib.compress(columns, 9)).decode()

    def __contains__(self, parent_id: str) -> bool:
        """Return whether an id is in the set."""
        return _hash(parent_id) in self._hashes

    def add(self, parent_id: str) -> None:
        """Add an id."""
        self._hashes.add(_hash(parent_id))

    def discard(self, parent_id: str) -> None:
        """Remove an id, if it is in the set."""
        self._hashes.discard(_hash(parent_id))


def _hash(parent_id: str) -> int:
    digest = hashlib.blake2b(parent_id.encode(), digest_size=_HASH_SIZE).digest()
    return int.from_bytes(digest)
