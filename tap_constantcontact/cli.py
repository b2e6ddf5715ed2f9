"""Command line: options, commands for people, and errors in one line."""

from __future__ import annotations

import io
import json
import logging
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click
import requests
from click.exceptions import Exit
from singer_sdk import Tap
from singer_sdk.exceptions import ConfigValidationError, FatalAPIError, RetriableAPIError

from tap_constantcontact import exit_codes, meltano
from tap_constantcontact.records.message_writer import OutputError
from tap_constantcontact.settings import select_api_version
from tap_constantcontact.v3 import api as v3
from tap_constantcontact.v3.auth import cli as auth
from tap_constantcontact.v3.auth.oauth import SignInError, ThrottledError, TokenResponseLostError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType
    from typing import TextIO

    from tap_constantcontact.estimate import SyncEstimate

_T = TypeVar("_T", bound=Tap)

_HELP = """Read a Constant Contact account and write it to stdout as Singer messages.

Every run needs --config, once per config file; --config=ENV reads environment variables and the
.env file of the current folder.
"""
_FLAGS = {
    "--login": "v3: Log in once, on any device. The tap keeps and refreshes the tokens.",
    "--pkce": "With --login: Use the browser of this machine.",
    "--status": "v3: Show the account, token expiry and accessible streams.",
    "--logout": "v3: Delete stored tokens.",
}


def add_options(command: click.Command) -> click.Command:
    """Add help and options to the command of the SDK."""
    command.help = _HELP
    for name, text in _FLAGS.items():
        command.params.append(click.Option([name], is_flag=True, help=text))
    command.params.append(
        click.Option(
            ["--plan"],
            is_flag=False,
            flag_value="table",
            type=click.Choice(["table", "json"]),
            help="Estimate the number of API requests and exit. --plan=json is for programs.",
        )
    )
    return command


# -- commands -------------------------------------------------------------------------------


def log_in(kind: type[Tap], config: Any, *, in_browser: bool) -> None:
    """Log in and store the tokens."""
    auth.log_in(_tap_with_login(kind, config).config, click.echo, in_browser=in_browser)


def show_status(kind: type[Tap], config: Any) -> None:
    """Show the account, token expiry and accessible streams."""
    auth.show_status(_tap_with_login(kind, config).config, kind.logger, click.echo)


def log_out(kind: type[Tap], config: Any) -> None:
    """Delete the stored tokens."""
    auth.log_out(_tap_with_login(kind, config).config, click.echo)


def _tap_with_login(kind: type[Tap], config: Any) -> Tap:
    """Return a tap for a command about authentication.

    Raises:
        ConfigValidationError: The settings are not valid, or not those of v3.
    """
    tap = quiet_tap(kind, config)
    _end_on_signals()
    if select_api_version(tap.config) != v3.VERSION:
        msg = (
            "--login, --status and --logout are for the API v3: set `client_id`."
            " The API v2 uses `api_key` and `access_token`."
        )
        raise ConfigValidationError(msg, errors=[msg])
    return tap


def quiet_tap(
    kind: type[_T],
    config: Any,
    catalog: TextIO | None = None,
    state: TextIO | None = None,
) -> _T:
    """Return a tap that logs only warnings, since a person reads the output."""
    kind.logger.setLevel(logging.WARNING)
    tap = kind(
        config=config.config,
        parse_env_config=config.parse_env,
        catalog=json.load(catalog) if catalog else None,
        state=json.load(state) if state else None,
    )
    tap.metrics_logger.setLevel(logging.WARNING)
    return tap


def _end_on_signals() -> None:
    """End an interactive command on the first Ctrl-C or SIGTERM."""

    def end(signum: int, _: FrameType | None) -> NoReturn:
        for each in (signal.SIGINT, signal.SIGTERM):
            signal.signal(each, signal.SIG_IGN)  # Meltano passes a signal on that came here, too.
        click.echo(f"\nEnded by {signal.Signals(signum).name}.", err=True)
        raise SystemExit(exit_codes.INTERRUPTED)

    for signum in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signum, end)


def show_plan(tap: Tap, estimate: SyncEstimate, form: str) -> None:
    """Print the estimate of a run, as a table or as JSON."""
    _warn_about_stale_catalog(tap)
    click.echo(json.dumps(estimate.as_dict()) if form == "json" else str(estimate))


def _warn_about_stale_catalog(tap: Tap) -> None:
    """Warn if Meltano passes the catalog of a run before the last `meltano select`."""
    rules = meltano.selection_rules()
    if not (rules and tap.input_catalog):
        return
    differing = [
        name
        for name, stream in tap.streams.items()
        if stream.selected != meltano.is_selected(name, rules)
    ]
    if differing:
        tap.logger.warning(
            "The catalog is older than the selection of streams: %s. Write a new one with"
            " `%s > catalog.json` and plan with `--catalog catalog.json`.",
            ", ".join(differing),
            meltano.DUMP_CATALOG,
        )


# -- errors ---------------------------------------------------------------------------------


@contextmanager
def friendly_errors(logger: logging.Logger) -> Iterator[None]:
    """End the command with one line per known error and its exit code, without a traceback."""
    try:
        yield
    except ConfigValidationError as error:
        exit_with(logger, *error.errors, code=exit_codes.CONFIGURATION)
    except (FatalAPIError, RetriableAPIError, requests.RequestException, OutputError) as error:
        exit_with(logger, str(error), code=exit_code(error))
    except ValueError as error:
        # The SDK reads JSON with simplejson, whose error is a class of its own.
        if type(error).__name__ != "JSONDecodeError":
            raise
        message = f"The catalog or state file is not valid JSON ({error})"
        exit_with(logger, message, code=exit_codes.CONFIGURATION)


def exit_code(error: Exception) -> int:
    """Return the exit code for an error that ends the command."""
    if isinstance(error, (TokenResponseLostError, ThrottledError)):
        return exit_codes.TRY_LATER
    if isinstance(error, SignInError):
        return exit_codes.CREDENTIALS
    return exit_codes.exit_code(error)


def exit_with(logger: logging.Logger, *messages: str, code: int) -> NoReturn:
    """Log messages and end the command."""
    for message in messages:
        logger.error("%s", message)
    raise Exit(code)


def none_if_empty(file: TextIO | None) -> TextIO | None:
    """Return a file from its start, or None if it is empty: an empty state is a first run."""
    text = file.read() if file else ""
    return io.StringIO(text) if text.strip() else None
