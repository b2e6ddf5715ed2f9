"""The tap's settings: what there is, and what is wrong with what was given."""

from __future__ import annotations

import csv
import datetime as dt
import difflib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from singer_sdk import typing as th
from upath import UPath

from tap_constantcontact.meltano import LOGIN
from tap_constantcontact.records import timestamps

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, MutableMapping

#: The vendor's APIs that can be read.
VERSIONS = ("v2", "v3")

SETTINGS = th.PropertiesList(
    th.Property(
        "api_version",
        th.StringType,
        title="API version",
        description="Which API: v2 or v3. Without it, v3 if there is a client_id, else v2.",
    ),
    th.Property(
        "client_id",
        th.StringType,
        title="Client ID",
        description="v3: names the application, as the vendor's portal shows it.",
    ),
    th.Property(
        "client_secret",
        th.StringType,
        secret=True,
        title="Client secret",
        description="v3: only for an application of the code flow.",
    ),
    th.Property(
        "refresh_token",
        th.StringType,
        secret=True,
        title="Refresh token",
        description="v3: a seed from another program or a container's secrets; --login makes one"
        " otherwise. What has become of it since is in the token store.",
    ),
    th.Property(
        "token_store",
        th.StringType,
        title="Token store",
        description="v3: the file in which tokens are kept between runs, or a database's URL."
        " Without it, a file in the Meltano project or among the user's data.",
    ),
    th.Property(
        "account_label",
        th.StringType,
        title="Account label",
        description="v3: Name of the account, if several accounts use the same application and"
        " token store. Each label has its own login.",
    ),
    th.Property(
        "auth_url",
        th.StringType,
        title="Authorization URL",
        description="v3: base of the authorization server; another one for the sandbox."
        " Without it, the vendor's.",
    ),
    th.Property(
        "api_key",
        th.StringType,
        secret=True,
        title="API key",
        description="v2: names the integration: the key of a Constant Contact v2 application.",
    ),
    th.Property(
        "access_token",
        th.StringType,
        secret=True,
        title="Access token",
        description="v2: names the account: the OAuth token that its owner granted to the key."
        " v3: a token for a try, used as it is until it ends.",
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
        title="API URL",
        description="Base of the API; another one for a proxy or the sandbox. Without it, the"
        " vendor's.",
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
        "landing_page_ids",
        th.ArrayType(th.StringType),
        title="Landing pages",
        description="v3: ids of the landing pages that the stream landing_page_events reads: no"
        " call lists them.",
    ),
    th.Property(
        "id_map_source",
        th.StringType,
        title="Source of the id map",
        description="v3: a CSV file with the columns kind and id: the ids of v2 that the stream"
        " id_map looks up.",
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

#: Streams of each API that are in the catalog only if they are asked for by name.
OPTIONAL_STREAMS = {
    "v2": (
        "campaign_previews",
        "contact_activity",
        "contact_summaries",
        "contact_campaign_summaries",
    ),
    "v3": (
        "campaign_did_not_opens",
        "campaign_previews",
        "landing_page_events",
        "contact_activity",
        "contact_summaries",
        "contact_campaign_summaries",
        "sms_engagement",
        "segment_members",
        "id_map",
    ),
}
#: Settings that only one of the APIs has a use for.
ONLY_OF = {
    "api_key": "v2",
    **dict.fromkeys(
        (
            "client_id",
            "client_secret",
            "refresh_token",
            "token_store",
            "account_label",
            "auth_url",
            "landing_page_ids",
            "id_map_source",
        ),
        "v3",
    ),
}
# Streams that have to be told what to read.
_NEEDED_BY = {"landing_page_events": "landing_page_ids", "id_map": "id_map_source"}
# What the stream id_map can look up.
ID_KINDS = ("contact", "list", "campaign")

_NUMBERS: dict[str, tuple[type[int | float], float, float, str]] = {
    "requests_per_second": (float, 0.01, 1000, "requests per second"),
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
    for name in _CHECKS:
        if _unset(config.get(name)):
            config.pop(name, None)
    for name in ("optional_streams", "landing_page_ids"):
        if isinstance(config.get(name), str):
            config[name] = _list_of(config[name])
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


def version_of(config: Mapping[str, Any]) -> str:
    """The API that the settings mean: the one they name, or the one whose application they name."""
    named = config.get("api_version")
    if named in VERSIONS:
        return str(named)
    return "v2" if _unset(config.get("client_id")) else "v3"


def of_no_use(config: Mapping[str, Any]) -> list[str]:
    """What to say of settings that only the other API has a use for: one line each."""
    version = version_of(config)
    return [
        f"Setting '{name}' is of {other} alone, and this run reads {version}: it is not used."
        for name, other in ONLY_OF.items()
        if other != version and not _unset(config.get(name))
    ]


def problems(config: Mapping[str, Any]) -> list[str]:
    """What is wrong with the settings: one line each, never quoting a secret."""
    version = version_of(config)
    found = _missing(config, version)
    for name, check in _CHECKS.items():
        value = config.get(name)
        is_used = ONLY_OF.get(name, version) == version
        if is_used and not _unset(value) and (fault := check(name, value)):
            found.append(f"Setting '{name}' {fault}")
    return [*found, *_at_odds(config, version)]


_NO_CREDENTIALS = (
    "Setting 'client_id' is missing, which the API v3 needs: set it, then run"
    f" {LOGIN}. (For v2, set 'api_key' and 'access_token'.)"
)
_NO_KEY = (
    "Setting 'api_key' is missing, which the API v2 needs. If 'access_token' is of v3, set"
    " 'api_version' to v3."
)
_BOTH = (
    "Setting 'api_version' is missing: there is an 'api_key' (of v2) and a 'client_id' (of v3)."
    " Name the API to read."
)


def _missing(config: Mapping[str, Any], version: str) -> list[str]:
    """Settings that say who is asking, and that are not there."""
    there = {name for name in CREDENTIALS if not _unset(config.get(name))}
    if _unset(config.get("api_version")):
        if not there:
            return [_NO_CREDENTIALS]
        if there == {"access_token"}:
            return [_NO_KEY]
        if there >= {"api_key", "client_id"}:
            return [_BOTH]
    required_level = {"v2": ["api_key", "access_token"], "v3": ["client_id"]}[version]
    if version == "v3" and "access_token" in there:
        required_level = []
    return [
        f"Setting '{name}' is missing. Put it into the config file or into the environment as"
        f" TAP_CONSTANTCONTACT_{name.upper()}."
        for name in required_level
        if name not in there
    ]


def _at_odds(config: Mapping[str, Any], version: str) -> list[str]:
    """Settings that are right each for itself, but not together."""
    found = []
    url = config.get("api_url")
    others = [f"/{each}" for each in VERSIONS if each != version]
    if isinstance(url, str) and url.rstrip("/").endswith(tuple(others)):
        found.append(f"Setting 'api_url' is of another API than {version}, which is to be read.")
    named = config.get("optional_streams")
    named = [each for each in named if isinstance(each, str)] if isinstance(named, list) else []
    has = OPTIONAL_STREAMS[version]
    if unknown := sorted(set(named).difference(has)):
        found.append(
            f"Setting 'optional_streams' names {unknown[0]!r}, which is none of: {', '.join(has)}."
        )
    for stream, setting in _NEEDED_BY.items():
        if version == ONLY_OF[setting] and stream in named and not config.get(setting):
            found.append(f"Setting '{setting}' is missing, which the stream '{stream}' needs.")
    return found


def _version(_name: str, value: Any) -> str | None:
    return None if value in VERSIONS else f"takes {' or '.join(VERSIONS)}, not {value!r}."


def _streams(_name: str, value: Any) -> str | None:
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        return 'takes a list of streams, such as ["contact_activity"].'
    return None


def _words(_name: str, value: Any) -> str | None:
    if not isinstance(value, list) or not all(isinstance(each, str) and each for each in value):
        return 'takes a list of ids, such as ["98edac88-f4bc-408c-9e64-acd890384231"].'
    return None


def _store(_name: str, value: Any) -> str | None:
    if not isinstance(value, str) or not value.isprintable():
        return "takes the path of a file, or a database's URL."
    if value.startswith(("http://", "https://")):
        return "names a website. Give a path, or a database's URL such as postgresql://…"
    if "://" in value:
        return _database(value)
    try:
        is_folder = Path(value).expanduser().is_dir()
    except (RuntimeError, OSError, ValueError):
        return f"is not a path that this machine knows: {value!r}."
    return f"names a folder: {value!r}. Give the path of a file in it." if is_folder else None


def _database(url: str) -> str | None:
    """Check the URL of a database; it may hold a password, and is not shown."""
    dialect = url.partition("://")[0].partition("+")[0]
    if dialect not in _DATABASES:
        return (
            f"names no database ({dialect}://…). Give a path, or a URL that begins with"
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
    return None if is_text else f"takes a name of up to {_MAX_LABEL} characters on one line."


_MAX_LABEL = 100


def _ids(_name: str, value: Any) -> str | None:
    """Whether there is a CSV file as the stream id_map reads it."""
    form = f"Give a CSV file with the columns kind ({', '.join(ID_KINDS)}) and id."
    try:
        with Path(value).expanduser().open(newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, TypeError, ValueError, csv.Error) as error:
        return f"names no file that can be read ({type(error).__name__}). {form}"
    for number, row in enumerate(rows, start=2):
        if row.get("kind") not in ID_KINDS or not str(row.get("id") or "").isdecimal():
            return f"has no kind and id in line {number}. {form}"
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
        timestamp = timestamps.parse(value)
    except (TypeError, ValueError):
        return f"is not a timestamp: {value!r}. {form}"
    if timestamp and timestamp > dt.datetime.now(dt.UTC) + dt.timedelta(days=1):
        return f"lies in the future: {value!r}. Nothing would be read."
    return None


_LIKE = "https://api.cc.email/v3"


def _url(_name: str, value: Any) -> str | None:
    fault = f"is no URL: {value!r}. Write it like {_LIKE}."
    try:
        parts = urlsplit(value)
        host, _ = parts.hostname, parts.port
    except (TypeError, ValueError, AttributeError):
        return fault
    if parts.scheme not in {"http", "https"} or not host or any(map(str.isspace, value)):
        return fault
    if parts.username or parts.password or parts.query or parts.fragment:
        return f"holds more than an address. Write it like {_LIKE}."
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


#: Settings that say who is asking.
CREDENTIALS = ("client_id", "api_key", "access_token")
_CHECKS: dict[str, Callable[[str, Any], str | None]] = {
    "api_version": _version,
    "client_id": _secret,
    "client_secret": _secret,
    "refresh_token": _secret,
    "token_store": _store,
    "account_label": _label,
    "auth_url": _url,
    "landing_page_ids": _words,
    "id_map_source": _ids,
    "api_key": _secret,
    "access_token": _secret,
    "start_date": _date,
    "api_url": _url,
    **dict.fromkeys(_NUMBERS, _number),
    "user_agent": _header,
    "optional_streams": _streams,
    "batch_config": _batch,
}
