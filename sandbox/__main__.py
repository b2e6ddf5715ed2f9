"""The command `python -m sandbox`: a sandbox of both APIs."""

import argparse
import signal
import sys
import threading
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sandbox.account import Account
from sandbox.fault_config import AREAS, FaultConfig
from sandbox.server import serve

_SIZES: Final = (
    ("contacts", 1000, "contacts of all statuses"),
    ("lists", 8, "contact lists"),
    ("activities", 12, "bulk jobs; the API returns 50 at most"),
    ("campaigns", 30, "e-mail campaigns of all statuses"),
    ("recipients", 200, "contacts that each campaign is sent to"),
    ("events", 4, "events"),
    ("files", 40, "library files, including the trash"),
    ("resends", 0, "campaigns with a resend to contacts that had not opened"),
    ("campaign-days", 7, "days between two campaigns"),
)
_COUNTS: Final = (
    ("throttle", "reject requests beyond N per second (the API's limit is 4)"),
    ("quota", "reject requests beyond N per day (the API's limit is 10000)"),
    ("retry-after", "send Retry-After: N with those errors"),
    ("fail-every", "respond to every Nth request with 500, 502, 503, 504 or 522"),
    ("drop-every", "truncate the body of every Nth response"),
    ("garbage-every", "respond to every Nth request with invalid JSON"),
    ("unauthorized-every", "respond to every Nth request as if the token were invalid"),
    ("slow-pages", "v3: respond to requests for more than N contacts with 504"),
)
_SWITCHES: Final = (
    ("extra-row", "pages have one record too many, which the next page repeats"),
    ("lose-filter", "later pages of contacts ignore modified_since and status"),
    ("no-schedules-is-404", "campaigns without schedules answer 404 instead of []"),
    ("library-info-array", "library usage is an array of one object"),
    ("guide-forms", "v3: metrics as in the guide: text, an array, keys with dots"),
    ("stale-counters", "counters are zero unless the request has the parameter for current ones"),
)


def _at_least(least: float, text: str) -> float:
    number = float(text)
    if number < least:
        msg = f"{text} is less than {least:g}"
        raise argparse.ArgumentTypeError(msg)
    return number


def _count(text: str) -> int:
    return int(_at_least(1, str(int(text))))


def _size(text: str) -> int:
    return int(_at_least(0, str(int(text))))


def _seconds(text: str) -> float:
    return _at_least(0, text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m sandbox",
        description="Serve a fictional Constant Contact account through both APIs.",
        epilog="While it runs: GET /sandbox describes the account, POST /sandbox/change with "
        '{"edit": 7, "add": 2} changes it, PUT /sandbox/faults with {"throttle": 4} sets faults.',
    )
    parser.add_argument("--port", type=int, default=8180, help="0 for any free one (8180)")
    parser.add_argument("--api-key", default="sandbox-key", help="accepted key (sandbox-key)")
    parser.add_argument(
        "--access-token",
        default="sandbox-token",
        help="accepted access token (sandbox-token)",
    )
    account = parser.add_argument_group("the account", "The same options make the same account.")
    account.add_argument(
        "--seed", type=int, default=1, metavar="N", help="seed of the random data (1)"
    )
    account.add_argument(
        "--now",
        type=datetime.fromisoformat,
        metavar="TIME",
        help="newest time in the account, ISO 8601 (start of today, UTC)",
    )
    for name, default, text in _SIZES:
        account.add_argument(
            f"--{name}",
            type=_size,
            default=default,
            metavar="N",
            help=f"{text} ({default})",
        )
    faults = parser.add_argument_group("faults", "None by default.")
    for name, text in _COUNTS:
        faults.add_argument(f"--{name}", type=_count, metavar="N", help=text)
    faults.add_argument(
        "--latency",
        type=_seconds,
        default=0.0,
        metavar="SECONDS",
        help="delay of each response",
    )
    faults.add_argument(
        "--stats-lag-hours",
        type=_size,
        default=0,
        metavar="N",
        help="v3: counters of campaigns are N hours behind the records",
    )
    faults.add_argument(
        "--slow-segments",
        type=_size,
        default=0,
        metavar="N",
        help="v3: respond to the next N requests for members of a segment with 202",
    )
    faults.add_argument(
        "--missing-privileges",
        action="append",
        default=[],
        metavar="PRIVILEGE",
        help="v3: privilege that the user does not have (may be repeated)",
    )
    faults.add_argument(
        "--clock-shift-hours",
        type=_size,
        default=0,
        metavar="N",
        help="times in tracking reports are N hours behind UTC, although marked Z",
    )
    for name, text in _SWITCHES:
        faults.add_argument(f"--{name}", action="store_true", help=text)
    faults.add_argument(
        "--vanish",
        action="append",
        default=[],
        metavar="ID",
        help="id that is listed, and whose detail is not found (may be repeated)",
    )
    faults.add_argument(
        "--denied-products",
        action="append",
        default=[],
        choices=AREAS,
        help="product that the account does not have (may be repeated)",
    )
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the sandbox until SIGINT or SIGTERM.

    Args:
        arguments: The command line without the program's name.

    Returns:
        The exit code: 0 after SIGINT or SIGTERM.
    """
    parser = _parser()
    options = vars(parser.parse_args(arguments))
    port, api_key, access_token = (
        options.pop(name) for name in ("port", "api_key", "access_token")
    )
    faults = FaultConfig()
    faults.change({name: options.pop(name) for name in faults.__struct_fields__})
    end = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: end.set())
    account = Account(**options)
    try:
        with serve(account, faults, api_key=api_key, access_token=access_token, port=port) as box:
            sys.stdout.write(
                f"A fictional account (seed {options['seed']}) with {options['contacts']} contacts "
                f"and {options['campaigns']} campaigns.\n"
                f"api_url: {box.url}\n"
                f"api_key: {api_key}  access_token: {access_token}\n"
                f"v3_api_url: {box.v3_url}\n"
                f"auth_url: {box.origin}  client_id: {box.oauth.application.client_id}\n"
                f"control: {box.origin}/sandbox\n",
            )
            sys.stdout.flush()
            end.wait()
    except OSError as error:
        parser.exit(2, f"port {port} cannot be used: {error.strerror}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
