"""The sandbox answers as the API does: credentials, parameters, pages, filters."""

import base64
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, TypeAlias
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest
import requests

from sandbox import Account, Sandbox, serve

Get: TypeAlias = Callable[..., requests.Response]
Read: TypeAlias = Callable[..., list[dict[str, Any]]]

NOW = datetime(2026, 3, 1, tzinfo=UTC)
STAMP = "2026-02-01T00:00:00.000Z"


@pytest.fixture(scope="module")
def account() -> Account:
    return Account(seed=3, contacts=250, lists=4, activities=20, campaigns=40, now=NOW)


@pytest.fixture(scope="module")
def box(account: Account) -> Iterator[Sandbox]:
    with serve(account) as running:
        yield running


@pytest.fixture
def pages(get: Get) -> Callable[..., Iterator[dict[str, Any]]]:
    def follow(path: str, **params: str | int) -> Iterator[dict[str, Any]]:
        body = get(path, **params).json()
        yield body
        while link := body["meta"]["pagination"].get("next_link"):
            assert link.startswith("/v2/")
            parts = urlsplit(link)
            query = parse_qs(parts.query)
            assert query.keys() == {"next"}
            body = get(parts.path.removeprefix("/v2"), next=query["next"][0]).json()
            yield body

    return follow


@pytest.fixture
def read(pages: Callable[..., Iterator[dict[str, Any]]]) -> Read:
    def rows(path: str, **params: str | int) -> list[dict[str, Any]]:
        return [row for body in pages(path, **params) for row in body["results"]]

    return rows


def token_of(body: dict[str, Any]) -> dict[str, str]:
    token = body["meta"]["pagination"]["next_link"].partition("next=")[2]
    assert "=" not in token
    plain = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode()
    return dict(parse_qsl(plain, strict_parsing=True))


def fault(response: requests.Response) -> tuple[int, str]:
    assert response.headers["content-type"] == "application/json"
    (only,) = response.json()
    assert only.keys() == {"error_key", "error_message"}
    return response.status_code, only["error_key"]


class TestCredentials:
    def test_a_wrong_or_missing_api_key_is_refused_by_the_gateway(self, box: Sandbox) -> None:
        for params in ({"api_key": "other"}, {}):
            response = requests.get(
                f"{box.url}/lists",
                params=params,
                headers={"Authorization": "Bearer token"},
                timeout=5,
            )
            assert fault(response) == (403, "mashery.not.authorized.inactive")
            assert response.headers["X-Mashery-Error-Code"] == "ERR_403_DEVELOPER_INACTIVE"

    def test_wrong_and_missing_tokens_have_different_errors(self, box: Sandbox) -> None:
        url = f"{box.url}/lists?api_key=key"
        wrong = requests.get(url, headers={"Authorization": "Bearer x"}, timeout=5)
        assert fault(wrong) == (401, "http.status.authentication.invalid_token")
        none = requests.get(url, timeout=5)
        assert fault(none) == (401, "http.status.unauthorized")
        assert none.json()[0]["error_message"] == "No authentication is present."

    def test_the_token_may_be_a_query_parameter(self, box: Sandbox) -> None:
        url = f"{box.url}/contacts?limit=1&api_key=key&access_token="
        first = requests.get(f"{url}token", timeout=5)
        assert first.status_code == 200
        link = box.origin + first.json()["meta"]["pagination"]["next_link"]
        later = requests.get(f"{link}&api_key=key&access_token=token", timeout=5)
        assert later.status_code == 200
        assert fault(requests.get(f"{url}x", timeout=5))[0] == 401

    def test_next_pages_need_the_api_key_too(self, box: Sandbox, get: Get) -> None:
        link = get("/contacts", limit=1).json()["meta"]["pagination"]["next_link"]
        response = requests.get(
            box.origin + link,
            headers={"Authorization": "Bearer token"},
            timeout=5,
        )
        assert fault(response)[0] == 403


