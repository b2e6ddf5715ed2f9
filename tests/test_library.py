"""The library: files with those in the trash, folders lifted out of folders, and the space used."""

from __future__ import annotations

import json
import logging
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from helpers.fake_server import Answer, Scripted, in_envelope
from helpers.runner import Output, selected_by_default, sync

from sandbox import FaultConfig

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox import Sandbox

    Serving = Callable[..., Sandbox]

SAMPLES = Path(__file__).parent / "samples" / "v2"
FILES = "/library/files"
TRASH = "/library/folders/trash/files"
FOLDERS = "/library/folders"
FAMILY = ("library_usage", "library_folders", "library_files")


def sample(name: str) -> Any:
    return json.loads((SAMPLES / f"{name}.json").read_text())


def params(box: Sandbox, path: str) -> list[dict[str, str]]:
    """What the calls of a path asked for."""
    return [call.params for call in box.calls if call.path == f"/v2{path}"]


def read(stream: str, **bodies: Any) -> Output:
    """Sync a stream from such bodies; where there is none, there is nothing."""
    answers = {f"/v2/library/{path}": body for path, body in bodies.items()}

    def answer(path: str, asked: dict[str, str]) -> Answer:
        found = [] if "next" in asked else answers.get(path, [])
        return Answer(200, in_envelope(path, found))

    with Scripted(answer) as server:
        return sync(server, stream)


# -- all of it ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "faults", [FaultConfig(), FaultConfig(extra_row=True)], ids=["", "extra rows"]
)
def test_every_row_arrives(serving: Serving, faults: FaultConfig) -> None:
    box = serving(files=1300, faults=faults)

    output = sync(box, *FAMILY)

    assert output.ids("library_files") == box.account.ids("library_files")
    assert output.ids("library_folders") == box.account.ids("library_folders")
    assert len(output.rows("library_usage")) == 1


def test_pages_are_as_large_as_each_collection_allows(serving: Serving) -> None:
    box = serving(files=1300)

    sync(box, *FAMILY)

    for path, limit, pages in ((FILES, "1000", 2), (TRASH, "50", 4), (FOLDERS, "50", 2)):
        first, *later = params(box, path)
        assert first == {"limit": limit}, path
        assert len(later) == pages - 1, path
        assert all(each.keys() == {"next"} for each in later), path
    assert params(box, "/library/info") == [{}]


def test_empty_library_is_valid(serving: Serving) -> None:
    output = sync(serving(files=0), *FAMILY)

    assert output.rows("library_files") == []
    assert len(output.rows("library_usage")) == 1


# -- files ----------------------------------------------------------------------------------


def test_files_say_whether_they_are_in_the_trash(serving: Serving) -> None:
    box = serving(files=80)

    rows = sync(box, "library_files").rows("library_files")

    assert {row["id"] for row in rows if row["in_trash"]} == {
        file.id for file in box.account.library.trashed()
    }
    assert {row["in_trash"] for row in rows} == {True, False}


def test_a_file_that_was_thrown_away_says_so_on_the_next_run(serving: Serving) -> None:
    box = serving(files=80)
    first = sync(box, "library_files")
    thrown = box.account.trash_files(3)

    second = sync(box, "library_files", state=first.state)

    assert second.ids("library_files") == box.account.ids("library_files")
    assert [row["in_trash"] for row in second.rows("library_files") if row["id"] in thrown] == [
        True,
        True,
        True,
    ]


def test_files_in_the_trash_keep_their_type_under_one_name(serving: Serving) -> None:
    box = serving(files=80)

    rows = sync(box, "library_files").rows("library_files")

    assert {row["id"]: row["file_type"] for row in rows} == {
        file.id: file.type for file in box.account.library.files.values()
    }
    assert not any("type" in row for row in rows)


def test_dates_with_an_offset_become_utc() -> None:
    found = read("library_files", files=sample("library_files"))

    assert found.rows("library_files")[0]["created_date"] == "2013-09-26T14:52:46.000Z"
    assert found.rows("library_files")[0]["modified_date"] == "2013-09-26T16:32:41.000Z"


def test_a_file_of_the_built_in_folder_has_no_folder_id() -> None:
    (row,) = read("library_files", files=[sample("library_file")]).rows("library_files")

    assert row["folder_id"] is None
    assert row["folder"] == "Images"


# -- folders --------------------------------------------------------------------------------


def test_folders_in_folders_become_rows_that_name_their_parent(serving: Serving) -> None:
    box = serving(files=80)

    rows = sync(box, "library_folders").rows("library_folders")

    folders = box.account.library.all_folders()
    assert {row["id"]: row.get("parent_id") for row in rows} == {
        folder.id: folder.parent for folder in folders
    }
    assert {row["id"]: row["level"] for row in rows} == {
        folder.id: folder.level for folder in folders
    }
    assert {row["level"] for row in rows} >= {1, 2, 3}
    assert not any("children" in row for row in rows)


def test_a_folder_three_levels_down_gets_its_parent_from_where_it_stands() -> None:
    nested = sample("library_folder.nested")
    deepest = {name: held for name, held in sample("library_folder").items() if name != "parent_id"}
    nested["children"][0]["children"] = [deepest]

    rows = read("library_folders", folders=[nested]).rows("library_folders")

    assert [(row["id"], row.get("parent_id")) for row in rows] == [
        ("-5", None),
        ("-7", "-5"),
        ("6", "-7"),
        ("-6", "-5"),
    ]
    assert rows[2]["name"] == "wildflowers"


def test_folders_without_dates_have_null_for_the_epoch() -> None:
    rows = read("library_folders", folders=sample("library_folders.page1")).rows("library_folders")

    assert [row["id"] for row in rows] == ["-8", "-1", "-10", "-2", "-7", "-3"]
    assert all(row["created_date"] is row["modified_date"] is None for row in rows)


# -- usage ----------------------------------------------------------------------------------


@pytest.mark.parametrize("in_array", [False, True], ids=["object", "array"])
def test_usage_may_come_bare_or_in_an_array(serving: Serving, *, in_array: bool) -> None:
    box = serving(files=40, faults=FaultConfig(library_info_array=in_array))

    assert sync(box, "library_usage").rows("library_usage") == [box.account.library.usage()]


# -- refused --------------------------------------------------------------------------------


def test_a_refused_library_is_skipped_with_one_call_and_one_warning(
    serving: Serving, caplog: pytest.LogCaptureFixture
) -> None:
    box = serving(files=40, faults=FaultConfig(denied_products={"library"}))

    output = sync(box)

    expected = box.account.counts()
    others = {each for each in selected_by_default() if not each.startswith("library")}
    assert output.counts == Counter(
        {each: expected[each] for each in others} | {"sync_audit": len(selected_by_default())}
    )
    assert len([call for call in box.calls if call.path.startswith("/v2/library")]) == 1
    (said,) = [
        each.getMessage()
        for each in caplog.records
        if each.levelno == logging.WARNING and "library" in each.getMessage()
    ]
    assert said.startswith("Skipping the library: the access token is not authorized for it.")


def test_streams_after_an_unauthorized_library_are_read(serving: Serving) -> None:
    box = serving(contacts=10, faults=FaultConfig(denied_products={"library", "eventspot"}))

    output = sync(box, "events", "library_files", "contact_summaries")

    assert output.counts == {"contact_summaries": 10}
