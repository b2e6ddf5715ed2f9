"""Kinds of fixtures that ask a sandbox."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import requests

Row: TypeAlias = dict[str, Any]
#: All rows of a path, over all its pages.
Read: TypeAlias = Callable[..., list[Row]]
#: One answer.
Get: TypeAlias = Callable[..., requests.Response]
