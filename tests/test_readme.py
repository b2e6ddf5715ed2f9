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
import yaml
from helpers.runner import KEY, TOKEN, selected_by_default
from helpers.warehouses import Postgres, counts

from sandbox.demo import SIZES
from tap_constantcontact.tap import TapConstantContact
from tap_constantcontact.v2.api import URL as V2_URL
from tap_constantcontact.v3.api import URL as V3_URL

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox import Sandbox

    Serving = Callable[..., Sandbox]

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("postgres")]

ROOT = Path(__file__).parents[1]
UV = str(ROOT / "scripts" / "uv")


README = "README.md"
START = "docs/getting-started.md"
MIGRATION = "docs/migrating-to-v3.md"
MODELS = "docs/models.md"
# The sections with commands. Each is run by a test below.
SECTIONS = {
    (README, "Try it without an account"),
    (README, "Source authentication and authorization"),
    (START, "Your own account, by the API v3"),
    (START, "Your own account, by the API v2"),
    (START, "In a Meltano project of your own"),
    (START, "Without Meltano"),
    (START, "Scheduling"),
    (MIGRATION, "Both side by side"),
    ("docs/quota.md", "Ask before you run"),
    ("docs/authentication.md", "2. Log in"),
    (MODELS, "Models"),
}
# Commands in the text, and the option that keeps the test short.
INLINE = {
    "./demo.sh": "",
    "./test.sh": "--version",
    "./test.sh --quick": "--version",
    "./demo.sh --sql": "",
    "./meltano.sh schedule list": "",
    ".venv/bin/python -m sandbox": "--help",
    ".venv/bin/python -m sandbox --help": "",
    ".venv/bin/python -m benchmarks.completeness": "",
    ".venv/bin/tap-constantcontact --config config.json --login": "",
}


def section(title: str, file: str = README, kind: str = "sh") -> str:
    """Return the code of a section, as it stands there."""
    assert (file, title) in SECTIONS
    return "".join(code for head, code in blocks(file, kind) if head == title)


def blocks(file: str, kind: str = "sh") -> list[tuple[str, str]]:
    """Return the code blocks of a page, each with the title of its section."""
    found, title, lines = [], "", list[str]()
    is_code = is_wanted = False
    for line in (ROOT / file).read_text().splitlines(keepends=True):
        if line.startswith("```"):
            if is_code and is_wanted:
                found.append((title, "".join(lines)))
            is_code, is_wanted, lines = not is_code, line.strip() == f"```{kind}", []
        elif is_code:
            lines.append(line)
        elif line.startswith("#"):
            title = line.strip("# \n")
    return found


def pages() -> list[str]:
    return [README, *(str(path.relative_to(ROOT)) for path in sorted((ROOT / "docs").glob("*.md")))]


def test_every_command_of_the_docs_is_run_by_a_test() -> None:
    found = {(file, title) for file in pages() for title, _ in blocks(file)}
    assert found | {(START, "Scheduling")} == SECTIONS
    ours = re.compile(r"`((?:python -m|\./|\.venv/bin/)[^`]*?)(?: \"[^`]*)?`")
    named = (README, START, "docs/sandbox.md", "CONTRIBUTING.md")
    text = " ".join(" ".join((ROOT / page).read_text().split()) for page in named)
    assert set(ours.findall(text)) == INLINE.keys()


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


# An account of one's own is set up, which must not get in the way of the demo.
OWN_SETTINGS = """\
TAP_CONSTANTCONTACT_CLIENT_ID=own
TAP_CONSTANTCONTACT_API_KEY=own
TAP_CONSTANTCONTACT_ACCESS_TOKEN=own
TAP_CONSTANTCONTACT_MAX_REQUESTS=3
TARGET_DUCKDB_FILE_SCHEMA=own
"""


