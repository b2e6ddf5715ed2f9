"""A local Constant Contact: a fictional account behind both APIs, for tests, demos and trials.

It does not import the tap, nor the tap the sandbox, so that each checks the other.
"""

from sandbox.account import Account
from sandbox.fault_config import FaultConfig
from sandbox.http import Call, Reply
from sandbox.server import Sandbox, serve, serve_accounts
from sandbox.world import timestamps

__all__ = [
    "Account",
    "Call",
    "FaultConfig",
    "Reply",
    "Sandbox",
    "serve",
    "serve_accounts",
    "timestamps",
]
