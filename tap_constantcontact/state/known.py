"""What is known of those members of a long list of which news is expected: a short text of each.

Marks say up to when a list was read as a whole. A member that was left out since, as nothing of it
had moved, was read up to an earlier moment, which stands here beside what was seen of it then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from tap_constantcontact.records import times
from tap_constantcontact.state.revisits import token

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable

# Others are simply asked in each run, so that a state stays small.
_MOST = 80
_TOKEN = 8


class Seen(NamedTuple):
    """What was seen of a member.

    Attributes:
        read_to: The moment up to which it was read.
        text: What it was like then, without blanks.
    """

    read_to: dt.datetime
    text: str


class Known:
    """What was seen of members, by a token of their ids."""

    def __init__(self, groups: Any = None) -> None:
        """Read what `dump` has made; what is something else is as good as nothing."""
        self._seen: dict[str, Seen] = {}
        for group in groups if isinstance(groups, list) else ():
            read_to = times.parse_or_none(group.get("to")) if isinstance(group, dict) else None
            if read_to is not None:
                for entry in str(group.get("of")).split():
                    self._seen[entry[:_TOKEN]] = Seen(read_to, entry[_TOKEN:])

    def get(self, member: str) -> Seen | None:
        """What was seen of a member; None if that is not known."""
        return self._seen.get(token(member))

    def as_read(self, member: str, read_to: dt.datetime) -> Seen | None:
        """What was seen of a member when it was read up to a moment; None if that is not known.

        What is known may be younger than what one stream has read, since all streams of a list
        share it: runs may select only some of them, and targets keep only some of their bookmarks.
        """
        seen = self.get(member)
        return seen if seen and seen.read_to <= read_to else None

    def put(self, member: str, seen: Seen | None) -> None:
        """Keep what was seen of a member, if there is room; None forgets it."""
        key = token(member)
        if seen is None:
            self._seen.pop(key, None)
        elif key in self._seen or len(self._seen) < _MOST:
            self._seen[key] = seen

    def retain(self, tokens: Iterable[str]) -> None:
        """Forget all but these members, by the tokens of their ids."""
        kept = set(tokens)
        self._seen = {key: each for key, each in self._seen.items() if key in kept}

    def dump(self) -> list[dict[str, str]]:
        """All of it as it goes into a state, by when members were read."""
        groups: dict[dt.datetime, list[str]] = {}
        for key, (read_to, text) in self._seen.items():
            groups.setdefault(read_to, []).append(f"{key}{text}")
        return [
            {"to": times.write(read_to), "of": " ".join(entries)}
            for read_to, entries in groups.items()
        ]
