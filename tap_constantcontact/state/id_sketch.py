"""The exact set of synced parents, in constant size.

A list with page numbers can lose a parent: if one before it is deleted between two pages, it moves
to a page that was read already. By its position in the next list it would count as synced. So the
state keeps a sketch of the synced ids: an invertible Bloom lookup table, which yields the
difference to another set as long as that is small (Goodrich and Mitzenmacher, "Invertible Bloom
Lookup Tables", 2011).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import struct
import zlib
from typing import TYPE_CHECKING, NamedTuple, Self

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

# Differences of up to some 150 ids can be decoded.
_PLACES = 3
_PART = 80
_CELLS = _PLACES * _PART
# Each cell is visited once, and again whenever an id was removed from it.
_MAX_STEPS = _CELLS * (1 + _PLACES)
_PACKED = struct.Struct(f">{_CELLS}Q")
_COUNT_BITS = 56
_SHORT_ID_LENGTH = (1 << _COUNT_BITS) - 1


class SketchDiff(NamedTuple):
    """The difference between a sketch and another set.

    Attributes:
        missing: Ids of the other set that are not in the sketch.
        surplus: Hashes of ids in the sketch that are not in the other set.
    """

    missing: set[str]
    surplus: set[int]


class IdSketch:
    """A set of ids in two kilobytes that can be changed and compared."""

    def __init__(self) -> None:
        """Create an empty set."""
        self._counts = [0] * _CELLS
        self._hashes = [0] * _CELLS

    @classmethod
    def of(cls, parents: Iterable[str]) -> Self:
        """Return the set of these ids."""
        result = cls()
        for parent in parents:
            result.add(parent)
        return result

    @staticmethod
    def short_id(parent_id: str) -> int:
        """Return the hash of an id."""
        return _hash(parent_id)

    @classmethod
    def load(cls, text: str) -> Self:
        """Load what `dump` returned.

        Raises:
            ValueError: If it is something else.
        """
        result = cls()
        try:
            cells = _PACKED.unpack(zlib.decompress(base64.b64decode(text, validate=True)))
        except (binascii.Error, zlib.error, struct.error, TypeError) as error:
            msg = "not a set of ids"
            raise ValueError(msg) from error
        result._counts = [cell >> _COUNT_BITS for cell in cells]
        result._hashes = [cell & _SHORT_ID_LENGTH for cell in cells]
        return result

    def dump(self) -> str:
        """Return the set for the state."""
        cells = (
            count << _COUNT_BITS | short_id
            for count, short_id in zip(self._counts, self._hashes, strict=True)
        )
        return base64.b64encode(zlib.compress(_PACKED.pack(*cells), 9)).decode()

    def add(self, parent_id: str) -> None:
        """Add an id that is not in the set."""
        self._change(_hash(parent_id), 1)

    def remove(self, short_id: int) -> None:
        """Remove an id, by its hash in `SketchDiff.surplus`."""
        self._change(short_id, -1)

    def difference(self, others: Collection[str]) -> SketchDiff | None:
        """Return the difference to another set; None if it is too large to decode."""
        by_token = {_hash(other): other for other in others}
        rest = IdSketch()
        rest._counts, rest._hashes = self._counts.copy(), self._hashes.copy()
        for short_id in by_token:
            rest._change(short_id, -1)
        surplus, missing = rest._peel()
        if any(rest._hashes) or any(rest._counts) or not missing <= by_token.keys():
            return None
        return SketchDiff({by_token[short_id] for short_id in missing}, surplus)

    def _peel(self) -> tuple[set[int], set[int]]:
        """Remove single ids from cells until none is left; return those with count 1 and -1."""
        result: dict[int, set[int]] = {1: set(), 0xFF: set()}
        waiting = list(range(_CELLS))
        # A damaged set could be decoded for ever: an id removed from one cell appears in another.
        for _ in range(_MAX_STEPS):
            if not waiting:
                break
            cell = waiting.pop()
            count, short_id = self._counts[cell], self._hashes[cell]
            if (
                count in result
                and short_id == _with_checksum(short_id >> 16)
                and cell in _places(short_id)
            ):
                result[count].add(short_id)
                self._change(short_id, -1 if count == 1 else 1)
                waiting.extend(_places(short_id))
        return result[1], result[0xFF]

    def _change(self, short_id: int, by: int) -> None:
        for place in _places(short_id):
            self._counts[place] = (self._counts[place] + by) & 0xFF
            self._hashes[place] ^= short_id


def _hash(parent_id: str) -> int:
    return _with_checksum(
        int.from_bytes(hashlib.blake2b(parent_id.encode(), digest_size=5).digest())
    )


def _with_checksum(hashed: int) -> int:
    """Return a hash with a checksum of two bytes that tells it from a mixture of several."""
    seal = hashlib.blake2b(hashed.to_bytes(5), digest_size=2).digest()
    return hashed << 16 | int.from_bytes(seal)


def _places(short_id: int) -> Iterable[int]:
    hashed = short_id >> 16
    return [part * _PART + (hashed >> 13 * part) % _PART for part in range(_PLACES)]
