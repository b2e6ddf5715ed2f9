"""Exit codes that tell a scheduler what to do, after sysexits.h."""

from __future__ import annotations

import requests
from singer_sdk.exceptions import ConfigValidationError

from tap_constantcontact.http.error_handler import ResponseAction
from tap_constantcontact.http.retries import APIError, ExhaustedError
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

_BY_VERDICT = {
    ResponseAction.QUOTA_EXHAUSTED: TRY_LATER,
    ResponseAction.REFRESH_TOKEN_THEN_RETRY: CREDENTIALS,
    ResponseAction.FORBIDDEN: CREDENTIALS,
    ResponseAction.FAIL: CREDENTIALS,
    ResponseAction.REDIRECTED: CONFIGURATION,
}


def exit_code(error: BaseException) -> int:
    """Return the exit code for an error that ends the command."""
    if isinstance(error, APIError):
        return _BY_VERDICT.get(error.action, FAILED)
    if isinstance(error, (ConfigValidationError, CertificateError)):
        return CONFIGURATION
    if isinstance(error, (ExhaustedError, requests.RequestException)):
        return TRY_LATER
    return exit_code(error.__cause__) if error.__cause__ else FAILED
