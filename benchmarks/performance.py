"""Speed, processor time and memory, measured: `python -m benchmarks.performance`.

Writes what it measures between the marks in `docs/performance.md`, and the plot beside it. Parts
may be named: `python -m benchmarks.performance loading`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import duckdb

from benchmarks.runner import KEY, TAP, TOKEN, Box, catalog, run, sandbox, settings_file
from benchmarks.tracking import FAMILY, FAST

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PLAIN_V3 = (sys.executable, "-m", "benchmarks.plain_tap_v3")
PLAIN = (sys.executable, "-m", "benchmarks.plain_tap")
TARGET = str(Path(sys.executable).with_name("target-duckdb-file"))
CONTACTS = ("contacts",)
ACCOUNT = ("--campaigns", "40", "--recipients", "60")


def table(head: str, *rows: str) -> str:
    """A Markdown table."""
    return "\n".join([head, "| -- " * (head.count("|") - 1) + "|", *rows])


def processor() -> str:
    """Processor and wall seconds of 100,000 contacts at no latency, beside a plain SDK tap."""
    with sandbox("--contacts", "100000") as box:
        box.ask("/counts")
        plain = run(box, command=PLAIN, streams=CONTACTS)
        ours = run(box, streams=CONTACTS, **FAST)
    assert plain.ids["contacts"] == ours.ids["contacts"]  # noqa: S101 - the same work
    return table(
        "| 100,000 contacts, no latency | plain SDK tap | this tap | ratio |",
        f"| processor seconds | {plain.cpu:.1f} | {ours.cpu:.1f} | {ours.cpu / plain.cpu:.2f} |",
        f"| wall seconds | {plain.seconds:.1f} | {ours.seconds:.1f}"
        f" | {ours.seconds / plain.seconds:.2f} |",
    )


def processor_v3() -> str:
    """The same of the contacts of v3, with all that can be included."""
    with sandbox("--contacts", "100000") as box:
        box.ask("/counts")
        plain = run(box, command=PLAIN_V3, streams=CONTACTS, api_version="v3")
        ours = run(box, streams=CONTACTS, api_version="v3", **FAST)
    assert plain.ids["contacts"] == ours.ids["contacts"]  # noqa: S101 - the same work
    return table(
        "| 100,000 contacts of v3, no latency | plain SDK tap | this tap | ratio |",
        f"| processor seconds | {plain.cpu:.1f} | {ours.cpu:.1f} | {ours.cpu / plain.cpu:.2f} |",
    )


def starts() -> str:
    """The quickest of ten starts, taken in turn."""
    rows = []
    for option in ("--version", "--discover"):
        seconds: dict[tuple[str, ...], list[float]] = {PLAIN: [], TAP: []}
        for _ in range(10):
            for command, taken in seconds.items():
                begun = time.monotonic()
                subprocess.run([*command, option], capture_output=True, check=True)  # noqa: S603
                taken.append(time.monotonic() - begun)
        plain, ours = (min(taken) for taken in seconds.values())
        rows.append(f"| `{option}`, seconds | {plain:.2f} | {ours:.2f} | {ours / plain:.2f} |")
    return table("| start | plain SDK tap | this tap | ratio |", *rows)


def pace() -> str:
    """40 campaigns with 6 reports and 20,000 contacts at 4 requests per second, if possible."""
    rows = []
    bars: dict[float, list[tuple[str, float]]] = {}
    for latency in (0.1, 0.5, 1.0, 1.5):
        options = (*ACCOUNT, "--contacts", "20000", "--latency", str(latency), "--throttle", "4")
        cells = []
        for at_once in (4, 8):
            with sandbox(*options) as box:
                box.ask("/counts")
                got = run(box, streams=(*CONTACTS, *FAMILY), max_parallel_requests=at_once)
                assert got.code == 0, got.log  # noqa: S101 - a benchmark that fails says so
                calls = box.calls()
                refused = sum(call["status"] == HTTPStatus.FORBIDDEN for call in calls)
                ratio = got.seconds / (len(calls) / 4)
                bars.setdefault(latency, []).append((f"{at_once}", ratio))
                cells.append(f"{ratio:.2f} ({refused} throttled)")
        rows.append(f"| {latency} s | {len(calls)} | {' | '.join(cells)} |")
    (DOCS / "performance.svg").write_text(plot(bars))
    return table("| latency | requests | 4 in flight | 8 in flight |", *rows)


def pace_v3() -> str:
    """The same of v3, at one latency."""
    options = (*ACCOUNT, "--contacts", "20000", "--latency", "1.0", "--throttle", "4")
    with sandbox(*options) as box:
        box.ask("/counts")
        streams = (*CONTACTS, *FAMILY, "campaign_summaries", "campaign_stats")
        got = run(box, streams=streams, api_version="v3")
        assert got.code == 0, got.log  # noqa: S101 - a benchmark that fails says so
        calls = box.calls()
    refused = sum(call["status"] == HTTPStatus.TOO_MANY_REQUESTS for call in calls)
    ratio = got.seconds / (len(calls) / 4)
    return table(
        "| v3, latency | requests | 4 in flight |",
        f"| 1.0 s | {len(calls)} | {ratio:.2f} ({refused} throttled) |",
    )


def unthrottled() -> str:
    """The same campaigns as fast as answers come, sequential and with eight in flight."""
    seconds = []
    for at_once in (1, 8):
        with sandbox(*ACCOUNT, "--latency", "0.3") as box:
            box.ask("/counts")
            got = run(box, streams=FAMILY, max_parallel_requests=at_once, **FAST)
            seconds.append(got.seconds)
    return table(
        "| no limit, latency 0.3 s | 1 in flight | 8 in flight | faster |",
        f"| wall seconds | {seconds[0]:.1f} | {seconds[1]:.1f} | {seconds[0] / seconds[1]:.1f} x |",
    )


def memory() -> str:
    """Peak memory at 10,000 and 200,000 contacts."""
    peaks = []
    for contacts in (10_000, 200_000):
        with sandbox("--contacts", str(contacts)) as box:
            box.ask("/counts")
            peaks.append(run(box, streams=CONTACTS, **FAST).peak)
    return table(
        "| peak memory | 10,000 contacts | 200,000 contacts | more |",
        f"| this tap | {peaks[0]:.1f} MB | {peaks[1]:.1f} MB | {peaks[1] - peaks[0]:+.1f} MB |",
    )


def days() -> str:
    """Calls of a first run of all default streams, and of the next day's, with 400 campaigns."""
    calls: list[int] = []
    state: Any = None
    with sandbox("--campaigns", "400", "--recipients", "60", "--contacts", "1000") as box:
        for _ in range(2):
            before = len(box.calls())
            state = run(box, state=state, **FAST).state
            calls.append(len(box.calls()) - before)
            box.change(add_tracking=5)
    return table(
        "| 400 campaigns, all default streams | first run | the next |",
        f"| requests | {calls[0]:,} | {calls[1]:,} |",
    )


