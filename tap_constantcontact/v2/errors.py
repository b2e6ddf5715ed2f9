"""Error responses of v2 (docs/api/v2.md §2.6)."""

from __future__ import annotations

import re

from tap_constantcontact.http.error_handler import (
    RATE_LIMITED_MESSAGE,
    ErrorHandler,
    ResponseAction,
)

_INACTIVE = (
    "The API key is wrong or inactive. Check `api_key`; a new key takes up to 15 minutes to work."
)
_QUOTA = "The API key's daily quota is exhausted. The next run resumes from here."

# Over the limit is a 403 today, was a 401 once and is a 429 in v3.
ERROR_HANDLER = ErrorHandler(
    by_code={
        "mashery.not.authorized.over.qps": RATE_LIMITED_MESSAGE,
        "ERR_403_DEVELOPER_OVER_QPS": RATE_LIMITED_MESSAGE,
        "ERR_403_SERVICE_OVER_QPS": (
            ResponseAction.RATE_LIMITED,
            "Too many requests per second for the API",
        ),
        "mashery.not.authorized.over.ratelimit": (ResponseAction.QUOTA_EXHAUSTED, _QUOTA),
        "ERR_403_DEVELOPER_OVER_RATE": (ResponseAction.QUOTA_EXHAUSTED, _QUOTA),
        "mashery.not.authorized.inactive": (ResponseAction.FAIL, _INACTIVE),
        "ERR_403_DEVELOPER_INACTIVE": (ResponseAction.FAIL, _INACTIVE),
        "ERR_403_NOT_AUTHORIZED": (ResponseAction.FAIL, _INACTIVE),
    },
    by_text=(
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
