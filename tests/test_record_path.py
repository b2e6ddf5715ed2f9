"""The path of one record in docs/architecture.md is the one that a run takes."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from helpers.runner import catalog, config, typed

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from sandbox import Sandbox

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "tap_constantcontact"
_HOP = re.compile(r"^\| \d+ \| `([\w/.]+)`: `(\w+)` \|", re.MULTILINE)


def documented_hops() -> list[tuple[str, str]]:
    return _HOP.findall((ROOT / "docs" / "architecture.md").read_text())


def test_documented_path_is_short() -> None:
    assert 10 <= len(documented_hops()) <= 15


def test_a_record_takes_the_documented_path(
    serving: Callable[..., Sandbox], tmp_path: Path
) -> None:
    box = serving(contacts=20, campaigns=3)
    called: list[tuple[str, str]] = []

    def trace(frame: FrameType, event: str, _: Any) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(str(PACKAGE)):
            file = str(Path(frame.f_code.co_filename).relative_to(PACKAGE))
            called.append((file, frame.f_code.co_name))

    (tmp_path / "catalog.json").write_text(
        json.dumps(catalog("campaigns", "campaign_opens", version="v3"))
    )
    settings = config(box, "v3")
    sys.setprofile(trace)
    try:
        run = typed(tmp_path, settings, "--catalog", str(tmp_path / "catalog.json"))
    finally:
        sys.setprofile(None)

    assert run.code == 0
    assert run.output.rows("campaign_opens")
    calls = iter(called)
    missing = [hop for hop in documented_hops() if hop not in calls]
    assert not missing, f"not called, or not in this order: {missing}"
