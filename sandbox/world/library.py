"""The library of images and documents."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from sandbox.world import timestamps
from sandbox.world.fake_data import FakeRandom, Pools

_IMAGE_TYPES: Final = ("JPG", "PNG", "GIF", "JPEG")
_DOCUMENT_TYPES: Final = ("PDF", "DOCX", "XLSX")
_SOURCES: Final = ("MyComputer", "MyComputer", "StockImage", "Facebook", "Shutterstock", "Mobile")
_STATUSES: Final = (*("Active",) * 12, "Processing", "Uploaded", "VirusFound", "Failed")
_TRASHED_EVERY: Final = 8
_IMAGE_EVERY: Final = 4
_DEEPEST: Final = 3
_SYSTEM_FOLDERS: Final = 2
_TOPS: Final = (None, "0", "")
_SPACE: Final = 5 * 2**30
_UPLOAD: Final = 5 * 2**20


@dataclass(slots=True)
class Folder:
    """One folder.

    Attributes:
        parent: Id of the folder above; at the top the API has three forms.
        created: Unknown for the folders that every account has.
    """

    id: str
    name: str
    level: int
    parent: str | None
    created: int | None = None
    modified: int | None = None
    children: list["Folder"] = field(default_factory=list)

    def tree(self) -> Iterator["Folder"]:
        """Return this folder and all below it."""
        yield self
        for child in self.children:
            yield from child.tree()


@dataclass(slots=True)
class File:
    """One file.

    Attributes:
        folder: Its folder; None for the built-in one for images.
    """

    id: str
    name: str
    description: str
    type: str
    status: str
    source: str
    folder: Folder | None
    width: int
    height: int
    size: int
    created: int
    modified: int

    @property
    def is_image(self) -> bool:
        """True for an image, false for a document."""
        return self.type in _IMAGE_TYPES

    @property
    def in_trash(self) -> bool:
        """True if the file is in the trash."""
        return self.status == "Deleted"


class Library:
    """The folders and files of an account."""

    def __init__(self, random: FakeRandom, names: Pools, count: int, now: int) -> None:
        """Create the library of a new account.

        Args:
            random: Source of random numbers.
            names: The account's names and places.
            count: Number of files, including the trash.
            now: Newest time of the data.
        """
        self._random = random
        self._names = names
        self._made = 0
        self.folders: list[Folder] = [
            Folder("-1", "Documents", 0, ""),
            Folder("-8", "Backgrounds", 1, ""),
        ]
        self._newest_folder = self.folders[-1]
        self.files: dict[str, File] = {}
        for _ in range(max(count // 6, 3) if count else 0):
            self.make_folder(now - random.between(timestamps.DAY, 2 * timestamps.YEAR))
        for _ in range(count):
            created = now - random.between(timestamps.HOUR, 2 * timestamps.YEAR)
            made = self.make_file(created)
            if self._made % _TRASHED_EVERY == 0:
                self.trash(made, random.between(created, now))

    def all_folders(self) -> list[Folder]:
        """Find all folders, those within others too."""
        return [folder for top in self.folders for folder in top.tree()]

    def make_folder(self, timestamp: int) -> Folder:
        """Create another folder: one at the top, one in it, one in that, and so on."""
        known = self.all_folders()
        number = len(known)
        deep = number % _DEEPEST != _SYSTEM_FOLDERS % _DEEPEST
        timestamp = timestamps.whole_second(timestamp)
        made = Folder(
            id=str(number + 7) if number % 2 else f"-{number + 7}",
            name=self._random.pick(self._names.cities).lower().replace(" ", "_"),
            level=1,
            parent=_TOPS[len(self.folders) % len(_TOPS)],
            created=timestamp,
            modified=timestamp,
        )
        if deep:
            parent = self._newest_folder
            made.level, made.parent = parent.level + 1, parent.id
            parent.children.append(made)
        else:
            self.folders.append(made)
        self._newest_folder = made
        return made

    def make_file(self, timestamp: int) -> File:
        """Create another file."""
        random = self._random
        self._made += 1
        image = self._made % _IMAGE_EVERY != 0
        type_ = random.pick(_IMAGE_TYPES if image else _DOCUMENT_TYPES)
        timestamp = timestamps.whole_second(timestamp)
        folders: list[Folder | None] = [*self.all_folders()]
        made = File(
            id=str(self._made + 3),
            name=f"IMG_{random.between(1, 99):04d}.{type_}" if image else f"form.{type_.lower()}",
            description=random.pick(self._names.phrases)[:100],
            type=type_,
            status=random.pick(_STATUSES),
            source=random.pick(_SOURCES),
            folder=random.pick([None, *folders] if image else folders),
            width=random.between(100, 2000) if image else 0,
            height=random.between(100, 2000) if image else 0,
            size=random.between(10_000, 2_000_000),
            created=timestamp,
            modified=timestamp,
        )
        self.files[made.id] = made
        return made

    def trash(self, file: File, timestamp: int) -> None:
        """Move a file to the trash."""
        file.status = "Deleted"
        file.modified = timestamps.whole_second(timestamp)

    def kept(self) -> list[File]:
        """Find the files that are not in the trash."""
        return [file for file in self.files.values() if not file.in_trash]

    def trashed(self) -> list[File]:
        """Find the files in the trash."""
        return [file for file in self.files.values() if file.in_trash]

    def usage(self) -> dict[str, Any]:
        """Return the used space, without the trash."""
        kept = self.kept()
        images = [file for file in kept if file.is_image]
        used = sum(file.size for file in kept)
        by_images = sum(file.size for file in images)
        return {
            "max_free_file_num": 0,
            "max_premium_space_limit": _SPACE,
            "image_root": "https://files.example.com",
            "usage_summary": {
                "folder_count": len(self.all_folders()),
                "file_count": len(kept),
                "image_count": len(images),
                "document_count": len(kept) - len(images),
                "total_bytes_used": used,
                "image_bytes_used": by_images,
                "document_bytes_used": used - by_images,
                "total_bytes_remaining": _SPACE - used,
                "free_files_remaining": 0,
            },
            "max_upload_size_limit": _UPLOAD,
        }
