"""Matching of paths."""

import re
from collections.abc import Callable


def matcher(path: str) -> Callable[[str], re.Match[str] | None]:
    """Matches a path, and returns the values of its names in braces."""
    return re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path)).fullmatch