class TestStrictness:
    @pytest.mark.parametrize(
        ("path", "name"),
        [
            ("/account/info", "limit"),
            ("/contacts", "email[0]"),
            ("/contacts", "created_since"),
            ("/contacts/1", "include_contact_id"),
            ("/lists", "limit"),
            ("/lists", "next"),
            ("/lists/1/contacts", "email"),
            ("/lists/1/contacts", "status"),
            ("/activities", "modified_since"),
        ],
    )
    def test_unknown_parameters_are_refused(self, get: Get, path: str, name: str) -> None:
        response = get(path, **{name: "1"})
        assert fault(response) == (400, "query.param.invalid")
        message = response.json()[0]["error_message"]
        assert message == f"The query parameter {name} is not supported."

    @pytest.mark.parametrize(
        ("path", "name", "value"),
        [
            ("/contacts", "limit", "0"),
            ("/contacts", "limit", "501"),
            ("/contacts", "limit", "ten"),
            ("/contacts", "limit", ""),
            ("/contacts", "status", "VISITOR"),
            ("/contacts", "status", "active"),
            ("/contacts", "modified_since", "2026-02-01"),
            ("/contacts", "modified_since", "2026-02-01T00:00:00"),
            ("/contacts", "modified_since", "2026-02-01T00:00:00 05:00"),
            ("/contacts", "modified_since", "2026-02-31T00:00:00Z"),
            ("/contacts", "include_contact_id", "yes"),
            ("/contacts", "next", "not-base64!"),
            ("/contacts", "next", "bGltaXQ9Mg"),
            ("/contacts", "next", "cGFnZU51bT0yJnBhZ2VTaXplPTI"),
            ("/contacts", "next", "c3RhcnRBdD0xJmxpbWl0PTImbW9kaWZpZWRfc2luY2U9eA"),
            ("/contacts", "next", "c3RhcnRBdD0xJmxpbWl0PTImZmlsdGVyPTE"),
            ("/contacts", "email", ""),
            ("/lists", "modified_since", "yesterday"),
            ("/account/verifiedemailaddresses", "status", "ACTIVE"),
            ("/activities", "status", "DONE"),
            ("/activities", "type", "ALL"),
        ],
    )
    def test_bad_values_are_refused(self, get: Get, path: str, name: str, value: str) -> None:
        assert fault(get(path, **{name: value}))[0] == 400

    def test_next_stands_alone(self, get: Get) -> None:
        link = get("/contacts", limit=1).json()["meta"]["pagination"]["next_link"]
        token = link.partition("next=")[2]
        assert get("/contacts", next=token).status_code == 200
        for name, value in (("limit", "1"), ("status", "ALL"), ("modified_since", STAMP)):
            assert fault(get("/contacts", next=token, **{name: value}))[0] == 400

    def test_offsets_from_utc_are_understood(self, get: Get) -> None:
        utc = get("/contacts", modified_since="2026-02-01T05:00:00.000Z").json()
        offset = get("/contacts", modified_since="2026-02-01T00:00:00-05:00").json()
        assert utc == offset

    @pytest.mark.parametrize(
        "path",
        ["/contacts/5", "/lists/5", "/lists/5/contacts", "/activities/5", "/contact"],
    )
    def test_unknown_id_returns_404(self, get: Get, path: str) -> None:
        assert fault(get(path))[0] == 404

    def test_the_words_of_a_404(self, get: Get) -> None:
        message = get("/contacts/5").json()[0]["error_message"]
        assert message == "No persons found using 'contact ids (5)'."

    def test_a_slash_at_the_end_of_a_collection_is_403(self, get: Get) -> None:
        response = get("/contacts/")
        assert fault(response)[0] == 403
        assert "X-Mashery-Error-Code" not in response.headers

    def test_the_api_can_only_be_read(self, box: Sandbox, session: requests.Session) -> None:
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            url = f"{box.url}/contacts?api_key=key"
            assert fault(session.request(method, url))[0] == 405
        assert session.head(f"{box.url}/contacts?api_key=key").status_code == 405

    def test_only_json_is_offered(self, box: Sandbox, session: requests.Session) -> None:
        url = f"{box.url}/lists?api_key=key"
        for accept, status in (
            ("application/json", 200),
            ("*/*", 200),
            ("text/html, application/json;q=0.9", 200),
            ("text/xml", 406),
        ):
            assert session.get(url, headers={"Accept": accept}).status_code == status


