"""Entry point for the SDK: settings, catalog, state, sync."""

from __future__ import annotations

import json
import logging
import os
import signal
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from singer_sdk import Tap
from singer_sdk.exceptions import (
    ConfigValidationError,
    FatalAPIError,
    MapExpressionError,
    StreamMapConfigError,
)
from singer_sdk.singerlib import Catalog
from typing_extensions import override

from tap_constantcontact import cli, environment, exit_codes, settings, settings_validation
from tap_constantcontact.audit_stream import SyncAuditStream
from tap_constantcontact.budget.ledger import DAILY_QUOTA, RunOutcome
from tap_constantcontact.estimate import StreamEstimate, SyncEstimate
from tap_constantcontact.http.rate_limiter import seconds_between_requests
from tap_constantcontact.http.retries import QuotaExhaustedError
from tap_constantcontact.http.shutdown import ShutdownRequest, SyncStopped
from tap_constantcontact.preflight import Preflight
from tap_constantcontact.records.mapping import map_fault
from tap_constantcontact.records.message_writer import BufferedMessageWriter
from tap_constantcontact.state import validation
from tap_constantcontact.state.account_check import ACCOUNT, StateMismatchError
from tap_constantcontact.state.migration import migrate
from tap_constantcontact.state.state_writer import CleanStateWriter
from tap_constantcontact.sync_run import SyncRun
from tap_constantcontact.terminal.logs import is_relevant, is_structured
from tap_constantcontact.v2 import api as v2
from tap_constantcontact.v3 import api as v3
from tap_constantcontact.v3.auth.oauth import SignInError

if TYPE_CHECKING:
    from types import FrameType

    import click
    from singer_sdk.streams import Stream

    from tap_constantcontact.stream import ConstantContactStream


_APIS = {module.VERSION: module.api for module in (v2, v3)}

# With one of these set, the SDK's own log lines are wanted. (Meltano sets the SDK's log config.)
_LOG_LEVELS = ("TAP_CONSTANTCONTACT_LOGLEVEL", "LOGLEVEL")


