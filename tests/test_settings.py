"""Settings: what is refused, before the first call, and that all places that name them agree."""

from __future__ import annotations

import json
import logging
import re
import runpy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from helpers.fake_server import Answer, Scripted, empty
from helpers.runner import Collector, command, config, everything, selected_by_default, sync, typed
from hypothesis import given
from hypothesis import strategies as st
from singer_sdk.exceptions import ConfigValidationError

from tap_constantcontact import settings, settings_validation
from tap_constantcontact.tap import TapConstantContact

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sandbox import Sandbox

    Serving = Callable[..., Sandbox]

ROOT = Path(__file__).parents[1]
GOOD: dict[str, Any] = {"api_key": "a-key", "access_token": "a-token"}
BUILT_IN = {
    "stream_maps",
    "stream_map_config",
    "faker_config",
    "flattening_enabled",
    "flattening_max_depth",
    "flattening_max_key_length",
    "flattening_separator",
    "batch_config",
}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"api_key": None}, "Setting 'api_key' is missing"),
        ({"access_token": ""}, "Setting 'access_token' is missing"),
        ({"api_key": "two words"}, "Setting 'api_key' contains whitespace"),
        ({"access_token": "with-line-break\n"}, "Setting 'access_token' contains whitespace"),
        ({"access_token": 12345678}, "Setting 'access_token' contains"),
        ({"start_date": "soon"}, "Setting 'start_date' is not a timestamp: 'soon'. Example:"),
        ({"start_date": 2024}, "Setting 'start_date' is not a timestamp: 2024"),
        ({"start_date": "2999-01-01"}, "Setting 'start_date' is in the future"),
        ({"api_url": "api.constantcontact.com"}, "Setting 'api_url' is not a valid URL"),
        ({"api_url": "ftp://api.test/v2"}, "Setting 'api_url' is not a valid URL"),
        ({"api_url": "https://api.test:http/v2"}, "Setting 'api_url' is not a valid URL"),
        ({"api_url": ["https://api.test"]}, "Setting 'api_url' is not a valid URL"),
        ({"api_url": "https://api.test/v2?a=b"}, "Setting 'api_url' contains more than an address"),
        (
            {"requests_per_second": 0},
            "Setting 'requests_per_second' must be a number from 0.01 to 1000",
        ),
        ({"requests_per_second": "fast"}, "Setting 'requests_per_second' must be a number"),
        ({"requests_per_second": True}, "Setting 'requests_per_second' must be a number"),
        ({"lookback_hours": -1}, "Setting 'lookback_hours' must be a whole number from 0"),
        ({"lookback_hours": 1.5}, "Setting 'lookback_hours' must be a whole number"),
        ({"request_timeout": 0}, "Setting 'request_timeout' must be a number from 0.1 to 3600"),
        ({"user_agent": "two\nlines"}, "Setting 'user_agent' must be one line"),
        (
            {"contacts_full_refresh_days": -1},
            "Setting 'contacts_full_refresh_days' must be a whole number",
        ),
        (
            {"optional_streams": ["contacts"]},
            "Setting 'optional_streams' contains 'contacts'",
        ),
        ({"optional_streams": 5}, "Setting 'optional_streams' must be a list of streams"),
        ({"batch_config": {"storage": {"root": "/"}}}, "Setting 'batch_config' has no encoding"),
        (
            {"batch_config": {"encoding": {"format": "jsonl"}, "storage": {"root": "nowhere://x"}}},
            "Setting 'batch_config' has no writable location: 'nowhere://x'",
        ),
        (
            {"stream_maps": {"lists": {"__filter__": "1 /"}}},
            "Setting 'stream_maps' cannot be used for stream 'lists': Failed to parse expression",
        ),
        (
            {"stream_maps": {"lists": {"__key_properties__": ["nothing"]}}},
            "Setting 'stream_maps' cannot be used for stream 'lists': Invalid key properties",
        ),
    ],
    ids=str,
)
def test_invalid_settings_are_rejected_in_one_line(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigValidationError) as raised:
        TapConstantContact(config={**GOOD, **given})

    (error,) = raised.value.errors
    assert said in error
    assert "\n" not in error
    assert not any(str(v) in error for k, v in given.items() if k in GOOD and v)