# -- the whole way --------------------------------------------------------------------------


def loading() -> str:
    """From the API into a DuckDB file, beside dlt's REST source: processor seconds."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        dlt = _dlt_environment(Path(folder))
        for name, options, streams in (
            ("100,000 contacts", ("--contacts", "100000", "--campaigns", "0"), CONTACTS),
            (
                "1,000,000 tracking rows",
                ("--contacts", "30000", "--campaigns", "36", "--recipients", "20000"),
                tuple(set(FAMILY) - {"campaign_links", "campaign_schedules"}),
            ),
        ):
            with sandbox(*options) as box:
                box.ask("/counts")
                tap, target, seconds, there = _load(box, Path(folder), streams)
                other, other_seconds, other_there = _load_by_dlt(
                    box, Path(folder), dlt, streams == CONTACTS
                )
            # dlt is spared the campaign that is being sent just now.
            assert 0.97 * there <= other_there <= there, (there, other_there)  # noqa: S101
            both = tap + target
            rows.append(
                f"| {name} ({there:,} rows) | {tap:.1f} | {target:.1f} | {target / tap:.2f}"
                f" | {other:.1f} | {both / other:.2f} | {seconds:.1f} | {other_seconds:.1f} |"
            )
    return table(
        "| API to DuckDB, processor seconds | tap | target | target ÷ tap | dlt"
        " | both ÷ dlt | wall, both | wall, dlt |",
        *rows,
    )


def _dlt_environment(folder: Path) -> str:
    """An environment with dlt alone; returns its Python."""
    uv = str(ROOT / "scripts" / "uv")
    python = str(folder / "dlt" / "bin" / "python")
    made = [uv, "venv", "--quiet", "--python", sys.executable, str(folder / "dlt")]
    subprocess.run(made, check=True)  # noqa: S603
    install = [uv, "pip", "install", "--quiet", "--python", python, "dlt[duckdb]>=1.4"]
    subprocess.run(install, check=True)  # noqa: S603
    return python


def _load(box: Box, folder: Path, streams: tuple[str, ...]) -> tuple[float, float, float, int]:
    """Processor seconds of tap and target, wall seconds, and the rows in the file."""
    file = folder / "ours.duckdb"
    file.unlink(missing_ok=True)
    (folder / "target.json").write_text(f'{{"path": "{file}", "add_record_metadata": false}}')
    (folder / "catalog.json").write_text(json.dumps(catalog(TAP, streams)))
    with settings_file(box, **FAST) as config:
        begun = time.monotonic()
        options = ["--config", config, "--catalog", str(folder / "catalog.json")]
        tap = subprocess.Popen(  # noqa: S603
            [*TAP, *options], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        target = subprocess.Popen(  # noqa: S603
            [TARGET, "--config", str(folder / "target.json")],
            stdin=tap.stdout,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        assert tap.stdout  # noqa: S101 - tells the type checker
        tap.stdout.close()
        used = [_ended(process) for process in (tap, target)]
        seconds = time.monotonic() - begun
    return used[0], used[1], seconds, _rows(file, "main")


def _load_by_dlt(
    box: Box,
    folder: Path,
    python: str,
    only_contacts: bool,  # noqa: FBT001
) -> tuple[float, float, int]:
    file = folder / "dlt.duckdb"
    file.unlink(missing_ok=True)
    begun = time.monotonic()
    command = [python, str(ROOT / "benchmarks" / "dlt_source.py"), box.url, KEY, TOKEN, str(file)]
    words = [] if only_contacts else ["tracking"]
    process = subprocess.Popen([*command, *words], stderr=subprocess.DEVNULL)  # noqa: S603
    used = _ended(process)
    return used, time.monotonic() - begun, _rows(file, "account")


def _ended(process: subprocess.Popen[bytes]) -> float:
    """Wait for a process; returns its processor seconds."""
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, process.args  # noqa: S101 - a benchmark that fails says so
    return used.ru_utime + used.ru_stime


def _rows(file: Path, schema: str) -> int:
    """Rows of contacts and reports; both ways store the same."""
    with duckdb.connect(file, read_only=True) as connection:
        found = connection.execute(
            "select table_name from information_schema.tables where table_schema = ?"
            " and (table_name = 'contacts' or table_name like 'campaign\\_%' escape '\\')",
            [schema],
        ).fetchall()
        return sum(
            connection.execute(f'select count(*) from "{schema}"."{name}"').fetchall()[0][0]  # noqa: S608
            for (name,) in found
        )


def served() -> str:
    """Pages of 500 contacts that the sandbox serves in a second, two at a time."""
    with sandbox("--contacts", "20000") as box:
        url = f"{box.url}/contacts?status=ALL&limit=500&api_key={KEY}"
        asked = Request(url, headers={"Authorization": f"Bearer {TOKEN}"})  # noqa: S310 - loopback

        def ask(_: int) -> int:
            with urlopen(asked) as answer:  # noqa: S310 - loopback
                return len(answer.read())

        ask(0)
        begun = time.monotonic()
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(ask, range(400)))
        pages = 400 / (time.monotonic() - begun)
    return f"The sandbox serves {pages:.0f} pages of 500 contacts a second."


def plot(measured: dict[float, list[tuple[str, float]]]) -> str:
    """Bars of wall time against requests / rate, by latency and requests in flight, as SVG."""
    highest = max(ratio for bars in measured.values() for _, ratio in bars)
    drawn = []
    for group, (latency, bars) in enumerate(measured.items()):
        for number, (at_once, ratio) in enumerate(bars):
            x, height = 60 + group * 150 + number * 52, 200 * ratio / highest
            drawn.append(
                f'<rect x="{x}" y="{240 - height:.1f}" width="36" height="{height:.1f}"'
                f' fill="{("#1f6f8b", "#58a4b0")[number]}"/>'
                f'<text x="{x + 18}" y="{234 - height:.1f}">{ratio:.2f}</text>'
                f'<text x="{x + 18}" y="255">{at_once}</text>'
            )
        drawn.append(f'<text x="{120 + group * 150}" y="275">{latency} s</text>')
    line = 240 - 200 / highest
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 660 300" font-size="12"'
        ' font-family="sans-serif" text-anchor="middle"><rect width="660" height="300"'
        ' fill="#fff"/><text x="330" y="18">Wall time against requests / 4 per second, by requests'
        f" in flight and latency</text>{''.join(drawn)}"
        f'<path d="M50 {line:.1f}H650" stroke="#c33" stroke-dasharray="4"/></svg>\n'
    )


PARTS = {
    part.__name__: part
    for part in (
        memory,  # First: the peak of a process begins at that of the process that starts it.
        processor,
        processor_v3,
        starts,
        pace,
        pace_v3,
        unthrottled,
        days,
        loading,
        served,
    )
}


def main() -> None:
    """Measure all, or the parts that are named, and write it down."""
    page = DOCS / "performance.md"
    text = page.read_text()
    for name in sys.argv[1:] or PARTS:
        begin, end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
        before, rest = text.split(begin)
        found = PARTS[name]()
        print(f"{found}\n", flush=True)  # noqa: T201
        text = f"{before}{begin}\n{found}\n\n{end}{rest.split(end)[1]}"
        page.write_text(text)


if __name__ == "__main__":
    main()
