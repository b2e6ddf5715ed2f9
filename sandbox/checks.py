"""Validation of query parameters. Each function converts a value or names its fault."""

from collections.abc import Callable
from typing import TypeAlias

from sandbox.world import timestamps

Check: TypeAlias = Callable[[str], str]
"""Converts the value of a parameter, or raises a ValueError with its fault."""


def timestamp(value: str) -> str:
    """Convert a time to milliseconds since 1970."""
    return str(timestamps.read(value))


def flag(value: str) -> str:
    """Convert a boolean."""
    return one_of("true", "false")(value)


def any_text(value: str) -> str:
    """Accept any text that is not empty."""
    if not value:
        msg = "empty"
        raise ValueError(msg)
    return value


def one_of(*values: str) -> Check:
    """Accept one of some words."""

    def check(value: str) -> str:
        if value not in values:
            msg = f"none of {', '.join(values)}"
            raise ValueError(msg)
        return value

    return check


def some_of(*values: str) -> Check:
    """Accept some words, separated by commas."""

    def check(value: str) -> str:
        if unknown := set(value.split(",")) - set(values):
            msg = f"{min(unknown)!r}, which is none of {', '.join(values)}"
            raise ValueError(msg)
        return value

    return check
