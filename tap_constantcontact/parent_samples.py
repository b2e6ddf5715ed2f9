"""Approximate details of parents, from those of some others."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Generic

from tap_constantcontact.refresh import ParentT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

# Factor between the distances of sampled parents.
_SPREAD = 1.2


class ParentSamples(Generic[ParentT]):
    """Approximates details of parents by those of some others in the list.

    Sampled parents are close together among the newest and further apart among older ones, because
    a run treats parents by their age. This keeps estimates within 20 % of the requests of the run.
    """

    def __init__(
        self, parents: Sequence[ParentT], fetch_detail: Callable[[ParentT], ParentT | None]
    ) -> None:
        """Take the list, newest first.

        Args:
            parents: As listed.
            fetch_detail: Requests the detail of one; None if it has vanished.
        """
        self._parents = parents
        self._fetch_detail = fetch_detail
        self._positions = {parent.id: number for number, parent in enumerate(parents)}
        self._samples: dict[int, ParentT | None] = dict.fromkeys(_sampled(len(parents)))

    def approximate(self, parent: ParentT) -> ParentT:
        """Return a parent with the detail of the nearest sampled one; itself if there is none."""
        position = self._positions.get(parent.id)
        if position is None:
            return parent
        nearest = min(self._samples, key=lambda each: abs(each - position))
        sample = self._samples[nearest]
        if sample is None:
            other = self._parents[nearest]
            sample = self._samples[nearest] = self._fetch_detail(other) or other
        return dataclasses.replace(parent, record={**sample.record, **parent.record})


def _sampled(total: int) -> Iterator[int]:
    """Yield the positions of sampled parents."""
    position = 0
    while position < total:
        yield position
        position = max(position + 1, round(position * _SPREAD))
