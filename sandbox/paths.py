"""Telling the paths of an API apart."""

import re
from collections.abc import Callable


def matcher(path: str) -> Callable[[str], re.Match[str] | None]:
    """Tells whether a path is this one, and what stands where it has names in braces."""
    return re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path)).fullmatch
