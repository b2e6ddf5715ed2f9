"""Ids that are asked for several at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


def batched(ids: list[str], most: int) -> Iterator[list[str]]:
    """The ids in their order, as many at once as a call takes."""
    return (ids[begin : begin + most] for begin in range(0, len(ids), most))
