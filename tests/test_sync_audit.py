"""The stream `sync_audit`: what became of each stream of a run."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest
from helpers.runner import Collector, catalog, selected_by_default, sync
from singer_sdk.exceptions import FatalAPIError

from sandbox import Call, FaultConfig, Reply

if TYPE_CHECKING:
    from collections.abc import Callable

    from helpers.runner import Output

    from sandbox import Sandbox

    Serving: TypeAlias = "Callable[..., Sandbox]"

VERSIONS = ("v2", "v3")
TRACKING = ("sends", "opens", "clicks", "bounces", "forwards", "unsubscribes")


def audit_of(output: Output) -> dict[str, dict[str, Any]]:
    return {row["stream"]: row for row in output.rows("sync_audit")}


@pytest.mark.parametrize("version", VERSIONS)
def test_complete_run_matches_the_counts_of_the_api(serving: Serving, version: str) -> None:
    box = serving(contacts=60, campaigns=6, recipients=30)
    output = sync(box, version=version)
    audit = audit_of(output)
    assert audit.keys() == selected_by_default(version)
    assert {row["outcome"] for row in audit.values()} == {"complete"}
    assert {stream: row["records"] for stream, row in audit.items() if row["records"]} == {
        stream: count for stream, count in output.counts.items() if stream != "sync_audit"
    }
    assert sum(row["requests"] for row in audit.values()) == len(box.calls)
    counted = [f"campaign_{report}" for report in TRACKING] + ["contacts"] * (version == "v3")
    for report in counted:
        row = audit[report]
        assert row["objects_checked"] > 0
        assert (row["verdict"], row["difference"]) == ("match", 0), report


@pytest.mark.parametrize("version", VERSIONS)
def test_hidden_records_are_reported_as_missing(serving: Serving, version: str) -> None:
    """One record of a hundred is hidden from the report of sends."""
    box = serving(contacts=150, campaigns=2, recipients=100)
    hidden = 0

    def hide(call: Call, answer: Callable[[], Reply]) -> Reply | None:
        nonlocal hidden
        if not call.path.endswith("/tracking/sends"):
            return None
        reply = answer()
        body = json.loads(reply.body)
        rows = body["results" if version == "v2" else "tracking_activities"]
        count = max(1, len(rows) // 100)
        hidden += count
        del rows[:count]
        return Reply(reply.status, json.dumps(body).encode())

    box.interfere = hide
    box.observe = None
    audit = audit_of(sync(box, version=version))
    sends = audit["campaign_sends"]
    assert hidden > 0
    assert (sends["verdict"], sends["difference"]) == ("missing", -hidden)
    assert audit["campaign_opens"]["verdict"] == "match"


def test_missing_contacts_are_noticed_in_a_full_refresh(serving: Serving) -> None:
    box = serving(contacts=300)

    def hide(call: Call, answer: Callable[[], Reply]) -> Reply | None:
        if not call.path.endswith("/contacts"):
            return None
        reply = answer()
        body = json.loads(reply.body)
        counted = [
            row
            for row in body["contacts"]
            if row.get("email_address") and not row.get("deleted_at")
        ]
        body["contacts"] = [row for row in body["contacts"] if row not in counted[:3]]
        return Reply(reply.status, json.dumps(body).encode())

    box.interfere = hide
    box.observe = None
    output = sync(box, version="v3")
    contacts = audit_of(output)["contacts"]
    assert (contacts["verdict"], contacts["difference"]) == ("missing", -3)
    calls = [call.path for call in box.calls]
    sync(box, version="v3", state=output.state)
    assert [call.path for call in box.calls[len(calls) :]].count("/v3/contacts/counts") == 0


@pytest.mark.parametrize("status", [403, 404, 500, 400])
def test_contacts_are_synced_without_their_count(serving: Serving, status: int) -> None:
    box = serving(contacts=30)

    def fail(call: Call, _: Callable[[], Reply]) -> Reply | None:
        return Reply(status, b"[]") if call.path.endswith("/contacts/counts") else None

    box.interfere = fail
    box.observe = None
    output = sync(box, version="v3")
    assert output.counts["contacts"] == len(box.account.v3_ids("contacts"))
    row = audit_of(output)["contacts"]
    assert (row["outcome"], row["verdict"]) == ("complete", "unchecked")


def test_counts_that_lag_behind_records_are_no_loss(serving: Serving) -> None:
    box = serving(faults=FaultConfig(stats_lag_hours=24), campaigns=8, recipients=30)
    box.account.add_tracking(40)
    verdicts = {
        row["verdict"]
        for stream, row in audit_of(sync(box, version="v3")).items()
        if stream in {f"campaign_{report}" for report in TRACKING}
    }
    assert "more" in verdicts
    assert "missing" not in verdicts


@pytest.mark.parametrize("version", VERSIONS)
def test_interrupted_run_says_where(serving: Serving, version: str) -> None:
    box = serving(campaigns=6)
    output = sync(box, version=version, max_requests=14 if version == "v2" else 24)
    audit = audit_of(output)
    outcomes = [row["outcome"] for row in audit.values()]
    assert audit["contacts"]["outcome"] == "complete"
    assert audit["campaigns"]["outcome"] == "interrupted"
    assert audit["events"]["outcome"] == "not_started"
    assert set(outcomes) == {"complete", "interrupted", "not_started"}
    assert output.messages[-1]["type"] == "STATE"
    again = audit_of(sync(box, version=version, state=output.state))
    assert {row["outcome"] for row in again.values()} == {"complete"}


def test_failed_run_has_an_audit(serving: Serving) -> None:
    box = serving(faults=FaultConfig(quota=6))
    writer = Collector()
    with pytest.raises(FatalAPIError):
        sync(box, into=writer)
    assert "interrupted" in {row["outcome"] for row in audit_of(writer.output).values()}


def test_objects_that_fail_and_missing_privileges_are_named(serving: Serving) -> None:
    box = serving(campaigns=3, faults=FaultConfig(missing_privileges={"contacts:lists:read"}))

    def fail(call: Call, _: Callable[[], Reply]) -> Reply | None:
        is_due = call.path.endswith("/tracking/opens")
        return Reply(400, b'[{"error_key": "x", "error_message": "y"}]') if is_due else None

    box.interfere = fail
    writer = Collector()
    with contextlib.suppress(FatalAPIError):
        sync(box, version="v3", into=writer)
    audit = audit_of(writer.output)
    assert audit["lists"]["outcome"] == "unauthorized"
    assert audit["campaign_opens"]["outcome"] == "partial"
    assert audit["campaign_clicks"]["outcome"] == "complete"


def test_deselected_audit_is_not_written(serving: Serving) -> None:
    output = sync(serving(), "contacts", "campaigns")
    assert not output.rows("sync_audit")
    assert "sync_audit" in json.dumps(catalog())
