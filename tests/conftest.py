from __future__ import annotations

import contextlib
import types
from typing import TYPE_CHECKING, Any

import pytest
import requests
from backoff import _sync as retrying
from helpers.contracts import faults_of, template_of
from helpers.runner import KEY, TOKEN
from helpers.warehouses import DuckDB, Postgres, Project, Warehouse
from hypothesis import settings

from benchmarks.postgres import postgres_server
from sandbox import Account, FaultConfig, serve

# Machines differ in speed, and no test is to fail by luck; the profile `search` looks further.
settings.register_profile("thorough", deadline=None, derandomize=True)
settings.register_profile("quick", deadline=None, derandomize=True, max_examples=10)
settings.register_profile("search", deadline=None, max_examples=1000)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from helpers.types import Get, Read, Row

    from sandbox import Call, Reply, Sandbox


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--kills", type=int, help="how often pipelines are killed")


@pytest.fixture
def kills(request: pytest.FixtureRequest, warehouse: Warehouse) -> int:
    """How often: once by default, and PostgreSQL in the benchmark only."""
    asked: int | None = request.config.getoption("--kills")
    return int(isinstance(warehouse, DuckDB)) if asked is None else asked


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds that retries would have slept: nothing here waits for real."""
    waited: list[float] = []
    monkeypatch.setattr(retrying, "time", types.SimpleNamespace(sleep=waited.append))
    return waited


@pytest.fixture
def serving() -> Iterator[Callable[..., Sandbox]]:
    """Serves accounts; what they answer as v3 is held against the contract afterwards."""
    answers: dict[str | None, tuple[str, bytes]] = {}

    def keep(call: Call, reply: Reply) -> None:
        path = call.path.removeprefix("/v3")
        if reply.status == 200:
            answers.setdefault(template_of(path), (path, reply.body))

    with contextlib.ExitStack() as stack:

        def start(*, faults: FaultConfig | None = None, **sizes: Any) -> Sandbox:
            account = Account(**{"contacts": 60, "campaigns": 3, "recipients": 5, **sizes})
            box: Sandbox = stack.enter_context(
                serve(account, faults or FaultConfig(), api_key=KEY, access_token=TOKEN)
            )
            box.observe = keep
            return box

        yield start
    assert [fault for answer in answers.values() for fault in faults_of(*answer)] == []


@pytest.fixture(scope="session")
def postgres() -> Iterator[dict[str, str]]:
    """A PostgreSQL server of the tests' own: what a target needs to know to connect."""
    with postgres_server() as server:
        yield server


@pytest.fixture(
    params=["duckdb", pytest.param("postgres", marks=pytest.mark.xdist_group("postgres"))]
)
def warehouse(request: pytest.FixtureRequest, tmp_path: Path) -> Warehouse:
    if request.param == "duckdb":
        return DuckDB(tmp_path)
    return Postgres(request.getfixturevalue("postgres"), tmp_path.name)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(
        tmp_path,
        TAP_CONSTANTCONTACT_API_KEY=KEY,
        TAP_CONSTANTCONTACT_ACCESS_TOKEN=TOKEN,
        TAP_CONSTANTCONTACT_REQUESTS_PER_SECOND="1000",
    )


@pytest.fixture(scope="module")
def shared(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    """Serves the account that the test's module has `made`."""
    with serve(request.module.made()) as running:
        yield running


@pytest.fixture
def box(shared: Sandbox) -> Sandbox:
    shared.faults = FaultConfig()
    return shared


@pytest.fixture
def account(box: Sandbox, request: pytest.FixtureRequest) -> Iterator[Account]:
    """Serve an account that the test may change."""
    before = box.account
    box.account = request.module.made()
    yield box.account
    box.account = before


@pytest.fixture(scope="module")
def session() -> Iterator[requests.Session]:
    with requests.Session() as running:
        running.headers["Authorization"] = "Bearer token"
        yield running


@pytest.fixture
def get(box: Sandbox, session: requests.Session) -> Get:
    def call(path: str, **params: str | int) -> requests.Response:
        return session.get(box.url + path, params={"api_key": "key", **params})

    return call


@pytest.fixture
def read(get: Get) -> Read:
    def rows(path: str, **params: str | int) -> list[Row]:
        body = get(path, **params).json()
        found: list[Row] = body["results"]
        while link := body["meta"]["pagination"].get("next_link"):
            next_path, _, token = link.removeprefix("/v2").partition("?next=")
            body = get(next_path, next=token).json()
            found += body["results"]
        return found

    return rows
