"""Campaigns, their reports and those of contacts behave as the API's do."""

import base64
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
import requests
from helpers.types import Get, Read, Row

from sandbox import Account, Sandbox

NOW = datetime(2026, 3, 1, tzinfo=UTC)
LATER = NOW + timedelta(hours=3)
LATER_TEXT = "2026-03-01T03:00:00.000Z"
CAMPAIGNS = "/emailmarketing/campaigns"
KINDS = ("bounces", "clicks", "forwards", "opens", "sends", "unsubscribes")


def made() -> Account:
    return Account(
        seed=11,
        contacts=500,
        campaigns=60,
        recipients=150,
        events=0,
        files=0,
        now=NOW,
        clock=lambda: LATER,
    )


def token_of(response: requests.Response) -> str:
    token: str = response.json()["meta"]["pagination"]["next_link"].partition("next=")[2]
    return base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode()


def date_of(row: Row) -> str:
    date: str = next(value for name, value in row.items() if name.endswith("_date"))
    return date


class TestList:
    def test_a_row_has_four_fields(self, read: Read) -> None:
        for row in read(CAMPAIGNS):
            assert row.keys() == {"id", "name", "status", "modified_date"}

    def test_deleted_ones_come_only_on_demand(self, read: Read, get: Get) -> None:
        everything = read(CAMPAIGNS)
        assert Counter(row["status"] for row in everything) == {
            "SENT": 49,
            "RUNNING": 1,
            "DRAFT": 4,
            "SCHEDULED": 2,
        }
        assert read(CAMPAIGNS, status="ALL") == everything
        deleted = read(CAMPAIGNS, status="DELETED")
        assert {row["status"] for row in deleted} == {"DELETED"}
        for row in deleted:
            for path in ("", "/preview", "/schedules", "/tracking/opens"):
                response = get(f"{CAMPAIGNS}/{row['id']}{path}")
                assert response.status_code == 404
                assert response.json()[0]["error_message"] == "Campaign ID not found."

    @pytest.mark.parametrize(
        ("status", "name", "falling"),
        [
            ("DRAFT", "modified_date", True),
            ("SENT", "last_run_date", True),
            ("SCHEDULED", "next_run_date", False),
        ],
    )
    def test_the_order_depends_on_the_status(
        self,
        read: Read,
        get: Get,
        status: str,
        name: str,
        falling: bool,  # noqa: FBT001 - a parameter of the test
    ) -> None:
        ids = [row["id"] for row in read(CAMPAIGNS, status=status)]
        dates = [get(f"{CAMPAIGNS}/{id_}").json()[name] for id_ in ids]
        assert len(dates) > 1
        assert dates == sorted(dates, reverse=falling)

    def test_pages_are_numbered_and_keep_their_filter(self, read: Read, get: Get) -> None:
        assert token_of(get(CAMPAIGNS)) == "pageNum=2&pageSize=50"
        rows = read(CAMPAIGNS)
        middle = sorted(row["modified_date"] for row in rows)[20]
        moment = round(datetime.fromisoformat(middle).timestamp() * 1000)
        params = {"limit": 3, "modified_since": middle, "status": "SENT"}
        token = f"pageNum=2&pageSize=3&modified_since={moment}&status=SENT"
        assert token_of(get(CAMPAIGNS, **params)) == token
        expected = {
            row["id"] for row in rows if row["status"] == "SENT" and row["modified_date"] >= middle
        }
        assert {row["id"] for row in read(CAMPAIGNS, **params)} == expected

    def test_a_page_holds_no_more_than_50(self, get: Get) -> None:
        assert len(get(CAMPAIGNS).json()["results"]) == 50
        assert get(CAMPAIGNS, limit=51).status_code == 400
        assert get(CAMPAIGNS, limit=500).status_code == 400

    def test_one_campaign_a_week(self, read: Read, get: Get) -> None:
        sent = [row["id"] for row in read(CAMPAIGNS, status="SENT")]
        runs = [
            datetime.fromisoformat(get(f"{CAMPAIGNS}/{id_}").json()["last_run_date"])
            for id_ in sent
        ]
        assert NOW - max(runs) < timedelta(days=7)
        assert timedelta(days=58 * 7) < NOW - min(runs) < timedelta(days=60 * 7)


