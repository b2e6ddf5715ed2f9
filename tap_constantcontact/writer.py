"""Messages on their way out."""

from __future__ import annotations

import sys

from singer_sdk.contrib.msgspec import MsgSpecWriter
from singer_sdk.singerlib import Message, RecordMessage
from typing_extensions import override

# A pipe takes so much at once.
_BLOCK = 65536


class BlockWriter(MsgSpecWriter):
    """Writes records in blocks of whole lines, and everything else at once.

    A state never comes before the records that it speaks for.
    """

    def __init__(self) -> None:
        """Start with nothing to write."""
        super().__init__()
        self._lines = bytearray()

    @override
    def write_message(self, message: Message) -> None:
        self._lines += self.format_message(message)
        if len(self._lines) >= _BLOCK or message.__class__ is not RecordMessage:
            self.flush()

    def flush(self) -> None:
        """Write what is left."""
        sys.stdout.buffer.write(self._lines)
        sys.stdout.flush()
        self._lines.clear()
