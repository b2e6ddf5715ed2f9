"""Messages on their way out."""

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

# A pipe takes so much at once.
_BLOCK = 65536


class OutputError(Exception):
    """What the tap writes can no longer be written."""


class BlockWriter(MsgSpecWriter):
    """Writes records in blocks of whole lines, and everything else at once.

    A state never comes before the records that it speaks for.
    """

    def __init__(self) -> None:
        """Start with nothing to write."""
        super().__init__()
        self._lines = bytearray()
        self._is_broken = False

    @override
    def write_message(self, message: Message) -> None:
        self._lines += self.format_message(message)
        if len(self._lines) >= _BLOCK or message.__class__ is not RecordMessage:
            self.flush()

    def flush(self) -> None:
        """Write what is left.

        Raises:
            OutputError: It cannot be written; said once, and nothing is written from then on.
        """
        lines, self._lines = self._lines, bytearray()
        if self._is_broken:
            return
        try:
            write_whole(sys.stdout.buffer, lines)
            sys.stdout.flush()
        except OSError as error:
            self._is_broken = True
            _silence_stdout()
            raise OutputError(_reason(error)) from error


def write_whole(stream: BinaryIO, data: bytes | bytearray) -> None:
    """Write all of it, whatever the stream is: unbuffered ones may take a part at a time."""
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
    # Not `select`, which knows no more than 1,024 files.
    with selectors.DefaultSelector() as selector:
        selector.register(stream, selectors.EVENT_WRITE)
        selector.select()


def _reason(error: OSError) -> str:
    if isinstance(error, BrokenPipeError):
        return (
            "The target has ended before the tap, so that nothing takes the rows any more. Its own"
            " messages say why; the next run goes on from the last state that it wrote."
        )
    return f"The rows cannot be written: {error.strerror or error}."


def _silence_stdout() -> None:
    """Spare the interpreter a second failure when it flushes what is left at its end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
