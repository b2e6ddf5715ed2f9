"""Redaction and filtering of logs."""

from __future__ import annotations

import logging
import traceback
import weakref
from typing import TYPE_CHECKING

from singer_sdk.logging import StructuredFormatter
from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_constantcontact.http.authenticator import Authenticator


class RedactingFilter(logging.Filter):
    """Redacts secrets in the log records of every handler.

    Our own messages contain none. Messages of libraries and tracebacks of unexpected errors may.
    """

    def __init__(self) -> None:
        super().__init__()
        # Weak references, so that finished runs cost nothing.
        self.authenticators: weakref.WeakSet[Authenticator] = weakref.WeakSet()

    @override
    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        if (redacted := self._redact(message)) != message:
            record.msg, record.args = redacted, None
        if record.exc_info and record.exc_info[0] is not None:
            text = "".join(traceback.format_exception(*record.exc_info)).rstrip()
            if (redacted := self._redact(text)) != text:
                # As text: a structured formatter would format the exception again.
                record.msg, record.args = f"{self._redact(record.getMessage())}\n{redacted}", None
                record.exc_info = record.exc_text = None
        return True

    def _redact(self, text: str) -> str:
        for authenticator in self.authenticators:
            text = authenticator.redact(text)
        return text


# Lines of the SDK for each stream or run that help nobody. The one about resuming is wrong:
# our streams resume.
_IRRELEVANT = ("progress is not resumable", "as child stream to", "Skipping parse of env var")


def is_relevant(record: logging.LogRecord) -> bool:
    """Return whether a log record of the SDK is relevant to people."""
    message = record.getMessage()
    return not any(each in message for each in _IRRELEVANT)


class ProgressLineFilter(logging.Filter):
    """Clears the live line of the terminal before a log record."""

    def __init__(self, clear: Callable[[], None]) -> None:
        """Take the function that clears the line."""
        super().__init__()
        self._clear = clear

    @override
    def filter(self, record: logging.LogRecord) -> bool:
        self._clear()
        return True


def clear_before_logging(clear: Callable[[], None]) -> None:
    """Clear the live line of the terminal before each log record from now on."""
    for handler in logging.getLogger().handlers:
        handler.addFilter(ProgressLineFilter(clear))


_REDACTING_FILTER = RedactingFilter()


def is_structured() -> bool:
    """Return whether logs are JSON, which programs read."""
    handlers = logging.getLogger().handlers
    return any(isinstance(handler.formatter, StructuredFormatter) for handler in handlers)


def redact_in_logs(authenticator: Authenticator) -> None:
    """Redact the secrets of an authenticator and e-mail addresses in all logs from now on."""
    _REDACTING_FILTER.authenticators.add(authenticator)
    for handler in logging.getLogger().handlers:
        handler.addFilter(_REDACTING_FILTER)
    logging.getLogger("singer_sdk").addFilter(is_relevant)
    # At DEBUG it logs the URL of each request, key included.
    logging.getLogger("urllib3").setLevel(logging.INFO)
