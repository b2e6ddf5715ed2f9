"""Error responses of v3 (docs/api/v3.md §4, §5)."""

from __future__ import annotations

from tap_constantcontact.http.error_handler import (
    RATE_LIMITED_MESSAGE,
    ErrorHandler,
    ResponseAction,
)
from tap_constantcontact.meltano import LOGIN

_QUOTA = (
    "The application's daily quota is exhausted. The API resets it at 00:00 UTC. The next run"
    " resumes from here."
)
_FORBIDDEN = "The user lacks the privilege, or the token the scope, to read this."

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
        f"The API rejected the access token. Log in again: {LOGIN}; with"
        " `access_token` alone, create a new one."
    ),
    # No header says more than the body.
    code_header="",
)
