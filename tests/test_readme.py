"""What the README shows, run as it stands there: in a fresh clone, in a bare environment."""

from __future__ import annotations

import json
import re
import shutil
import stat
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pytest
from singer import KEY, TOKEN, selected_by_default
from warehouses import Postgres, counts

from tap_constantcontact.v2.api import URL as V2_URL
from tap_constantcontact.v3.api import URL as V3_URL

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox import Sandbox

    Serving = Callable[..., Sandbox]

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("postgres")]

ROOT = Path(__file__).parents[1]
UV = str(ROOT / "scripts" / "uv")


def section(title: str) -> str:
    """The commands of a section, as they stand there."""
    text = (ROOT / "README.md").read_text()
    found = re.search(rf"^#+ {title}\n(.*?)(?=^#)", text, re.MULTILINE | re.DOTALL)
    assert found, title
    return "".join(re.findall(r"^```sh\n(.*?)^```", found[1], re.MULTILINE | re.DOTALL))


class Clone:
    """A clone of the project, in an empty home, with nothing on the path but the system."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        self.root = folder / "clone"
        self.home.mkdir()
        listed = self._git("ls-files", "--cached", "--others", "--exclude-standard", "-z")
        for name in filter(None, listed.split("\0")):
            if (ROOT / name).exists():
                (self.root / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, self.root / name)

    @staticmethod
    def _git(*arguments: str) -> str:
        done = subprocess.run(  # noqa: S603
            ["/usr/bin/git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True
        )
        return done.stdout

    def run(self, script: str, folder: Path | None = None) -> str:
        """Run a script by `sh -e`; returns what it printed."""
        # Nothing is fetched anew that the machine has: that is the only thing lent.
        cache = subprocess.run(  # noqa: S603
            [UV, "cache", "dir"], capture_output=True, text=True, check=True
        )
        done = subprocess.run(  # noqa: S603
            ["/bin/sh", "-e", "-c", script],
            cwd=folder or self.root,
            env={
                "PATH": "/usr/bin:/bin",
                "HOME": str(self.home),
                "UV_CACHE_DIR": cache.stdout.strip(),
                "MELTANO_SEND_ANONYMOUS_USAGE_STATS": "false",
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=500,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    return Clone(tmp_path_factory.mktemp("readme"))


def rows_in(path: Path, version: str = "v2") -> dict[str, int]:
    with duckdb.connect(path, read_only=True) as db:
        return {
            stream: db.execute(f"select count(*) from {stream}").fetchall()[0][0]  # noqa: S608
            # A table comes with its first row, and nothing was sent again.
            for stream in selected_by_default(version) - {"campaign_resends"}
        }


def truth(box: Sandbox) -> dict[str, int]:
    found = box.account.counts()
    return {stream: found[stream] for stream in selected_by_default()}


def test_the_demo_twice(clone: Clone) -> None:
    first, again = clone.run("./demo.sh"), clone.run("./demo.sh")
    assert "campaign, newest first" in first
    assert rows_in(clone.root / "output" / "sandbox.duckdb")["contacts"] >= 2000
    made = [int(re.findall(r"with (\d+) API calls", said)[0]) for said in (first, again)]
    assert made[1] < made[0] / 2, "only what is new is read"


def test_the_demo_of_v3(clone: Clone) -> None:
    said = clone.run("./demo.sh --v3")
    assert "Logged in to " in said
    assert "campaign, newest first" in said
    assert rows_in(clone.root / "output" / "sandbox-v3.duckdb", "v3")["contacts"] >= 2000


def test_ones_own_account(
    serving: Serving, clone: Clone, postgres: dict[str, str], tmp_path: Path
) -> None:
    box = serving(contacts=40, campaigns=4)
    fill_in = (
        "cp .env.example .env    # then put in key and token\n"
        f"echo TAP_CONSTANTCONTACT_API_KEY={KEY} >> .env\n"
        f"echo TAP_CONSTANTCONTACT_ACCESS_TOKEN={TOKEN} >> .env\n"
        f"echo TAP_CONSTANTCONTACT_API_URL={box.url} >> .env\n"
        "echo TAP_CONSTANTCONTACT_REQUESTS_PER_SECOND=1000 >> .env\n"
    )
    schema = tmp_path.name
    variables = {**postgres, "DEFAULT_TARGET_SCHEMA": schema}
    export = "export " + " ".join(f"TARGET_POSTGRES_{k}={v}" for k, v in variables.items())
    script = section("Your own account, by the API v2")
    script = script.replace(fill_in.splitlines(keepends=True)[0], fill_in)
    script = re.sub(r"^export TARGET_POSTGRES_HOST.*$", export, script, flags=re.MULTILINE)
    assert "…" not in script

    said = clone.run(script)

    assert "Plugin configuration is valid" in said
    assert rows_in(clone.root / "output" / "constantcontact.duckdb") == truth(box)
    assert counts(Postgres(postgres, schema), selected_by_default()) == truth(box)
    assert "Plan with the state given, for the catalog given." in said


def test_ones_own_account_by_v3(serving: Serving, clone: Clone) -> None:
    box = serving(contacts=40, campaigns=2)
    box.oauth.agrees, box.oauth.interval = True, 0.1
    fill_in = (
        "cp .env.example .env    # then put in the client id\n"
        f"echo TAP_CONSTANTCONTACT_CLIENT_ID={box.oauth.application.client_id} >> .env\n"
        f"echo TAP_CONSTANTCONTACT_API_URL={box.v3_url} >> .env\n"
        f"echo TAP_CONSTANTCONTACT_AUTH_URL={box.origin} >> .env\n"
        "echo TAP_CONSTANTCONTACT_REQUESTS_PER_SECOND=1000 >> .env\n"
        "echo TARGET_DUCKDB_FILE_SCHEMA=v3 >> .env\n"
    )
    script = section("Your own account, by the API v3")
    script = script.replace(fill_in.splitlines(keepends=True)[0], fill_in)
    # The clone has a state of v2 from the test before.
    script = script.replace("run tap-", "run --state-id-suffix=v3 tap-")
    before = (clone.root / "meltano.yml").read_text()

    said = clone.run(script)
    # A day later by the sandbox's clock: the next run renews by itself.
    box.oauth.clock = lambda: time.monotonic() + 86_400
    again = clone.run(script.splitlines()[-1])

    assert "Logged in to " in said
    assert re.search(r"Streams +all\n", said)
    assert "Logged in to " not in again
    assert box.oauth.refreshes == 1
    assert box.oauth.invalid_grants == 0
    assert (clone.root / "meltano.yml").read_text() == before
    kept = clone.root / ".meltano" / "tap-constantcontact" / "tokens.json"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    truth = box.account.v3_counts()
    with duckdb.connect(clone.root / "output" / "constantcontact.duckdb", read_only=True) as db:
        # A table comes with its first row, and nothing was sent again.
        for stream in selected_by_default("v3") - {"campaign_resends"}:
            (found,) = db.execute(f"select count(*) from v3.{stream}").fetchall()  # noqa: S608
            assert found == (truth[stream],), stream


def test_a_meltano_project_of_ones_own(serving: Serving, clone: Clone, tmp_path: Path) -> None:
    box = serving(contacts=40, campaigns=4)
    clone.run("./meltano.sh --version")
    for name, pip_url in [
        ("tap-constantcontact", f"-e {clone.root}"),
        ("target-duckdb-file", str(clone.root / "loaders" / "target-duckdb-file")),
    ]:
        path = clone.root / "meltano" / f"{name}.yml"
        text = re.sub(r"^pip_url: .*$", f"pip_url: {pip_url}", path.read_text(), flags=re.MULTILINE)
        path.write_text(text)
    tap = "tap-constantcontact"
    script = "\n".join(
        [
            f"export UV_SYSTEM_CERTS=1 PATH={clone.root}/.venv/bin:$PATH",
            "meltano init own && cd own",
            section("In a Meltano project of your own").replace("path/to/clone", str(clone.root)),
            f"meltano config set {tap} api_key {KEY}",
            f"meltano config set {tap} access_token {TOKEN}",
            f"meltano config set {tap} api_url {box.url}",
            f"meltano config set {tap} requests_per_second 1000",
            f"meltano config set {tap} flattening_enabled true",
            f"meltano config set {tap} flattening_max_depth 2",
            "meltano config set target-duckdb-file path warehouse.duckdb",
            """export TAP_CONSTANTCONTACT_STREAM_MAPS='{"contacts": {"fax": null}}'""",
            f"meltano run {tap} target-duckdb-file",
        ]
    )

    clone.run(script, tmp_path)

    path = tmp_path / "own" / "warehouse.duckdb"
    assert rows_in(path) == truth(box)
    with duckdb.connect(path, read_only=True) as db:
        columns = {name for name, *_ in db.execute("describe contacts").fetchall()}
        footer = {name for name, *_ in db.execute("describe campaigns").fetchall()}
    assert "fax" not in columns
    assert "tracking_summary__sends" in footer
    calls_by_contact = [call for call in box.calls if re.search(r"/contacts/\d+/", call.path)]
    assert calls_by_contact == [], "what costs a call per contact is not selected by default"


def test_without_meltano(serving: Serving, clone: Clone) -> None:
    box = serving(contacts=40, campaigns=4)
    clone.run("./meltano.sh --version")
    settings = {"api_key": KEY, "access_token": TOKEN, "api_url": box.url}
    (clone.root / "config.json").write_text(json.dumps({**settings, "requests_per_second": 1000}))
    (clone.root / "target.json").write_text(json.dumps({"path": "warehouse.duckdb"}))

    clone.run("rm -f state.json\n" + section("Without Meltano"))
    calls = len(box.calls)
    clone.run(section("Without Meltano").replace("touch state.json", "test -s state.json"))

    assert rows_in(clone.root / "warehouse.duckdb") == truth(box)
    assert len(box.calls) - calls < calls, "the second run went on from the first"


def test_the_default_addresses_are_the_apis() -> None:
    text = (ROOT / ".env.example").read_text()
    assert V2_URL in text
    assert V3_URL in text
