"""The library of images and documents: what `/library/...` answers."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import msgspec

from sandbox import moments
from sandbox.asking import one_of
from sandbox.making import Dice, Pools
from sandbox.paging import page

if TYPE_CHECKING:
    from sandbox.account import Account
    from sandbox.asking import Ask

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

_FOLDER_ORDERS: Final = (
    "CREATED_DATE",
    "CREATED_DATE_DESC",
    "MODIFIED_DATE",
    "MODIFIED_DATE_DESC",
    "NAME",
    "NAME_DESC",
)
FOLDER_ORDER: Final = one_of(*_FOLDER_ORDERS)
FILE_ORDER: Final = one_of(*_FOLDER_ORDERS, "SIZE", "SIZE_DESC", "DIMENSION", "DIMENSION_DESC")
FILE_SOURCE: Final = one_of(
    "ALL",
    "MyComputer",
    "StockImage",
    "Facebook",
    "Instagram",
    "Shutterstock",
    "Mobile",
)
FILE_TYPE: Final = one_of("ALL", "IMAGES", "DOCUMENTS")


@dataclass(slots=True)
class Folder:
    """One folder.

    Attributes:
        parent: The id of the folder it is in; at the top the API writes it in three ways.
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
        """Go through this folder and all below it."""
        yield self
        for child in self.children:
            yield from child.tree()


