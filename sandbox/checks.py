"""Checks of query parameters: each brings a value into its plain form, or says what it is not."""

from collections.abc import Callable
from typing import TypeAlias

from sandbox.world import timestamps

Check: TypeAlias = Callable[[str], str]
"""Brings a parameter's value into its plain form, or raises `ValueError` saying what it is not."""


def timestamp(value: str) -> str:
    """Check a time; its plain form is milliseconds since 1970."""
    return str(timestamps.read(value))


def flag(value: str) -> str:
    """Check a yes or no."""
    return one_of("true", "false")(value)


def any_text(value: str) -> str:
    """Take any text that is not empty."""
    if not value:
        msg = "empty"
        raise ValueError(msg)
    return value


def one_of(*values: str) -> Check:
    """Check for one of a few words."""

    def check(value: str) -> str:
        if value not in values:
            msg = f"none of {', '.join(values)}"
            raise ValueError(msg)
        return value

    return check


def some_of(*values: str) -> Check:
    """Check for some of a few words, with commas between them."""

    def check(value: str) -> str:
        if unknown := set(value.split(",")) - set(values):
            msg = f"{min(unknown)!r}, which is none of {', '.join(values)}"
            raise ValueError(msg)
        return value

    return check