class TestContacts:
    def test_pages_go_by_id_and_hold_everything(self, account: Account, read: Read) -> None:
        rows = read("/contacts", limit=100)
        numbers = [int(row["id"]) for row in rows]
        assert numbers == sorted(numbers)
        assert {row["id"] for row in rows} == account.ids("contacts")
        assert len(rows) == account.counts()["contacts"] == 250

    def test_the_token_names_the_next_contact(self, get: Get) -> None:
        first = get("/contacts", limit=2).json()
        token = token_of(first)
        second = get("/contacts", next=first["meta"]["pagination"]["next_link"].split("=")[1])
        assert token == {"startAt": second.json()["results"][0]["id"], "limit": "2"}
        assert len(second.json()["results"]) == 2

    def test_the_last_page_has_an_empty_pagination(
        self,
        pages: Callable[..., Iterator[dict[str, Any]]],
    ) -> None:
        *_, last = pages("/contacts", limit=500)
        assert last["meta"] == {"pagination": {}}

    def test_default_page_size_is_50(self, get: Get) -> None:
        assert len(get("/contacts").json()["results"]) == 50

    def test_removed_contacts_come_with_the_others(self, read: Read) -> None:
        rows = read("/contacts", limit=500)
        assert {row["status"] for row in rows} == {
            "ACTIVE",
            "UNCONFIRMED",
            "OPTOUT",
            "REMOVED",
            "NON_SUBSCRIBER",
            "VISITOR",
        }
        assert read("/contacts", limit=500, status="ALL") == rows
        for status in ("ACTIVE", "UNCONFIRMED", "OPTOUT", "REMOVED"):
            expected = [row for row in rows if row["status"] == status]
            assert expected
            assert read("/contacts", limit=7, status=status) == expected

    def test_modified_since_is_inclusive_and_survives_paging(self, read: Read, get: Get) -> None:
        rows = read("/contacts", limit=500)
        middle = sorted(row["modified_date"] for row in rows)[200]
        expected = [row for row in rows if row["modified_date"] >= middle]
        assert 0 < len(expected) < len(rows)
        assert read("/contacts", limit=3, modified_since=middle) == expected
        token = token_of(get("/contacts", limit=3, modified_since=middle).json())
        moment = datetime.fromisoformat(middle).timestamp()
        assert token["modified_since"] == str(round(moment * 1000))

    def test_never_is_written_in_every_way(self, read: Read) -> None:
        spellings = set()
        for row in read("/contacts", limit=500):
            (email,) = row["email_addresses"]
            assert email["status"] == row["status"]
            domain = email["email_address"].rpartition("@")[2]
            assert domain.endswith(("example.com", "example.org", "example.net"))
            if row["status"] == "OPTOUT":
                assert email["opt_out_date"] > "2000"
            else:
                spellings.add(email.get("opt_out_date"))
            if row["status"] == "REMOVED":
                assert row["lists"] == []
        assert spellings == {None, "", "1969-12-31T19:00:00.000Z"}

    def test_contacts_are_of_many_kinds(self, read: Read) -> None:
        rows = read("/contacts", limit=500)
        assert {len(row["addresses"]) for row in rows} == {0, 1, 2}
        assert {len(row["notes"]) for row in rows} == {0, 1}
        assert any(row["custom_fields"] for row in rows)
        assert any(address["city"] == "" for row in rows for address in row["addresses"])
        assert any(not row["modified_date"].endswith(".000Z") for row in rows)
        assert all(row["created_date"] <= row["modified_date"] < NOW.isoformat() for row in rows)

    def test_the_newer_id_comes_only_when_asked_for(self, read: Read) -> None:
        plain = read("/contacts", limit=100)
        assert all("contact_id" not in row for row in plain)
        rows = read("/contacts", limit=100, include_contact_id="true")
        assert len({row.pop("contact_id") for row in rows}) == len(rows)
        assert rows == plain

    def test_one_contact_can_be_looked_up(self, read: Read, get: Get, account: Account) -> None:
        row = read("/contacts", limit=500)[17]
        assert get(f"/contacts/{row['id']}").json() == row == account.contact(row["id"])
        email = row["email_addresses"][0]["email_address"]
        found = {"meta": {"pagination": {}}, "results": [row]}
        assert get("/contacts", email=email).json() == found
        assert get("/contacts", email=email.upper()).json() == found
        assert get("/contacts", email="nobody@example.com").json()["results"] == []
        other = "OPTOUT" if row["status"] == "ACTIVE" else "ACTIVE"
        assert get("/contacts", email=email, status=other).json()["results"] == []