@dataclass(slots=True)
class File:
    """One file.

    Attributes:
        folder: The folder it is in; none for the built-in one for images.
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
        """Whether it is an image; everything else is a document."""
        return self.type in _IMAGE_TYPES

    @property
    def in_trash(self) -> bool:
        """Whether it was thrown away."""
        return self.status == "Deleted"


class Library:
    """The folders and files of an account."""

    def __init__(self, dice: Dice, names: Pools, count: int, now: int) -> None:
        """Make up the library an account begins with.

        Args:
            dice: Where chance comes from.
            names: The account's names and places.
            count: How many files to make up, those in the trash included.
            now: The account's beginning; everything is older.
        """
        self._dice = dice
        self._names = names
        self._made = 0
        self.folders: list[Folder] = [
            Folder("-1", "Documents", 0, ""),
            Folder("-8", "Backgrounds", 1, ""),
        ]
        self._newest_folder = self.folders[-1]
        self.files: dict[str, File] = {}
        for _ in range(max(count // 6, 3) if count else 0):
            self.make_folder(now - dice.between(moments.DAY, 2 * moments.YEAR))
        for _ in range(count):
            created = now - dice.between(moments.HOUR, 2 * moments.YEAR)
            made = self.make_file(created)
            if self._made % _TRASHED_EVERY == 0:
                self.trash(made, dice.between(created, now))

    def all_folders(self) -> list[Folder]:
        """Find all folders, those within others too."""
        return [folder for top in self.folders for folder in top.tree()]

    def make_folder(self, moment: int) -> Folder:
        """Make up one more folder: one at the top, one in it, one in that, and so on."""
        known = self.all_folders()
        number = len(known)
        deep = number % _DEEPEST != _SYSTEM_FOLDERS % _DEEPEST
        moment = moments.whole_second(moment)
        made = Folder(
            id=str(number + 7) if number % 2 else f"-{number + 7}",
            name=self._dice.pick(self._names.cities).lower().replace(" ", "_"),
            level=1,
            parent=_TOPS[len(self.folders) % len(_TOPS)],
            created=moment,
            modified=moment,
        )
        if deep:
            parent = self._newest_folder
            made.level, made.parent = parent.level + 1, parent.id
            parent.children.append(made)
        else:
            self.folders.append(made)
        self._newest_folder = made
        return made

    def make_file(self, moment: int) -> File:
        """Make up one more file."""
        dice = self._dice
        self._made += 1
        image = self._made % _IMAGE_EVERY != 0
        type_ = dice.pick(_IMAGE_TYPES if image else _DOCUMENT_TYPES)
        moment = moments.whole_second(moment)
        folders: list[Folder | None] = [*self.all_folders()]
        made = File(
            id=str(self._made + 3),
            name=f"IMG_{dice.between(1, 99):04d}.{type_}" if image else f"form.{type_.lower()}",
            description=dice.pick(self._names.phrases)[:100],
            type=type_,
            status=dice.pick(_STATUSES),
            source=dice.pick(_SOURCES),
            folder=dice.pick([None, *folders] if image else folders),
            width=dice.between(100, 2000) if image else 0,
            height=dice.between(100, 2000) if image else 0,
            size=dice.between(10_000, 2_000_000),
            created=moment,
            modified=moment,
        )
        self.files[made.id] = made
        return made

    def trash(self, file: File, moment: int) -> None:
        """Throw a file away."""
        file.status = "Deleted"
        file.modified = moments.whole_second(moment)

    def kept(self) -> list[File]:
        """Find the files that are not in the trash."""
        return [file for file in self.files.values() if not file.in_trash]

    def trashed(self) -> list[File]:
        """Find the files in the trash."""
        return [file for file in self.files.values() if file.in_trash]

    def usage(self) -> dict[str, Any]:
        """Add up what is used; the trash takes no room."""
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


def _folder_date(moment: int | None) -> str:
    return moments.EPOCH if moment is None else moments.eastern(moment)


def _folder(library: Library, folder: Folder) -> dict[str, Any]:
    sent: dict[str, Any] = {
        "id": folder.id,
        "name": folder.name,
        "level": folder.level,
        "children": [_folder(library, child) for child in folder.children],
        "item_count": sum(file.folder is folder for file in library.kept()),
    }
    if folder.parent is not None:
        sent["parent_id"] = folder.parent
    return sent | {
        "modified_date": _folder_date(folder.modified),
        "created_date": _folder_date(folder.created),
    }


def _file(file: File) -> bytes:
    image = f"https://files.example.com/img/{file.id}.{file.type.lower()}"
    document = "https://files.example.com/document.png"
    return msgspec.json.encode(
        {
            "name": file.name,
            "id": file.id,
            "description": file.description,
            "folder": file.folder.name if file.folder else "Images",
            "height": file.height,
            "width": file.width,
            "size": file.size,
            "url": image,
            "source": file.source,
            # In the trash the same thing has another name.
            "type" if file.in_trash else "file_type": file.type,
            "status": file.status,
            "thumbnail": {
                "url": image if file.is_image else document,
                "height": 150 if file.is_image else 200,
                "width": 200 if file.is_image else 178,
            },
            "created_date": moments.eastern(file.created),
            "modified_date": moments.eastern(file.modified),
            "folder_id": file.folder.id if file.folder else None,
            "is_image": file.is_image,
        },
    )


_FILE_KEYS: Final[dict[str, Callable[[File], Any]]] = {
    "CREATED_DATE": lambda file: file.created,
    "MODIFIED_DATE": lambda file: file.modified,
    "NAME": lambda file: file.name,
    "SIZE": lambda file: file.size,
    "DIMENSION": lambda file: file.width * file.height,
}
_FOLDER_KEYS: Final[dict[str, Callable[[Folder], Any]]] = {
    "CREATED_DATE": lambda folder: folder.created or 0,
    "MODIFIED_DATE": lambda folder: folder.modified or 0,
    "NAME": lambda folder: folder.name,
}


def _files(ask: "Ask", files: Iterable[File]) -> bytes:
    order = ask.text("sort_by", "CREATED_DATE_DESC")
    source = ask.text("source", "ALL")
    type_ = ask.text("type", "ALL")
    found = [
        file
        for file in files
        if source in ("ALL", file.source)
        and type_ in ("ALL", "IMAGES" if file.is_image else "DOCUMENTS")
    ]
    found.sort(key=_FILE_KEYS[order.removesuffix("_DESC")], reverse=order.endswith("_DESC"))
    return page(ask, found, _file)


def info(account: "Account", ask: "Ask") -> bytes:
    """Answer `/library/info`: one object, by some accounts of it in an array."""
    usage = account.library.usage()
    return msgspec.json.encode([usage] if ask.trouble.library_info_array else usage)


def folders(account: "Account", ask: "Ask") -> bytes:
    """Answer `/library/folders`: those at the top, with the others inside them."""
    library = account.library
    order = ask.text("sort_by", "CREATED_DATE_DESC")
    found = sorted(
        library.folders,
        key=_FOLDER_KEYS[order.removesuffix("_DESC")],
        reverse=order.endswith("_DESC"),
    )
    return page(ask, found, lambda folder: msgspec.json.encode(_folder(library, folder)))


def _one_folder(account: "Account", ask: "Ask") -> Folder:
    known = {folder.id: folder for folder in account.library.all_folders()}
    return ask.find(known, "folder_id")


def one_folder(account: "Account", ask: "Ask") -> bytes:
    """Answer `/library/folders/{folder_id}`."""
    return msgspec.json.encode(_folder(account.library, _one_folder(account, ask)))


def all_files(account: "Account", ask: "Ask") -> bytes:
    """Answer `/library/files`."""
    return _files(ask, account.library.kept())


def files_of_folder(account: "Account", ask: "Ask") -> bytes:
    """Answer `/library/folders/{folder_id}/files`."""
    folder = _one_folder(account, ask)
    return _files(ask, (file for file in account.library.kept() if file.folder is folder))


def trash(account: "Account", ask: "Ask") -> bytes:
    """Answer `/library/folders/trash/files`."""
    return _files(ask, account.library.trashed())


def one_file(account: "Account", ask: "Ask") -> bytes:
    """Answer `/library/files/{file_id}`; a file in the trash is not found here."""
    return _file(ask.find({file.id: file for file in account.library.kept()}, "file_id"))


def upload_status(account: "Account", ask: "Ask") -> bytes:
    """Answer `/library/files/uploadstatus/{file_ids}`: what is not known is left out."""
    files = account.library.files
    return msgspec.json.encode(
        [
            {"file_id": id_, "status": files[id_].status, "description": files[id_].status}
            for id_ in ask.ids["file_ids"].split(",")
            if id_ in files
        ],
    )
