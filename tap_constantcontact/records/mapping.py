"""Stream maps and selections of the SDK."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from singer_sdk.mapper import SameRecordTransform

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from singer_sdk.mapper import StreamMap
    from singer_sdk.singerlib import SelectionMask


def is_identity(maps: Sequence[StreamMap], mask: SelectionMask, schema: Mapping[str, Any]) -> bool:
    """Return whether records are emitted as they are: no map, no flattening, all fields selected.

    Args:
        maps: The stream maps of a stream.
        mask: Its selection.
        schema: Its schema.
    """
    return (
        [type(each) for each in maps] == [SameRecordTransform]
        and not (maps[0].flattening_options and maps[0].flattening_options.enabled)
        and all(mask[breadcrumb] for breadcrumb in _fields(schema))
    )


def _fields(schema: Mapping[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, each in schema.get("properties", {}).items():
        breadcrumb = (*above, "properties", name)
        yield breadcrumb
        yield from _fields(each, breadcrumb)


def map_fault(stream: str, error: Exception) -> str:
    """Return the error of a stream map, in one line."""
    reason = " ".join(str(error.__cause__ or error).split())
    return f"Setting 'stream_maps' cannot be used for stream '{stream}': {error} ({reason})"
