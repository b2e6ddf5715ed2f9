"""Writes the pictures of the README from the demo: docs/images/report.png and demo.png.

Needs Chromium. Run `./demo.sh --fresh` before.
"""

from __future__ import annotations

import html
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
IMAGES = ROOT / "docs" / "images"
BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
TERMINAL = """<!doctype html><meta charset="utf-8"><style>
body { margin: 0; background: #14181c; color: #e6e9ec; }
pre { margin: 0; padding: 20px 24px; font: 15px/1.45 "DejaVu Sans Mono", monospace; }
</style><pre>"""


def shoot(page: Path, picture: Path, width: int, height: int) -> None:
    """Take a picture of the top of a page."""
    options = ["--headless", "--no-sandbox", "--hide-scrollbars", "--force-color-profile=srgb"]
    size = f"--window-size={width},{height}"
    target = [f"--screenshot={picture}", page.as_uri()]
    subprocess.run([str(BROWSER), *options, size, *target], check=True, capture_output=True)  # noqa: S603


def main() -> None:
    """Write both pictures."""
    if not BROWSER:
        sys.exit("Chromium is not installed.")
    IMAGES.mkdir(exist_ok=True)
    shoot(ROOT / "output" / "report.html", IMAGES / "report.png", 980, 760)
    demo = subprocess.run(  # noqa: S603
        [ROOT / "demo.sh"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    # The long table of streams is left out.
    lines = demo.stdout.splitlines()
    lists = next(place for place, line in enumerate(lines) if line.startswith("list "))
    lines = ["$ ./demo.sh", "\N{HORIZONTAL ELLIPSIS}", *lines[lists:]]
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "demo.html"
        page.write_text(TERMINAL + html.escape("\n".join(lines)), encoding="utf-8")
        shoot(page, IMAGES / "demo.png", 860, 44 + 22 * len(lines))


if __name__ == "__main__":
    main()
