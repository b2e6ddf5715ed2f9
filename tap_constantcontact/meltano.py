"""Meltano's environment, where the tap runs as its plugin."""

from __future__ import annotations

import json
import os
from fnmatch import fnmatchcase

_PLUGIN = os.environ.get("MELTANO_EXTRACTOR_NAME")
_RULES = "MELTANO_EXTRACT__SELECT"


def command(action: str) -> str:
    """Return the shell command for an action, such as `login`."""
    # Meltano's users have no `tap-constantcontact` on their path.
    return f"meltano invoke {_PLUGIN}:{action}" if _PLUGIN else f"tap-constantcontact --{action}"


LOGIN = command("login")
DUMP_CATALOG = f"meltano invoke --dump=catalog {_PLUGIN}"


def selection_rules() -> list[str]:
    """Return the rules of `meltano select`, such as `contacts.*`; none without Meltano."""
    try:
        rules = json.loads(os.environ.get(_RULES, "[]"))
    except ValueError:
        return []
    return [rule for rule in rules if isinstance(rule, str)] if isinstance(rules, list) else []


def is_selected(stream: str, rules: list[str]) -> bool:
    """Return whether rules select a stream: one includes it, and none excludes all its fields."""
    included = False
    for rule in rules:
        pattern, _, field = rule.removeprefix("!").partition(".")
        if not fnmatchcase(stream, pattern):
            continue
        if not rule.startswith("!"):
            included = True
        elif field in {"", "*"}:
            return False
    return included
