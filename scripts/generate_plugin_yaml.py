"""Writes Meltano's plugin definitions in `meltano/` from the settings."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from target_duckdb_file import TargetDuckDBFile

from tap_constantcontact.settings import VERSIONS
from tap_constantcontact.tap import TapConstantContact

if TYPE_CHECKING:
    from singer_sdk.plugin_base import PluginBase

FOLDER = Path(__file__).parents[1] / "meltano"
# What a person does about signing in; the settings come from Meltano's environment.
COMMANDS = {
    "login": "Log in once, on any device. The tap keeps and refreshes the tokens.",
    "status": "Show the account, token expiry and accessible streams.",
    "logout": "Delete stored tokens.",
    "plan": "Estimate the number of API requests of a first run.",
}
REPOSITORY = "https://github.com/tap-constantcontact/tap-constantcontact"
RAW = "https://raw.githubusercontent.com/tap-constantcontact/tap-constantcontact/main"

# Meltano cannot hand over a decimal from the environment; the tap takes text.
_KINDS = {
    "string": "string",
    "integer": "integer",
    "number": "string",
    "boolean": "boolean",
    "array": "array",
    "object": "object",
}
# What pertains to parts of an object: Meltano Hub lists them one by one, with dots.
_PARTS = {
    "faker_config": ("seed", "locale"),
    "batch_config": (
        "encoding.format",
        "encoding.compression",
        "storage.root",
        "storage.prefix",
    ),
}


def setting(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    """One setting in Meltano's words."""
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    kind = next(_KINDS[each] for each in kinds if each in _KINDS)
    found: dict[str, Any] = {
        "name": name,
        "label": schema.get("title") or name.replace("_", " ").capitalize(),
        "kind": "date_iso8601" if schema.get("format") == "date-time" else kind,
        "description": " ".join(schema.get("description", "").split()),
    }
    if schema.get("secret"):
        found["sensitive"] = True
    if "default" in schema:
        found["value"] = schema["default"]
    return found


def settings(plugin: type[PluginBase]) -> list[dict[str, Any]]:
    """All settings of a plugin, those of the SDK too."""
    schema = copy.deepcopy(plugin.config_jsonschema)
    plugin.append_builtin_config(schema)
    found = []
    for name, each in schema["properties"].items():
        if name not in _PARTS:
            found.append(setting(name, each))
            continue
        for part in _PARTS[name]:
            inner = each
            for step in part.split("."):
                inner = inner.get("properties", {}).get(step, {})
            kinds = {"type": inner.get("type") or ["string"]}
            words = {"title": f"{name}.{part}".replace("_", " ").replace(".", " ").capitalize()}
            found.append(setting(f"{name}.{part}", {**inner, **kinds, **words}))
    return found


def extractor() -> dict[str, Any]:
    """The tap."""
    return {
        "name": "tap-constantcontact",
        "namespace": "tap_constantcontact",
        "variant": "tap-constantcontact",
        "label": "Constant Contact",
        "description": "Email marketing: contacts, campaigns and what their recipients did",
        "docs": f"{REPOSITORY}#readme",
        "repo": REPOSITORY,
        "logo_url": f"{RAW}/meltano/logo.svg",
        "domain_url": "https://www.constantcontact.com",
        "pip_url": "tap-constantcontact",
        "executable": "tap-constantcontact",
        "keywords": ["api", "meltano_sdk"],
        "maintenance_status": "active",
        "capabilities": [
            "about",
            "batch",
            "catalog",
            "discover",
            "schema-flattening",
            "state",
            "stream-maps",
            "structured-logging",
        ],
        "settings_group_validation": [["client_id"], ["api_key", "access_token"]],
        "settings": settings(TapConstantContact),
        "commands": {
            name: {"args": f"--{name} --config=ENV", "description": text}
            for name, text in COMMANDS.items()
        },
        "select": ["*.*"],
    }


def loader() -> dict[str, Any]:
    """The DuckDB loader."""
    return {
        "name": "target-duckdb-file",
        "namespace": "target_duckdb_file",
        "variant": "tap-constantcontact",
        "label": "DuckDB file",
        "description": "One DuckDB file, upserted by key, with no row lost",
        "docs": f"{REPOSITORY}/tree/main/loaders/target-duckdb-file#readme",
        "repo": REPOSITORY,
        "pip_url": f"git+{REPOSITORY}.git#subdirectory=loaders/target-duckdb-file",
        "executable": "target-duckdb-file",
        "keywords": ["database", "meltano_sdk"],
        "maintenance_status": "active",
        "capabilities": ["about", "stream-maps", "schema-flattening"],
        "settings_group_validation": [["path"]],
        "settings": settings(TargetDuckDBFile),
    }


def report() -> dict[str, Any]:
    """The report, a utility."""
    return {
        "name": "constantcontact-report",
        "namespace": "constantcontact_report",
        "variant": "tap-constantcontact",
        "label": "Constant Contact report",
        "description": "One page with the answers of the models of tap-constantcontact",
        "docs": f"{REPOSITORY}/tree/main/report#readme",
        "repo": REPOSITORY,
        "pip_url": f"git+{REPOSITORY}.git#subdirectory=report",
        "executable": "constantcontact-report",
        "settings": [
            {
                "name": "warehouse",
                "label": "Warehouse",
                "kind": "string",
                "sensitive": True,
                "description": "DuckDB file or PostgreSQL URL with the models.",
            },
            {
                "name": "output",
                "label": "Output",
                "kind": "string",
                "description": "File to write.",
                "value": "$MELTANO_PROJECT_ROOT/output/report.html",
            },
        ],
        "commands": {
            "write": {
                "args": "$CONSTANTCONTACT_REPORT_WAREHOUSE --output $CONSTANTCONTACT_REPORT_OUTPUT",
                "description": "Write the report.",
            }
        },
    }


# Names in the Hub for kinds that Meltano cannot hand over from the environment.
_HUB_KINDS = {"requests_per_second": "decimal", "request_timeout": "decimal"}


def hub_entry() -> dict[str, Any]:
    """The entry for a pull request to meltano/hub (docs/releasing.md), with sorted keys."""
    entry = extractor()
    entry |= {
        "logo_url": "/assets/logos/extractors/constant-contact.png",
        "log_parser": "singer-sdk",
        "quality": "unknown",
        "supported_python_versions": ["3.11", "3.12", "3.13", "3.14"],
    }
    for each in entry["settings"]:
        each["kind"] = _HUB_KINDS.get(each["name"], each["kind"])
        if each["name"] == "api_version":
            each["kind"] = "options"
            each["options"] = [{"label": name, "value": name} for name in VERSIONS]
        if each.get("sensitive"):
            each["kind"] = "password"
    entry["settings"].sort(key=lambda each: each["name"])
    return entry


def written(plugin: dict[str, Any]) -> str:
    """A definition as a file. The Hub wants sorted keys."""
    is_hub = "quality" in plugin
    return yaml.safe_dump(plugin, sort_keys=is_hub, width=100, allow_unicode=True)


HUB = "hub/_data/meltano/extractors/tap-constantcontact/tap-constantcontact.yml"
FILES = {
    "tap-constantcontact.yml": extractor,
    "target-duckdb-file.yml": loader,
    "constantcontact-report.yml": report,
    HUB: hub_entry,
}

if __name__ == "__main__":
    for name, plugin in FILES.items():
        (FOLDER / name).write_text(written(plugin()))
