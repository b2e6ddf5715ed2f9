"""Events and the library behave as the API's do."""

from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest
from helpers.types import Get, Read, Row

from sandbox import Account, Sandbox

NOW = datetime(2026, 3, 1, tzinfo=UTC)
LATER = NOW + timedelta(hours=3)
LATER_TEXT = "2026-03-01T03:00:00.000Z"
EVENTS = "/eventspot/events"


def made() -> Account:
    return Account(
        seed=12,
        contacts=10,
        campaigns=0,
        events=8,
        files=60,
        now=NOW,
        clock=lambda: LATER,
    )


class TestEvents:
    def test_the_detail_has_no_nulls_and_all_of_the_row(self, read: Read, get: Get) -> None:
        statuses = set()
        for row in read(EVENTS, limit=3):
            detail = get(f"{EVENTS}/{row['id']}").json()
            assert None not in detail.values()
            assert row.pop("event_detail_url") == f"/v2{EVENTS}/{row['id']}"
            assert "updated_date" not in row
            row.pop("address")
            assert row.items() <= detail.items()
            statuses.add(row["status"])
            assert ("cancelled_date" in detail) == (row["status"] == "CANCELLED")
            assert ("deleted_date" in detail) == (row["status"] == "DELETED")
        assert statuses == {"ACTIVE", "COMPLETE", "DRAFT", "CANCELLED", "DELETED"}

    def test_filters_are_ignored(self, get: Get) -> None:
        for name in ("status", "modified_since", "created_since"):
            assert get(EVENTS, **{name: "ACTIVE"}).status_code == 400
        assert get(EVENTS, limit=51).status_code == 400

    def test_money_is_a_float(self, read: Read, get: Get) -> None:
        for event in read(EVENTS):
            path = f"{EVENTS}/{event['id']}"
            for fee in get(f"{path}/fees").json():
                assert {type(fee[name]) for name in ("fee", "early_fee", "late_fee")} == {float}
            for item in get(f"{path}/items").json():
                assert type(item["price"]) is float
                assert bool(item["attributes"]) != ("default_quantity_available" in item)
            for code in get(f"{path}/promocodes").json():
                discounted = code["code_type"] == "DISCOUNT"
                assert ("discount_amount" in code) + ("discount_percent" in code) == discounted

    def test_registrants_do_not_fit_on_a_page(self, read: Read, get: Get) -> None:
        path = f"{EVENTS}/{read(EVENTS)[-1]['id']}/registrants"
        paths = [f"{EVENTS}/{event['id']}/registrants" for event in read(EVENTS)]
        counts = [len(read(path)) for path in paths]
        assert max(counts) == 64
        assert min(counts) == 0
        path = paths[counts.index(64)]
        assert len(get(path).json()["results"]) == 50
        assert len(get(path, limit=500).json()["results"]) == 64
        assert get(path, limit=501).status_code == 400

    def test_a_registrant_in_full(self, read: Read, get: Get) -> None:
        odd = guests = 0
        for event in read(EVENTS):
            path = f"{EVENTS}/{event['id']}/registrants"
            rows = read(path)
            registered = [row for row in rows if row["registration_status"] == "REGISTERED"]
            assert event["total_registered_count"] == len(registered)
            for row in rows:
                odd += row["id"].endswith("=")
                detail = get(f"{path}/{quote(row['id'], safe='')}").json()
                assert detail["id"] == row["id"]
                assert "email" not in detail
                fields = {
                    field["name"]: field.get("value", field.get("values"))
                    for section in detail["sections"]
                    for field in section["fields"]
                }
                assert fields["EMAIL_ADDRESS"] == row["email"]
                assert fields["NAME_LAST"] == row["last_name"]
                assert isinstance(fields["CUSTOM1"], list)
                assert detail["guests"]["guest_count"] == row["guest_count"]
                assert len(detail["guests"]["guest_info"]) == row["guest_count"]
                guests += row["guest_count"]
                order = detail["payment_summary"]["order"]
                assert type(order["total"]) is float
                assert len(order["fees"]) == row["guest_count"] + 1
        assert odd
        assert guests

    def test_it_may_be_refused_as_a_whole(self, box: Sandbox, get: Get) -> None:
        box.faults.denied_products.add("eventspot")
        response = get(EVENTS)
        assert response.status_code == 403
        assert "mashery" not in response.text
        assert "X-Mashery-Error-Code" not in response.headers
        assert get("/library/info").status_code == 200

    @pytest.mark.parametrize(
        "path",
        ["", "/fees", "/fees/1", "/items", "/items/1", "/items/1/attributes", "/registrants/1"],
    )
    def test_unknown_id_returns_404(self, get: Get, path: str) -> None:
        assert get(f"{EVENTS}/a07e{path}").status_code == 404


