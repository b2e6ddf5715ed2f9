"""The front door: settings, discovery and the command line."""

from __future__ import annotations

import io
import json
import logging
import os
import signal
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any, NoReturn, Protocol, cast

import click
import requests
from click.exceptions import Exit
from singer_sdk import Tap
from singer_sdk.exceptions import (
    ConfigValidationError,
    FatalAPIError,
    MapExpressionError,
    RetriableAPIError,
    StreamMapConfigError,
)
from singer_sdk.helpers._state import write_stream_state
from singer_sdk.singerlib import Catalog
from typing_extensions import override

from tap_constantcontact import settings
from tap_constantcontact.http.pace import seconds_between_calls
from tap_constantcontact.http.refusals import Verdict
from tap_constantcontact.http.retries import RefusedError
from tap_constantcontact.http.stop import RunStopped
from tap_constantcontact.plan import CALLS_A_DAY, Cost, Plan
from tap_constantcontact.records.writer import BlockWriter, OutputError
from tap_constantcontact.run import Run
from tap_constantcontact.settings import SECRETS
from tap_constantcontact.state import bookmarks, owner
from tap_constantcontact.state.owner import ForeignStateError
from tap_constantcontact.stream import map_fault
from tap_constantcontact.terminal.logs import is_of_use
from tap_constantcontact.v2 import api as v2

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType
    from typing import TextIO

    from singer_sdk.plugin_base import _ConfigInput
    from singer_sdk.streams import Stream

    from tap_constantcontact.plan import Costing
    from tap_constantcontact.stream import ConstantContactStream


# By these, somebody asks for more than a run's own words. (Meltano sets the SDK's log config.)
_ASKING_FOR_MORE = ("TAP_CONSTANTCONTACT_LOGLEVEL", "LOGLEVEL")


class _Account(Protocol):
    """The stream that knows whose account it is."""

    selected: bool
    owner: str | None