class TestDetail:
    def test_inapplicable_fields_are_missing(self, read: Read, get: Get) -> None:
        present: dict[str, Counter[str]] = {}
        for row in read(CAMPAIGNS):
            detail = get(f"{CAMPAIGNS}/{row['id']}").json()
            assert None not in detail.values()
            assert detail["id"].isdigit()
            assert len(detail["id"]) == 13
            assert row.items() <= detail.items()
            assert detail["created_date"] < detail["modified_date"]
            present.setdefault(row["status"], Counter()).update(list(detail))
            footer = detail["message_footer"]
            assert ("forward_email_link_text" in footer) == footer["include_forward_email"]
            assert ("subscribe_link_text" in footer) == footer["include_subscribe_link"]
        for status, names in present.items():
            count = names["id"]
            assert names["last_run_date"] == (count if status in {"SENT", "RUNNING"} else 0)
            assert names["next_run_date"] == (count if status == "SCHEDULED" else 0)
            assert names["click_through_details"] == names["last_run_date"]
            assert names["sent_to_contact_lists"] == (0 if status == "DRAFT" else count)
        assert 0 < present["SENT"]["permalink_url"] < present["SENT"]["id"]
        assert 0 < present["SENT"]["email_content"] < present["SENT"]["id"]

    def test_statistics_may_be_asked_for_afresh(self, read: Read, get: Get) -> None:
        path = f"{CAMPAIGNS}/{read(CAMPAIGNS, status='SENT')[0]['id']}"
        assert get(path, updateSummary="true").json() == get(path).json()
        assert get(path, updateSummary="perhaps").status_code == 400
        assert get(path, updatesummary="true").status_code == 400

    def test_statistics_agree_with_the_reports(self, read: Read, get: Get) -> None:
        for row in read(CAMPAIGNS, status="SENT")[:15]:
            path = f"{CAMPAIGNS}/{row['id']}"
            detail = get(path).json()
            reports = {kind: read(f"{path}/tracking/{kind}") for kind in KINDS}
            expected = {
                kind: len({hit["contact_id"] for hit in hits})
                if kind in {"opens", "clicks", "forwards"}
                else len(hits)
                for kind, hits in reports.items()
            }
            summary = detail["tracking_summary"]
            assert summary.pop("spam_count") >= 0
            assert summary == expected
            assert get(f"{path}/tracking/reports/summary").json() == expected
            clicks = Counter(hit["link_id"] for hit in reports["clicks"])
            links = {
                link["url_uid"]: link["click_count"] for link in detail["click_through_details"]
            }
            assert {uid: count for uid, count in links.items() if count} == clicks
            for uid in links:
                hits = [hit for hit in reports["clicks"] if hit["link_id"] == uid]
                assert read(f"{path}/tracking/clicks/{uid}", limit=3) == hits

    def test_a_preview_is_html_and_text(self, read: Read, get: Get) -> None:
        for row in read(CAMPAIGNS):
            preview = get(f"{CAMPAIGNS}/{row['id']}/preview").json()
            assert preview["preview_email_content"].startswith("<html>")
            assert preview["subject"] in preview["preview_text_content"]

    def test_only_scheduled_ones_have_schedules(self, box: Sandbox, read: Read, get: Get) -> None:
        for row in read(CAMPAIGNS):
            path = f"{CAMPAIGNS}/{row['id']}/schedules"
            schedules = get(path).json()
            assert len(schedules) == (row["status"] == "SCHEDULED")
            for schedule in schedules:
                assert schedule["scheduled_date"] > NOW.isoformat()
                assert get(f"{path}/{schedule['id']}").json() == schedule
            assert get(f"{path}/0").status_code == 404
            box.faults.no_schedules_is_404 = True
            assert get(path).status_code == (200 if schedules else 404)
            box.faults.no_schedules_is_404 = False

    def test_one_may_vanish_after_it_was_listed(self, box: Sandbox, read: Read, get: Get) -> None:
        rows = read(CAMPAIGNS, status="SENT")
        gone = rows[3]["id"]
        box.faults.vanish.add(gone)
        assert read(CAMPAIGNS, status="SENT") == rows
        for path in ("", "/preview", "/schedules", "/tracking/opens", "/tracking/reports/summary"):
            assert get(f"{CAMPAIGNS}/{gone}{path}").status_code == 404