class TestLists:
    def test_they_come_at_once_with_true_counts(
        self,
        account: Account,
        get: Get,
        read: Read,
    ) -> None:
        lists = get("/lists").json()
        assert lists[0]["id"] == "1"
        assert {found["id"] for found in lists} == account.ids("lists")
        assert {found["status"] for found in lists} == {"ACTIVE", "HIDDEN"}
        contacts = read("/contacts", limit=500)
        for found in lists:
            membership = {"id": found["id"], "status": found["status"]}
            expected = [row for row in contacts if membership in row["lists"]]
            assert found["contact_count"] == len(expected) > 0
            assert read(f"/lists/{found['id']}/contacts", limit=9) == expected
            assert get(f"/lists/{found['id']}").json() == found

    def test_they_can_be_filtered(self, get: Get) -> None:
        lists = get("/lists").json()
        middle = sorted(found["modified_date"] for found in lists)[2]
        expected = [found for found in lists if found["modified_date"] >= middle]
        assert get("/lists", modified_since=middle).json() == expected

    def test_their_newer_id_comes_only_when_asked_for(self, get: Get) -> None:
        lists = get("/lists", include_list_id="true").json()
        assert len({found.pop("list_id") for found in lists}) == 4
        assert lists == get("/lists", include_list_id="false").json()

    def test_contacts_of_a_list_can_be_filtered(self, get: Get, read: Read) -> None:
        rows = read("/lists/1/contacts", limit=500)
        middle = sorted(row["modified_date"] for row in rows)[20]
        expected = [row for row in rows if row["modified_date"] >= middle]
        assert read("/lists/1/contacts", limit=4, modified_since=middle) == expected
        token = token_of(get("/lists/1/contacts", limit=4, modified_since=middle).json())
        assert token.keys() == {"startAt", "limit", "modified_since"}


class TestActivities:
    def test_every_status_is_there_and_dates_only_once_reached(self, get: Get) -> None:
        jobs = get("/activities").json()
        assert {job["status"] for job in jobs} == {
            "UNCONFIRMED",
            "PENDING",
            "QUEUED",
            "RUNNING",
            "COMPLETE",
            "ERROR",
            "CANCELLED",
        }
        for job in jobs:
            assert ("start_date" in job) == (job["status"] in {"RUNNING", "COMPLETE", "ERROR"})
            assert ("finish_date" in job) == (job["status"] in {"COMPLETE", "ERROR"})
        created = [job["created_date"] for job in jobs]
        assert created == sorted(created, reverse=True)

    def test_they_can_be_filtered(self, get: Get) -> None:
        jobs = get("/activities").json()
        assert get("/activities", status="ALL").json() == jobs
        for name, value in (("status", "COMPLETE"), ("type", "EXPORT_CONTACTS")):
            expected = [job for job in jobs if job[name] == value]
            assert expected
            assert get("/activities", **{name: value}).json() == expected

    def test_the_detail_adds_faults_in_two_shapes(self, get: Get, account: Account) -> None:
        kinds = set()
        for job in get("/activities").json():
            detail = get(f"/activities/{job['id']}").json()
            errors, warnings = detail.pop("errors"), detail.pop("warnings")
            assert detail == job
            assert len(errors) == job["error_count"]
            assert all(
                warning.keys() == {"message", "line_number", "email_address"}
                for warning in warnings
            )
            kinds |= {type(error) for error in errors}
        assert kinds == {dict, str}
        assert len(account.ids("activities")) == 20

    def test_the_api_shows_no_more_than_50(self) -> None:
        account = Account(contacts=0, activities=60, now=NOW)
        with serve(account) as box:
            url = f"{box.url}/activities?api_key=key&access_token=token"
            jobs = requests.get(url, timeout=5).json()
        assert len(jobs) == account.counts()["activities"] == 50


