"""The catalog under snapshot, and the SDK's own suite."""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from helpers.runner import KEY, TOKEN, catalog, everything
from singer_sdk.testing import SuiteConfig, get_tap_test_class

from sandbox import Account, FaultConfig, serve
from tap_constantcontact.settings import OPTIONAL_STREAMS, VERSIONS
from tap_constantcontact.tap import TapConstantContact

if TYPE_CHECKING:
    from collections.abc import Iterator

# Fields that only answers of years ago had, which the sandbox does not make up. One run of the tap
# serves the whole suite.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Fields in transformed catalog but not in records"),
    pytest.mark.filterwarnings("ignore:No records were available to test"),
    pytest.mark.xdist_group("catalog"),
]

ROOT = Path(__file__).parents[1]
SNAPSHOTS = ROOT / "tests" / "catalog"
CATALOGS = {version: everything(version).catalog_dict for version in VERSIONS}
ENTRIES = [
    pytest.param(version, entry, id=f"{version}-{entry['stream']}")
    for version in VERSIONS
    for entry in CATALOGS[version]["streams"]
]
IDS = Path(__file__).parent / "samples" / "ids.csv"
FOR_V3 = {"id_map_file": str(IDS), "landing_page_ids": ["0"]}
CONFIGS: dict[str, dict[str, Any]] = {
    version: {
        "api_version": version,
        "access_token": TOKEN,
        "api_url": f"http://127.0.0.1:1/{version}",
        "requests_per_second": 1000,
        "optional_streams": list(OPTIONAL_STREAMS[version]),
        **({"api_key": KEY} if version == "v2" else FOR_V3),
    }
    for version in VERSIONS
}


@pytest.fixture(scope="module", autouse=True)
def account() -> Iterator[None]:
    """The suite makes its tap before there is a server, so the address is filled in afterwards."""
    made_up = Account(contacts=60, campaigns=8, recipients=5)
    made_up.resend_campaigns(1)
    CONFIGS["v3"]["landing_page_ids"] = [made_up.v3_events.page.uuid]
    with serve(made_up, FaultConfig(), api_key=KEY, access_token=TOKEN) as box:
        CONFIGS["v2"]["api_url"] = box.url
        CONFIGS["v3"]["api_url"] = box.v3_url
        yield


def suite_of(version: str) -> type:
    names = [entry["stream"] for entry in CATALOGS[version]["streams"]]
    return get_tap_test_class(
        TapConstantContact,
        config=CONFIGS[version],
        catalog=catalog(*names, version=version),
        suite_config=SuiteConfig(max_records_limit=None),
        parse_env_config=False,
    )


TestTheSdksSuite = suite_of("v2")
TestTheSdksSuiteOfV3 = suite_of("v3")


outline = runpy.run_path(str(ROOT / "scripts" / "generate_catalog_snapshots.py"))["outline"]


@pytest.mark.parametrize(("version", "entry"), ENTRIES)
def test_the_catalog_is_as_released(version: str, entry: dict[str, Any]) -> None:
    file = SNAPSHOTS / version / f"{entry['stream']}.json"
    snapshot = json.loads(file.read_text()) if file.exists() else None
    assert outline(entry) == snapshot, "after an intended change: python scripts/generate_all.py"


@pytest.mark.parametrize("version", VERSIONS)
def test_no_stream_has_gone(version: str) -> None:
    known = {path.stem for path in (SNAPSHOTS / version).glob("*.json")}
    assert known == {entry["stream"] for entry in CATALOGS[version]["streams"]}


@pytest.mark.parametrize(("version", "entry"), ENTRIES)
def test_every_stream_is_described(version: str, entry: dict[str, Any]) -> None:
    assert entry["schema"]["description"].endswith("."), version