class TapConstantContact(Tap):
    """Copies a Constant Contact account into a warehouse and keeps the copy current."""

    name = "tap-constantcontact"
    config_jsonschema = settings.JSON_SCHEMA
    message_writer_class = CleanStateWriter

    @override
    def __init__(
        self,
        *,
        config: dict[str, Any] | None = None,
        parse_env_config: bool = False,
        validate_config: bool = True,
        **options: Any,
    ) -> None:
        self.logger.addFilter(is_relevant)
        self.append_builtin_config(self.config_jsonschema)
        given = dict(config or {})
        if parse_env_config:
            given |= environment.read_settings(self.config_jsonschema["properties"])
        settings_validation.normalize(given)
        if validate_config:
            _validate(given)
        unused = settings_validation.drop_unused(given)
        super().__init__(config=given, validate_config=validate_config, **options)
        self._warn_about_unknown_names(unused)
        if not any(map(os.environ.get, _LOG_LEVELS)):
            self.metrics_logger.setLevel(logging.WARNING)

    def _warn_about_unknown_names(self, faults: list[str]) -> None:
        """Warn about settings, streams and columns that do not exist, after other warnings."""
        names = self.config_jsonschema["properties"]
        faults = [*settings_validation.unknown_settings(self.config, names), *faults]
        for name, entry in (self.input_catalog or {}).items():
            if not entry.metadata.resolve_selection()[()]:
                continue
            if name in self.streams:
                stream = self._api_streams[name]
                properties = stream.schema["properties"]
                faults += [
                    f"The catalog lacks column '{column}' of stream '{name}', a part of its keys."
                    " It is added."
                    for column in stream.keys_added
                ]
                faults += [
                    f"The catalog names column '{column}' of stream '{name}', which has none."
                    for column in entry.schema.to_dict().get("properties", {})
                    if column not in properties
                ]
                continue
            is_optional = (
                name in settings.OPTIONAL_STREAMS[settings.select_api_version(self.config)]
            )
            hint = " Add it to `optional_streams`." if is_optional else ""
            faults.append(f"The catalog selects unknown stream '{name}'.{hint}")
        for fault in faults:
            self.logger.warning("%s", fault)

    @override
    def load_state(self, state: dict[str, Any]) -> None:
        if state and state.keys() == {"singer_state"}:
            state = state["singer_state"]  # As `meltano state get` shows it.
        if isinstance(state, dict):
            state = migrate(state)
        if faults := validation.validate(state):
            raise _invalid(faults)
        super().load_state(state)

    @override
    def setup_mapper(self) -> None:
        """Apply the stream maps to the streams that are selected, or have a selected child.

        Raises:
            ConfigValidationError: A map cannot be used.
        """
        super(Tap, self).setup_mapper()
        streams = self.streams  # They add to the catalog what it lacks.
        for name, entry in self.catalog.items():
            stream = streams.get(name)
            if stream and not (stream.selected or stream.has_selected_descendents):
                continue
            try:
                self.mapper.register_raw_streams_from_catalog(Catalog({name: entry}))
            except (StreamMapConfigError, MapExpressionError) as error:
                if stream and stream.selected:
                    raise _invalid([map_fault(name, error)]) from error

    @cached_property
    def run(self) -> SyncRun:
        """The state that all streams share."""
        shutdown = ShutdownRequest()
        api = _APIS[settings.select_api_version(self.config)](self.config, self.logger, shutdown)
        return SyncRun(self, api, shutdown)

    # -- streams ----------------------------------------------------------------------------

    @override
    def discover_streams(self) -> list[Stream]:
        wanted = self.config.get("optional_streams")
        left_out = set(settings.OPTIONAL_STREAMS[self.run.api.version])
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

    @property
    def _api_streams(self) -> dict[str, ConstantContactStream]:
        return cast("dict[str, ConstantContactStream]", self.streams)

    # -- a run ------------------------------------------------------------------------------

    @override  # type: ignore[misc]  # final, but the SDK has no hook around a run
    def sync_all(self) -> None:
        """Sync all streams. A graceful shutdown counts as success.

        Raises:
            FatalAPIError: The API failed. Everything read so far counts.
        """
        outcome = RunOutcome.FAILED
        try:
            self.prepare_run()
            self.run.prefetch(list(self._api_streams.values()))
            super().sync_all()
            outcome = RunOutcome.COMPLETE
        except SyncStopped as stopped:
            outcome = RunOutcome.INTERRUPTED
            self._sync_audit()
            self.run.write_last_state()
            self.logger.warning("%s The next run resumes from here.", stopped)
        except FatalAPIError as error:
            if cli.exit_code(error) == exit_codes.CREDENTIALS:
                outcome = RunOutcome.LOGIN_REQUIRED
            elif isinstance(error, QuotaExhaustedError):
                outcome = RunOutcome.INTERRUPTED
            self._sync_audit()
            raise
        finally:
            if isinstance(self.message_writer, BufferedMessageWriter):
                self.message_writer.flush()
            self.run.progress.finish()
            self.run.close(outcome)
            self._log_summary()
        if fault := self.run.api.authenticator.fault:
            raise SignInError(fault)
        if self.run.failures:
            raise FatalAPIError(self.run.failures.summary)

    def _sync_audit(self) -> None:
        """Write the audit of a run that ends before its last stream."""
        audit = self.streams[SyncAuditStream.name]
        if audit.selected and self.run.session.has_succeeded:
            audit.sync()

    def prepare_run(self) -> None:
        """Check the state and the privileges before the first stream.

        Raises:
            ConfigValidationError: The state belongs to another account.
        """
        try:
            Preflight(self.run, self._api_streams, self.state, self.logger).check()
        except StateMismatchError as error:
            raise _invalid([str(error)]) from error

    @property
    def _selected(self) -> list[Stream]:
        return [stream for stream in self.streams.values() if stream.selected]

    def plan(self) -> SyncEstimate:
        """Estimate the requests of a run.

        Raises:
            FatalAPIError: The API failed.
        """
        state = (
            "with the state given"
            if self.state.get("bookmarks")
            else "without a state: a first run"
        )
        catalog = "the catalog given" if self.input_catalog else "all streams"
        run = self.run
        run.use_unlimited_session()
        estimates: list[StreamEstimate] = []
        try:
            self.prepare_run()
            beside = run.session.calls - (ACCOUNT in run.selected)
            for stream in self._api_streams.values():
                estimates += stream.estimates()
            estimates = _with_checks(estimates, beside)
            run.rate_limiter.budget.note_estimate(sum(each.requests for each in estimates))
        finally:
            run.progress.finish()
            run.session.close()
        return SyncEstimate(
            estimates=estimates,
            requests_used=run.session.calls,
            daily_quota=self._daily_quota,
            seconds_per_request=seconds_between_requests(self.config["requests_per_second"]),
            based_on=f"Plan {state}, for {catalog}.",
        )

    @property
    def _daily_quota(self) -> int:
        quota = int(self.config.get("requests_per_day") or DAILY_QUOTA)
        return min(quota, self.config.get("max_requests") or quota)

    def _log_summary(self) -> None:
        """Show a table to a person, one field to a program that reads JSON, both in plain logs."""
        if not self.run.session.has_succeeded:
            return  # What went wrong says more than a table of nothing.
        progress = self.run.progress
        shown = [(each.name, _bookmark(each)) for each in self._selected]
        if progress.is_live:
            progress.show_summary(shown)
            return
        if is_structured():
            self.logger.info(progress.headline, extra={"summary": progress.as_dict(shown)})
            return
        for line in progress.summary(shown).splitlines():
            self.logger.info("%s", line)
        if progress.remaining:
            self.logger.info("Remaining: %s.", progress.remaining)
        self.logger.info("SUMMARY: %s", json.dumps(progress.as_dict(shown)))

    @override
    def _handle_termination(self, signum: int, frame: FrameType | None) -> None:
        # The SDK writes the state and exits in whatever is in flight, half a message included.
        if self.run.shutdown.is_forced:
            raise SystemExit(1)
        if not self.run.shutdown.reason:
            self.run.shutdown.request(f"Stopped by {signal.Signals(signum).name}.")

    # -- command line -----------------------------------------------------------------------

    @classmethod
    @override
    def get_singer_command(cls) -> click.Command:
        return cli.add_options(super().get_singer_command())

    @classmethod
    @override
    def cb_config(cls, ctx: click.Context, param: click.Option, value: tuple[str, ...]) -> Any:
        try:
            return super().cb_config(ctx, param, value)
        except (OSError, ValueError, TypeError) as error:
            reason = "is not a JSON object" if isinstance(error, (ValueError, TypeError)) else error
            message = f"The config file cannot be read: {', '.join(value)} ({reason})"
            cli.exit_with(cls.logger, message, code=exit_codes.CONFIGURATION)

    @classmethod
    @override
    def cb_test(cls, ctx: click.Context, param: click.Option, value: str) -> None:
        with cli.friendly_errors(cls.logger):
            super().cb_test(ctx, param, value)

    @classmethod
    @override
    def invoke(
        cls,
        *,
        plan: str | None = None,
        login: bool = False,
        pkce: bool = False,
        status: bool = False,
        logout: bool = False,
        **options: Any,
    ) -> None:
        with cli.friendly_errors(cls.logger):
            for name in ("state", "catalog"):
                options[name] = cli.none_if_empty(options.get(name))
            if login:
                cli.log_in(cls, options["config"], in_browser=pkce)
            elif status:
                cli.show_status(cls, options["config"])
            elif logout:
                cli.log_out(cls, options["config"])
            elif plan:
                tap = cli.quiet_tap(cls, options["config"], options["catalog"], options["state"])
                cli.show_plan(tap, tap.plan(), plan)
            else:
                super().invoke(**options)


