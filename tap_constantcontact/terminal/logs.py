"""Keeping secrets and people out of the logs."""

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


class _Cleaner(logging.Filter):
    """The last line of defence: cleans every record of every handler it is on.

    Our own messages hold nothing to clean. Those of libraries, and tracebacks of faults that
    nobody foresaw, may.
    """

    def __init__(self) -> None:
        super().__init__()
        # Weak, so that those of runs that are over cost nothing.
        self.known: weakref.WeakSet[Authenticator] = weakref.WeakSet()

    @override
    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        if (cleaned := self._clean(message)) != message:
            record.msg, record.args = cleaned, None
        if record.exc_info and record.exc_info[0] is not None:
            text = "".join(traceback.format_exception(*record.exc_info)).rstrip()
            if (cleaned := self._clean(text)) != text:
                # As text: a structured formatter would take the exception apart once more.
                record.msg, record.args = f"{self._clean(record.getMessage())}\n{cleaned}", None
                record.exc_info = record.exc_text = None
        return True

    def _clean(self, text: str) -> str:
        for authenticator in self.known:
            text = authenticator.redact(text)
        return text


# What the SDK says of each stream or run, and nobody can do anything with. That of resuming is not
# true: our streams go on where they stopped.
_OF_NO_USE = ("progress is not resumable", "as child stream to", "Skipping parse of env var")
# Each setting that comes from the environment: some ten lines above what a login shows.
_ENVIRONMENT_LOGGER = logging.getLogger("singer_sdk.configuration._dict_config")


def is_of_use(record: logging.LogRecord) -> bool:
    """Whether a line of the SDK tells a person anything."""
    message = record.getMessage()
    return not any(each in message for each in _OF_NO_USE)


def hide_environment_lines() -> None:
    """Do not log each setting that comes from the environment."""
    _ENVIRONMENT_LOGGER.setLevel(logging.WARNING)


class Clearing(logging.Filter):
    """Takes a live line off the terminal before something is logged there."""

    def __init__(self, clear: Callable[[], None]) -> None:
        """Take what clears it."""
        super().__init__()
        self._clear = clear

    @override
    def filter(self, record: logging.LogRecord) -> bool:
        self._clear()
        return True


def clear_before_logging(clear: Callable[[], None]) -> None:
    """From now on, clear the terminal's live line before each line that is logged."""
    for handler in logging.getLogger().handlers:
        handler.addFilter(Clearing(clear))


_CLEANER = _Cleaner()


def is_structured() -> bool:
    """Return whether logs are JSON, which programs read."""
    handlers = logging.getLogger().handlers
    return any(isinstance(handler.formatter, StructuredFormatter) for handler in handlers)


def keep_out_of_logs(authenticator: Authenticator) -> None:
    """From now on, no log line shows these credentials or anybody's e-mail address."""
    _CLEANER.known.add(authenticator)
    for handler in logging.getLogger().handlers:
        handler.addFilter(_CLEANER)
    logging.getLogger("singer_sdk").addFilter(is_of_use)
    # At DEBUG it writes a line with the URL, key included, for every call.
    logging.getLogger("urllib3").setLevel(logging.INFO)
