"""Exit codes that tell a scheduler what to do, after sysexits.h."""

from __future__ import annotations

import requests
from singer_sdk.exceptions import ConfigValidationError

from tap_constantcontact.http.refusals import Verdict
from tap_constantcontact.http.retries import ExhaustedError, RefusedError
from tap_constantcontact.http.session import UntrustedError

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
    Verdict.QUOTA: TRY_LATER,
    Verdict.REPEAT_ONCE: CREDENTIALS,
    Verdict.FORBIDDEN: CREDENTIALS,
    Verdict.END: CREDENTIALS,
    Verdict.REDIRECTED: CONFIGURATION,
}


def exit_code(error: BaseException) -> int:
    """Return the exit code for an error that ends the command."""
    if isinstance(error, RefusedError):
        return _BY_VERDICT.get(error.verdict, FAILED)
    if isinstance(error, (ConfigValidationError, UntrustedError)):
        return CONFIGURATION
    if isinstance(error, (ExhaustedError, requests.RequestException)):
        return TRY_LATER
    return exit_code(error.__cause__) if error.__cause__ else FAILED
