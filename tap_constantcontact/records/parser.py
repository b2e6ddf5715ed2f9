"""Parsing of responses, by their envelope and as fast as their content allows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_constantcontact.http import envelopes
from tap_constantcontact.http.envelopes import InvalidResponseError

if TYPE_CHECKING:
    import logging
    from collections.abc import Set as AbstractSet

    import requests

    from tap_constantcontact.http.envelopes import Envelope, Page
    from tap_constantcontact.records.fast_decoder import FastPageDecoder


class ResponseParser:
    """Parses the responses of one kind of request."""

    def __init__(
        self,
        stream: str,
        envelope: Envelope,
        fields: AbstractSet[str] | None,
        logger: logging.Logger,
        fast: FastPageDecoder | None = None,
    ) -> None:
        """Create a parser.

        Args:
            stream: Name of the stream.
            envelope: Envelope of its responses.
            fields: An object with none of these fields is something else; None if the envelope is
                enough.
            logger: Logs warnings.
            fast: Decodes conforming pages; None if there is no such decoder.
        """
        self._stream = stream
        self._envelope = envelope
        self._fields = fields
        self._logger = logger
        self._fast = fast
        self._last: tuple[requests.Response | None, Page | None] = (None, None)

    def read(self, response: requests.Response) -> Page:
        """Parse a response, once.

        Raises:
            InvalidResponseError: If it is not valid.
        """
        last_response, page = self._last
        if last_response is not response or page is None:
            body = response.content
            page = (self._fast and self._fast.read(body)) or self._read_carefully(body)
            self._last = (response, page)
        return page

    def _read_carefully(self, body: bytes) -> Page:
        page = self._envelope.open(envelopes.decode(body))
        if self._fields and any(self._fields.isdisjoint(row) for row in page.rows):
            msg = f"holds something else than {self._stream}"
            raise InvalidResponseError(msg)
        if page.left_out:
            self._logger.warning("Skipping %d nulls in place of objects.", page.left_out)
        return page
