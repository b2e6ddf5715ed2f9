"""The tap's settings: what there is, and what is wrong with what was given."""

from __future__ import annotations

import datetime as dt
import difflib
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from singer_sdk import typing as th
from upath import UPath

from tap_constantcontact.records import times

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, MutableMapping

API_URL = "https://api.constantcontact.com/v2"

SETTINGS = th.PropertiesList(
    th.Property(
        "api_key",
        th.StringType(nullable=False),
        required=True,
        secret=True,
        title="API key",
        description="Names the integration: the key of a Constant Contact v2 application.",
    ),
    th.Property(
        "access_token",
        th.StringType(nullable=False),
        required=True,
        secret=True,
        title="Access token",
        description="Names the account: the OAuth token that its owner granted to the key.",
    ),
    th.Property(
        "start_date",
        th.DateTimeType,
        title="Start date",
        description="Oldest change wanted on a first run, such as 2024-01-01T00:00:00Z."
        " Without it, everything is read.",
    ),
    th.Property(
        "api_url",
        th.StringType,
        default=API_URL,
        title="API URL",
        description="Base of the API; another one for a proxy or the sandbox.",
    ),
    th.Property(
        "requests_per_second",
        th.NumberType,
        default=4,
        title="Requests per second",
        description="Pace over all streams together. A standard key may make 4 calls a second,"
        " shared by everything that uses it.",
    ),
    th.Property(
        "max_parallel_requests",
        th.IntegerType,
        default=4,
        title="Parallel requests",
        description="Calls under way at once: while rows are written, the next calls are made, at"
        " the same pace. 1: one after the other.",
    ),
    th.Property(
        "max_calls",
        th.IntegerType,
        title="Calls a run",
        description="Stop in good order after this many calls in a run; the next run goes on."
        " Without it, no limit.",
    ),
    th.Property(
        "tracking_window_days",
        th.IntegerType,
        default=90,
        title="Tracking window in days",
        description="Campaigns sent longer ago are no longer asked for new tracking rows."
        " 0: no limit.",
    ),
    th.Property(
        "lookback_hours",
        th.IntegerType,
        default=24,
        title="Look-back in hours",
        description="How far every time filter reaches back behind the bookmark, since the API's"
        " clocks disagree by hours.",
    ),
    th.Property(
        "contacts_refresh_days",
        th.IntegerType,
        default=7,
        title="Days between whole reads of contacts",
        description="All contacts are read again after so many days, since a change of lists need"
        " not move a contact's date. 0: never.",
    ),
    th.Property(
        "optional_streams",
        th.ArrayType(th.StringType),
        default=[],
        title="Optional streams",
        description="Names of streams that cost a call per contact or per campaign. Those that are"
        " not named here are not in the catalog at all.",
    ),
    th.Property(
        "request_timeout",
        th.NumberType,
        default=60,
        title="Request timeout in seconds",
        description="How long to wait for an answer before the call is repeated.",
    ),
    th.Property(
        "user_agent",
        th.StringType,
        title="User agent",
        description="What the tap calls itself to the API."
        " Without it, tap-constantcontact/<version>.",
    ),
)

#: Streams that are in the catalog only if they are asked for by name.
OPTIONAL_STREAMS = (
    "campaign_previews",
    "contact_activity",
    "contact_summaries",
    "contact_campaign_summaries",
)

_NUMBERS: dict[str, tuple[type[int | float], float, float, str]] = {
    "requests_per_second": (float, 0.01, 1000, "calls a second"),
    "max_parallel_requests": (int, 1, 64, "calls at once"),
    "max_calls": (int, 1, 10**9, "calls"),
    "tracking_window_days": (int, 0, 36500, "days"),
    "lookback_hours": (int, 0, 24 * 366, "hours"),
    "contacts_refresh_days": (int, 0, 36500, "days"),
    "request_timeout": (float, 0.1, 3600, "seconds"),
}


def normalise(config: MutableMapping[str, Any]) -> None:
    """Make one form of what config files, environment and Meltano write in several.

    An optional setting that is null or empty is one that is not set, and a number may be text.
    """
    for name in _CHECKS.keys() - set(SECRETS):
        if _unset(config.get(name)):
            config.pop(name, None)
    if isinstance(config.get("optional_streams"), str):
        config["optional_streams"] = _list_of(config["optional_streams"])
    for name, (kind, *_) in _NUMBERS.items():
        if isinstance(config.get(name), str):
            try:
                config[name] = kind(config[name])
            except ValueError:
                continue


