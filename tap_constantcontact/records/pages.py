"""Reading answers: each by its envelope, once, and at full speed where it keeps to its schema."""

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
    from tap_constantcontact.records.typed import TypedPages


class PageReader:
    """Reads the answers that a stream gets: its own, and others that it asks for besides."""

    def __init__(
        self,
        stream: str,
        envelope: Envelope,
        fields: AbstractSet[str],
        logger: logging.Logger,
        typed: TypedPages | None = None,
    ) -> None:
        """Expect the stream's own answers.

        Args:
            stream: What they hold.
            envelope: What they look like.
            fields: An object that has none of these is something else.
            logger: Takes warnings.
            typed: Reads them at full speed; None if they are read with care anyway.
        """
        self._stream = stream
        self._own: tuple[Envelope, AbstractSet[str] | None] = (envelope, fields)
        self._expected: tuple[Envelope, AbstractSet[str] | None] = self._own
        self._logger = logger
        self._typed = typed
        self._last: tuple[requests.Response | None, Page | None] = (None, None)

    @contextlib.contextmanager
    def expecting(
        self, envelope: Envelope, fields: AbstractSet[str] | None = None
    ) -> Iterator[None]:
        """A time in which the stream asks for something else than its own rows."""
        before, self._expected = self._expected, (envelope, fields)
        try:
            yield
        finally:
            self._expected = before

    @property
    def is_own(self) -> bool:
        """Whether the next answer holds the stream's own rows."""
        return self._expected is self._own

    def read(self, response: requests.Response) -> Page:
        """Read an answer, once.

        Raises:
            InvalidResponseError: If it is not what was asked for.
        """
        answer, page = self._last
        if answer is not response or page is None:
            page = self._at_full_speed(response.content) or self._with_care(response.content)
            self._last = (response, page)
        return page

    def _at_full_speed(self, body: bytes) -> Page | None:
        return self._typed.read(body) if self._typed and self.is_own else None

    def _with_care(self, body: bytes) -> Page:
        envelope, fields = self._expected
        page = envelope.open(envelopes.decode(body))
        if fields and any(fields.isdisjoint(row) for row in page.rows):
            msg = f"holds something else than {self._stream}"
            raise InvalidResponseError(msg)
        if page.left_out:
            self._logger.warning("Where objects should be, %d nulls are left out.", page.left_out)
        return page
