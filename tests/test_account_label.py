"""Several accounts in the same tables: the column `account_label` and its part in the keys."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, TypeAlias

import pytest
from helpers.runner import selected_by_default, sync

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox import Sandbox

    Serving: TypeAlias = "Callable[..., Sandbox]"


@pytest.mark.parametrize("version", ["v2", "v3"])
def test_label_is_a_column_of_all_records_and_keys(serving: Serving, version: str) -> None:
    now = dt.datetime.now(dt.UTC)  # Some records tell when they were requested.
    box = serving(clock=lambda: now)
    names = selected_by_default(version)
    plain = sync(box, *names, version=version)
    labeled = sync(box, *names, version=version, account_label="acme")
    assert plain.counts == labeled.counts
    assert {
        row["account_label"]
        for row in sync(box, version=version, account_label="a").rows("sync_audit")
    } == {"a"}
    for one, other in zip(plain.messages, labeled.messages, strict=True):
        if one["type"] == "SCHEMA":
            assert other["key_properties"] == [*one["key_properties"], "account_label"]
            assert other["schema"]["properties"]["account_label"]["type"] == ["string"]
        elif one["type"] == "RECORD":
            assert other["record"] == {**one["record"], "account_label": "acme"}