BOUNDS = [
    (name, setting["minimum"], setting["maximum"])
    for name, setting in TapConstantContact.config_jsonschema["properties"].items()
    if "minimum" in setting
]


def test_every_numeric_setting_has_bounds_in_the_json_schema() -> None:
    numeric = {
        name
        for name, setting in TapConstantContact.config_jsonschema["properties"].items()
        if {"integer", "number"} & set(setting["type"])
    }
    builtin = {"flattening_max_depth", "flattening_max_key_length"}
    assert {name for name, *_ in BOUNDS} == numeric - builtin


@pytest.mark.parametrize(("name", "lowest", "highest"), BOUNDS)
def test_bounds_of_the_json_schema_are_those_that_are_enforced(
    name: str, lowest: float, highest: float
) -> None:
    for accepted in (lowest, highest):
        TapConstantContact(config={**GOOD, name: accepted})
    for rejected in (lowest - 1, highest + 1):
        with pytest.raises(ConfigValidationError, match=f"'{name}' must be"):
            TapConstantContact(config={**GOOD, name: rejected})


@pytest.mark.parametrize(
    "given", [{"access_token": "two words"}, {"stream_maps": {"lists": {"a": "1 /"}}}], ids=str
)
def test_bad_settings_end_the_run_before_the_first_call(
    given: dict[str, Any], tmp_path: Path
) -> None:
    with Scripted(lambda path, _params: Answer(200, empty(path))) as server:
        run = typed(tmp_path, {**GOOD, "api_url": server.url, **given})

    assert run.code == 78
    assert run.stdout == ""
    assert run.log.count("| ERROR") == 1
    assert "Traceback" not in run.log
    assert server.requests == []


def test_several_errors_are_reported_together(tmp_path: Path) -> None:
    run = typed(tmp_path, {"start_date": "soon", "api_version": "v2"})
    assert run.log.count("| ERROR") == 3


@pytest.mark.parametrize("option", ["--test", "--test=schema"])
def test_invalid_settings_are_rejected_by_test_mode(option: str, tmp_path: Path) -> None:
    run = typed(tmp_path, {**GOOD, "start_date": "soon"}, option)
    assert run.code == 78
    assert "Setting 'start_date' is not a timestamp" in run.log
    assert "Traceback" not in run.log


