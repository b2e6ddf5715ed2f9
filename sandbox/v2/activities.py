"""Bulk jobs, as `/activities` shows them."""

from typing import TYPE_CHECKING, Any, Final

import msgspec

from sandbox.checks import one_of
from sandbox.world import moments
from sandbox.world.activities import TYPES, Activity

if TYPE_CHECKING:
    from sandbox.v2.asking import Ask
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
        row["start_date"] = moments.text(job.started)
    if job.finished is not None:
        row["finish_date"] = moments.text(job.finished)
    return row | {
        "created_date": moments.text(job.created),
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


def all_activities(world: "World", ask: "Ask") -> bytes:
    """Answer `/activities`: a bare array, newest first."""
    status = ask.text("status", "ALL")
    type_ = ask.text("type", "")
    return msgspec.json.encode(
        [
            _as_listed(job)
            for job in world.jobs.kept()
            if status in ("ALL", job.status) and type_ in ("", job.type)
        ],
    )


def one_activity(world: "World", ask: "Ask") -> bytes:
    """Answer `/activities/{activity_id}`; a job that is no longer listed is gone."""
    kept = {job.id: job for job in world.jobs.kept()}
    return msgspec.json.encode(_in_full(ask.find(kept, "activity_id")))