class TestAccount:
    def test_it_is_one_object(self, get: Get, account: Account) -> None:
        assert {get("/account/info").json()["email"]} == account.ids("account")

    def test_its_addresses_can_be_filtered(self, get: Get) -> None:
        path = "/account/verifiedemailaddresses"
        everything = get(path).json()
        confirmed = get(path, status="CONFIRMED").json()
        unconfirmed = get(path, status="UNCONFIRMED").json()
        assert get(path, status="ALL").json() == everything == confirmed + unconfirmed
        assert confirmed
        assert unconfirmed


class TestDeterminism:
    def everything(self, account: Account) -> list[bytes]:
        """Read all there is, as bytes."""
        bodies = []
        with serve(account) as box, requests.Session() as session:
            campaigns = sorted(account.ids("campaign_previews"))
            sent = sorted({key[0] for key in account.ids("campaign_sends")})
            events = sorted(account.ids("events"))
            todo = [
                "/v2/account/info",
                "/v2/account/verifiedemailaddresses",
                "/v2/contacts?limit=500&include_contact_id=true",
                "/v2/lists?include_list_id=true",
                "/v2/activities",
                *(f"/v2/activities/{id_}" for id_ in sorted(account.ids("activities"))),
                "/v2/emailmarketing/campaigns",
                "/v2/emailmarketing/campaigns?status=DELETED",
                *(f"/v2/emailmarketing/campaigns/{id_}" for id_ in campaigns),
                *(f"/v2/emailmarketing/campaigns/{id_}/preview" for id_ in campaigns),
                *(f"/v2/emailmarketing/campaigns/{id_}/tracking" for id_ in sent),
                "/v2/eventspot/events",
                *(f"/v2/eventspot/events/{id_}" for id_ in events),
                *(f"/v2/eventspot/events/{id_}/registrants" for id_ in events),
                *(f"/v2/eventspot/events/{id_}/items" for id_ in events),
                "/v2/library/info",
                "/v2/library/folders",
                "/v2/library/files?limit=1000",
                "/v2/library/folders/trash/files",
            ]
            for path in todo:
                joint = "&" if "?" in path else "?"
                response = session.get(
                    f"{box.origin}{path}{joint}api_key=key&access_token=token",
                )
                assert response.status_code == 200
                bodies.append(response.content)
        return bodies

    def test_the_same_figures_make_the_same_account(self) -> None:
        one, two = (Account(seed=5, contacts=300, now=NOW) for _ in range(2))
        assert self.everything(one) == self.everything(two)
        assert one.edit_contacts(5) == two.edit_contacts(5)

    def test_another_seed_makes_another_account(self) -> None:
        one = Account(seed=5, contacts=300, now=NOW)
        other = Account(seed=6, contacts=300, now=NOW)
        assert one.counts()["contacts"] == other.counts()["contacts"]
        assert one.ids("contacts") != other.ids("contacts")

    def test_default_time_is_today(self) -> None:
        account = Account(contacts=50)
        newest = max(account.contact(id_)["modified_date"] for id_ in account.ids("contacts"))
        assert newest < datetime.now(UTC).strftime("%Y-%m-%dT00:00:00.001Z")
