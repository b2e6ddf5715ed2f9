"""The state of the sandbox: its account and its requests."""

from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Condition
from typing import TypeAlias

from sandbox.account import Account
from sandbox.fault_config import FaultConfig
from sandbox.http import Call, Reply

Observe: TypeAlias = Callable[[Call, Reply], object]
Interfere: TypeAlias = Callable[[Call, Callable[[], Reply]], Reply | None]


@dataclass(slots=True)
class State:
    """The state of the sandbox: its account and its requests.

    Attributes:
        account: May be changed and replaced at any time.
        faults: May be changed and replaced at any time.
        calls: Every request in order of arrival, rejected ones included.
        arrival: Notified of every call.
        interfere: Called with every call that would be answered and with what answers it, to let
            something happen before that, or to answer in its place.
        observe: Told of every call that was answered, with the answer before anything spoilt it.
        throttled: Number of throttled requests.
        calls_today: How many calls count towards the day's quota.
    """

    account: Account
    faults: FaultConfig
    api_key: str
    access_token: str
    calls: list[Call] = field(default_factory=list)
    arrival: Condition = field(default_factory=Condition)
    interfere: Interfere | None = None
    observe: Observe | None = None
    throttled: int = 0
    calls_today: int = 0

    def note(self, call: Call) -> None:
        """Log a request."""
        with self.arrival:
            self.calls.append(call)
            self.arrival.notify_all()
