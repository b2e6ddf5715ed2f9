"""Reading the sandbox through its second face."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, cast

from helpers.runner import Output, everything, sync

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sandbox import Call, Sandbox
    from tap_constantcontact.stream import ConstantContactStream

STREAMS = cast("dict[str, ConstantContactStream]", everything("v3").streams)
# It comes from no endpoint.
STREAMS = {name: stream for name, stream in STREAMS.items() if name != "sync_audit"}
FAMILY = [name for name in STREAMS if name.startswith(("campaign", "event"))]
TRACKING = [
    f"campaign_{kind}"
    for kind in ("sends", "opens", "clicks", "bounces", "forwards", "unsubscribes")
]


def read(box: Sandbox, *streams: str, **options: Any) -> Output:
    return sync(box, *streams, version="v3", **options)


def keys_of(output: Output, stream: str) -> Counter[Any]:
    """How often each key came, as the sandbox names it."""
    names = STREAMS[stream].primary_keys
    rows = [tuple(row[name] for name in names) for row in output.rows(stream)]
    return Counter(row[0] if len(names) == 1 else row for row in rows)


def ids_of(output: Output, stream: str) -> set[Any]:
    """The keys that came, however often."""
    return set(keys_of(output, stream))


def paths(calls: Iterable[Call]) -> list[str]:
    return [call.path.removeprefix("/v3") for call in calls]