class TapConstantContact(Tap):
    """Copies a Constant Contact account into a warehouse and keeps the copy current."""

    name = "tap-constantcontact"
    config_jsonschema = settings.SETTINGS.to_dict()
    message_writer_class = BlockWriter

    @override
    def __init__(self, **options: Any) -> None:
        self.logger.addFilter(is_of_use)
        try:
            super().__init__(**options)
            self._tell_of_the_unknown()
            if not any(map(os.environ.get, _ASKING_FOR_MORE)):
                self.metrics_logger.setLevel(logging.WARNING)
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

    def _tell_of_the_unknown(self) -> None:
        """Warn of what the config or the catalog names and the tap does not have."""
        faults = settings.unknown(self._config, self.config_jsonschema["properties"])
        for name, entry in (self.input_catalog or {}).items():
            if not entry.metadata.resolve_selection()[()]:
                continue
            if name in self.streams:
                known = self.streams[name].schema["properties"]
                faults += [
                    f"The catalog names column '{column}' of stream '{name}', which has none."
                    for column in entry.schema.to_dict().get("properties", {})
                    if column not in known
                ]
                continue
            is_optional = name in settings.OPTIONAL_STREAMS
            hint = " Name it in `optional_streams` to read it." if is_optional else ""
            faults.append(f"The catalog selects stream '{name}', which is not there.{hint}")
        for fault in faults:
            self.logger.warning("%s", fault)

    @override
    def _validate_config(self, *, raise_errors: bool = True) -> list[str]:
        """Check the settings in our own words before the SDK's validator fills in defaults."""
        settings.normalise(self._config)
        found = settings.problems(self._config)
        if found and any(os.environ.get(_variable(n)) and not self._config.get(n) for n in SECRETS):
            found.append("The environment names settings. Add --config=ENV to use them.")
        if found and raise_errors:
            raise _invalid(found)
        return super()._validate_config(raise_errors=raise_errors)

    @override
    def load_state(self, state: dict[str, Any]) -> None:
        if state and state.keys() == {"singer_state"}:
            state = state["singer_state"]  # As `meltano state get` shows it.
        if faults := bookmarks.problems(state):
            raise _invalid(faults)
        super().load_state(state)

    @override
    def setup_mapper(self) -> None:
        """Lay the stream maps on the streams; those that are not selected are not looked at.

        Raises:
            ConfigValidationError: A map cannot be used.
        """
        super(Tap, self).setup_mapper()
        for name, entry in self.catalog.items():
            try:
                self.mapper.register_raw_streams_from_catalog(Catalog({name: entry}))
            except (StreamMapConfigError, MapExpressionError) as error:
                if name in self.streams and self.streams[name].selected:
                    raise _invalid([map_fault(name, error)]) from error

    @cached_property
    def run(self) -> Run:
        """What all streams share."""
        return Run(self, v2.api(self.config))

    # -- streams ----------------------------------------------------------------------------

    @override
    def discover_streams(self) -> list[Stream]:
        wanted = self.config.get("optional_streams")
        left_out = set(settings.OPTIONAL_STREAMS)
        left_out -= set(map(str, wanted)) if isinstance(wanted, list) else set()
        return [
            each
            for each in (
                cast("type[ConstantContactStream]", kind)(self, self.run)
                for kind in self.run.api.streams
            )
            if each.name not in left_out
        ]

    @property
    @override
    def streams(self) -> dict[str, Stream]:
        """All streams, in the order of a run: the cheap and important first."""
        return self._in_order

    @cached_property
    def _in_order(self) -> dict[str, Stream]:
        order = self.run.api.streams
        return dict(sorted(super().streams.items(), key=lambda item: order.index(type(item[1]))))

    # -- a run ------------------------------------------------------------------------------

    @override  # type: ignore[misc]  # final, but the SDK has no hook around a run
    def sync_all(self) -> None:
        """Sync all streams; a run that is stopped on purpose ends as well as one that is through.

        Raises:
            FatalAPIError: The API has refused or failed for good. What was read so far counts.
        """
        try:
            self.begin()
            self.run.read_ahead(cast("list[ConstantContactStream]", list(self.streams.values())))
            super().sync_all()
        except RunStopped as stopped:
            self.run.write_last_state()
            self.logger.warning("%s The next run goes on from here.", stopped)
        finally:
            if isinstance(self.message_writer, BlockWriter):
                self.message_writer.flush()
            self.run.progress.finish()
            self.run.session.close()
            self._summarise()

    def begin(self) -> None:
        """Make sure that the state is this account's, and that no clock has spoilt it.

        The account is asked for anyway if its stream is selected, and otherwise only if the access
        token is a new one.

        Raises:
            ConfigValidationError: If the state is another account's.
        """
        known = self.run.bookmarks_of(owner.ACCOUNT)
        is_selected = owner.ACCOUNT in self.run.selected
        try:
            marks = owner.identify(
                known, self.config["access_token"], self._ask_owner, must_ask=is_selected
            )
        except ForeignStateError as error:
            raise _invalid([str(error)]) from error
        if any(cast("ConstantContactStream", each).keeps_marks for each in self._selected):
            for name, mark in marks.items():
                write_stream_state(self.state, owner.ACCOUNT, name, mark)
        for stream in bookmarks.distrust_future(dict(self.state), self.run.session.began):
            self.logger.warning(
                "The state of stream '%s' holds a mark from the future, made by a clock that was"
                " ahead. It is not believed: what it covers is read again.",
                stream,
            )

    @property
    def _selected(self) -> list[Stream]:
        return [each for each in self.streams.values() if each.selected]

    def _ask_owner(self) -> str | None:
        """Whose account it is; None if the token's user may not know."""
        account = cast("_Account", self.streams[owner.ACCOUNT])
        try:
            return account.owner
        except RefusedError as error:
            if account.selected or error.verdict is not Verdict.FORBIDDEN:
                raise
            self.logger.warning("Whose account it is cannot be told. %s", error)
            return None

    def plan(self) -> Plan:
        """Estimate what a run would cost, with the settings, catalog and state given.

        Raises:
            FatalAPIError: The API has refused or failed.
        """
        state = (
            "with the state given"
            if self.state.get("bookmarks")
            else "without a state: a first run"
        )
        catalog = "the catalog given" if self.input_catalog else "all streams"
        run = self.run
        run.look_around()
        costs: list[Cost] = []
        try:
            self.begin()
            if run.session.calls and owner.ACCOUNT not in run.selected:
                costs.append(Cost(owner.ACCOUNT, 1, "whose account it is"))
            for each in self.streams.values():
                costs += cast("Costing", each).costs()
        finally:
            run.progress.finish()
            run.session.close()
        return Plan(
            costs=costs,
            asked=run.session.calls,
            calls_a_day=min(CALLS_A_DAY, self.config.get("max_calls") or CALLS_A_DAY),
            seconds_a_call=seconds_between_calls(self.config["requests_per_second"]),
            given=f"Plan {state}, for {catalog}.",
        )

    def _summarise(self) -> None:
        if not self.run.session.answered:
            return  # What went wrong says more than a table of nothing.
        shown = [(each.name, _bookmark(each)) for each in self._selected]
        for line in self.run.progress.summary(shown).splitlines():
            self.logger.info("%s", line)
        if left := self.run.progress.left:
            self.logger.info("Left to do: %s.", left)
        self.logger.info("SUMMARY: %s", json.dumps(self.run.progress.as_dict(shown)))

    @override
    def _handle_termination(self, signum: int, frame: FrameType | None) -> None:
        # The SDK writes the state and exits in whatever is under way, half a message included.
        if self.run.stop.reason:
            raise SystemExit(1)
        self.run.stop.request(f"Stopped by {signal.Signals(signum).name}.")

    # -- command line -----------------------------------------------------------------------

    @classmethod
    @override
    def get_singer_command(cls) -> click.Command:
        command = super().get_singer_command()
        command.params.append(
            click.Option(
                ["--plan"],
                is_flag=False,
                flag_value="table",
                type=click.Choice(["table", "json"]),
                help="Say what a run would cost in calls to the API, and end; --plan=json for"
                " programs.",
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
    def invoke(cls, *, plan: str | None = None, **options: Any) -> None:
        with cls._clear_errors():
            for name in ("state", "catalog"):
                options[name] = _unless_empty(options.get(name))
            if plan:
                cls._show_plan(plan, **options)
            else:
                super().invoke(**options)

    @classmethod
    def _show_plan(
        cls,
        form: str,
        *,
        config: _ConfigInput,
        catalog: TextIO | None,
        state: TextIO | None,
        **_: Any,
    ) -> None:
        cls.logger.setLevel(logging.WARNING)
        tap = cls(
            config=config.config,
            parse_env_config=config.parse_env,
            catalog=json.load(catalog) if catalog else None,
            state=json.load(state) if state else None,
        )
        tap.metrics_logger.setLevel(logging.WARNING)
        found = tap.plan()
        click.echo(json.dumps(found.as_dict()) if form == "json" else str(found))

    @classmethod
    @contextmanager
    def _clear_errors(cls) -> Iterator[None]:
        """End with one line a fault and no traceback where we know what is wrong."""
        try:
            yield
        except ConfigValidationError as error:
            cls._end(*error.errors)
        except (
            FatalAPIError,
            RetriableAPIError,
            requests.RequestException,
            OutputError,
        ) as error:
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


def _unless_empty(file: TextIO | None) -> TextIO | None:
    """A file from its start, or None if there is nothing in it: no state yet is no fault."""
    text = file.read() if file else ""
    return io.StringIO(text) if text.strip() else None


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
