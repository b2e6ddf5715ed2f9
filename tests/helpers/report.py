"""The report, as a browser without network sees it."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from typing import TYPE_CHECKING

from typing_extensions import override

if TYPE_CHECKING:
    from pathlib import Path

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
_LOADING = frozenset({"script", "link", "iframe", "img", "object", "embed", "image"})
_MEASURE = """
<script>
const shown = [...document.querySelectorAll('figure svg')].filter(svg => svg.checkVisibility());
document.body.dataset.seen = JSON.stringify({
    charts: shown.length,
    lowest: Math.min(...shown.map(svg => svg.getBoundingClientRect().height)),
    overflow: document.documentElement.scrollWidth > innerWidth,
});
</script>
"""


class Page(HTMLParser):
    """The tables of the page by their section, and the texts of the marks of its charts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tables: dict[str, list[list[str]]] = {}
        self.marks: dict[str, list[str]] = {}
        self.headings: list[str] = []
        self.loads: list[str] = []
        self.text = text
        self._section = ""
        self._hidden = 0
        self._cell: list[str] | None = None
        self.feed(text)

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag in _LOADING or any("://" in (given.get(name) or "") for name in ("src", "href")):
            self.loads.append(tag)
        if tag == "section":
            self._section = given["aria-labelledby"] or ""
        if tag == "div" and given.get("class") in {"wide", "narrow"}:
            self._hidden = given.get("class") == "narrow"
        if tag in {"h1", "h2", "h3"}:
            self.headings.append(tag)
        if tag == "tr":
            self.tables.setdefault(self._section, []).append([])
        if tag in {"td", "th"}:
            self._cell = []
        if given.get("aria-label") and tag == "path" and not self._hidden:
            self.marks.setdefault(self._section, []).append(given["aria-label"] or "")

    @override
    def handle_endtag(self, tag: str) -> None:
        if tag in {"td", "th"} and self._cell is not None:
            self.tables[self._section][-1].append("".join(self._cell))
            self._cell = None

    @override
    def handle_data(self, data: str) -> None:
        if self._cell is not None:
            self._cell.append(data)


def seen_by_browser(page: Path, width: int) -> dict[str, float]:
    """Return what a browser of that width shows, with every host unreachable."""
    assert BROWSER
    measured = page.with_name(f"measured-{width}.html")
    measured.write_text(page.read_text().replace("</body>", f"{_MEASURE}</body>"))
    done = subprocess.run(  # noqa: S603
        [
            BROWSER,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            f"--user-data-dir={page.parent / 'browser'}",
            "--host-resolver-rules=MAP * ~NOTFOUND",
            f"--window-size={width},900",
            "--dump-dom",
            measured.as_uri(),
        ],
        capture_output=True,
        text=True,
        check=True,
        timeout=100,
    )
    (found,) = re.findall(r'data-seen="([^"]*)"', done.stdout)
    seen: dict[str, float] = json.loads(html.unescape(found))
    return seen
