"""What the sandbox serves, and what it has seen so far."""

from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Condition
from typing import NamedTuple, TypeAlias

from sandbox.account import Account
from sandbox.trouble import Trouble

_JSON = "application/json"


@dataclass(slots=True)
class Call:
    """One call, as it is remembered.

    Attributes:
        params: The query parameters without the API key and the access token.
        status: The HTTP status of the answer; 0 while there is none yet.
        at: When it came in, by the monotonic clock.
    """

    method: str
    path: str
    params: dict[str, str]
    status: int
    at: float


class Reply(NamedTuple):
    """An answer on its way out.

    Attributes:
        cut: Whether the connection breaks in the middle of the body.
    """

    status: int
    body: bytes
    content_type: str = _JSON
    headers: tuple[tuple[str, str], ...] = ()
    cut: bool = False


Interfere: TypeAlias = Callable[[Call, Callable[[], Reply]], Reply | None]


@dataclass(slots=True)
class State:
    """What the sandbox serves, and what it has seen so far.

    Attributes:
        account: May be changed and replaced at any time.
        trouble: May be changed and replaced at any time.
        calls: Every call in order of arrival, refused ones too.
        arrival: Notified of every call.
        interfere: Called with every call that would be answered and with what answers it, to let
            something happen before that, or to answer in its place.
        refusals: How many calls came too fast.
        calls_today: How many calls count towards the day's quota.
    """

    account: Account
    trouble: Trouble
    api_key: str
    access_token: str
    calls: list[Call] = field(default_factory=list)
    arrival: Condition = field(default_factory=Condition)
    interfere: Interfere | None = None
    refusals: int = 0
    calls_today: int = 0
