"""What the refusals of v3 mean: one table (API docs: v3 §4, §5)."""

from __future__ import annotations

from tap_constantcontact.http.error_handler import (
    RATE_LIMITED_MESSAGE,
    ErrorHandler,
    ResponseAction,
)
from tap_constantcontact.meltano import LOGIN

_QUOTA = (
    "The application's calls for today are used up; they are counted anew from 00:00 UTC. The next"
    " run goes on from here."
)
_FORBIDDEN = "The token's user lacks the privilege, or the token the scope, to read this."

ERROR_HANDLER = ErrorHandler(
    by_code={
        "throttled": RATE_LIMITED_MESSAGE,
        "quota_exceeded": (ResponseAction.QUOTA_EXHAUSTED, _QUOTA),
        "access_denied": (ResponseAction.FORBIDDEN, _FORBIDDEN),
        "forbidden": (ResponseAction.FORBIDDEN, _FORBIDDEN),
    },
    by_text=(),
    quota=_QUOTA,
    unauthorized=(
        f"The access token is not taken. Log in again: {LOGIN}; with"
        " `access_token` alone, make a new one."
    ),
    # No header says more than the body.
    code_header="",
)
