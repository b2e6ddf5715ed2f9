"""URLs of v3."""

from __future__ import annotations

from urllib.parse import urlsplit

from typing_extensions import override

from tap_constantcontact.http.urls import BaseUrl


class V3BaseUrl(BaseUrl):
    """The base URL of v3.

    Next links begin with `/v3`. Some have a path of the vendor's own network (docs/api/v3.md §2.2):
    only their query counts.
    """

    @override
    def follow(self, next_link: str, first: str) -> str:
        address = super().follow(next_link, first)
        parts = urlsplit(next_link)
        return address if parts.path.startswith("/v3/") else f"{first}?{parts.query}"
