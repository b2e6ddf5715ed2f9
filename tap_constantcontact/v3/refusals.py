"""What the refusals of v3 mean: one table (API docs: v3 §4, §5)."""

from __future__ import annotations

from tap_constantcontact.http.refusals import TOO_FAST, RefusalTable, Verdict
from tap_constantcontact.meltano import LOGIN

_QUOTA = (
    "The application's calls for today are used up; they are counted anew from 00:00 UTC. The next"
    " run goes on from here."
)
_FORBIDDEN = "The token's user lacks the privilege, or the token the scope, to read this."

REFUSALS = RefusalTable(
    by_code={
        "throttled": TOO_FAST,
        "quota_exceeded": (Verdict.QUOTA, _QUOTA),
        "access_denied": (Verdict.FORBIDDEN, _FORBIDDEN),
        "forbidden": (Verdict.FORBIDDEN, _FORBIDDEN),
    },
    by_words=(),
    quota=_QUOTA,
    unauthorized=(
        f"The access token is not taken. Log in again: {LOGIN}; with"
        " `access_token` alone, make a new one."
    ),
    # No header says more than the body.
    code_header="",
)
