"""Batches of ids."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


def batched(ids: list[str], most: int) -> Iterator[list[str]]:
    """Split ids into batches, in their order."""
    return (ids[begin : begin + most] for begin in range(0, len(ids), most))
