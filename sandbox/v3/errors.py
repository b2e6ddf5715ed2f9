"""Error responses of v3: objects with a key and a message (docs/api/v3.md §4)."""

from typing import Final

import msgspec

from sandbox.http import Reply

_BEARER: Final = (("www-authenticate", "Bearer realm=api.cc.email"),)


class APIError(Exception):
    """An error response."""

    def __init__(self, reply: Reply) -> None:
        """Create the error."""
        super().__init__(reply.status)
        self.reply = reply


def _fault(key: str, message: str) -> dict[str, str]:
    return {"error_key": key, "error_message": message}


def _one(
    status: int, key: str, message: str, headers: tuple[tuple[str, str], ...] = ()
) -> APIError:
    return APIError(Reply(status, msgspec.json.encode(_fault(key, message)), headers=headers))


def _array(status: int, key: str, message: str) -> APIError:
    return APIError(Reply(status, msgspec.json.encode([_fault(key, message)])))


def no_such_path() -> APIError:
    """Return an error for an unknown path or method, before the token is checked."""
    return _array(404, "not_found", "The requested resource was not found.")


def missing() -> APIError:
    """Return a 404."""
    return _array(404, "contacts.api.not_found", "The requested resource was not found.")


def unauthorized() -> APIError:
    """Reject an invalid token."""
    return _one(401, "unauthorized", "Unauthorized", _BEARER)


def no_right() -> APIError:
    """Reject a user without the privilege, or a token without the scope."""
    message = "Request forbidden due to insufficient user privileges."
    return _one(403, "access_denied", message)


def throttled(retry_after: int | None) -> APIError:
    """Reject a request beyond the rate limit."""
    return _one(429, "throttled", "Too Many Requests", _wait(retry_after))


def over_quota(retry_after: int | None) -> APIError:
    """Reject a request because the daily quota is exhausted."""
    return _one(429, "quota_exceeded", "Limit Exceeded", _wait(retry_after))


def _wait(seconds: int | None) -> tuple[tuple[str, str], ...]:
    return (("retry-after", str(seconds)),) if seconds is not None else ()


def bad_parameter(name: str, why: str) -> APIError:
    """Reject the value of a query parameter."""
    return _array(400, "contacts.api.validation.error", f"#/{name}: {why}")


def conflict() -> APIError:
    """Return a conflict: the object does not have that in its state."""
    return _array(409, "emails.api.conflict", "There is no such test.")


def no_stats() -> APIError:
    """Reject a request for stats with an unknown id, in the envelope of the report."""
    key = "reportingsvc.not_found.invalid_path_param.campaign_ids."
    message = "Could not find any campaign stats for all requested campaigns."
    said = {"errors": [_fault(key, message)], "results": []}
    return APIError(Reply(404, msgspec.json.encode(said)))


def bad_limit(most: int) -> APIError:
    """Reject a page size that is out of range."""
    return bad_parameter("limit", f"is not from 1 to {most}")


def bad_cursor() -> APIError:
    """Reject an unknown cursor."""
    return bad_parameter("cursor", "is no cursor")


def segment_with_others() -> APIError:
    """Reject other parameters together with a segment."""
    return bad_parameter("segment_id", "combines only with limit")


def no_types() -> APIError:
    """Reject a request for activities of a contact without kinds."""
    return bad_parameter("tracking_activities_list", "is required")


TIMED_OUT: Final = Reply(504, b'{"message": "Endpoint request timed out"}')
"""What the gateway says when something has taken too long."""

FAILURES: Final = (
    Reply(500, msgspec.json.encode([_fault("unknown", "An internal error has occurred.")])),
    Reply(502, b"<html><body><h1>502 Bad Gateway</h1></body></html>", "text/html"),
    Reply(503, msgspec.json.encode([_fault("unknown", "The service is unavailable.")])),
    TIMED_OUT,
    Reply(500, b"", "text/plain"),
)
"""Failures of requests, in turn."""
