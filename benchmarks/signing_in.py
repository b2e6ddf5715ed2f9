"""Signing in to v3, with processes of their own: `python -m benchmarks.signing_in`."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.runner import TAP, catalog
from sandbox import Account, Sandbox, serve
from tap_constantcontact.v3.auth.token_store.base import StoredToken
from tap_constantcontact.v3.auth.token_store.file import FileStore

if TYPE_CHECKING:
    from collections.abc import Callable

CLIENT = "sandbox-client"


class Runs:
    """Runs of the tap that share a store of tokens, each for two requests."""

    def __init__(self, box: Sandbox, folder: Path) -> None:
        """Log in once."""
        self.box = box
        self.folder = folder
        self.store = FileStore(folder / "tokens.json")
        self.log_in()
        settings = {
            "client_id": CLIENT,
            "token_store": str(self.store.path),
            "api_url": box.v3_url,
            "auth_url": box.origin,
            "requests_per_second": 1000,
        }
        self._config = self._file("config", settings)
        chosen = catalog([*TAP, "--config", self._config], ["tags"])
        self._catalog = self._file("catalog", chosen)

    def log_in(self) -> None:
        """Keep a grant as a login does."""
        self.store.save([StoredToken(CLIENT, self.box.oauth.grant())])

    def _file(self, name: str, content: Any) -> str:
        path = self.folder / f"{name}.json"
        path.write_text(json.dumps(content))
        return str(path)

    def start(self) -> subprocess.Popen[str]:
        """Start a run."""
        return subprocess.Popen(  # noqa: S603 - our own command
            [*TAP, "--config", self._config, "--catalog", self._catalog],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self) -> tuple[int, str]:
        """Run to the end: the exit code, and the log."""
        process = self.start()
        _, log = process.communicate(timeout=120)
        return process.returncode, log


def many_runs(runs: Runs) -> str:
    """30 runs one after another and 16 at once, rotating tokens that live 2 s."""
    oauth = runs.box.oauth
    oauth.life, oauth.delay = 2.0, 0.05
    codes = [runs.run()[0] for _ in range(30)]
    started = [runs.start() for _ in range(16)]
    for process in started:
        process.communicate(timeout=300)
        codes.append(process.returncode)
    oauth.life, oauth.delay = 86_400.0, 0.0
    return (
        f"{len(codes)} runs, {codes.count(0)} ended well; {oauth.refreshes} refreshes,"
        f" {oauth.invalid_grants} invalid_grant, at most {oauth.most_at_once} in flight at once"
    )


def kills(runs: Runs) -> str:
    """SIGKILL at 20 moments before, while and after the server turns the token."""
    oauth, dice = runs.box.oauth, random.Random(13)  # noqa: S311 - which moments is of no matter
    oauth.delay = 0.2
    went_on, told, lost_by_us = 0, 0, 0
    for number in range(20):
        runs.log_in()
        begun = oauth.refreshes
        process = runs.start()
        _wait(partial(_is_asked, runs, begun))
        time.sleep(dice.uniform(0, 0.5) if number % 2 else dice.uniform(0.18, 0.23))
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=60)
        # The server goes on with what it was asked, whoever has died.
        _wait(lambda: oauth.under_way == 0)
        turned = oauth.refreshes > begun
        kept = runs.store.tokens()[0].refresh_token == oauth.granted[-1].refresh_token
        oauth.delay = 0.0
        code, log = runs.run()
        oauth.delay = 0.2
        went_on += code == 0
        if code:
            told += "A previous token refresh was interrupted" in log and "--login" in log
            lost_by_us += kept or not turned
    oauth.delay = 0.0
    return (
        f"20 kills: the next run went on {went_on} times, and {told} times said that the new token"
        f" never arrived and to log in again; good tokens lost by us: {lost_by_us}"
    )


def lost_answers(runs: Runs) -> str:
    """The server's answer is lost after it has turned the token, once and for good."""
    oauth = runs.box.oauth
    said = []
    for grace, name in ((30.0, "with a grace of 30 s"), (0.0, "without grace")):
        runs.log_in()
        oauth.grace, oauth.lose_answers = grace, 1
        code, log = runs.run()
        words = "logs in again" if code and "never arrived" in log else "goes on"
        said.append(f"{name}: exit code {code}, {words}")
    oauth.grace = 0.0
    return "; ".join(said)


def _is_asked(runs: Runs, before: int) -> bool:
    """Return whether a refresh was requested since a number of them."""
    return runs.box.oauth.refreshes + runs.box.oauth.under_way > before


def _wait(until: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not until():
        if time.monotonic() > end:
            raise TimeoutError
        time.sleep(0.002)


def main() -> None:
    """Measure all of it."""
    os.environ.pop("MELTANO_PROJECT_ROOT", None)
    with tempfile.TemporaryDirectory() as folder, serve(Account(contacts=5, campaigns=0)) as box:
        runs = Runs(box, Path(folder))
        for show in (many_runs, kills, lost_answers):
            print(f"{(show.__doc__ or '').rstrip('.')}:\n    {show(runs)}", flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
