"""Bulk jobs, as `/activities` shows them."""

from typing import TYPE_CHECKING, Any, Final

import msgspec

from sandbox.checks import one_of
from sandbox.world import timestamps
from sandbox.world.activities import TYPES, Activity

if TYPE_CHECKING:
    from sandbox.v2.request import ApiRequest
    from sandbox.world.world import World

STATUS_FILTER: Final = one_of(
    "ALL",
    "UNCONFIRMED",
    "PENDING",
    "QUEUED",
    "RUNNING",
    "COMPLETE",
    "ERROR",
)
TYPE_FILTER: Final = one_of(*TYPES)


def _as_listed(job: Activity) -> dict[str, Any]:
    row: dict[str, Any] = {"id": job.id, "type": job.type, "status": job.status}
    if job.file_name is not None:
        row["file_name"] = job.file_name
    if job.started is not None:
        row["start_date"] = timestamps.text(job.started)
    if job.finished is not None:
        row["finish_date"] = timestamps.text(job.finished)
    return row | {
        "created_date": timestamps.text(job.created),
        "error_count": len(job.faults),
        "contact_count": job.contacts,
    }


def _in_full(job: Activity) -> dict[str, Any]:
    faults = [
        {"message": message, "line_number": line, "email_address": email}
        for line, email, message in job.faults
    ]
    return {
        **_as_listed(job),
        "errors": faults
        if job.early
        else [f"Line {line}: {message}" for line, _, message in job.faults],
        "warnings": [
            {"message": message, "line_number": line, "email_address": email}
            for line, email, message in job.warnings
        ],
    }


def all_activities(world: "World", request: "ApiRequest") -> bytes:
    """Respond to `/activities`: a bare array, newest first."""
    status = request.text("status", "ALL")
    type_ = request.text("type", "")
    return msgspec.json.encode(
        [
            _as_listed(job)
            for job in world.activities.kept()
            if status in ("ALL", job.status) and type_ in ("", job.type)
        ],
    )


def one_activity(world: "World", request: "ApiRequest") -> bytes:
    """Respond to `/activities/{activity_id}`; a job that is no longer listed is gone."""
    kept = {job.id: job for job in world.activities.kept()}
    return msgspec.json.encode(_in_full(request.find(kept, "activity_id")))
