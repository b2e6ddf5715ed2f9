"""A local Constant Contact: a fictional account behind both APIs, for tests, demos and trials.

It knows nothing of the tap and the tap nothing of it, so that each checks the other.
"""

from sandbox.account import Account
from sandbox.server import Sandbox, serve
from sandbox.trouble import Trouble
from sandbox.wire import Call, Reply
from sandbox.world import moments

__all__ = ["Account", "Call", "Reply", "Sandbox", "Trouble", "moments", "serve"]
