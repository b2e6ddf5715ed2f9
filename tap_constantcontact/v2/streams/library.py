"""The library of images and documents."""

from __future__ import annotations

from typing import TYPE_CHECKING

from typing_extensions import override

from tap_constantcontact.estimate import pages
from tap_constantcontact.http import envelopes
from tap_constantcontact.stream import ConstantContactStream

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import requests
    from singer_sdk.helpers.types import Context, Record


class LibraryStream(ConstantContactStream):
    """Anything of the library, which is a product of its own."""

    product = "the library"

    def usage(self) -> Record:
        """The library's own counters."""

        def ask() -> Record:
            result = self.fetch_page(LibraryUsage.path, LibraryUsage.envelope)
            return result[0].get("usage_summary") or {}

        return self.run.cache("what the library holds", ask)


class LibraryUsage(LibraryStream):
    """Space and files used: one row, sent bare or in an array (docs/api/v2.md §12)."""

    name = "library_usage"
    path = "/library/info"
    envelope = envelopes.ONE_OR_ARRAY
    primary_keys = ("image_root",)

    @override
    def estimate(self) -> tuple[int, str]:
        self.usage()
        return 1, ""


class LibraryFolders(LibraryStream):
    """Folders, those inside others lifted out of them (docs/api/v2.md §12)."""

    name = "library_folders"
    path = "/library/folders"
    primary_keys = ("id",)
    # Sources disagree on 50 or 1000.
    page_size = 50

    @override
    def estimate(self) -> tuple[int, str]:
        there_are = self.usage().get("folder_count") or 0
        return pages(there_are, self.page_size), f"{there_are:,} folders"

    @override
    def parse_response(self, response: requests.Response) -> Iterable[Record]:
        for folder in super().parse_response(response):
            yield from self._with_children(folder)

    def _with_children(self, folder: Record) -> Iterator[Record]:
        children = envelopes.objects(folder.get("children"))
        yield {name: held for name, held in folder.items() if name != "children"}
        for child in children:
            yield from self._with_children({"parent_id": folder.get("id"), **child})


class LibraryFiles(LibraryStream):
    """Files, those in the trash too (docs/api/v2.md §12)."""

    name = "library_files"
    path = "/library/files"
    primary_keys = ("id",)
    state_partitioning_keys = ()

    @property
    @override
    def partitions(self) -> list[dict[str, str]]:
        """The two places where files are."""
        return [{"collection": collection} for collection in PAGE_SIZES]

    @override
    def get_url(self, context: Context | None) -> str:
        return f"{self.url_base}{_collection(context)}"

    @override
    def limit(self, context: Context | None) -> int:
        return PAGE_SIZES[_collection(context)]

    @override
    def estimate(self) -> tuple[int, str]:
        there_are = self.usage().get("file_count") or 0
        _, in_trash = self.sample_records({"collection": TRASH}, _PAGES_ASKED)
        calls = pages(there_are, PAGE_SIZES[LibraryFiles.path]) + (in_trash or _PAGES_ASKED + 1)
        return calls, f"{there_are:,} files"

    @override
    def preprocess_record(self, row: Record, context: Context | None) -> Record | None:
        row["in_trash"] = "trash" in _collection(context)
        if "type" in row:  # What the trash calls it.
            row.setdefault("file_type", row.pop("type"))
        return row


TRASH = "/library/folders/trash/files"
# The trash may allow 50 only; sources disagree.
_PAGES_ASKED = 3
PAGE_SIZES = {"/library/files": 1000, TRASH: 50}


def _collection(context: Context | None) -> str:
    return str(context["collection"]) if context else LibraryFiles.path
