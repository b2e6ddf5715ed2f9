"""From nothing to a DuckDB file: serves a fictional account and runs the Meltano pipeline on it.

`python -m sandbox.demo` from the project's folder. Run it again to see an incremental sync.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import duckdb

from sandbox import Account, FaultConfig, serve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from sandbox import Sandbox

PROJECT: Final = Path(__file__).parents[1]
OUTPUT: Final = PROJECT / "output"
REPORT: Final = OUTPUT / "report.html"
WIDTH: Final = 80
SIZES: Final = {
    "contacts": 2000,
    "lists": 6,
    "activities": 12,
    "campaigns": 40,
    "recipients": 500,
    "resends": 4,
    "campaign_days": 18,
}

BY_LIST: Final = """
    select name as list, contacts, active_contacts as active, engaged_contacts as engaged
    from main_constant_contact.constant_contact__lists
    order by contacts desc, name
"""
BY_CAMPAIGN: Final = """
    select
        name as "campaign, newest first",
        sends as sent,
        delivered,
        format('{:.1f} %', 100 * human_open_rate) as opened,
        format('{:.1f} %', 100 * click_rate) as clicked,
    from main_constant_contact.constant_contact__campaigns
    where sends > 0
    order by first_sent_at desc
    limit 8
"""


@dataclass(frozen=True)
class Demo:
    """The demo of one API.

    Attributes:
        environment: Meltano's, of which the files in `output` are named, too.
        url: Where the account is served.
    """

    environment: str
    url: Callable[[Sandbox], str]

    @property
    def warehouse(self) -> Path:
        """The DuckDB file."""
        return OUTPUT / f"{self.environment}.duckdb"

    @property
    def history(self) -> Path:
        """File with the changes of the account."""
        return OUTPUT / f"{self.environment}.json"

    @property
    def log(self) -> Path:
        """File with Meltano's log."""
        return OUTPUT / f"{self.environment}.log"

    @property
    def tokens(self) -> Path:
        """File with the tokens."""
        return OUTPUT / f"{self.environment}-tokens.json"


V2: Final = Demo("sandbox", attrgetter("url"))
V3: Final = Demo("sandbox-v3", attrgetter("v3_url"))


class Clock:
    """Returns the time of a change: the logged time for a repeated change, else the real one."""

    def __init__(self) -> None:
        """Start with real time."""
        self.at: datetime | None = None

    def __call__(self) -> datetime:
        """Return the time."""
        return self.at or datetime.now(UTC)


def change(account: Account) -> dict[str, int]:
    """Change the account as in a day."""
    return {
        "contacts edited": len(account.edit_contacts(7)),
        "contacts unsubscribed": len(account.unsubscribe(3)),
        "contacts added": len(account.add_contacts(5)),
        "jobs run": len(account.add_activities(1)),
        "campaigns sent": len(account.send_campaigns(1)),
        "opens, clicks and the like": len(account.add_tracking(40)),
    }


def as_of(history: dict[str, Any], clock: Clock) -> Account:
    """Create the account and repeat the logged changes."""
    account = Account(**SIZES, now=datetime.fromisoformat(history["now"]), clock=clock)
    for timestamp in history["changes"]:
        clock.at = datetime.fromisoformat(timestamp)
        change(account)
    clock.at = None
    return account


def meltano(demo: Demo, box: Sandbox, *arguments: str) -> int:
    """Run Meltano on the account; its log goes into a file.

    Returns:
        The exit code.
    """
    # The commands of this environment come first, whether or not it is activated.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    # Settings of an account of one's own must not get in the way.
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("TAP_", "TARGET_"))}
    variables = {
        "PATH": path,
        "NO_COLOR": "1",
        "TAP_CONSTANTCONTACT_API_URL": demo.url(box),
    }
    if demo is V3:
        variables["TAP_CONSTANTCONTACT_AUTH_URL"] = box.origin
        variables["TAP_CONSTANTCONTACT_TOKEN_STORE"] = str(demo.tokens)
    options = [f"--environment={demo.environment}", f"--env-file={os.devnull}"]
    with demo.log.open("a") as log:
        done = subprocess.run(  # noqa: S603 - our own command
            ["meltano", *options, *arguments],  # noqa: S607 - as above
            cwd=PROJECT,
            env={**kept, **variables},
            stdout=log,
            stderr=subprocess.STDOUT,
            check=False,
        )
    return done.returncode


def sign_in(box: Sandbox, history: dict[str, Any]) -> int:
    """Log in as a person does who opens the address that is shown, once; later runs renew.

    Returns:
        The exit code.
    """
    if "refresh_token" in history:
        # The sandbox of this run has to know what that of the last one granted.
        box.oauth.remember(history["refresh_token"])
        say("No login needed: the tap refreshes the stored token.")
        return 0
    box.oauth.agrees, box.oauth.interval = True, 1
    say("Logging in: `meltano invoke tap-constantcontact:login` (the sandbox is the user) ...")
    code = meltano(V3, box, "invoke", "tap-constantcontact:login")
    said = [line for line in V3.log.read_text().splitlines() if "Logged in to" in line]
    say("\n".join(said))
    return code


def snapshot(demo: Demo) -> dict[str, set[tuple[Any, ...]]]:
    """Return all rows of the warehouse by table, without the columns of the loader."""
    if not demo.warehouse.exists():
        return {}
    with duckdb.connect(str(demo.warehouse), read_only=True) as db:
        names = [name for (name,) in db.execute("show tables").fetchall()]
        # These change with each load of a record.
        own = "columns(lambda name: not starts_with(name, '_sdc_'))"
        rows = {name: db.execute(f'select {own} from "{name}"').fetchall() for name in names}  # noqa: S608 - our own names
    return {name: {tuple(map(str, row)) for row in found} for name, found in rows.items()}


