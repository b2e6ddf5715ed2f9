"""The library, as `/library/...` shows it."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final

import msgspec

from sandbox.checks import one_of
from sandbox.v2.paging import page
from sandbox.world import timestamps
from sandbox.world.library import File, Folder, Library

if TYPE_CHECKING:
    from sandbox.v2.request import ApiRequest
    from sandbox.world.world import World

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


def _folder_date(timestamp: int | None) -> str:
    return timestamps.EPOCH if timestamp is None else timestamps.eastern(timestamp)


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
            "created_date": timestamps.eastern(file.created),
            "modified_date": timestamps.eastern(file.modified),
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


def _files(request: "ApiRequest", files: Iterable[File]) -> bytes:
    order = request.text("sort_by", "CREATED_DATE_DESC")
    source = request.text("source", "ALL")
    type_ = request.text("type", "ALL")
    found = [
        file
        for file in files
        if source in ("ALL", file.source)
        and type_ in ("ALL", "IMAGES" if file.is_image else "DOCUMENTS")
    ]
    found.sort(key=_FILE_KEYS[order.removesuffix("_DESC")], reverse=order.endswith("_DESC"))
    return page(request, found, _file)


def info(world: "World", request: "ApiRequest") -> bytes:
    """Respond to `/library/info`: one object, or an array of one."""
    usage = world.library.usage()
    return msgspec.json.encode([usage] if request.faults.library_info_array else usage)


def folders(world: "World", request: "ApiRequest") -> bytes:
    """Respond to `/library/folders`: those at the top, with the others inside them."""
    library = world.library
    order = request.text("sort_by", "CREATED_DATE_DESC")
    found = sorted(
        library.folders,
        key=_FOLDER_KEYS[order.removesuffix("_DESC")],
        reverse=order.endswith("_DESC"),
    )
    return page(request, found, lambda folder: msgspec.json.encode(_folder(library, folder)))


def _one_folder(world: "World", request: "ApiRequest") -> Folder:
    known = {folder.id: folder for folder in world.library.all_folders()}
    return request.find(known, "folder_id")


def one_folder(world: "World", request: "ApiRequest") -> bytes:
    """Respond to `/library/folders/{folder_id}`."""
    return msgspec.json.encode(_folder(world.library, _one_folder(world, request)))


def all_files(world: "World", request: "ApiRequest") -> bytes:
    """Respond to `/library/files`."""
    return _files(request, world.library.kept())


def files_of_folder(world: "World", request: "ApiRequest") -> bytes:
    """Respond to `/library/folders/{folder_id}/files`."""
    folder = _one_folder(world, request)
    return _files(request, (file for file in world.library.kept() if file.folder is folder))


def trash(world: "World", request: "ApiRequest") -> bytes:
    """Respond to `/library/folders/trash/files`."""
    return _files(request, world.library.trashed())


def one_file(world: "World", request: "ApiRequest") -> bytes:
    """Respond to `/library/files/{file_id}`; a file in the trash is not found here."""
    return _file(request.find({file.id: file for file in world.library.kept()}, "file_id"))


def upload_status(world: "World", request: "ApiRequest") -> bytes:
    """Respond to `/library/files/uploadstatus/{file_ids}`: unknown ids are left out."""
    files = world.library.files
    return msgspec.json.encode(
        [
            {"file_id": id_, "status": files[id_].status, "description": files[id_].status}
            for id_ in request.ids["file_ids"].split(",")
            if id_ in files
        ],
    )
