"""Where the next links of v3 lead."""

from __future__ import annotations

from urllib.parse import urlsplit

from typing_extensions import override

from tap_constantcontact.http.urls import BaseUrl


class V3BaseUrl(BaseUrl):
    """The base address of v3.

    Its links begin with `/v3`; some have been seen with a path of the vendor's own network (API
    docs: v3 §2.2). What counts in those is their query.
    """

    @override
    def follow(self, next_link: str, first: str) -> str:
        address = super().follow(next_link, first)
        parts = urlsplit(next_link)
        return address if parts.path.startswith("/v3/") else f"{first}?{parts.query}"