def test_the_demo_twice(clone: Clone) -> None:
    (clone.root / ".env").write_text(OWN_SETTINGS)
    first, again = clone.run("./demo.sh"), clone.run("./demo.sh")
    (clone.root / ".env").unlink()
    assert "campaign, newest first" in first
    assert "Counted" in (clone.root / "output" / "report.html").read_text()
    assert rows_in(clone.root / "output" / "sandbox.duckdb")["contacts"] >= 2000
    made = [int(re.findall(r"with (\d+) API requests", said)[0]) for said in (first, again)]
    assert made[1] < made[0] / 2, "only what is new is read"
    assert max(map(len, first.splitlines())) <= 100
    counts = dict(re.findall(r"^(\w+) +[\d,]+ +(\d+)$", again, re.MULTILINE))
    assert counts["event_registrants"] == "0", "records that were read again are not new"
    assert counts["campaign_sends"] == str(SIZES["recipients"])
    (query,) = re.findall(r"`(\./demo\.sh --sql .*?)`", (ROOT / README).read_text())
    assert len(clone.run(query).splitlines()) == 7
    assert not clone.run(section("Models", MODELS)), "no model and no test failed"
    query = "select count(*) from main_constant_contact.constant_contact__campaigns where sends > 0"
    with duckdb.connect(str(clone.root / "output" / "sandbox.duckdb"), read_only=True) as db:
        assert db.execute(query).fetchall()[0][0] > 0


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
    script = section("Your own account, by the API v2", START)
    script = script.replace(fill_in.splitlines(keepends=True)[0], fill_in)
    script = re.sub(r"^export TARGET_POSTGRES_HOST.*$", export, script, flags=re.MULTILINE)
    assert "…" not in script

    said = clone.run(script)

    assert "Plugin configuration is valid" in said
    assert rows_in(clone.root / "output" / "constantcontact.duckdb") == truth(box)
    assert counts(Postgres(postgres, schema), selected_by_default()) == truth(box)
    assert "Plan with the state given, for the catalog given." in said
    assert "| WARNING" not in clone.run(section("Ask before you run", "docs/quota.md"))
    before = (clone.root / "meltano.yml").read_text()
    clone.run("./meltano.sh select tap-constantcontact contacts '*'")
    said = clone.run(section("Ask before you run", "docs/quota.md"))
    assert "The catalog is older than the selection of streams: account, " in said
    refreshed = script.splitlines()[-2:]
    assert "The catalog is older" not in clone.run("\n".join(refreshed))
    (clone.root / "meltano.yml").write_text(before)
    calls = len(box.calls)
    (line,) = [code for head, code in blocks(START, "") if head == "Scheduling"]
    _, _, command = line.partition("*  ")
    clone.run(command.replace("/path/to/clone", str(clone.root)))
    assert len(box.calls) > calls
    for text, option in INLINE.items():
        if text.startswith((".venv/bin/python -m sandbox", "./meltano.sh", "./test.sh")):
            clone.run(f"{text} {option}")


def test_readme_shows_the_login_of_the_docs() -> None:
    login = section("Source authentication and authorization")
    assert login == section("Your own account, by the API v3", START)
    assert len((ROOT / README).read_bytes()) <= 6 * 1024


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
    script = section("Your own account, by the API v3", START)
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
    login = section("2. Log in", "docs/authentication.md").replace("meltano ", "./meltano.sh ")
    login = login.replace("your-client-id", box.oauth.application.client_id)
    assert "Logged in to " in clone.run(login)
    (clone.root / "meltano.yml").write_text(before)
    kept = clone.root / ".meltano" / "tap-constantcontact" / "tokens.json"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    truth = box.account.v3_counts()
    with duckdb.connect(clone.root / "output" / "constantcontact.duckdb", read_only=True) as db:
        # A table comes with its first row, and nothing was sent again.
        for stream in selected_by_default("v3") - {"campaign_resends"}:
            (found,) = db.execute(f"select count(*) from v3.{stream}").fetchall()  # noqa: S608
            assert found == (truth[stream],), stream


def stream_maps() -> str:
    (example,) = re.findall(
        r"`(TAP_CONSTANTCONTACT_STREAM_MAPS='.*?')`", (ROOT / START).read_text()
    )
    return str(example)


@pytest.mark.parametrize("version", ["v2", "v3"])
def test_the_stream_map_of_the_readme_suits_both_apis(version: str) -> None:
    maps = json.loads(stream_maps().partition("=")[2].strip("'"))
    given = {"api_version": version, "stream_maps": maps}
    tap = TapConstantContact(config=given, validate_config=False)
    (mapped,) = tap.mapper.stream_maps["contacts"]
    assert "job_title" not in mapped.transformed_schema["properties"]


