"""Meltano projects of several accounts, for tests and benchmarks."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

_ROOT = Path(__file__).parents[1]


def project(folder: Path, labels: list[str], **settings: str) -> Path:
    """Create a Meltano project with a plugin per account, whose tokens are the labels."""
    text = (_ROOT / "meltano.yml").read_text()
    (folder / "meltano.yml").write_text(f"include_paths: [./accounts.meltano.yml]\n{text}")
    (folder / "accounts.txt").write_text("\n".join(labels) + "\n")
    plugins = subprocess.run(  # noqa: S603
        [sys.executable, _ROOT / "orchestration" / "plugins.py", folder / "accounts.txt"],
        stdout=subprocess.PIPE,
        check=True,
    )
    (folder / "accounts.meltano.yml").write_bytes(plugins.stdout)
    variables = [f"{name}={value}" for name, value in settings.items()]
    for label in labels:
        name = label.upper().replace("-", "_")
        variables.append(f"TAP_CONSTANTCONTACT__{name}_ACCESS_TOKEN={label}")
    (folder / ".env").write_text("\n".join(variables) + "\n")
    return folder
