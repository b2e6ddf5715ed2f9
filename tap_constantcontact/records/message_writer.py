"""Output of Singer messages."""

from __future__ import annotations

import os
import selectors
import sys
from typing import TYPE_CHECKING

from singer_sdk.contrib.msgspec import MsgSpecWriter
from singer_sdk.singerlib import Message, RecordMessage
from typing_extensions import override

if TYPE_CHECKING:
    from typing import BinaryIO

# Size of a pipe's buffer.
_BLOCK_SIZE = 65536


class OutputError(Exception):
    """The output cannot be written."""


class BufferedMessageWriter(MsgSpecWriter):
    """Writes records in blocks of whole lines, and other messages at once.

    A state never precedes its records.
    """

    def __init__(self) -> None:
        """Create an empty buffer."""
        super().__init__()
        self._lines = bytearray()
        self._is_broken = False

    @override
    def write_message(self, message: Message) -> None:
        self._lines += self.format_message(message)
        if len(self._lines) >= _BLOCK_SIZE or message.__class__ is not RecordMessage:
            self.flush()

    def flush(self) -> None:
        """Write the buffer.

        Raises:
            OutputError: It cannot be written. Raised once, and nothing is written from then on.
        """
        lines, self._lines = self._lines, bytearray()
        if self._is_broken:
            return
        try:
            self.write_lines(lines)
        except OSError as error:
            self._is_broken = True
            _close_stdout()
            raise OutputError(_reason(error)) from error

    def write_lines(self, lines: bytearray) -> None:
        """Write whole lines to stdout."""
        write_whole(sys.stdout.buffer, lines)
        sys.stdout.flush()


def write_whole(stream: BinaryIO, data: bytes | bytearray) -> None:
    """Write all of the data: unbuffered streams may take a part at a time."""
    left = memoryview(data)
    while left:
        try:
            taken = stream.write(left)
        except BlockingIOError as error:
            taken = error.characters_written
        if not taken:
            _wait_for(stream)
        left = left[taken or 0 :]


def _wait_for(stream: BinaryIO) -> None:
    # Not `select`, which is limited to 1,024 files.
    with selectors.DefaultSelector() as selector:
        selector.register(stream, selectors.EVENT_WRITE)
        selector.select()


def _reason(error: OSError) -> str:
    if isinstance(error, BrokenPipeError):
        return (
            "The target ended before the tap and takes no more records. See its messages. The next"
            " run resumes from the last state that it wrote."
        )
    return f"The records cannot be written: {error.strerror or error}."


def _close_stdout() -> None:
    """Avoid a second error when the interpreter flushes stdout at its end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