def test_a_meltano_project_of_ones_own(serving: Serving, clone: Clone, tmp_path: Path) -> None:
    box = serving(contacts=40, campaigns=4)
    clone.run("./meltano.sh --version")
    tap = "tap-constantcontact"
    script = "\n".join(
        [
            f"export UV_SYSTEM_CERTS=1 PATH={clone.root}/.venv/bin:$PATH",
            "meltano init own && cd own",
            section("In a Meltano project of your own", START).replace(
                "path/to/clone", str(clone.root)
            ),
            f"meltano config set {tap} api_key {KEY}",
            f"meltano config set {tap} access_token {TOKEN}",
            f"meltano config set {tap} api_url {box.url}",
            f"meltano config set {tap} requests_per_second 1000",
            f"meltano config set {tap} flattening_enabled true",
            f"meltano config set {tap} flattening_max_depth 2",
            "meltano config set target-duckdb-file path warehouse.duckdb",
            f"export {stream_maps()}",
            f"meltano run {tap} target-duckdb-file",
        ]
    )

    clone.run(script, tmp_path)

    path = tmp_path / "own" / "warehouse.duckdb"
    assert rows_in(path) == truth(box)
    with duckdb.connect(path, read_only=True) as db:
        columns = {name for name, *_ in db.execute("describe contacts").fetchall()}
        footer = {name for name, *_ in db.execute("describe campaigns").fetchall()}
    assert "job_title" not in columns
    project = yaml.safe_load((tmp_path / "own" / "meltano.yml").read_text())
    (postgres,) = [p for p in project["plugins"]["loaders"] if p["name"] == "target-postgres"]
    assert postgres["env"] == {"PGTZ": "UTC"}
    assert "tracking_summary__sends" in footer
    calls_by_contact = [call for call in box.calls if re.search(r"/contacts/\d+/", call.path)]
    assert calls_by_contact == [], "what costs a call per contact is not selected by default"


def test_migrating_with_the_credentials_of_v2_in_the_env_file(
    serving: Serving, clone: Clone, tmp_path: Path
) -> None:
    """As the page says, in a clone whose `.env` is that of the README."""
    box = serving(contacts=40, campaigns=2)
    box.oauth.agrees, box.oauth.interval = True, 0.1
    clone.run("rm -rf .meltano && ./meltano.sh --version")
    (clone.root / ".env").write_text(
        (ROOT / ".env.example").read_text()
        + f"TAP_CONSTANTCONTACT_API_KEY={KEY}\nTAP_CONSTANTCONTACT_ACCESS_TOKEN={TOKEN}\n"
        "TAP_CONSTANTCONTACT_REQUESTS_PER_SECOND=1000\n"
        # The sandbox is not at the vendor's addresses.
        f"TAP_CONSTANTCONTACT_API_URL={box.url}\nTAP_CONSTANTCONTACT_V3_API_URL={box.v3_url}\n"
        f"TAP_CONSTANTCONTACT_AUTH_URL={box.origin}\n"
    )
    project = yaml.safe_load((clone.root / "meltano.yml").read_text())
    shown = yaml.safe_load(section("Both side by side", MIGRATION, "yaml"))
    for kind, plugins in shown["plugins"].items():
        known = {plugin["name"]: plugin for plugin in project["plugins"][kind]}
        for plugin in plugins:
            if plugin["name"] in known:
                known[plugin["name"]].setdefault("config", {}).update(plugin.get("config", {}))
            else:
                project["plugins"][kind].append(plugin)
    own = tmp_path / "meltano.yml"
    own.write_text((clone.root / "meltano.yml").read_text())
    text = yaml.safe_dump(project).replace("your-client-id", box.oauth.application.client_id)
    (clone.root / "meltano.yml").write_text(text.replace("output/constantcontact", "output/both"))
    try:
        said = clone.run(
            section("Both side by side", MIGRATION).replace("meltano ", "./meltano.sh ")
        )
    finally:
        shutil.copy(own, clone.root / "meltano.yml")
        (clone.root / ".env").unlink()

    assert "Logged in to " in said
    assert "Setting 'access_token' is ignored" in said
    with duckdb.connect(clone.root / "output" / "both.duckdb", read_only=True) as db:
        for schema, truth in ("v2", box.account.counts()), ("v3", box.account.v3_counts()):
            for stream in ("contacts", "lists", "campaign_opens"):
                (found,) = db.execute(f"select count(*) from {schema}.{stream}").fetchall()  # noqa: S608
                assert found == (truth[stream],), (schema, stream)


def test_without_meltano(serving: Serving, clone: Clone) -> None:
    box = serving(contacts=40, campaigns=4)
    settings = {"api_key": KEY, "access_token": TOKEN, "api_url": box.url}
    (clone.root / "config.json").write_text(json.dumps({**settings, "requests_per_second": 1000}))
    (clone.root / "target.json").write_text(json.dumps({"path": "warehouse.duckdb"}))

    script = "rm -rf .venv state.json\n" + section("Without Meltano", START)
    said = clone.run(script)
    calls = len(box.calls)
    clone.run(section("Without Meltano", START))

    assert said.count("SUMMARY: ") == 1
    assert rows_in(clone.root / "warehouse.duckdb") == truth(box)
    assert len(box.calls) - calls < calls, "the second run went on from the first"


def test_the_default_addresses_are_the_apis() -> None:
    text = (ROOT / ".env.example").read_text()
    assert V2_URL in text
    assert V3_URL in text
