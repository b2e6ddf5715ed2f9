"""Settings: what is refused, before the first call, and that all places that name them agree."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from scripted import Answer, Scripted
from singer import command, selected_by_default

from tap_constantcontact import settings
from tap_constantcontact.tap import TapConstantContact

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

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
        ({"api_key": "two words"}, "Setting 'api_key' holds a space"),
        ({"access_token": "with-line-break\n"}, "Setting 'access_token' holds a space"),
        ({"access_token": 12345678}, "Setting 'access_token' holds"),
        ({"start_date": "soon"}, "Setting 'start_date' is no date: 'soon'. Write it like"),
        ({"start_date": 2024}, "Setting 'start_date' is no date: 2024"),
        ({"start_date": "2999-01-01"}, "Setting 'start_date' lies in the future"),
        ({"api_url": "api.constantcontact.com"}, "Setting 'api_url' is no URL"),
        ({"api_url": "ftp://api.test/v2"}, "Setting 'api_url' is no URL"),
        ({"api_url": "https://api.test:http/v2"}, "Setting 'api_url' is no URL"),
        ({"api_url": ["https://api.test"]}, "Setting 'api_url' is no URL"),
        ({"api_url": "https://api.test/v2?a=b"}, "Setting 'api_url' holds more than an address"),
        ({"requests_per_second": 0}, "Setting 'requests_per_second' takes a number of calls"),
        ({"requests_per_second": "fast"}, "Setting 'requests_per_second' takes a number"),
        ({"requests_per_second": True}, "Setting 'requests_per_second' takes a number"),
        ({"lookback_hours": -1}, "Setting 'lookback_hours' takes a whole number of hours from 0"),
        ({"lookback_hours": 1.5}, "Setting 'lookback_hours' takes a whole number"),
        ({"request_timeout": 0}, "Setting 'request_timeout' takes a number of seconds"),
        ({"user_agent": "two\nlines"}, "Setting 'user_agent' takes one line"),
    ],
    ids=str,
)
def test_bad_settings_end_the_run_before_the_first_call(
    given: dict[str, Any], said: str, tmp_path: Path
) -> None:
    with Scripted(lambda _path, _params: Answer(200, [])) as server:
        run = command(tmp_path, {**GOOD, "api_url": server.url, **given})

    errors = [line for line in run.log.splitlines() if "| ERROR" in line]
    assert run.code == 1
    assert run.stdout == ""
    assert len(errors) == 1
    assert said in errors[0]
    assert "Traceback" not in run.log
    assert server.requests == []
    assert not any(str(v) in run.log for k, v in given.items() if k in GOOD and v)


def test_several_faults_are_told_together(tmp_path: Path) -> None:
    run = command(tmp_path, {"start_date": "soon"})
    assert run.log.count("| ERROR") == 3


@pytest.mark.parametrize("option", ["--test", "--test=schema"])
def test_trying_out_bad_settings_is_told_too(option: str, tmp_path: Path) -> None:
    run = command(tmp_path, {**GOOD, "start_date": "soon"}, option)
    assert run.code == 1
    assert "Setting 'start_date' is no date" in run.log
    assert "Traceback" not in run.log


@pytest.mark.parametrize("text", ["[1, 2]", "{", "", '"text"'])
def test_a_broken_config_file_is_told(text: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(text)
    run = command(tmp_path, None, "--config", str(tmp_path / "config.json"))
    assert run.code == 1
    assert "The config file cannot be read" in run.log
    assert "Traceback" not in run.log
    assert run.stdout == ""


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("{", "no JSON"),
        ('{"bookmarks": {"contacts": {"replication_key_value": "soon"}}}', "'soon' is no date"),
        ('{"bookmarks": {"contacts": 5}}', "it is no object"),
        ('{"bookmarks": []}', "holds no bookmarks"),
        ('{"type": "STATE", "value": {}}', "Give the value of a STATE message"),
    ],
)
def test_a_broken_state_is_told(state: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text(state)
    run = command(tmp_path, GOOD, "--state", str(tmp_path / "state.json"))
    assert run.code == 1
    assert said in run.log
    assert "Traceback" not in run.log
    assert run.stdout == ""


def test_settings_may_come_from_the_environment(tmp_path: Path) -> None:
    with Scripted(lambda _path, _params: Answer(200, [])) as server:
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
        )
    assert run.code == 0, run.log
    assert {params["api_key"] for _, params, _ in server.requests} == {"a-key"}
    assert {headers["Authorization"] for *_, headers in server.requests} == {"Bearer a-token"}
    assert {headers["User-Agent"] for *_, headers in server.requests} == {"ours/1"}


def test_a_bad_number_in_the_environment_is_told(tmp_path: Path) -> None:
    run = command(tmp_path, GOOD, "--config=ENV", TAP_CONSTANTCONTACT_LOOKBACK_HOURS="a day")
    assert run.code == 1
    assert "TAP_CONSTANTCONTACT_LOOKBACK_HOURS takes a whole number" in run.log
    assert "Traceback" not in run.log


def test_the_tap_says_who_it_is(tmp_path: Path) -> None:
    with Scripted(lambda _path, _params: Answer(200, [])) as server:
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
    settings.normalise(given)
    for line in settings.problems(given):
        assert re.match(r"Setting '\w+' \w+", line)
    if not settings.problems(given):
        TapConstantContact(config=given)


def test_good_settings_have_no_problems() -> None:
    given = {**GOOD, "start_date": "2024-01-01", "requests_per_second": "2.5"}
    settings.normalise(given)
    assert settings.problems(given) == []
    assert given["requests_per_second"] == 2.5


# -- agreement ------------------------------------------------------------------------------


def declared() -> Mapping[str, Any]:
    tap = TapConstantContact(config=dict(GOOD))
    found: Mapping[str, Any] = tap.config_jsonschema["properties"]
    return {name: each for name, each in found.items() if name not in BUILT_IN}


def test_every_setting_is_described() -> None:
    for name, setting in declared().items():
        assert setting["title"], name
        assert setting["description"].endswith("."), name
    assert {n for n, s in declared().items() if s.get("secret")} == {"api_key", "access_token"}


def test_meltano_knows_the_same_settings() -> None:
    project = yaml.safe_load((ROOT / "meltano.yml").read_text())
    (plugin,) = project["plugins"]["extractors"]
    known = {each["name"]: each for each in plugin["settings"]}
    # Meltano 4.4 cannot hand over a decimal from the environment, and the tap takes text.
    kinds = {"integer": "integer", "number": "string", "string": "string"}

    assert known.keys() == declared().keys()
    for name, setting in declared().items():
        there = known[name]
        kind = next(kinds[each] for each in setting["type"] if each in kinds)
        assert there["kind"] == ("date_iso8601" if setting.get("format") else kind)
        assert there["description"] == setting["description"]
        assert there["label"] == setting["title"]
        assert there.get("value") == setting.get("default")
        assert there.get("sensitive", False) == setting.get("secret", False)


def test_meltano_leaves_out_what_is_off_by_default() -> None:
    """To Meltano `*.*` is every stream there is."""
    project = yaml.safe_load((ROOT / "meltano.yml").read_text())
    (plugin,) = project["plugins"]["extractors"]
    streams = {stream.name for stream in TapConstantContact(config=dict(GOOD)).streams.values()}
    off = streams - selected_by_default()
    assert plugin["select"] == ["*.*", *(f"!{name}.*" for name in sorted(off, key=_place(off)))]
    assert len(off) == 4


def _place(names: set[str]) -> Callable[[str], int]:
    order = [name for name in TapConstantContact(config=dict(GOOD)).streams if name in names]
    return order.index


def test_the_environment_example_knows_the_same_settings() -> None:
    text = (ROOT / ".env.example").read_text()
    found = dict(re.findall(r"^(?:# )?TAP_CONSTANTCONTACT_(\w+)=(.*)$", text, re.MULTILINE))
    assert {name.lower() for name in found} == declared().keys()
    for name, setting in declared().items():
        if "default" in setting:
            assert found[name.upper()] == str(setting["default"])


def test_the_readme_knows_the_same_settings() -> None:
    rows = re.findall(
        r"^\| `(\w+)` \| (.*?) \| (.*?) \|$", (ROOT / "README.md").read_text(), re.MULTILINE
    )
    found = {name: (default, text) for name, default, text in rows}
    assert declared().keys() <= found.keys()
    for name, setting in declared().items():
        default, text = found[name]
        assert text == setting["description"]
        if "default" in setting:
            assert default == f"`{setting['default']}`"


def test_about_shows_the_settings(tmp_path: Path) -> None:
    run = command(tmp_path, None, "--about", "--format=json")
    about = json.loads(run.stdout)
    assert declared().keys() <= about["settings"]["properties"].keys()
