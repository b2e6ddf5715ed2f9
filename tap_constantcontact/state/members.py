"""Which members of a long list were read, exactly, however long it is.

A list that is paged by number can lose a member: when one before it is deleted between two pages,
it moves to a page that was read already. By its place in the next list it looks as if it had been
read. So a state keeps a sketch of the set of those that were: an invertible Bloom lookup table,
from which the difference to another set can be told, as long as that is small (Goodrich and
Mitzenmacher, "Invertible Bloom Lookup Tables", 2011).
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

# Differences of up to some 150 members can be told.
_PLACES = 3
_PART = 80
_CELLS = _PLACES * _PART
# Each cell is looked at once, and once more whenever something was taken out of it.
_MOST_STEPS = _CELLS * (1 + _PLACES)
_PACKED = struct.Struct(f">{_CELLS}Q")
_COUNT_BITS = 56
_TOKEN = (1 << _COUNT_BITS) - 1


class Difference(NamedTuple):
    """What two sets do not have in common.

    Attributes:
        missing: Members of the other set that are not in the sketch.
        surplus: What stands in the sketch for members that the other set does not have.
    """

    missing: set[str]
    surplus: set[int]


class Members:
    """A set that is added to, taken from, and compared, in two kilobytes."""

    def __init__(self) -> None:
        """Start empty."""
        self._counts = [0] * _CELLS
        self._tokens = [0] * _CELLS

    @classmethod
    def of(cls, members: Iterable[str]) -> Self:
        """The set of these members."""
        found = cls()
        for each in members:
            found.add(each)
        return found

    @staticmethod
    def token(member: str) -> int:
        """What stands for a member."""
        return _token(member)

    @classmethod
    def load(cls, text: str) -> Self:
        """Read what `dump` wrote.

        Raises:
            ValueError: If it is something else.
        """
        found = cls()
        try:
            cells = _PACKED.unpack(zlib.decompress(base64.b64decode(text, validate=True)))
        except (binascii.Error, zlib.error, struct.error, TypeError) as error:
            msg = "no set of members"
            raise ValueError(msg) from error
        found._counts = [cell >> _COUNT_BITS for cell in cells]
        found._tokens = [cell & _TOKEN for cell in cells]
        return found

    def dump(self) -> str:
        """The set as it goes into a state."""
        cells = (
            count << _COUNT_BITS | token
            for count, token in zip(self._counts, self._tokens, strict=True)
        )
        return base64.b64encode(zlib.compress(_PACKED.pack(*cells), 9)).decode()

    def add(self, member: str) -> None:
        """Put a member in that is not in."""
        self._change(_token(member), 1)

    def take(self, token: int) -> None:
        """Take out what `Difference.surplus` names."""
        self._change(token, -1)

    def difference(self, others: Collection[str]) -> Difference | None:
        """Compare with another set; None if too much differs to tell."""
        by_token = {_token(each): each for each in others}
        rest = Members()
        rest._counts, rest._tokens = self._counts.copy(), self._tokens.copy()
        for token in by_token:
            rest._change(token, -1)
        surplus, missing = rest._peel()
        if any(rest._tokens) or any(rest._counts) or not missing <= by_token.keys():
            return None
        return Difference({by_token[token] for token in missing}, surplus)

    def _peel(self) -> tuple[set[int], set[int]]:
        """Take out what stands alone in a cell, until nothing does: what was in, what was owed."""
        found: dict[int, set[int]] = {1: set(), 0xFF: set()}
        waiting = list(range(_CELLS))
        # A damaged set could be peeled for ever: what goes out of one cell comes into another.
        for _ in range(_MOST_STEPS):
            if not waiting:
                break
            cell = waiting.pop()
            count, token = self._counts[cell], self._tokens[cell]
            if count in found and token == _sealed(token >> 16) and cell in _places(token):
                found[count].add(token)
                self._change(token, -1 if count == 1 else 1)
                waiting.extend(_places(token))
        return found[1], found[0xFF]

    def _change(self, token: int, by: int) -> None:
        for place in _places(token):
            self._counts[place] = (self._counts[place] + by) & 0xFF
            self._tokens[place] ^= token


def _token(member: str) -> int:
    return _sealed(int.from_bytes(hashlib.blake2b(member.encode(), digest_size=5).digest()))


def _sealed(hashed: int) -> int:
    """A hash with two bytes behind it that tell it from a mixture of several."""
    seal = hashlib.blake2b(hashed.to_bytes(5), digest_size=2).digest()
    return hashed << 16 | int.from_bytes(seal)


def _places(token: int) -> Iterable[int]:
    hashed = token >> 16
    return [part * _PART + (hashed >> 13 * part) % _PART for part in range(_PLACES)]
