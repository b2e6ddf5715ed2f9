"""When those members of a long list are asked again that are asked ever more rarely.

Marks say by the place in a list how far its members were read. Members that were left out of a
pass, since it was not their turn, are the exceptions: few, and known by a token of their id, so
that they may move in the list or vanish from it.
"""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING, Any, NamedTuple

from tap_constantcontact.records import times

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Iterator

# Others are simply asked in each run, so that a state stays small.
_MOST = 100
_TOKEN = 8


class Revisit(NamedTuple):
    """A member that is not asked in each run.

    Attributes:
        read_to: The moment up to which it was read.
        due: The moment from which on it is its turn again.
    """

    read_to: dt.datetime
    due: dt.datetime


class Revisits:
    """The members that are left out until it is their turn."""

    def __init__(self, groups: Any = None) -> None:
        """Read what `dump` has made; None if there is nothing yet.

        Raises:
            ValueError: If it is something else.
        """
        self._by_token: dict[str, Revisit] = {}
        for group in groups or ():
            found = _revisit(group)
            tokens = group.get("members")
            if found is None or not isinstance(tokens, str) or len(tokens) % _TOKEN:
                msg = "no list of members to come back to"
                raise ValueError(msg)
            for each in tokens_in(tokens):
                self._by_token[each] = found

    def get(self, member: str) -> Revisit | None:
        """When a member was read and is to be read again; None if it is asked in each run."""
        return self._by_token.get(token(member))

    def put(self, member: str, revisit: Revisit | None) -> None:
        """Leave a member out until it is its turn; None asks it in each run."""
        self._by_token.pop(token(member), None)
        if revisit and len(self._by_token) < _MOST:
            self._by_token[token(member)] = revisit

    def retain(self, members: Iterable[str]) -> None:
        """Forget all but these members."""
        known = set(map(token, members))
        self._by_token = {each: found for each, found in self._by_token.items() if each in known}

    def dump(self) -> list[dict[str, str]]:
        """The members as they go into a state, by when they were read and are due."""
        groups: dict[Revisit, str] = {}
        for each, found in self._by_token.items():
            groups[found] = groups.get(found, "") + each
        return [
            {"to": times.write(found.read_to), "due": times.write(found.due), "members": tokens}
            for found, tokens in groups.items()
        ]


def _revisit(group: Any) -> Revisit | None:
    if not isinstance(group, dict):
        return None
    moments = [times.parse_or_none(group.get(name)) for name in ("to", "due")]
    return Revisit(moments[0], moments[1]) if moments[0] and moments[1] else None


def tokens_in(text: str) -> Iterator[str]:
    """The tokens in a text that holds one after the other."""
    return (text[start : start + _TOKEN] for start in range(0, len(text), _TOKEN))


def token(member: str) -> str:
    """What stands for a member in a state."""
    hashed = hashlib.blake2b(member.encode(), digest_size=_TOKEN * 6 // 8).digest()
    return base64.urlsafe_b64encode(hashed).decode()
