"""Exit codes that tell a scheduler what to do, after sysexits.h."""

from __future__ import annotations

import requests
from singer_sdk.exceptions import ConfigValidationError

from tap_constantcontact.budget.store import BudgetStoreError
from tap_constantcontact.http.retries import (
    APIError,
    ExhaustedError,
    ForbiddenError,
    QuotaExhaustedError,
    RedirectError,
    UnauthorizedError,
)
from tap_constantcontact.http.session import CertificateError

#: Anything else, objects that could not be synced included.
FAILED = 1
#: Quota or network: run again later.
TRY_LATER = 75
#: Credentials: a person has to log in, or to change them.
CREDENTIALS = 77
#: Settings, catalog or state: a person has to change them.
CONFIGURATION = 78
#: Ended by Ctrl-C or SIGTERM while a person was waited for.
INTERRUPTED = 130

_BY_ERROR: dict[type[BaseException], int] = {
    UnauthorizedError: CREDENTIALS,
    ForbiddenError: CREDENTIALS,
    QuotaExhaustedError: TRY_LATER,
    BudgetStoreError: TRY_LATER,
    RedirectError: CONFIGURATION,
    APIError: FAILED,
    ConfigValidationError: CONFIGURATION,
    CertificateError: CONFIGURATION,
    ExhaustedError: TRY_LATER,
    requests.RequestException: TRY_LATER,
}


def exit_code(error: BaseException) -> int:
    """Return the exit code for an error that ends the command."""
    for kind, code in _BY_ERROR.items():
        if isinstance(error, kind):
            return code
    return exit_code(error.__cause__) if error.__cause__ else FAILED
