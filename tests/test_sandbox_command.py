"""The sandbox as a command, and its controls over HTTP."""

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import requests

from sandbox import Account, Sandbox, serve

pytestmark = pytest.mark.slow


@contextmanager
def command(*options: str) -> Iterator[tuple["subprocess.Popen[str]", dict[str, str]]]:
    """Run the command until it says that it is ready."""
    with subprocess.Popen(  # noqa: S603 - our own interpreter and our own arguments
        [sys.executable, "-m", "sandbox", "--port", "0", "--contacts", "20", *options],
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            said: dict[str, str] = {}
            while "control" not in said:
                line = process.stdout.readline()
                assert line, "the command ended before it was ready"
                said |= dict(re.findall(r"(\w+): (\S+)", line))
            yield process, said
        finally:
            process.kill()


class TestCommand:
    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
    def test_sandbox_serves_until_a_signal(self, number: signal.Signals) -> None:
        with command("--seed", "9", "--now", "2026-03-01") as (process, said):
            assert re.fullmatch(r"http://127\.0\.0\.1:\d+/v2", said["api_url"])
            response = requests.get(
                f"{said['api_url']}/contacts",
                params={"api_key": said["api_key"]},
                headers={"Authorization": f"Bearer {said['access_token']}"},
                timeout=5,
            )
            assert len(response.json()["results"]) == 20
            assert requests.get(said["control"], timeout=5).status_code == 200
            process.send_signal(number)
            assert process.wait(5) == 0

    def test_every_trouble_has_a_flag(self) -> None:
        flags = (
            "--throttle 4 --quota 10000 --retry-after 1 --fail-every 100 --drop-every 101 "
            "--garbage-every 102 --unauthorized-every 103 --latency 0.01 --extra-row "
            "--lose-filter --clock-shift-hours 5 --vanish 1 --vanish 2 --denied-products eventspot "
            "--denied-products library --no-schedules-is-404 --library-info-array --stale-counters "
            "--stats-lag-hours 3 --guide-forms --slow-segments 2 "
            "--missing-privileges contacts:read "
            "--missing-privileges account:read --slow-pages 250"
        )
        with command(*flags.split()) as (_, said):
            faults = requests.get(said["control"], timeout=5).json()["faults"]
        assert {
            name: sorted(value) if isinstance(value, list) else value
            for name, value in faults.items()
        } == {
            "throttle": 4,
            "quota": 10000,
            "retry_after": 1,
            "fail_every": 100,
            "drop_every": 101,
            "garbage_every": 102,
            "unauthorized_every": 103,
            "latency": 0.01,
            "extra_row": True,
            "lose_filter": True,
            "clock_shift_hours": 5,
            "vanish": ["1", "2"],
            "denied_products": ["eventspot", "library"],
            "no_schedules_is_404": True,
            "library_info_array": True,
            "missing_privileges": ["account:read", "contacts:read"],
            "slow_segments": 2,
            "slow_pages": 250,
            "stats_lag_hours": 3,
            "guide_forms": True,
            "stale_counters": True,
        }

    def test_a_port_in_use_is_said_plainly(self) -> None:
        with serve(Account(contacts=0)) as box:
            port = box.origin.rpartition(":")[2]
            done = subprocess.run(  # noqa: S603 - our own interpreter and our own arguments
                [sys.executable, "-m", "sandbox", "--contacts", "0", "--port", port],
                capture_output=True,
                text=True,
                check=False,
            )
        assert done.returncode == 2
        assert done.stderr == f"port {port} cannot be used: Address already in use\n"

    @pytest.mark.parametrize(
        "options",
        [
            ["--throttle", "0"],
            ["--contacts", "-1"],
            ["--latency", "-1"],
            ["--denied-products", "contacts"],
        ],
    )
    def test_impossible_figures_are_refused(self, options: list[str]) -> None:
        done = subprocess.run(  # noqa: S603 - our own interpreter and our own arguments
            [sys.executable, "-m", "sandbox", *options],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 2
        assert options[0] in done.stderr


@pytest.fixture(scope="module")
def box() -> Iterator[Sandbox]:
    with serve(Account(contacts=50, campaigns=8, recipients=20)) as running:
        yield running


class TestControl:
    def test_sandbox_describes_itself(self, box: Sandbox) -> None:
        about = requests.get(f"{box.origin}/sandbox", timeout=5).json()
        assert about["api_url"] == box.url
        assert about["counts"] == box.account.counts()
        assert requests.get(f"{box.origin}/sandbox/counts", timeout=5).json() == about["counts"]

    def test_it_tells_the_calls(self, box: Sandbox) -> None:
        requests.get(f"{box.url}/lists", params={"api_key": "key"}, timeout=5)
        call = requests.get(f"{box.origin}/sandbox/calls", timeout=5).json()[-1]
        assert call.pop("at") > 0
        assert call == {"method": "GET", "path": "/v2/lists", "params": {}, "status": 401}

    def test_it_lets_things_happen(self, box: Sandbox) -> None:
        wanted = {"edit": 7, "unsubscribe": 3, "add": 2}
        done = requests.post(f"{box.origin}/sandbox/change", json=wanted, timeout=5).json()
        assert {name: len(ids) for name, ids in done.items()} == wanted
        assert set(done["add"]) < box.account.ids("contacts")

    def test_it_knows_every_change(self, box: Sandbox) -> None:
        names = requests.get(f"{box.origin}/sandbox", timeout=5).json()["changes"]
        wanted = dict.fromkeys(names, 1)
        done = requests.post(f"{box.origin}/sandbox/change", json=wanted, timeout=5)
        assert done.status_code == 200
        assert list(done.json()) == names
        assert all(done.json().values())

    def test_it_makes_things_go_wrong(self, box: Sandbox) -> None:
        url = f"{box.origin}/sandbox/faults"
        faults = requests.put(url, json={"throttle": 4, "vanish": ["17"]}, timeout=5).json()
        assert faults["throttle"] == box.faults.throttle == 4
        assert box.faults.vanish == {"17"}
        requests.put(url, json={"throttle": None, "vanish": []}, timeout=5)
        assert box.faults.throttle is None

    def test_it_begins_a_new_day(self, box: Sandbox) -> None:
        requests.get(f"{box.url}/lists", params={"api_key": "key"}, timeout=5)
        requests.post(f"{box.origin}/sandbox/new-day", timeout=5)
        about = requests.get(f"{box.origin}/sandbox", timeout=5).json()
        assert about["calls_today"] == 0

    @pytest.mark.parametrize(
        ("method", "path", "body"),
        [
            ("POST", "change", {"explode": 1}),
            ("POST", "change", {"edit": "many"}),
            ("POST", "change", [1]),
            ("PUT", "faults", {"explode": 1}),
            ("PUT", "faults", {"throttle": -1}),
            ("PUT", "faults", {"denied_products": ["lists"]}),
        ],
    )
    def test_unknown_options_are_rejected(
        self,
        box: Sandbox,
        method: str,
        path: str,
        body: object,
    ) -> None:
        response = requests.request(
            method,
            f"{box.origin}/sandbox/{path}",
            data=json.dumps(body),
            timeout=5,
        )
        assert response.status_code == 400
        assert response.json()["error"]
