"""Parsing of responses, by their envelope and as fast as their content allows."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from tap_constantcontact.http import envelopes
from tap_constantcontact.http.envelopes import InvalidResponseError

if TYPE_CHECKING:
    import logging
    from collections.abc import Iterator
    from collections.abc import Set as AbstractSet

    import requests

    from tap_constantcontact.http.envelopes import Envelope, Page
    from tap_constantcontact.records.fast_decoder import FastPageDecoder


class ResponseParser:
    """Parses the responses of a stream: its own, and others that it requests besides."""

    def __init__(
        self,
        stream: str,
        envelope: Envelope,
        fields: AbstractSet[str],
        logger: logging.Logger,
        typed: FastPageDecoder | None = None,
    ) -> None:
        """Create a parser for the stream's own responses.

        Args:
            stream: Name of the stream.
            envelope: Envelope of its responses.
            fields: An object with none of these fields is something else.
            logger: Logs warnings.
            typed: Decodes conforming pages; None if there is no such decoder.
        """
        self._stream = stream
        self._own: tuple[Envelope, AbstractSet[str] | None] = (envelope, fields)
        self._expected: tuple[Envelope, AbstractSet[str] | None] = self._own
        self._logger = logger
        self._fast = typed
        self._last: tuple[requests.Response | None, Page | None] = (None, None)

    @contextlib.contextmanager
    def expecting(
        self, envelope: Envelope, fields: AbstractSet[str] | None = None
    ) -> Iterator[None]:
        """Parse responses to other requests of the stream."""
        before, self._expected = self._expected, (envelope, fields)
        try:
            yield
        finally:
            self._expected = before

    @property
    def is_own(self) -> bool:
        """True if the next response contains the stream's own rows."""
        return self._expected is self._own

    def read(self, response: requests.Response) -> Page:
        """Parse a response, once.

        Raises:
            InvalidResponseError: If it is not valid.
        """
        answer, page = self._last
        if answer is not response or page is None:
            page = self._read_fast(response.content) or self._read_carefully(response.content)
            self._last = (response, page)
        return page

    def _read_fast(self, body: bytes) -> Page | None:
        return self._fast.read(body) if self._fast and self.is_own else None

    def _read_carefully(self, body: bytes) -> Page:
        envelope, fields = self._expected
        page = envelope.open(envelopes.decode(body))
        if fields and any(fields.isdisjoint(row) for row in page.rows):
            msg = f"holds something else than {self._stream}"
            raise InvalidResponseError(msg)
        if page.left_out:
            self._logger.warning("Skipping %d nulls in place of objects.", page.left_out)
        return page