def query(demo: Demo, sql: str) -> int:
    """Print the result of a query of the warehouse.

    Returns:
        The exit code: 1 if there is no warehouse yet, or the query is wrong.
    """
    if not demo.warehouse.exists():
        say("There is no warehouse yet. Run ./demo.sh first.")
        return 1
    with duckdb.connect(str(demo.warehouse), read_only=True) as db:
        try:
            say(answer(db, sql))
        except duckdb.Error as error:
            say(str(error))
            return 1
    return 0


def answer(db: duckdb.DuckDBPyConnection, sql: str) -> str:
    """Return the result of a query as a table."""
    found = db.execute(sql)
    return table([column[0] for column in found.description], found.fetchall())


def table(heads: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Lay out rows for a terminal of 80 columns: text to the left, numbers to the right."""
    lines = [tuple(heads), *(tuple(map(_shown, row)) for row in rows)]
    widths = [max(len(line[place]) for line in lines) for place in range(len(heads))]
    numbers = [all(_is_number(line[place]) for line in lines[1:]) for place in range(len(heads))]
    # The longest column gives way.
    excess = sum(widths) + 2 * (len(widths) - 1) - WIDTH
    if excess > 0:
        longest = widths.index(max(widths))
        widths[longest] = max(8, widths[longest] - excess)
    lines = [tuple(map(_cut, line, widths)) for line in lines]
    laid_out = [
        "  ".join(
            cell.rjust(width) if number else cell.ljust(width)
            for cell, width, number in zip(line, widths, numbers, strict=True)
        ).rstrip()
        for line in lines
    ]
    return "\n".join([laid_out[0], "  ".join("-" * width for width in widths), *laid_out[1:]])


def _shown(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:,}" if isinstance(value, int) else str(value)


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"


def _is_number(text: str) -> bool:
    return text.replace(",", "").replace(".", "").removesuffix(" %").isdecimal()


def say(text: str = "") -> None:
    """Print at once."""
    print(text, flush=True)  # noqa: T201 - it is what the command is for


def main() -> int:
    """Run the demo."""
    options = argparse.ArgumentParser(prog="demo.sh", description=__doc__)
    options.add_argument("--fresh", action="store_true", help="forget earlier runs")
    options.add_argument("--v3", action="store_true", help="read through the API v3")
    options.add_argument("--sql", metavar="QUERY", help="query the warehouse of earlier runs")
    given = options.parse_args()
    demo = V3 if given.v3 else V2
    if given.sql:
        return query(demo, given.sql)
    fresh = given.fresh or not (demo.warehouse.exists() and demo.history.exists())

    OUTPUT.mkdir(exist_ok=True)
    demo.log.write_text("")
    if fresh:
        demo.warehouse.unlink(missing_ok=True)
        demo.tokens.unlink(missing_ok=True)
        history: dict[str, Any] = {"now": datetime.now(UTC).isoformat(), "changes": []}
    else:
        history = json.loads(demo.history.read_text())
    clock = Clock()
    account = as_of(history, clock)
    before = snapshot(demo)
    if not fresh:
        clock.at = datetime.now(UTC)
        news = change(account)
        history["changes"].append(clock.at.isoformat())
        say("Since the last run: " + ", ".join(f"{n} {what}" for what, n in news.items()) + ".")

    with serve(account, FaultConfig(), api_key="sandbox-key", access_token="sandbox-token") as box:  # noqa: S106 - fictional
        say(f"The sandbox serves a fictional account at {demo.url(box)}.")
        code = sign_in(box, history) if demo is V3 else 0
        say("Meltano loads it into DuckDB ...")
        box.calls.clear()
        started = time.monotonic()
        refresh = ["--full-refresh"] if fresh else []
        plugins = ["tap-constantcontact", "target-duckdb-file"]
        code = code or meltano(demo, box, "run", *refresh, *plugins)
        calls, seconds = len(box.calls), time.monotonic() - started
        if demo is V3 and not code:
            history["refresh_token"] = box.oauth.granted[-1].refresh_token
        if not code:
            say("dbt builds the models, and the report is drawn from them ...")
            code = meltano(demo, box, "run", "dbt-duckdb:build", "constantcontact-report:write")
    if code:
        say(demo.log.read_text())
        say(f"The pipeline failed with exit code {code}. Its log is above.")
        return code
    demo.history.write_text(json.dumps(history))
    say(f"Done in {seconds:.0f} seconds with {calls} API requests.\n")

    show(demo, before)
    return 0


def show(demo: Demo, before: dict[str, set[tuple[Any, ...]]]) -> None:
    """Print the loaded tables and results of the models.

    Args:
        demo: The demo that was run.
        before: The rows by table before that.
    """
    rows = [
        (name, len(found), len(found - before.get(name, set())))
        for name, found in snapshot(demo).items()
    ]
    say(table(["table", "rows", "new or changed"], rows))
    with duckdb.connect(str(demo.warehouse), read_only=True) as db:
        for question in (BY_LIST, BY_CAMPAIGN):
            say("\n" + answer(db, question))
    option = " --v3" if demo is V3 else ""
    say(
        f"\nOpen the report: {REPORT.relative_to(PROJECT)}\n"
        f"The tables are in {demo.warehouse.relative_to(PROJECT)}, Meltano's log is in"
        f" {demo.log.relative_to(PROJECT)}.\n"
        f'Query them: ./demo.sh{option} --sql "from contacts limit 5"'
    )


if __name__ == "__main__":
    sys.exit(main())
