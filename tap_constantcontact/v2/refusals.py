"""What the refusals of v2 mean: one table (API docs: Error messages)."""

from __future__ import annotations

import re

from tap_constantcontact.http.refusals import TOO_FAST, RefusalTable, Verdict

_INACTIVE = (
    "The API key is wrong or inactive. Check `api_key`; a new key takes up to 15 minutes to work."
)
_QUOTA = "The API key's calls for today are used up. The next run goes on from here."

# Over the limit is a 403 today, was a 401 once and is a 429 in v3.
REFUSALS = RefusalTable(
    by_code={
        "mashery.not.authorized.over.qps": TOO_FAST,
        "ERR_403_DEVELOPER_OVER_QPS": TOO_FAST,
        "ERR_403_SERVICE_OVER_QPS": (Verdict.SLOW_DOWN, "Too many calls a second for the API"),
        "mashery.not.authorized.over.ratelimit": (Verdict.QUOTA, _QUOTA),
        "ERR_403_DEVELOPER_OVER_RATE": (Verdict.QUOTA, _QUOTA),
        "mashery.not.authorized.inactive": (Verdict.END, _INACTIVE),
        "ERR_403_DEVELOPER_INACTIVE": (Verdict.END, _INACTIVE),
        "ERR_403_NOT_AUTHORIZED": (Verdict.END, _INACTIVE),
    },
    by_words=(
        (re.compile(rb"over\s+qps", re.IGNORECASE), "ERR_403_DEVELOPER_OVER_QPS"),
        (re.compile(rb"over\s+rate", re.IGNORECASE), "ERR_403_DEVELOPER_OVER_RATE"),
        (re.compile(rb"developer\s+inactive", re.IGNORECASE), "ERR_403_DEVELOPER_INACTIVE"),
    ),
    quota=_QUOTA,
    unauthorized=(
        "The access token is wrong or has expired. Check `access_token`, or make a new one for the"
        " account."
    ),
    code_header="X-Mashery-Error-Code",
)
