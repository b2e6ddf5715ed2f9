"""What the account says it has is what one finds by reading all of it through the API."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import chain
from typing import Any, TypeAlias
from urllib.parse import quote

import pytest
import requests

from sandbox import Account, FaultConfig, Sandbox, serve

pytestmark = pytest.mark.slow

Row: TypeAlias = dict[str, Any]

NOW = datetime(2026, 3, 1, tzinfo=UTC)
KINDS = ("bounces", "clicks", "forwards", "opens", "sends", "unsubscribes")


class Reader:
    """Reads everything, the long way."""

    def __init__(self, box: Sandbox, session: requests.Session) -> None:
        self._box = box
        self._session = session

    def one(self, path: str) -> Any:
        response = self._session.get(f"{self._box.url}{path}")
        assert response.status_code == 200, response.text
        return response.json()

    def pages(self, path: str) -> Iterator[Row]:
        body = self.one(path)
        yield from body["results"]
        while link := body["meta"]["pagination"].get("next_link"):
            body = self.one(link.removeprefix("/v2"))
            yield from body["results"]

    def campaigns(self, *statuses: str) -> Iterator[str]:
        for status in statuses:
            for row in self.pages(f"/emailmarketing/campaigns?status={status}&limit=7"):
                yield row["id"]

    def events(self) -> Iterator[tuple[str, str]]:
        for row in self.pages("/eventspot/events?limit=2"):
            yield row["id"], f"/eventspot/events/{row['id']}"


def campaign_links(reader: Reader) -> Iterator[tuple[str, str]]:
    for id_ in reader.campaigns("ALL"):
        detail = reader.one(f"/emailmarketing/campaigns/{id_}")
        for link in detail.get("click_through_details", []):
            yield id_, link["url_uid"]


def campaign_schedules(reader: Reader) -> Iterator[tuple[str, str]]:
    for id_ in reader.campaigns("ALL"):
        for row in reader.one(f"/emailmarketing/campaigns/{id_}/schedules"):
            yield id_, row["id"]


def report(kind: str) -> Callable[[Reader], Iterator[tuple[str, ...]]]:
    def keys(reader: Reader) -> Iterator[tuple[str, ...]]:
        for id_ in reader.campaigns("SENT", "RUNNING"):
            path = f"/emailmarketing/campaigns/{id_}/tracking/{kind}?limit=100"
            for row in reader.pages(path):
                assert row["campaign_id"] == id_
                yield (
                    id_,
                    row["contact_id"],
                    next(value for name, value in row.items() if name.endswith("_date")),
                    *([row["link_id"]] if kind == "clicks" else []),
                )

    return keys


def contact_activity(reader: Reader) -> Iterator[tuple[str, ...]]:
    for contact in reader.pages("/contacts?limit=500"):
        for row in reader.pages(f"/contacts/{contact['id']}/tracking"):
            yield (
                row["contact_id"],
                row["activity_type"],
                row["campaign_id"],
                next(value for name, value in row.items() if name.endswith("_date")),
                row.get("link_id", "none"),
            )


def contact_campaigns(reader: Reader) -> Iterator[tuple[str, str]]:
    for contact in reader.pages("/contacts?limit=500"):
        path = f"/contacts/{contact['id']}/tracking/reports/summaryByCampaign"
        for row in reader.one(path):
            yield row["contact_id"], row["campaign_id"]


def of_events(part: str) -> Callable[[Reader], Iterator[tuple[str, str]]]:
    return lambda reader: (
        (id_, row["id"]) for id_, path in reader.events() for row in reader.one(f"{path}/{part}")
    )


def attributes(reader: Reader) -> Iterator[tuple[str, str, str]]:
    for id_, path in reader.events():
        for item in reader.one(f"{path}/items"):
            rows = reader.one(f"{path}/items/{quote(item['id'], safe='')}/attributes")
            assert rows == item["attributes"]
            for row in rows:
                yield id_, item["id"], row["id"]


def folders(reader: Reader) -> Iterator[str]:
    rows = list(reader.pages("/library/folders?limit=3"))
    while rows:
        row = rows.pop()
        rows += row["children"]
        yield row["id"]


STREAMS: dict[str, Callable[[Reader], Any]] = {
    "account": lambda reader: [reader.one("/account/info")["email"]],
    "account_emails": lambda reader: [
        row["email_address"] for row in reader.one("/account/verifiedemailaddresses")
    ],
    "contacts": lambda reader: (row["id"] for row in reader.pages("/contacts?limit=17")),
    "lists": lambda reader: (row["id"] for row in reader.one("/lists")),
    "activities": lambda reader: (row["id"] for row in reader.one("/activities")),
    "campaigns": lambda reader: reader.campaigns("ALL"),
    "deleted_campaigns": lambda reader: reader.campaigns("DELETED"),
    "campaign_links": campaign_links,
    "campaign_schedules": campaign_schedules,
    "campaign_previews": lambda reader: (
        id_
        for id_ in reader.campaigns("ALL")
        if reader.one(f"/emailmarketing/campaigns/{id_}/preview")
    ),
    **{f"campaign_{kind}": report(kind) for kind in KINDS},
    "contact_activity": contact_activity,
    "contact_summaries": lambda reader: (
        reader.one(f"/contacts/{row['id']}/tracking/reports/summary")["contact_id"]
        for row in reader.pages("/contacts?limit=500")
    ),
    "contact_campaign_summaries": contact_campaigns,
    "events": lambda reader: (id_ for id_, _ in reader.events()),
    "event_fees": of_events("fees"),
    "event_items": of_events("items"),
    "event_promocodes": of_events("promocodes"),
    "event_item_attributes": attributes,
    "event_registrants": lambda reader: (
        (id_, row["id"])
        for id_, path in reader.events()
        for row in reader.pages(f"{path}/registrants")
    ),
    "library_usage": lambda reader: [reader.one("/library/info")["image_root"]],
    "library_folders": folders,
    "library_files": lambda reader: (
        row["id"]
        for row in chain(
            reader.pages("/library/files?limit=11"),
            reader.pages("/library/folders/trash/files?limit=3"),
        )
    ),
}


@pytest.fixture(scope="module")
def box() -> Iterator[Sandbox]:
    account = Account(
        seed=8,
        contacts=120,
        lists=3,
        activities=9,
        campaigns=14,
        recipients=60,
        events=5,
        files=30,
        now=NOW,
    )
    # So that it is not only counts from the beginning that are right.
    account.purge_contacts(5)
    account.delete_campaigns(1)
    account.send_campaigns(1)
    account.add_tracking(20)
    account.add_registrants(3)
    account.trash_files(2)
    account.add_folders(2)
    with serve(account) as running:
        yield running


@pytest.fixture(scope="module")
def reader(box: Sandbox) -> Iterator[Reader]:
    with requests.Session() as session:
        session.headers["Authorization"] = "Bearer token"
        session.params = {"api_key": "key"}
        yield Reader(box, session)


@pytest.mark.parametrize("stream", STREAMS)
def test_counts_and_ids_match_the_responses(box: Sandbox, reader: Reader, stream: str) -> None:
    found = list(STREAMS[stream](reader))
    assert found
    assert set(found) == box.account.ids(stream)
    assert len(found) == box.account.counts()[stream]


def test_there_are_no_other_streams(box: Sandbox) -> None:
    assert box.account.counts().keys() == STREAMS.keys()


@pytest.mark.parametrize("stream", ["campaign_opens", "campaign_sends", "contact_activity"])
def test_ids_follow_a_clock_that_is_behind(box: Sandbox, reader: Reader, stream: str) -> None:
    box.faults.clock_shift_hours = 5
    try:
        found = set(STREAMS[stream](reader))
    finally:
        box.faults = FaultConfig()
    assert found == box.account.ids(stream, clock_shift_hours=5)
    same = found == box.account.ids(stream)
    assert same == (stream == "campaign_sends")


@pytest.mark.parametrize("stream", ["campaigns", "campaign_opens", "events", "library_files"])
def test_a_row_too_many_loses_nothing(box: Sandbox, reader: Reader, stream: str) -> None:
    box.faults.extra_row = True
    try:
        found = list(STREAMS[stream](reader))
    finally:
        box.faults = FaultConfig()
    assert set(found) == box.account.ids(stream)
    assert len(found) > len(set(found))