@pytest.mark.parametrize("text", ["[1, 2]", "{", "", '"text"'])
def test_invalid_config_file_is_rejected(text: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(text)
    run = typed(tmp_path, None, "--config", str(tmp_path / "config.json"))
    assert run.code == 78
    assert "The config file cannot be read" in run.log
    assert "Traceback" not in run.log
    assert run.stdout == ""


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("{", "not valid JSON"),
        (
            '{"bookmarks": {"contacts": {"replication_key_value": "soon"}}}',
            "'soon' is not a timestamp",
        ),
        ('{"bookmarks": {"contacts": 5}}', "it is not an object"),
        ('{"bookmarks": []}', "contains no bookmarks"),
        ('{"type": "STATE", "value": {}}', "Use the value of a STATE message"),
    ],
)
def test_invalid_state_is_rejected(state: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text(state)
    run = typed(tmp_path, GOOD, "--state", str(tmp_path / "state.json"))
    assert run.code == 78
    assert said in run.log
    assert "Traceback" not in run.log
    assert run.stdout == ""


@pytest.mark.slow
def test_settings_may_come_from_the_environment(tmp_path: Path) -> None:
    with Scripted(lambda path, _params: Answer(200, empty(path))) as server:
        run = command(
            tmp_path,
            None,
            "--config=ENV",
            TAP_CONSTANTCONTACT_API_KEY="a-key",
            TAP_CONSTANTCONTACT_ACCESS_TOKEN="a-token",  # noqa: S106
            TAP_CONSTANTCONTACT_API_URL=server.url,
            TAP_CONSTANTCONTACT_REQUESTS_PER_SECOND="999.5",
            TAP_CONSTANTCONTACT_LOOKBACK_HOURS="48",
            TAP_CONSTANTCONTACT_START_DATE="",
            TAP_CONSTANTCONTACT_USER_AGENT="ours/1",
            TAP_CONSTANTCONTACT_OPTIONAL_STREAMS='["contact_summaries"]',
        )
    assert run.code == 0, run.log
    assert {params["api_key"] for _, params, _ in server.requests} == {"a-key"}
    assert {headers["Authorization"] for *_, headers in server.requests} == {"Bearer a-token"}
    assert {headers["User-Agent"] for *_, headers in server.requests} == {"ours/1"}


def test_invalid_number_in_the_environment_is_rejected(tmp_path: Path) -> None:
    run = typed(tmp_path, GOOD, "--config=ENV", TAP_CONSTANTCONTACT_LOOKBACK_HOURS="a day")
    assert run.code == 78
    assert "Setting 'lookback_hours' must be a whole number from 0 to 8784" in run.log
    assert "Traceback" not in run.log


@pytest.mark.slow
def test_the_tap_says_who_it_is(tmp_path: Path) -> None:
    with Scripted(lambda path, _params: Answer(200, empty(path))) as server:
        command(tmp_path, {**GOOD, "api_url": server.url, "requests_per_second": 1000})
    agents = {headers["User-Agent"] for *_, headers in server.requests}
    assert agents == {f"tap-constantcontact/{TapConstantContact.plugin_version}"}


@given(
    st.dictionaries(
        st.sampled_from([p.name for p in settings.SETTINGS]),
        st.none() | st.text() | st.integers() | st.floats() | st.booleans() | st.lists(st.text()),
    )
)
def test_no_setting_breaks_the_check(given: dict[str, Any]) -> None:
    settings_validation.normalize(given)
    for line in settings_validation.validate(given):
        assert re.match(r"Setting '\w+' \w+", line)
    if not settings_validation.validate(given):
        TapConstantContact(config=given)


def test_good_settings_have_no_problems() -> None:
    given = {**GOOD, "start_date": "2024-01-01", "requests_per_second": "2.5"}
    settings_validation.normalize(given)
    assert settings_validation.validate(given) == []
    assert given["requests_per_second"] == 2.5


HINT = "Add it to `optional_streams`."


# -- what there is not ----------------------------------------------------------------------


def test_unknown_names_are_warned_about(serving: Serving, caplog: pytest.LogCaptureFixture) -> None:
    box = serving(contacts=3)
    catalog = everything().catalog_dict
    for entry in catalog["streams"]:
        for each in entry["metadata"]:
            if not each["breadcrumb"]:
                each["metadata"]["selected"] = entry["stream"] in {"lists", "contact_summaries"}
        if entry["stream"] == "lists":
            entry["schema"]["properties"]["colour"] = {"type": ["string", "null"]}

    caplog.clear()
    tap = TapConstantContact(config=config(box, request_timout=5), catalog=catalog)
    tap.sync_all()

    said = [each.getMessage() for each in caplog.records if each.levelno == logging.WARNING]
    assert said == [
        "Ignoring unknown setting 'request_timout'. Did you mean 'request_timeout'?",
        "The catalog names column 'colour' of stream 'lists', which has none.",
        f"The catalog selects unknown stream 'contact_summaries'. {HINT}",
    ]


def test_setting_of_the_other_api_is_ignored_with_a_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    leftover = {"api_version": "v3", "client_id": "an-id", "api_key": "a-key"}
    tap = TapConstantContact(config=leftover, validate_config=True)

    assert "Ignoring setting 'api_key' of v2: this run reads v3." in caplog.messages
    assert "api_key" not in tap.config
    assert tap.config_jsonschema["dependentRequired"] == {"api_key": ["access_token"]}


def test_stream_map_of_a_deselected_stream_is_ignored(serving: Serving) -> None:
    maps = {"contacts": {"a": "nothing(name)"}, "elsewhere": {"b": "c"}}
    assert sync(serving(), "lists", stream_maps=maps).counts["lists"]


def test_stream_map_error_on_a_record_is_one_line(serving: Serving) -> None:
    with pytest.raises(ConfigValidationError, match="Setting 'stream_maps' cannot be used for str"):
        sync(serving(), "lists", stream_maps={"lists": {"a": "nothing(name)"}})


def test_a_catalog_without_keys_is_as_good_as_one_with_them(serving: Serving) -> None:
    box = serving(contacts=30, campaigns=3)
    catalog = TapConstantContact(validate_config=False).catalog_dict
    for entry in catalog["streams"]:
        for name in ("replication_key", "key_properties", "replication_method"):
            entry.pop(name, None)
        for each in entry["metadata"]:
            for name in ("valid-replication-keys", "table-key-properties", "replication-key"):
                each["metadata"].pop(name, None)
    writer = Collector()

    TapConstantContact(config=config(box), catalog=catalog, message_writer=writer).sync_all()

    assert writer.output.ids("contacts") == box.account.ids("contacts")
    assert writer.output.state["bookmarks"]["contacts"]["replication_key_value"]


@pytest.mark.slow
@pytest.mark.parametrize("variable", ["LOGLEVEL", "TAP_CONSTANTCONTACT_LOGLEVEL"])
def test_unknown_log_level_is_one_line(variable: str, tmp_path: Path) -> None:
    run = command(tmp_path, GOOD, **{variable: "loud"})
    assert run.code == 1
    assert run.log.splitlines() == [
        f"{variable} is no log level: 'loud'. Use DEBUG, INFO, WARNING or ERROR."
    ]


def test_unused_environment_variables_are_mentioned(tmp_path: Path) -> None:
    run = typed(tmp_path, {}, TAP_CONSTANTCONTACT_API_KEY="a-key")
    assert run.code == 78
    assert "The environment names settings. Add --config=ENV to use them." in run.log


@pytest.mark.parametrize("text", ["", "\n"])
def test_empty_state_file_means_a_first_run(text: str, serving: Serving, tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text(text)
    run = typed(tmp_path, config(serving(contacts=3)), "--state", str(tmp_path / "state.json"))
    assert run.code == 0, run.log
    assert run.output.counts["contacts"] == 3


@pytest.mark.slow
def test_metrics_are_quiet_unless_asked_for(serving: Serving, tmp_path: Path) -> None:
    settings = config(serving(contacts=3))
    assert "METRIC" not in command(tmp_path, settings).log
    assert "METRIC" in command(tmp_path, settings, LOGLEVEL="INFO").log


# -- agreement ------------------------------------------------------------------------------


def declared() -> Mapping[str, Any]:
    tap = TapConstantContact(config=dict(GOOD))
    found: Mapping[str, Any] = tap.config_jsonschema["properties"]
    return {name: each for name, each in found.items() if name not in BUILT_IN}


def _written(default: Any) -> str:
    return json.dumps(default) if isinstance(default, list) else str(default)


def test_every_setting_is_described() -> None:
    for name, setting in declared().items():
        assert setting["title"], name
        assert setting["description"].endswith("."), name
    assert {n for n, s in declared().items() if s.get("secret")} == {
        "api_key",
        "access_token",
        "client_secret",
        "refresh_token",
    }


def test_meltano_knows_the_same_settings() -> None:
    project = yaml.safe_load((ROOT / "meltano.yml").read_text())
    (plugin,) = project["plugins"]["extractors"]
    definition = runpy.run_path(str(ROOT / "scripts" / "generate_plugin_yaml.py"))["extractor"]()
    known = {each["name"]: each for each in plugin["settings"]}

    assert known == {each["name"]: each for each in definition["settings"]}
    assert declared().keys() <= known.keys()
    assert {name.partition(".")[0] for name in known} == declared().keys() | BUILT_IN
    for name, setting in declared().items():
        assert known[name]["description"] == setting["description"]
        assert known[name]["label"] == setting["title"]
        assert known[name].get("value") == setting.get("default")
        assert known[name].get("sensitive", False) == setting.get("secret", False)
    assert plugin["capabilities"] == definition["capabilities"]


PLUGINS = runpy.run_path(str(ROOT / "scripts" / "generate_plugin_yaml.py"))


@pytest.mark.parametrize("name", PLUGINS["FILES"])
def test_plugin_definitions_are_as_the_settings_make_them(name: str) -> None:
    """After a wanted change, `python scripts/generate_all.py` writes them."""
    made = PLUGINS["written"](PLUGINS["FILES"][name]())
    assert (ROOT / "meltano" / name).read_text() == made


def test_report_has_the_same_settings_in_every_project() -> None:
    project = yaml.safe_load((ROOT / "meltano.yml").read_text())
    own = next(
        each for each in project["plugins"]["utilities"] if each["name"] == "constantcontact-report"
    )
    other = yaml.safe_load((ROOT / "meltano" / "constantcontact-report.yml").read_text())
    settings = {each["name"]: each for each in other["settings"]}
    for setting in own["settings"]:
        same = {key: value for key, value in setting.items() if key != "value"}
        assert same == settings[setting["name"]]


def test_hub_entry_follows_the_rules_of_the_hub() -> None:
    """Sorted keys, known kinds, options with labels, and secrets as passwords."""
    text = (ROOT / "meltano" / PLUGINS["HUB"]).read_text()
    entry = yaml.safe_load(text)

    def check(value: Any) -> None:
        if isinstance(value, dict):
            assert list(value) == sorted(value)
        for inner in value.values() if isinstance(value, dict) else value:
            if isinstance(inner, (dict, list)):
                check(inner)

    check(entry)
    assert not text.startswith("---")
    assert entry["quality"] == "unknown"
    assert entry["logo_url"].startswith("/assets/logos/extractors/")
    assert (ROOT / "meltano" / "hub" / "static" / entry["logo_url"][1:]).exists()
    kinds = {"string", "integer", "boolean", "date_iso8601", "password", "options", "array"}
    for each in entry["settings"]:
        assert each["kind"] in kinds | {"object", "decimal"}, each["name"]
        assert (each["kind"] == "password") == each.get("sensitive", False), each["name"]
        assert (each["kind"] == "options") == ("options" in each), each["name"]


def test_meltano_selects_all_that_the_catalog_has() -> None:
    project = yaml.safe_load((ROOT / "meltano.yml").read_text())
    (plugin,) = project["plugins"]["extractors"]
    assert plugin["select"] == ["*.*"]


def test_streams_that_cost_a_call_each_are_there_only_if_they_are_named() -> None:
    assert not selected_by_default() & set(settings.OPTIONAL_STREAMS["v2"])
    named = TapConstantContact(config={**GOOD, "optional_streams": ["contact_summaries"]})
    default = selected_by_default() | {"sync_audit"}
    assert set(named.streams) == default | {"contact_summaries"}
    assert set(everything().streams) == default | set(settings.OPTIONAL_STREAMS["v2"])


def test_the_environment_example_knows_the_same_settings() -> None:
    text = (ROOT / ".env.example").read_text()
    found = dict(re.findall(r"^(?:# )?TAP_CONSTANTCONTACT_(\w+)=(.*)$", text, re.MULTILINE))
    assert {name.lower() for name in found} == declared().keys()
    for name, setting in declared().items():
        if "default" in setting:
            assert found[name.upper()] == _written(setting["default"])