def _with_checks(estimates: list[StreamEstimate], calls: int) -> list[StreamEstimate]:
    """Add the requests for the owner and the privileges to those of the stream `account`."""
    if not calls:
        return estimates
    own = sum(estimate.requests for estimate in estimates if estimate.stream == ACCOUNT)
    account = StreamEstimate(ACCOUNT, own + calls, "with the checks of owner and privileges")
    return [
        account,
        *(estimate for estimate in estimates if estimate.stream != ACCOUNT),
    ]


def _bookmark(stream: Stream) -> str:
    state = stream.stream_state
    if watermarks := state.get("watermarks"):
        below = watermarks[-1]["last_ids"]
        return f"{watermarks[0]['synced_until']}" + (f" down to {below[0]}" if below else "")
    return str(state.get("replication_key_value", ""))


def _validate(config: dict[str, Any]) -> None:
    """Check the settings in our own words before the SDK's validator fills in defaults."""
    faults = settings_validation.validate(config)
    is_in_environment = any(
        environment.is_set(name) for name in settings.CREDENTIALS if not config.get(name)
    )
    if faults and is_in_environment:
        faults.append("The environment names settings. Add --config=ENV to use them.")
    if faults:
        raise _invalid(faults)


def _invalid(faults: list[str]) -> ConfigValidationError:
    return ConfigValidationError(
        "; ".join(faults), errors=faults, schema=TapConstantContact.config_jsonschema
    )