class TestEventChanges:
    def test_people_register_and_show_up(self, account: Account, read: Read) -> None:
        def registrants() -> dict[str, Row]:
            return {
                row["id"]: row
                for event in read(EVENTS)
                for row in read(f"{EVENTS}/{event['id']}/registrants")
            }

        before = registrants()
        added = account.add_registrants(3)
        assert registrants().keys() - before.keys() == set(added)
        edited = account.edit_registrants(4)
        updated = {id_ for id_, row in registrants().items() if row["updated_date"] == LATER_TEXT}
        assert updated == set(added) | set(edited)

    def test_events_are_announced_and_edited(
        self,
        account: Account,
        read: Read,
        get: Get,
    ) -> None:
        (added,) = account.add_events(1)
        assert read(EVENTS)[0]["id"] == added
        (edited,) = account.edit_events(1)
        assert get(f"{EVENTS}/{edited}").json()["updated_date"] == LATER_TEXT


class TestLibrary:
    def test_usage_is_an_object_or_an_array_of_one(
        self,
        box: Sandbox,
        read: Read,
        get: Get,
    ) -> None:
        usage = get("/library/info").json()
        files = read("/library/files")
        summary = usage["usage_summary"]
        assert summary["file_count"] == len(files)
        assert summary["image_count"] == sum(file["is_image"] for file in files)
        assert summary["total_bytes_used"] == sum(file["size"] for file in files)
        assert summary["total_bytes_remaining"] > 2**32
        box.faults.library_info_array = True
        assert get("/library/info").json() == [usage]

    def test_folders_are_nested(self, read: Read, get: Get) -> None:
        parents = set()
        seen = []

        def walk(folder: Row, parent: Row | None) -> None:
            seen.append(folder)
            if parent is None:
                parents.add(folder.get("parent_id"))
            else:
                assert folder["parent_id"] == parent["id"]
                assert folder["level"] == parent["level"] + 1 <= 3
            assert get(f"/library/folders/{folder['id']}").json() == folder
            for child in folder["children"]:
                walk(child, folder)

        for top in read("/library/folders", limit=2):
            walk(top, None)
        assert parents == {None, "", "0"}
        assert any(folder["level"] == 3 for folder in seen)
        dates = {folder["created_date"] for folder in seen}
        assert "1970-01-01T00:00:00.000Z" in dates
        assert {date[23:] for date in dates} == {"Z", "-04:00", "-05:00"}
        assert sum(folder["item_count"] for folder in seen) == sum(
            file["folder_id"] is not None for file in read("/library/files")
        )

    def test_files_of_the_built_in_folder_have_none(self, read: Read) -> None:
        files = read("/library/files", limit=7)
        assert len({file["id"] for file in files}) == len(files) > 50
        for file in files:
            assert (file["folder_id"] is None) == (file["folder"] == "Images")
            assert file["is_image"] == (file["width"] > 0)
            assert file["created_date"][23:] in {"-04:00", "-05:00"}
        assert None in {file["folder_id"] for file in files}
        assert {"Active", "Uploaded"} < {file["status"] for file in files}

    def test_files_can_be_sorted_and_filtered(self, read: Read, get: Get) -> None:
        files = read("/library/files")
        created = [datetime.fromisoformat(file["created_date"]) for file in files]
        assert created == sorted(created, reverse=True)
        sizes = [file["size"] for file in read("/library/files", sort_by="SIZE", limit=9)]
        assert sizes == sorted(sizes)
        areas = [
            file["width"] * file["height"]
            for file in read("/library/files", sort_by="DIMENSION_DESC", limit=9)
        ]
        assert areas == sorted(areas, reverse=True)
        images = [file for file in files if file["is_image"]]
        assert read("/library/files", type="IMAGES", limit=5) == images
        stock = [file for file in files if file["source"] == "StockImage"]
        assert read("/library/files", source="StockImage") == stock
        for params in ({"sort_by": "ADDED_DATE"}, {"source": "mycomputer"}, {"limit": 1001}):
            assert get("/library/files", **params).status_code == 400
        names = [folder["name"] for folder in read("/library/folders", sort_by="NAME_DESC")]
        assert names == sorted(names, reverse=True)
        assert get("/library/folders", limit=51).status_code == 400

    def test_the_trash_has_other_names(self, read: Read, get: Get) -> None:
        path = "/library/folders/trash/files"
        trashed = read(path, limit=2)
        assert len(trashed) == 7
        for file in trashed:
            assert file["status"] == "Deleted"
            assert "file_type" not in file
            assert get(f"/library/files/{file['id']}").status_code == 404
        assert get(path, source="ALL").status_code == 400
        assert get(path, limit=51).status_code == 400

    def test_upload_status_of_several(self, read: Read, get: Get) -> None:
        first, second = read("/library/files")[:2]
        path = f"/library/files/uploadstatus/{first['id']},0,{second['id']}"
        assert [row["file_id"] for row in get(path).json()] == [first["id"], second["id"]]
        assert get("/library/files/uploadstatus/0").json() == []

    def test_it_may_be_refused_as_a_whole(self, box: Sandbox, get: Get) -> None:
        box.faults.denied_products.add("library")
        assert get("/library/files").status_code == 403
        assert get(EVENTS).status_code == 200

    def test_files_come_and_go(self, account: Account, read: Read) -> None:
        (added,) = account.add_files(1)
        assert read("/library/files")[0]["id"] == added
        trashed = account.trash_files(2)
        assert not {file["id"] for file in read("/library/files")} & set(trashed)
        assert set(trashed) < {file["id"] for file in read("/library/folders/trash/files")}
        (folder,) = account.add_folders(1)
        assert folder in account.ids("library_folders")
