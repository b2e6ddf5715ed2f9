"""Changes and reads of an account that happen at once."""

from functools import wraps
from threading import RLock
from typing import TYPE_CHECKING, Concatenate, ParamSpec, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable


class WithLock(Protocol):
    """An account that several threads use."""

    lock: RLock


_P = ParamSpec("_P")
_R = TypeVar("_R")
_WithLock = TypeVar("_WithLock", bound=WithLock)


def at_once(
    change: "Callable[Concatenate[_WithLock, _P], _R]",
) -> "Callable[Concatenate[_WithLock, _P], _R]":
    """Make a change between requests, never during one."""

    @wraps(change)
    def locked(world: _WithLock, /, *args: _P.args, **kwargs: _P.kwargs) -> _R:
        with world.lock:
            return change(world, *args, **kwargs)

    return locked
