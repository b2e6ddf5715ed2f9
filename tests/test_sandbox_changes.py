"""What happens in the account shows in the API, and counts and ids follow."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

import pytest
import requests

from sandbox import Account, Sandbox, serve
from sandbox.world.reports import KINDS

Get: TypeAlias = Callable[..., Any]

NOW = datetime(2026, 3, 1, tzinfo=UTC)


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = NOW + timedelta(hours=1)

    def __call__(self) -> datetime:
        return self.now

    @property
    def text(self) -> str:
        return self.now.strftime("%Y-%m-%dT%H:%M:%S.000Z")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def account(clock: Clock) -> Account:
    return Account(
        seed=2,
        contacts=120,
        lists=4,
        activities=12,
        campaigns=20,
        recipients=30,
        now=NOW,
        clock=clock,
    )


@pytest.fixture(scope="module")
def shared() -> Iterator[Sandbox]:
    with serve(Account(contacts=0, now=NOW)) as running:
        yield running


@pytest.fixture
def box(shared: Sandbox, account: Account) -> Sandbox:
    """Serve every test its own account from one server."""
    shared.account = account
    return shared


@pytest.fixture(scope="module")
def session() -> Iterator[requests.Session]:
    with requests.Session() as running:
        yield running


@pytest.fixture
def get(box: Sandbox, session: requests.Session) -> Get:
    def call(path: str, **params: str | int) -> Any:
        credentials = {"api_key": "key", "access_token": "token"}
        response = session.get(box.url + path, params={**credentials, **params})
        assert response.status_code == 200, response.text
        return response.json()

    return call


def by_id(rows: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {row["id"]: row for row in rows}


def since(get: Get, clock: Clock) -> dict[str, dict[str, Any]]:
    return by_id(get("/contacts", limit=500, modified_since=clock.text)["results"])


class TestContacts:
    def test_edited_ones_are_modified_now(self, account: Account, get: Get, clock: Clock) -> None:
        before = by_id(get("/contacts", limit=500)["results"])
        edited = account.edit_contacts(7)
        assert len(set(edited)) == 7
        found = since(get, clock)
        assert found.keys() == set(edited)
        for id_, row in found.items():
            assert row["modified_date"] == clock.text
            assert row["work_phone"] != before[id_]["work_phone"]
            assert row == account.contact(id_)

    def test_unsubscribing_does_not_move_modified_date(
        self,
        account: Account,
        get: Get,
        clock: Clock,
    ) -> None:
        before = by_id(get("/contacts", limit=500)["results"])
        gone = account.unsubscribe(3)
        assert since(get, clock) == {}
        optouts = by_id(get("/contacts", status="OPTOUT", limit=500)["results"])
        for id_ in gone:
            (email,) = optouts[id_]["email_addresses"]
            assert (email["status"], email["opt_out_date"]) == ("OPTOUT", clock.text)
            assert optouts[id_]["modified_date"] == before[id_]["modified_date"]

    def test_unsubscribing_may_move_it(self, account: Account, get: Get, clock: Clock) -> None:
        gone = account.unsubscribe(3, move_modified=True)
        assert since(get, clock).keys() == set(gone)

    def test_new_ones_come_in_anywhere(self, account: Account, get: Get, clock: Clock) -> None:
        added = account.add_contacts(20)
        assert since(get, clock).keys() == set(added)
        rows = get("/contacts", limit=500)["results"]
        numbers = [int(row["id"]) for row in rows]
        assert len(numbers) == 140
        assert numbers == sorted(numbers)
        assert numbers[-20:] != sorted(map(int, added))
        assert account.ids("contacts") == {row["id"] for row in rows}

    def test_removed_ones_stay_without_lists(
        self,
        account: Account,
        get: Get,
        clock: Clock,
    ) -> None:
        removed = account.remove_contacts(4)
        found = since(get, clock)
        assert found.keys() == set(removed)
        for row in found.values():
            assert row["status"] == row["email_addresses"][0]["status"] == "REMOVED"
            assert row["lists"] == []
        assert account.counts()["contacts"] == 120

    def test_purged_ones_leave_no_trace(self, account: Account, get: Get) -> None:
        before = by_id(get("/contacts", limit=500)["results"])
        purged = account.purge_contacts(5)
        after = by_id(get("/contacts", limit=500)["results"])
        assert before.keys() - after.keys() == set(purged)
        assert account.counts()["contacts"] == len(after) == 115
        email = before[purged[0]]["email_addresses"][0]["email_address"]
        assert get("/contacts", email=email)["results"] == []

    def test_no_more_can_change_than_there_are(self, account: Account) -> None:
        assert len(account.purge_contacts(1000)) == 120
        assert account.edit_contacts(1) == []
        assert account.counts()["contacts"] == 0

    def test_open_pages_keep_their_position(self, account: Account, get: Get) -> None:
        first = get("/contacts", limit=60)
        account.purge_contacts(10)
        account.add_contacts(10)
        later = get("/contacts", next=first["meta"]["pagination"]["next_link"].split("next=")[1])
        seen = {row["id"] for row in first["results"]}
        assert not seen & {row["id"] for row in later["results"]}


class TestLists:
    def test_counts_follow_the_contacts(self, account: Account, get: Get) -> None:
        account.add_contacts(30)
        account.remove_contacts(20)
        account.purge_contacts(10)
        account.edit_contacts(10)
        account.unsubscribe(5)
        for found in get("/lists"):
            members = get(f"/lists/{found['id']}/contacts", limit=500)["results"]
            assert found["contact_count"] == len(members)

    def test_they_can_be_renamed(self, account: Account, get: Get, clock: Clock) -> None:
        (renamed,) = account.rename_lists(1)
        (row,) = get("/lists", modified_since=clock.text)
        assert row["id"] == renamed
        assert row["name"].endswith("(renamed)")

    def test_new_ones_are_empty(self, account: Account, get: Get) -> None:
        (added,) = account.add_lists(1)
        assert get(f"/lists/{added}")["contact_count"] == 0
        assert account.counts()["lists"] == 5

    def test_deleted_ones_are_gone_from_contacts_too(self, account: Account, get: Get) -> None:
        (removed,) = account.remove_lists(1)
        assert removed not in {found["id"] for found in get("/lists")}
        for row in get("/contacts", limit=500)["results"]:
            assert removed not in {kept["id"] for kept in row["lists"]}


class TestActivities:
    def test_new_ones_come_first_and_finish_later(self, account: Account, get: Get) -> None:
        (added,) = account.add_activities(1)
        job = get("/activities")[0]
        assert (job["id"], job["status"]) == (added, "PENDING")
        assert added in account.finish_activities(100)
        job = get(f"/activities/{added}")
        assert job["status"] == "COMPLETE"
        assert job["created_date"] <= job["start_date"] <= job["finish_date"]

    def test_after_14_days_they_are_gone(
        self,
        account: Account,
        box: Sandbox,
        session: requests.Session,
        get: Get,
        clock: Clock,
    ) -> None:
        old = get("/activities")[-1]["id"]
        clock.now += timedelta(days=13)
        (added,) = account.add_activities(1)
        assert {job["id"] for job in get("/activities")} == account.ids("activities")
        assert added in account.ids("activities")
        assert old not in account.ids("activities")
        url = f"{box.url}/activities/{old}?api_key=key&access_token=token"
        assert session.get(url).status_code == 404


def test_changes_are_stamped_with_real_time_by_default() -> None:
    account = Account(contacts=5)
    begin = datetime.now(UTC).replace(microsecond=0)
    (edited,) = account.edit_contacts(1)
    stamp = datetime.fromisoformat(account.contact(edited)["modified_date"])
    assert begin <= stamp <= datetime.now(UTC)


def test_truth_has_habits_machines_and_changes_of_lists(box: Sandbox, account: Account) -> None:
    def truth() -> Any:
        return requests.get(f"{box.origin}/sandbox/truth", timeout=10).json()

    before = truth()
    assert len(before["contacts"]) == 120
    assert len({contact["habit"] for contact in before["contacts"]}) >= 5
    assert {contact["machine"] for contact in before["contacts"]} == {"", "proxy", "scanner"}
    assert {action["report"] for action in before["by_machine"]} == {"opens", "clicks"}
    assert before["membership_changes"] == []

    (added,) = account.add_contacts(1)
    lists = account.contacts.by_id[added].lists
    account.contacts.remove(account.contacts.by_id[added], 0)

    changes = truth()["membership_changes"]
    assert [(change["id"], change["list_id"], change["joined"]) for change in changes] == [
        *((added, list_id, 1) for list_id in lists),
        *((added, list_id, -1) for list_id in lists),
    ]


def test_habits_show_in_the_reports(account: Account) -> None:
    opened: dict[str, list[bool]] = {}
    for campaign in account.campaigns.tracked():
        reports = account.tracking.of(campaign)
        machines = {hit for _, hit in reports.by_machine}
        openers = {hit.contact_id for hit in reports[KINDS["opens"]] if hit not in machines}
        for send in reports[KINDS["sends"]]:
            habit = account.contacts.by_id[send.contact_id].recipient.habit.name
            opened.setdefault(habit, []).append(send.contact_id in openers)
    rates = {habit: sum(found) / len(found) for habit, found in opened.items()}
    assert rates["fan"] > rates["reader"] > rates["occasional"] > rates["sleeper"]


def test_contacts_that_unsubscribed_receive_no_further_mail(account: Account) -> None:
    left = {row.id: row.left for row in account.contacts.rows if row.status == "OPTOUT"}
    assert left
    for campaign in account.campaigns.tracked():
        for send in account.tracking.of(campaign)[KINDS["sends"]]:
            assert send.at <= left.get(send.contact_id, send.at)


def test_resends_go_to_those_who_had_not_opened() -> None:
    account = Account(campaigns=20, recipients=50, resends=2, campaign_days=20, now=NOW)
    resends = [each for each in account.campaigns.by_id.values() if each.resend_of]
    assert len(resends) == 2
    for resend in resends:
        assert resend.resend_of is not None
        first = account.tracking.of(resend.resend_of)
        sent = {hit.contact_id for hit in account.tracking.of(resend)[KINDS["sends"]]}
        assert sent <= {hit.contact_id for hit in first[KINDS["sends"]]}
        assert not sent & {hit.contact_id for hit in first[KINDS["opens"]]}
