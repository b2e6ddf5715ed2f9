"""One world, read through both APIs: the same people, and the SQL of the page on moving to v3."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from helpers.runner import KEY, TOKEN, sync
from helpers.v3 import TRACKING
from target_duckdb_file import TargetDuckDBFile

from sandbox import Account, FaultConfig, serve

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = (Path(__file__).parents[1] / "docs" / "migrating-to-v3.md").read_text()
QUERIES = re.findall(r"^```sql\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def load(path: Path, schema: str, messages: list[dict[str, Any]]) -> None:
    target = TargetDuckDBFile(config={"path": str(path), "schema": schema})
    target.listen(io.StringIO("".join(json.dumps(each) + "\n" for each in messages)))


@pytest.fixture(scope="module")
def account() -> Account:
    made = Account(contacts=300, campaigns=8, recipients=20)
    made.unsubscribe(5)
    made.remove_contacts(3)
    made.resend_campaigns(2)
    return made


@pytest.fixture(scope="module")
def db(
    account: Account, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Both schemas in one file, and the views of the page."""
    folder = tmp_path_factory.mktemp("bridge")
    path = folder / "warehouse.duckdb"
    with serve(account, FaultConfig(), api_key=KEY, access_token=TOKEN) as box:
        load(path, "v2", sync(box, "contacts", "lists", "campaigns", *TRACKING).messages)
        with duckdb.connect(path) as found:
            copy = next(query for query in QUERIES if query.startswith("copy"))
            found.execute(copy.replace("ids.csv", str(folder / "ids.csv")))
        v3 = sync(
            box,
            "contacts",
            "lists",
            "id_map",
            *TRACKING,
            version="v3",
            id_map_file=str(folder / "ids.csv"),
        )
        load(path, "v3", v3.messages)
    with duckdb.connect(path) as found:
        found.execute("set timezone = 'UTC'")
        for query in QUERIES:
            if query.startswith("create"):
                found.execute(query)
        yield found


def rows(db: duckdb.DuckDBPyConnection, query: str) -> list[tuple[Any, ...]]:
    return db.execute(query).fetchall()


def test_page_contains_the_queries_of_the_tests() -> None:
    assert len(QUERIES) == 8


def test_people_are_the_same(db: duckdb.DuckDBPyConnection, account: Account) -> None:
    found = {(v2, v3, address) for v2, v3, address in rows(db, "from people")}
    assert found == {(row.id, row.uuid, row.email) for row in account.contacts.rows}
    assert not rows(
        db,
        """
        select * from people
        join v2.contacts as old on old.id = people.v2_id
        where not contains(cast(old.email_addresses as varchar), address)
        """,
    )


def test_statuses_are_the_same(db: duckdb.DuckDBPyConnection) -> None:
    different = rows(
        db,
        """
        select old.status, new.status, count(*)
        from v2.contacts as old join statuses as new on new.contact_id = old.contact_id
        where new.status <> replace(old.status, 'VISITOR', 'NON_SUBSCRIBER')
        group by all
        """,
    )
    assert different == []
    assert {status for (status,) in rows(db, "select distinct status from statuses")} == {
        "ACTIVE",
        "UNCONFIRMED",
        "OPTOUT",
        "REMOVED",
        "NON_SUBSCRIBER",
    }


@pytest.mark.parametrize("view", ["memberships", "opt_outs"])
def test_both_tell_the_same_of(db: duckdb.DuckDBPyConnection, view: str) -> None:
    by_api = {
        api: {tuple(rest) for found, *rest in rows(db, f"from {view}") if found == api}
        for api in ("v2", "v3")
    }
    assert by_api["v2"] == by_api["v3"]
    assert len(by_api["v2"]) > 10


def test_lists_are_the_same(db: duckdb.DuckDBPyConnection, account: Account) -> None:
    found = {(v2, v3, name) for v2, v3, name in rows(db, "from same_lists")}
    assert found == {(each.id, each.v3, each.name) for each in account.contact_lists.by_id.values()}
    assert not rows(
        db,
        """
        select * from same_lists
        join v2.lists as old on old.id = v2_id
        join v3.lists as new on new.list_id = same_lists.list_id
        where old.contact_count <> new.membership_count
        """,
    )


def test_campaigns_find_their_activities(db: duckdb.DuckDBPyConnection, account: Account) -> None:
    found = {(v2, activity) for v2, _, activity, _ in rows(db, "from same_campaigns")}
    campaigns = account.campaigns.by_id.values()
    kept = [each for each in campaigns if each.status != "DELETED"]
    assert found == {(each.id, each.activity_uuid) for each in kept}


@pytest.mark.parametrize("stream", TRACKING)
def test_recipients_did_the_same(db: duckdb.DuckDBPyConnection, stream: str) -> None:
    """By campaign and person: how often."""
    query = f"""
        select v2.campaign_id, people.contact_id, count(*)
        from v2.{stream} as v2 join people on people.v2_id = v2.contact_id group by all
    """  # noqa: S608
    old = set(rows(db, query))
    query = f"""
        select same.v2_id, v3.contact_id, count(*)
        from v3.{stream} as v3
        join same_campaigns as same using (campaign_activity_id) group by all
    """  # noqa: S608
    new = set(rows(db, query))
    assert old == new
    assert old


def test_counters_of_campaigns_are_the_rows(db: duckdb.DuckDBPyConnection) -> None:
    found = rows(db, "select * from opens_by_campaign where v2_opens <> v3_opens")
    assert found == []
    assert len(rows(db, "from opens_by_campaign")) > 3
