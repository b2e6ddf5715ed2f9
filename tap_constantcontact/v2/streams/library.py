"""The library of images and documents."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from typing_extensions import override

from tap_constantcontact.http import envelopes
from tap_constantcontact.stream import ConstantContactStream

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import requests
    from singer_sdk.helpers.types import Context, Record


_FILES, _TRASH = "/library/files", "/library/folders/trash/files"
# The trash may allow 50 only; sources disagree.
_PAGE_SIZES = {_FILES: 1000, _TRASH: 50}


class LibraryStream(ConstantContactStream):
    """A stream of the library, which is a product of its own (docs/api/v2.md §12)."""

    product = "the library"
    #: Field of the library's usage that counts the records.
    usage_field: ClassVar[str] = ""

    @override
    def count_records(self, context: Context | None) -> int | None:
        def usage() -> Record:
            (row,) = self.client.get(LibraryUsage.path, LibraryUsage.envelope)
            return envelopes.fields_of(row.get("usage_summary"))

        counts = self.run.cache("usage of the library", usage)
        is_counted = self.usage_field and _collection(context) != _TRASH
        return counts.get(self.usage_field) or 0 if is_counted else None


class LibraryUsage(LibraryStream):
    """Space and number of files: one record, sent bare or in an array."""

    name = "library_usage"
    path = "/library/info"
    envelope = envelopes.ONE_OR_ARRAY
    primary_keys = ("image_root",)


class LibraryFolders(LibraryStream):
    """Folders. Those inside others are records of their own."""

    name = "library_folders"
    path = "/library/folders"
    primary_keys = ("id",)
    # Sources disagree on 50 or 1000.
    page_size = 50
    usage_field = "folder_count"

    @override
    def parse_response(self, response: requests.Response) -> Iterable[Record]:
        for folder in super().parse_response(response):
            yield from self._with_children(folder)

    def _with_children(self, folder: Record) -> Iterator[Record]:
        children = envelopes.objects(folder.get("children"))
        yield {name: value for name, value in folder.items() if name != "children"}
        for child in children:
            yield from self._with_children({"parent_id": folder.get("id"), **child})


class LibraryFiles(LibraryStream):
    """Files, including those in the trash."""

    name = "library_files"
    path = _FILES
    primary_keys = ("id",)
    state_partitioning_keys = ()
    usage_field = "file_count"
    sampled_pages = 3

    @property
    @override
    def partitions(self) -> list[dict[str, str]]:
        """The two lists of files."""
        return [{"collection": collection} for collection in _PAGE_SIZES]

    @override
    def get_url(self, context: Context | None) -> str:
        return f"{self.url_base}{_collection(context)}"

    @override
    def limit(self, context: Context | None) -> int:
        return _PAGE_SIZES[_collection(context)]

    @override
    def preprocess_record(self, row: Record, context: Context | None) -> Record | None:
        row["in_trash"] = _collection(context) == _TRASH
        if "type" in row:  # The name of the field in the trash.
            row.setdefault("file_type", row.pop("type"))
        return row


def _collection(context: Context | None) -> str:
    return str(context["collection"]) if context else _FILES