def _list_of(text: str) -> Any:
    """A list as Meltano or a person writes it into the environment: JSON, or names and commas."""
    try:
        return json.loads(text)
    except ValueError:
        return [each.strip() for each in text.split(",") if each.strip()]


def unknown(config: Mapping[str, Any], known: Iterable[str]) -> list[str]:
    """What to say of settings that do not exist: one line each."""
    names = list(known)
    lines = []
    for name in sorted(set(config).difference(names)):
        close = difflib.get_close_matches(name, names, 1)
        hint = f" Did you mean '{close[0]}'?" if close else ""
        lines.append(f"Setting '{name}' does not exist and is not used.{hint}")
    return lines


def problems(config: Mapping[str, Any]) -> list[str]:
    """What is wrong with the settings: one line each, never quoting a secret."""
    found = [
        f"Setting '{name}' is missing. Put it into the config file or into the environment as"
        f" TAP_CONSTANTCONTACT_{name.upper()}."
        for name in SECRETS
        if _unset(config.get(name))
    ]
    for name, check in _CHECKS.items():
        value = config.get(name)
        if not _unset(value) and (fault := check(name, value)):
            found.append(f"Setting '{name}' {fault}")
    return found


def _streams(_name: str, value: Any) -> str | None:
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        return 'takes a list of streams, such as ["campaign_previews"].'
    unknown = sorted(set(value).difference(OPTIONAL_STREAMS))
    if unknown:
        return f"names {unknown[0]!r}, which is none of: {', '.join(OPTIONAL_STREAMS)}."
    return None


def _batch(_name: str, value: Any) -> str | None:
    """The SDK checks its kinds, but not that it is whole."""
    if not isinstance(value, dict):
        return None
    form = 'Write it like {"encoding": {"format": "jsonl"}, "storage": {"root": "file:///…"}}.'
    if not (value.get("encoding") or {}).get("format"):
        return f"names no encoding. {form}"
    root = str((value.get("storage") or {}).get("root") or "")
    try:
        UPath(root)
    except (ValueError, ImportError) as error:
        return f"names no place that can be written to: {root!r} ({error}). {form}"
    return None


def _unset(value: Any) -> bool:
    return value is None or value == ""


def _secret(_name: str, value: Any) -> str | None:
    if isinstance(value, str) and value.isascii() and value.isprintable() and " " not in value:
        return None
    return (
        "holds a space, a line break or another character that no key or token has. Copy it anew."
    )


def _date(_name: str, value: Any) -> str | None:
    form = "Write it like 2024-01-01T00:00:00Z."
    try:
        moment = times.parse(value)
    except (TypeError, ValueError):
        return f"is no date: {value!r}. {form}"
    if moment and moment > dt.datetime.now(dt.UTC) + dt.timedelta(days=1):
        return f"lies in the future: {value!r}. Nothing would be read."
    return None


def _url(_name: str, value: Any) -> str | None:
    fault = f"is no URL: {value!r}. Write it like {API_URL}."
    try:
        parts = urlsplit(value)
        host, _ = parts.hostname, parts.port
    except (TypeError, ValueError, AttributeError):
        return fault
    if parts.scheme not in {"http", "https"} or not host or any(map(str.isspace, value)):
        return fault
    if parts.username or parts.password or parts.query or parts.fragment:
        return f"holds more than an address. Write it like {API_URL}."
    return None


def _number(name: str, value: Any) -> str | None:
    kind, lowest, highest, unit = _NUMBERS[name]
    if (
        isinstance(value, (int, kind))
        and not isinstance(value, bool)
        and lowest <= value <= highest
    ):
        return None
    whole = "whole number" if kind is int else "number"
    return f"takes a {whole} of {unit} from {lowest} to {highest}, not {value!r}."


def _header(_name: str, value: Any) -> str | None:
    if (
        isinstance(value, str)
        and value.isascii()
        and value.isprintable()
        and value == value.strip()
    ):
        return None
    return "takes one line of ASCII text without spaces around it."


#: Settings that every run needs.
SECRETS = ("api_key", "access_token")
_CHECKS: dict[str, Callable[[str, Any], str | None]] = {
    "api_key": _secret,
    "access_token": _secret,
    "start_date": _date,
    "api_url": _url,
    **dict.fromkeys(_NUMBERS, _number),
    "user_agent": _header,
    "optional_streams": _streams,
    "batch_config": _batch,
}
