"""Validation of the settings, before the first request."""

from __future__ import annotations

import csv
import datetime as dt
import difflib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from upath import UPath

from tap_constantcontact.meltano import LOGIN
from tap_constantcontact.records import timestamps
from tap_constantcontact.settings import (
    API_OF_SETTING,
    CREDENTIALS,
    ID_KINDS,
    OPTIONAL_STREAMS,
    REQUIRED_BY_STREAM,
    SETTINGS,
    VERSIONS,
    is_empty,
    select_api_version,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, MutableMapping

_NUMBERS: dict[str, dict[str, Any]] = {
    name: setting
    for name, setting in SETTINGS.to_dict()["properties"].items()
    if "minimum" in setting
}


# Settings of earlier versions, by their name of today.
_RENAMED = {
    "max_calls": "max_requests",
    "contacts_refresh_days": "contacts_full_refresh_days",
    "id_map_source": "id_map_file",
}


def normalize(config: MutableMapping[str, Any]) -> None:
    """Normalize the forms of config files, environment and Meltano.

    An optional setting that is null or empty is not set. Numbers and lists may be text.
    """
    for name in _CHECKS:
        if is_empty(config.get(name)):
            config.pop(name, None)
    for name in ("optional_streams", "landing_page_ids"):
        if isinstance(config.get(name), str):
            config[name] = _list_of(config[name])
    for name, setting in _NUMBERS.items():
        if isinstance(config.get(name), str):
            try:
                config[name] = (int if _is_whole(setting) else float)(config[name])
            except ValueError:
                continue


def _list_of(text: str) -> Any:
    """Parse a list in the environment: JSON, or names with commas."""
    try:
        return json.loads(text)
    except ValueError:
        return [each.strip() for each in text.split(",") if each.strip()]


def unknown_settings(config: Mapping[str, Any], names: Iterable[str]) -> list[str]:
    """Return a warning for each unknown setting."""
    lines = []
    for name in sorted(set(config).difference(names)):
        close = difflib.get_close_matches(name, names, 1)
        hint = f" Did you mean '{close[0]}'?" if close else ""
        lines.append(f"Ignoring unknown setting '{name}'.{hint}")
    return lines


def drop_unused(config: MutableMapping[str, Any]) -> list[str]:
    """Remove the settings of the other API, and return a warning for each."""
    version = select_api_version(config)
    return [
        f"Ignoring setting '{name}' of {other}: this run reads {version}."
        for name, other in API_OF_SETTING.items()
        if other != version and not is_empty(config.pop(name, None))
    ]


def validate(config: Mapping[str, Any]) -> list[str]:
    """Return the errors of the settings, one line each, without secrets."""
    version = select_api_version(config)
    result = [
        f"Setting '{name}' was renamed to '{new}'."
        for name, new in _RENAMED.items()
        if name in config
    ]
    result += _missing(config, version)
    for name, check in _CHECKS.items():
        value = config.get(name)
        is_used = API_OF_SETTING.get(name, version) == version
        if is_used and not is_empty(value) and (fault := check(name, value)):
            result.append(f"Setting '{name}' {fault}")
    return [*result, *_conflicts(config, version)]


_NO_CREDENTIALS = (
    "Setting 'client_id' is missing, which the API v3 requires. Set it, then run"
    f" {LOGIN}. (For v2, set 'api_key' and 'access_token'.)"
)
_NO_KEY = (
    "Setting 'api_key' is missing, which the API v2 requires. If 'access_token' is of v3, set"
    " 'api_version' to v3."
)
_BOTH = (
    "Setting 'api_version' is missing: there is an 'api_key' (of v2) and a 'client_id' (of v3)."
    " Name the API to read."
)


def _missing(config: Mapping[str, Any], version: str) -> list[str]:
    """Return the errors about missing credentials."""
    there = {name for name in CREDENTIALS if not is_empty(config.get(name))}
    if is_empty(config.get("api_version")):
        if not there:
            return [_NO_CREDENTIALS]
        if there == {"access_token"}:
            return [_NO_KEY]
        if there >= {"api_key", "client_id"}:
            return [_BOTH]
    required = {"v2": ["api_key", "access_token"], "v3": ["client_id"]}[version]
    if version == "v3" and "access_token" in there:
        required = []
    return [
        f"Setting '{name}' is missing. Set it in the config file or in the environment as"
        f" TAP_CONSTANTCONTACT_{name.upper()}."
        for name in required
        if name not in there
    ]


def _conflicts(config: Mapping[str, Any], version: str) -> list[str]:
    """Return the errors of settings that contradict each other."""
    result = []
    url = config.get("api_url")
    others = [f"/{each}" for each in VERSIONS if each != version]
    if isinstance(url, str) and url.rstrip("/").endswith(tuple(others)):
        result.append(
            f"Setting 'api_url' belongs to another API than {version}, which this run reads."
        )
    named = config.get("optional_streams")
    named = [each for each in named if isinstance(each, str)] if isinstance(named, list) else []
    has = OPTIONAL_STREAMS[version]
    if others := sorted(set(named).difference(has)):
        result.append(
            f"Setting 'optional_streams' contains {others[0]!r}, which is none of:"
            f" {', '.join(has)}."
        )
    for stream, setting in REQUIRED_BY_STREAM.items():
        if version == API_OF_SETTING[setting] and stream in named and not config.get(setting):
            result.append(f"Setting '{setting}' is missing, which the stream '{stream}' requires.")
    return result


def _version(_name: str, value: Any) -> str | None:
    return None if value in VERSIONS else f"must be {' or '.join(VERSIONS)}, not {value!r}."


def _streams(_name: str, value: Any) -> str | None:
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        return 'must be a list of streams, such as ["contact_activity"].'
    return None


def _string_list(_name: str, value: Any) -> str | None:
    if not isinstance(value, list) or not all(isinstance(each, str) and each for each in value):
        return 'must be a list of ids, such as ["98edac88-f4bc-408c-9e64-acd890384231"].'
    return None


def _store(_name: str, value: Any) -> str | None:
    if not isinstance(value, str) or not value.isprintable():
        return "must be the path of a file or a database URL."
    if value.startswith(("http://", "https://")):
        return "is a website. Use a path, or a database URL such as postgresql://…"
    if "://" in value:
        return _database(value)
    try:
        is_folder = Path(value).expanduser().is_dir()
    except (RuntimeError, OSError, ValueError):
        return f"is not a path on this machine: {value!r}."
    return f"is a folder: {value!r}. Use the path of a file in it." if is_folder else None


def _database(url: str) -> str | None:
    """Validate a database URL, which may contain a password and is not shown."""
    dialect = url.partition("://")[0].partition("+")[0]
    if dialect not in _DATABASES:
        return (
            f"is not a database ({dialect}://…). Use a path, or a URL that begins with"
            f" {', '.join(f'{each}://' for each in _DATABASES)}."
        )
    try:
        _ = urlsplit(url).port
    except ValueError:
        return "is a URL with an invalid port. Example: postgresql://user:password@host:5432/name"
    return None


_DATABASES = ("postgresql", "mysql", "mariadb", "sqlite")


def _label(_name: str, value: Any) -> str | None:
    is_text = isinstance(value, str) and value.isprintable() and len(value) <= _MAX_LABEL
    return None if is_text else f"must be a name of up to {_MAX_LABEL} characters on one line."


_MAX_LABEL = 100


def _ids(_name: str, value: Any) -> str | None:
    """Validate the CSV file of the stream `id_map`."""
    form = f"Use a CSV file with the columns kind ({', '.join(ID_KINDS)}) and id."
    try:
        with Path(value).expanduser().open(newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, TypeError, ValueError, csv.Error) as error:
        return f"is not a readable file ({type(error).__name__}). {form}"
    for number, row in enumerate(rows, start=2):
        if row.get("kind") not in ID_KINDS or not str(row.get("id") or "").isdecimal():
            return f"has no kind and id in line {number}. {form}"
    return None


def _batch(_name: str, value: Any) -> str | None:
    """Validate the completeness of BATCH settings; the SDK validates their types."""
    if not isinstance(value, dict):
        return None
    form = 'Example: {"encoding": {"format": "jsonl"}, "storage": {"root": "file:///…"}}.'
    if not (value.get("encoding") or {}).get("format"):
        return f"has no encoding. {form}"
    root = str((value.get("storage") or {}).get("root") or "")
    try:
        UPath(root)
    except (ValueError, ImportError) as error:
        return f"has no writable location: {root!r} ({error}). {form}"
    return None


def _secret(_name: str, value: Any) -> str | None:
    if isinstance(value, str) and value.isascii() and value.isprintable() and " " not in value:
        return None
    return "contains whitespace or other invalid characters. Copy it again."


def _date(_name: str, value: Any) -> str | None:
    form = "Example: 2024-01-01T00:00:00Z"
    try:
        timestamp = timestamps.parse(value)
    except (TypeError, ValueError):
        return f"is not a timestamp: {value!r}. {form}"
    if timestamp and timestamp > dt.datetime.now(dt.UTC) + dt.timedelta(days=1):
        return f"is in the future: {value!r}. Nothing would be synced."
    return None


_EXAMPLE = "https://api.cc.email/v3"


def _url(_name: str, value: Any) -> str | None:
    fault = f"is not a valid URL: {value!r}. Example: {_EXAMPLE}"
    try:
        parts = urlsplit(value)
        host, _ = parts.hostname, parts.port
    except (TypeError, ValueError, AttributeError):
        return fault
    if parts.scheme not in {"http", "https"} or not host or any(map(str.isspace, value)):
        return fault
    if parts.username or parts.password or parts.query or parts.fragment:
        return f"contains more than an address. Example: {_EXAMPLE}"
    return None


def _number(name: str, value: Any) -> str | None:
    setting = _NUMBERS[name]
    lowest, highest = setting["minimum"], setting["maximum"]
    kinds = int if _is_whole(setting) else (int, float)
    if isinstance(value, kinds) and not isinstance(value, bool) and lowest <= value <= highest:
        return None
    whole = "whole number" if _is_whole(setting) else "number"
    return f"must be a {whole} from {lowest} to {highest}, not {value!r}."


def _is_whole(setting: Mapping[str, Any]) -> bool:
    return "integer" in setting["type"]


def _header(_name: str, value: Any) -> str | None:
    if (
        isinstance(value, str)
        and value.isascii()
        and value.isprintable()
        and value == value.strip()
    ):
        return None
    return "must be one line of ASCII text without spaces around it."


_CHECKS: dict[str, Callable[[str, Any], str | None]] = {
    "api_version": _version,
    "client_id": _secret,
    "client_secret": _secret,
    "refresh_token": _secret,
    "token_store": _store,
    "budget_store": _store,
    "account_label": _label,
    "auth_url": _url,
    "landing_page_ids": _string_list,
    "id_map_file": _ids,
    "api_key": _secret,
    "access_token": _secret,
    "start_date": _date,
    "api_url": _url,
    **dict.fromkeys(_NUMBERS, _number),
    "user_agent": _header,
    "optional_streams": _streams,
    "batch_config": _batch,
}
