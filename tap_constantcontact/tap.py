"""The front door: settings, discovery and the command line."""

from __future__ import annotations

import json
import logging
import os
import signal
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any, NoReturn

import click
import requests
from click.exceptions import Exit
from singer_sdk import Tap
from singer_sdk.exceptions import ConfigValidationError, FatalAPIError, RetriableAPIError
from singer_sdk.singerlib import StateMessage
from typing_extensions import override

from tap_constantcontact import bookmarks, settings, streams
from tap_constantcontact.api.credentials import Credentials
from tap_constantcontact.api.links import ApiRoot
from tap_constantcontact.api.pace import Pace
from tap_constantcontact.api.session import Session
from tap_constantcontact.api.stop import RunStopped, Stop
from tap_constantcontact.logs import keep_out_of_logs
from tap_constantcontact.plan import make_plan
from tap_constantcontact.progress import Progress
from tap_constantcontact.writer import BlockWriter

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType
    from typing import TextIO

    from singer_sdk.plugin_base import _ConfigInput
    from singer_sdk.streams import Stream


class TapConstantContact(Tap):
    """Copies a Constant Contact account into a warehouse and keeps the copy current."""

    name = "tap-constantcontact"
    config_jsonschema = settings.SETTINGS.to_dict()
    message_writer_class = BlockWriter

    @override
    def __init__(self, **options: Any) -> None:
        try:
            super().__init__(**options)
        except ValueError as error:
            # The SDK turns a whole number of the environment into an int before it is validated.
            wrong = [
                name
                for name, setting in self.config_jsonschema["properties"].items()
                if "integer" in setting["type"] and not _is_whole(os.environ.get(_variable(name)))
            ]
            if not wrong:
                raise
            raise _invalid([f"{_variable(n)} takes a whole number." for n in wrong]) from error

    @override
    def _validate_config(self, *, raise_errors: bool = True) -> list[str]:
        """Check the settings in our own words before the SDK's validator fills in defaults."""
        settings.normalise(self._config)
        found = settings.problems(self._config)
        if found and raise_errors:
            raise _invalid(found)
        return super()._validate_config(raise_errors=raise_errors)

    @override
    def load_state(self, state: dict[str, Any]) -> None:
        if faults := bookmarks.problems(state):
            raise _invalid(faults)
        super().load_state(state)

    # -- what all streams share -------------------------------------------------------------

    @cached_property
    def credentials(self) -> Credentials:
        """Who is asking."""
        credentials = Credentials(self.config["api_key"], self.config["access_token"])
        keep_out_of_logs(credentials)
        return credentials

    @cached_property
    def api_root(self) -> ApiRoot:
        """Where the API is."""
        return ApiRoot(self.config["api_url"])

    @cached_property
    def session(self) -> Session:
        """The one way out: limits are a key's, not a stream's."""
        return Session(self.credentials, self.pace, self.stop, self.config.get("max_calls"))

    @cached_property
    def pace(self) -> Pace:
        """When the next call may leave."""
        return Pace(self.config["requests_per_second"])

    @cached_property
    def stop(self) -> Stop:
        """Whether the run is to end early."""
        return Stop()

    @cached_property
    def progress(self) -> Progress:
        """What a person who watches the run can see."""
        return Progress(self.logger, self.config.get("max_calls"))

    @cached_property
    def skipped_areas(self) -> set[str]:
        """Parts of the product that turned out to be closed to the account."""
        return set()

    # -- streams ----------------------------------------------------------------------------

    @override
    def discover_streams(self) -> list[Stream]:
        return [stream(self) for stream in streams.IN_ORDER]

    @property
    @override
    def streams(self) -> dict[str, Stream]:
        """All streams, in the order of a run: the cheap and important first."""
        return dict(sorted(super().streams.items(), key=lambda item: _place(item[1])))

    # -- a run ------------------------------------------------------------------------------

    @override  # type: ignore[misc]  # final, but the SDK has no hook around a run
    def sync_all(self) -> None:
        """Sync all streams; a run that is stopped on purpose ends as well as one that is through.

        Raises:
            FatalAPIError: The API has refused or failed for good. What was read so far counts.
        """
        try:
            super().sync_all()
        except RunStopped as stopped:
            self.write_state()
            self.logger.warning("%s The next run goes on from here.", stopped)
        finally:
            if isinstance(self.message_writer, BlockWriter):
                self.message_writer.flush()
            self.progress.finish()
            self._summarise()

    def write_state(self) -> None:
        """Write the state as it is, so that what was read so far counts."""
        self.write_message(StateMessage(value=self.state))

    def _summarise(self) -> None:
        shown = [(each.name, _bookmark(each)) for each in self.streams.values() if each.selected]
        for line in self.progress.summary(shown).splitlines():
            self.logger.info("%s", line)
        if left := self.progress.left:
            self.logger.info("Left to do: %s.", left)

    @override
    def _handle_termination(self, signum: int, frame: FrameType | None) -> None:
        # The SDK writes the state and exits in whatever is under way, half a message included.
        if self.stop.reason:
            raise SystemExit(1)
        self.stop.request(f"Stopped by {signal.Signals(signum).name}.")

    # -- command line -----------------------------------------------------------------------

    @classmethod
    @override
    def get_singer_command(cls) -> click.Command:
        command = super().get_singer_command()
        command.params.append(
            click.Option(
                ["--plan"],
                is_flag=True,
                help="Say what a run would cost in calls to the API, and end.",
            )
        )
        return command

    @classmethod
    @override
    def cb_config(
        cls, ctx: click.Context, param: click.Option, value: tuple[str, ...]
    ) -> _ConfigInput:
        try:
            return super().cb_config(ctx, param, value)
        except (OSError, ValueError, TypeError) as error:
            fault = "is no JSON object" if isinstance(error, (ValueError, TypeError)) else error
            cls._end(f"The config file cannot be read: {', '.join(value)} ({fault})")

    @classmethod
    @override
    def cb_test(cls, ctx: click.Context, param: click.Option, value: str) -> None:
        with cls._clear_errors():
            super().cb_test(ctx, param, value)

    @classmethod
    @override
    def invoke(cls, **options: Any) -> None:
        if options.pop("plan"):
            cls._show_plan(**options)
        else:
            with cls._clear_errors():
                super().invoke(**options)

    @classmethod
    def _show_plan(
        cls, config: _ConfigInput, catalog: TextIO | None, state: TextIO | None, **_: Any
    ) -> None:
        with cls._clear_errors():
            cls.logger.setLevel(logging.WARNING)
            tap = cls(
                config=config.config,
                parse_env_config=config.parse_env,
                catalog=json.load(catalog) if catalog else None,
                state=json.load(state) if state else None,
            )
            tap.metrics_logger.setLevel(logging.WARNING)
            click.echo(str(make_plan(tap)))

    @classmethod
    @contextmanager
    def _clear_errors(cls) -> Iterator[None]:
        """End with one line a fault and no traceback where we know what is wrong."""
        try:
            yield
        except ConfigValidationError as error:
            cls._end(*error.errors)
        except (FatalAPIError, RetriableAPIError, requests.RequestException) as error:
            cls._end(str(error))
        except ValueError as error:
            # The SDK reads JSON with simplejson, whose error is a class of its own.
            if type(error).__name__ != "JSONDecodeError":
                raise
            cls._end(f"The catalog or state file is no JSON ({error})")

    @classmethod
    def _end(cls, *faults: str) -> NoReturn:
        for fault in faults:
            cls.logger.error("%s", fault)
        raise Exit(1)


def _place(stream: Stream) -> int:
    return next(n for n, kind in enumerate(streams.IN_ORDER) if isinstance(stream, kind))


def _bookmark(stream: Stream) -> str:
    state = stream.stream_state
    if marks := state.get("reach"):
        below = marks[-1]["down_to"]
        return f"{marks[0]['to']}" + (f" down to {below[0]}" if below else "")
    return str(state.get("replication_key_value", ""))


def _invalid(faults: list[str]) -> ConfigValidationError:
    return ConfigValidationError(
        "; ".join(faults), errors=faults, schema=TapConstantContact.config_jsonschema
    )


def _variable(setting: str) -> str:
    return f"TAP_CONSTANTCONTACT_{setting.upper()}"


def _is_whole(text: str | None) -> bool:
    return text is None or text.strip().lstrip("+-").isdecimal()
