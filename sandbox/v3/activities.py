"""Bulk jobs, as `/activities` shows them (docs/api/v3.md §9)."""

from typing import Any, Final

import msgspec

from sandbox.v3.request import ApiRequest, by_key, seconds
from sandbox.world import timestamps
from sandbox.world.activities import Activity
from sandbox.world.world import World

STATES: Final = ("processing", "completed", "cancelled", "failed", "timed_out")
_STATES: Final = {
    "COMPLETE": "completed",
    "ERROR": "failed",
    "RUNNING": "processing",
    "CANCELLED": "cancelled",
}
_KEPT_FOR: Final = 10 * timestamps.DAY


def kept(world: World) -> list[Activity]:
    """The jobs of the last ten days, the newest first."""
    rows = world.activities.kept()
    latest = max((job.created for job in rows), default=0)
    return [job for job in rows if job.created > latest - _KEPT_FOR]


def _state(job: Activity) -> str:
    return _STATES.get(job.status, "initialized")


def _as_sent(job: Activity, link: str) -> dict[str, Any]:
    row: dict[str, Any] = {"activity_id": job.uuid, "state": _state(job)}
    status: dict[str, int] = {"items_total_count": job.contacts, "error_count": len(job.faults)}
    if job.started is not None:
        row["started_at"] = seconds(job.started)
    if job.finished is not None:
        row["completed_at"] = seconds(job.finished)
        status["items_completed_count"] = job.contacts
    if job.type == "ADD_CONTACTS":
        status["person_count"] = job.contacts
        row["source_file_name"] = job.file_name
    row |= {
        "created_at": seconds(job.created),
        "updated_at": seconds(job.finished or job.started or job.created),
        "percent_done": 100 if job.finished is not None else 0,
        "activity_errors": [f"Line {line}: {message}" for line, _, message in job.faults],
        "status": status,
        "_links": {"self": {"href": f"/v3/activities/{link}"}},
    }
    if job.type == "EXPORT_CONTACTS" and job.finished is not None:
        row["_links"]["results"] = {"href": f"/v3/contact_exports/{job.uuid}"}
    return row


def all_activities(world: World, request: ApiRequest) -> bytes:
    """Respond to `/activities`. All rows link to the last one of the page, as in the API."""
    rows = [job for job in kept(world) if request.text("state", _state(job)) == _state(job)]
    ids = [job.uuid for job in rows]
    begin = ids.index(request.position) + 1 if request.position in ids else 0
    last = (ids[begin : begin + request.limit] or [""])[-1]
    return by_key(
        request,
        "activities",
        rows,
        lambda job: job.uuid,
        lambda job: msgspec.json.encode(_as_sent(job, last)),
    )


def one_activity(world: World, request: ApiRequest) -> bytes:
    """Respond to `/activities/{activity_id}`."""
    job = request.find({job.uuid: job for job in kept(world)}, "activity_id")
    return msgspec.json.encode(_as_sent(job, job.uuid))
