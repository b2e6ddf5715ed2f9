from __future__ import annotations

import contextlib
import types
from typing import TYPE_CHECKING, Any

import pytest
from backoff import _sync as retrying
from singer import KEY, TOKEN

from sandbox import Account, Trouble, serve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sandbox import Sandbox


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds that retries would have slept: nothing here waits for real."""
    waited: list[float] = []
    monkeypatch.setattr(retrying, "time", types.SimpleNamespace(sleep=waited.append))
    return waited


@pytest.fixture
def serving() -> Iterator[Callable[..., Sandbox]]:
    """Serves accounts: `serving(contacts=100, throttle=4)`."""
    with contextlib.ExitStack() as stack:

        def start(*, trouble: Trouble | None = None, **sizes: Any) -> Sandbox:
            account = Account(**{"contacts": 60, "campaigns": 3, "recipients": 5, **sizes})
            box: Sandbox = stack.enter_context(
                serve(account, trouble or Trouble(), api_key=KEY, access_token=TOKEN)
            )
            return box

        yield start