class TestReports:
    def reports(self, read: Read, **params: str | int) -> dict[str, list[Row]]:
        path = f"{CAMPAIGNS}/{read(CAMPAIGNS, status='SENT')[5]['id']}/tracking"
        return {kind: read(f"{path}/{kind}", **params) for kind in KINDS}

    def test_only_sent_ones_have_any(self, read: Read, get: Get) -> None:
        for row in read(CAMPAIGNS):
            for path in ("", "/opens", "/reports/summary"):
                status = get(f"{CAMPAIGNS}/{row['id']}/tracking{path}").status_code
                assert status == (200 if row["status"] in {"SENT", "RUNNING"} else 404)

    def test_pages_are_counted_in_rows(self, read: Read, get: Get) -> None:
        path = f"{CAMPAIGNS}/{read(CAMPAIGNS, status='SENT')[5]['id']}/tracking/sends"
        assert token_of(get(path, limit=2)) == "startAt=3&limit=2"
        whole = get(path).json()
        assert (len(whole["results"]), whole["meta"]) == (150, {"pagination": {}})
        assert read(path, limit=40) == whole["results"]
        assert get(path, limit=501).status_code == 400
        assert get(path, modified_since="2026-01-01T00:00:00Z").status_code == 400

    def test_there_is_something_of_every_kind(self, read: Read) -> None:
        reports = self.reports(read)
        counts = {kind: len(rows) for kind, rows in reports.items()}
        assert counts["sends"] == 150
        assert 40 < counts["opens"] < 130
        assert 5 < counts["clicks"] < counts["opens"]
        assert min(counts.values()) > 0
        opens = Counter(row["contact_id"] for row in reports["opens"])
        assert max(opens.values()) > 1
        assert {row["contact_id"] for row in reports["clicks"]} <= opens.keys()
        assert not opens.keys() & {row["contact_id"] for row in reports["bounces"]}

    def test_newest_first_but_bounces_the_other_way(self, read: Read) -> None:
        for kind, rows in self.reports(read).items():
            dates = [date_of(row) for row in rows]
            assert dates == sorted(dates, reverse=kind != "bounces")

    def test_most_opens_come_soon_and_some_bounces_late(self, read: Read, get: Get) -> None:
        soon = late = 0
        for row in read(CAMPAIGNS, status="SENT")[10:]:
            path = f"{CAMPAIGNS}/{row['id']}"
            begin = datetime.fromisoformat(get(path).json()["last_run_date"])

            def ages(kind: str, path: str = path, begin: datetime = begin) -> list[timedelta]:
                rows = read(f"{path}/tracking/{kind}")
                return [datetime.fromisoformat(date_of(hit)) - begin for hit in rows]

            opens = ages("opens")
            assert min(opens) >= timedelta(0)
            soon += sum(age < timedelta(hours=12) for age in opens) * 2 > len(opens)
            late += max(ages("bounces")) > timedelta(days=7)
            late += max(ages("unsubscribes")) > timedelta(days=7)
        assert soon > 30
        assert late > 10

    def test_created_since_is_inclusive_and_survives_paging(self, read: Read, get: Get) -> None:
        for kind, rows in self.reports(read).items():
            middle = sorted(date_of(row) for row in rows)[len(rows) // 2]
            expected = [row for row in rows if date_of(row) >= middle]
            found = self.reports(read, created_since=middle, limit=5)
            assert found[kind] == expected
        path = f"{CAMPAIGNS}/{read(CAMPAIGNS, status='SENT')[5]['id']}/tracking/opens"
        assert get(path, created_since="2026-01-01").status_code == 400

    def test_everything_can_be_had_in_one(self, read: Read) -> None:
        path = f"{CAMPAIGNS}/{read(CAMPAIGNS, status='SENT')[5]['id']}/tracking"
        rows = read(path, limit=100)
        dates = [date_of(row) for row in rows]
        assert dates == sorted(dates, reverse=True)
        assert len(rows) == sum(map(len, self.reports(read).values()))

    def test_a_clock_may_be_five_hours_behind(self, box: Sandbox, read: Read) -> None:
        right = self.reports(read)
        box.faults.clock_shift_hours = 5
        behind = self.reports(read)
        assert behind["sends"] == right["sends"]
        for kind in ("opens", "clicks", "forwards", "bounces", "unsubscribes"):
            for late, true in zip(behind[kind], right[kind], strict=True):
                gap = datetime.fromisoformat(date_of(true)) - datetime.fromisoformat(date_of(late))
                assert gap == timedelta(hours=5)
        # The filter goes by what is shown.
        shown = date_of(behind["opens"][0])
        found = self.reports(read, created_since=shown)["opens"]
        assert found == [row for row in behind["opens"] if date_of(row) >= shown]
        assert self.reports(read, created_since=date_of(right["opens"][0]))["opens"] == []


class TestContacts:
    def busiest(self, read: Read) -> str:
        path = f"{CAMPAIGNS}/{read(CAMPAIGNS, status='SENT')[5]['id']}/tracking/clicks"
        return str(Counter(row["contact_id"] for row in read(path)).most_common(1)[0][0])

    def test_contact_activities_match_campaign_reports(self, read: Read) -> None:
        contact = self.busiest(read)
        expected = [
            row
            for campaign in [*read(CAMPAIGNS, status="SENT"), *read(CAMPAIGNS, status="RUNNING")]
            for row in read(f"{CAMPAIGNS}/{campaign['id']}/tracking")
            if row["contact_id"] == contact
        ]
        found = read(f"/contacts/{contact}/tracking", limit=7)
        dates = [date_of(row) for row in found]
        assert dates == sorted(dates, reverse=True)
        urls = [row.pop("link_uri") for row in found if "link_id" in row]
        assert urls
        assert all(url.startswith("https://www.example.com/") for url in urls)
        key = repr
        assert sorted(found, key=key) == sorted(expected, key=key)

    def test_kinds_links_and_filters(self, read: Read) -> None:
        path = f"/contacts/{self.busiest(read)}/tracking"
        rows = read(path)
        for kind, activity in zip(
            KINDS,
            ("BOUNCE", "CLICK", "FORWARD", "OPEN", "SEND", "UNSUBSCRIBE"),
            strict=True,
        ):
            expected = [row for row in rows if row["activity_type"] == f"EMAIL_{activity}"]
            assert read(f"{path}/{kind}", limit=2) == expected
        link = next(row["link_id"] for row in rows if "link_id" in row)
        expected = [row for row in rows if row.get("link_id") == link]
        assert read(f"{path}/clicks/{link}") == expected
        middle = date_of(rows[len(rows) // 2])
        expected = [row for row in rows if date_of(row) >= middle]
        assert read(path, created_since=middle) == expected

    def test_the_summaries_agree(self, read: Read, get: Get) -> None:
        contact = self.busiest(read)
        path = f"/contacts/{contact}/tracking"
        counts = {kind: len(read(f"{path}/{kind}")) for kind in KINDS}
        assert get(f"{path}/reports/summary").json() == counts | {"contact_id": contact}
        rows = get(f"{path}/reports/summaryByCampaign").json()
        for kind in ("opens", "clicks", "forwards", "bounces"):
            assert sum(row[kind] for row in rows) == counts[kind]
            by_campaign = Counter(row["campaign_id"] for row in read(f"{path}/{kind}"))
            assert {row["campaign_id"]: row[kind] for row in rows if row[kind]} == by_campaign

    def test_contact_without_activities_has_zero_counters(self, read: Read, get: Get) -> None:
        visitor = next(
            row["id"] for row in read("/contacts", limit=500) if row["status"] == "VISITOR"
        )
        path = f"/contacts/{visitor}/tracking"
        assert read(path) == []
        expected = dict.fromkeys(KINDS, 0) | {"contact_id": visitor}
        assert get(f"{path}/reports/summary").json() == expected
        assert get(f"{path}/reports/summaryByCampaign").json() == []

    def test_unknown_contact_returns_404(self, get: Get) -> None:
        for path in ("", "/opens", "/reports/summary", "/reports/summaryByCampaign"):
            assert get(f"/contacts/5/tracking{path}").status_code == 404
        # Case matters in paths.
        assert get("/contacts/5/tracking/reports/summarybycampaign").status_code == 404

    def test_its_clock_may_be_twice_as_far_behind(self, box: Sandbox, read: Read) -> None:
        path = f"/contacts/{self.busiest(read)}/tracking/sends"
        right = datetime.fromisoformat(date_of(read(path)[0]))
        box.faults.clock_shift_hours = 5
        behind = datetime.fromisoformat(date_of(read(path)[0]))
        assert right - behind == timedelta(hours=10)


class TestChanges:
    def test_new_rows_make_counters_grow(self, account: Account, read: Read, get: Get) -> None:
        before = {kind: account.ids(f"campaign_{kind}") for kind in KINDS}
        ids = account.add_tracking(16)
        assert len(ids) == 16
        new = {kind: account.ids(f"campaign_{kind}") - before[kind] for kind in KINDS}
        assert sum(map(len, new.values())) == 16
        assert all(new[kind] for kind in KINDS if kind != "sends")
        assert not new["sends"]
        for kind, keys in new.items():
            for campaign_id in {key[0] for key in keys}:
                path = f"{CAMPAIGNS}/{campaign_id}/tracking/{kind}"
                # Rows of the same person in the same second move back by a second or two.
                rows = read(path, created_since="2026-03-01T02:59:50.000Z")
                found = {(row["contact_id"], date_of(row)) for row in rows}
                assert found == {key[1:3] for key in keys if key[0] == campaign_id}
                summary = get(f"{CAMPAIGNS}/{campaign_id}").json()["tracking_summary"]
                assert summary["sends"] == len(read(path.replace(kind, "sends")))
        contact = next(iter(new["opens"]))[1]
        assert date_of(read(f"/contacts/{contact}/tracking/opens")[0]) == LATER_TEXT

    def test_a_new_campaign_goes_out(self, account: Account, read: Read, get: Get) -> None:
        (sent,) = account.send_campaigns(1)
        assert read(CAMPAIGNS, modified_since="2026-03-01T00:00:00Z")[0]["id"] == sent
        detail = get(f"{CAMPAIGNS}/{sent}").json()
        assert detail["last_run_date"] == LATER_TEXT
        assert (detail["tracking_summary"]["sends"], detail["tracking_summary"]["opens"]) == (
            150,
            0,
        )
        assert {date_of(row) for row in read(f"{CAMPAIGNS}/{sent}/tracking/sends")} == {LATER_TEXT}
        assert read(f"{CAMPAIGNS}/{sent}/tracking/opens") == []

    def test_the_time_of_a_scheduled_one_comes(self, account: Account, get: Get) -> None:
        (sent,) = account.send_scheduled(1)
        detail = get(f"{CAMPAIGNS}/{sent}").json()
        assert (detail["status"], detail["last_run_date"]) == ("SENT", LATER_TEXT)
        assert "next_run_date" not in detail
        assert get(f"{CAMPAIGNS}/{sent}/schedules").json() == []

    def test_they_are_drafted_edited_and_deleted(
        self,
        account: Account,
        read: Read,
        get: Get,
    ) -> None:
        since = {"modified_since": LATER_TEXT}
        edited = account.edit_campaigns(3)
        assert {row["id"] for row in read(CAMPAIGNS, **since)} == set(edited)
        (drafted,) = account.add_campaigns(1)
        assert drafted in {row["id"] for row in read(CAMPAIGNS, status="DRAFT")}
        deleted = account.delete_campaigns(4)
        rows = read(CAMPAIGNS, status="DELETED", **since)
        assert {row["id"] for row in rows} == set(deleted)
        assert not {row["id"] for row in read(CAMPAIGNS)} & set(deleted)
        assert {get(f"{CAMPAIGNS}/{id_}").status_code for id_ in deleted} == {404}
        counts = account.counts()
        assert counts["campaigns"] + counts["deleted_campaigns"] == 61

    def test_reports_of_deleted_ones_go_with_them(self, account: Account, read: Read) -> None:
        contact = account.contacts.mailable()[0].id
        assert read(f"/contacts/{contact}/tracking")
        account.delete_campaigns(1000)
        left = {row["id"] for row in read(CAMPAIGNS)}
        assert {row["campaign_id"] for row in read(f"/contacts/{contact}/tracking")} <= left

    def test_without_campaigns_nothing_happens(self) -> None:
        account = Account(contacts=0, campaigns=0, events=0, files=0)
        assert account.add_tracking(5) == []
        assert account.add_registrants(5) == []


def test_the_same_figures_make_the_same_reports() -> None:
    one, two = made(), made()
    for kind in KINDS:
        assert one.ids(f"campaign_{kind}") == two.ids(f"campaign_{kind}")
    assert one.add_tracking(8) == two.add_tracking(8)


def test_many_campaigns_with_one_recipient_have_something_in_every_report() -> None:
    account = Account(contacts=50, campaigns=100, recipients=1, events=0, files=0, now=NOW)
    tracked = {key[0] for key in account.ids("campaign_links")}
    assert len(tracked) > 80
    for kind in KINDS:
        assert {key[0] for key in account.ids(f"campaign_{kind}")} == tracked
