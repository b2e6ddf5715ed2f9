"""Addresses of an API: its base, and the next links that it hands out."""

from __future__ import annotations

from urllib.parse import urlsplit


class ForeignLinkError(ValueError):
    """A next link that leads to another host, where credentials must not go."""


class ApiRoot:
    """The base address, and where a next link leads from there.

    A next link is host-relative and starts at the API's version, such as `/v2/`, not at the base
    (API docs: Pagination). Whatever a proxy puts before the version in the base is kept.
    """

    def __init__(self, url: str, version: str) -> None:
        """Take a base such as `https://api.constantcontact.com/v2`, and its version, `v2`."""
        self.url = url.rstrip("/")
        parts = urlsplit(self.url)
        self._origin = (parts.scheme, parts.netloc)
        before = parts.path.removesuffix(f"/{version}")
        self._before = f"{parts.scheme}://{parts.netloc}{before}"

    def follow(self, next_link: str, first: str) -> str:  # noqa: ARG002 - other APIs do
        """The full address of a next page: the link as given, on our own host.

        Args:
            next_link: As the API sent it.
            first: The address of the first page.

        Raises:
            ForeignLinkError: If the link names another host, port or scheme.
        """
        parts = urlsplit(next_link)
        if (parts.scheme or parts.netloc) and (parts.scheme, parts.netloc) != self._origin:
            host = parts.netloc or parts.scheme
            msg = f"The API answered with a next link to another host, {host!r}"
            raise ForeignLinkError(msg)
        if parts.netloc:
            return next_link
        if not parts.path.startswith("/"):
            msg = "The API answered with a next link that is not host-relative"
            raise ForeignLinkError(msg)
        return f"{self._before}{next_link}"
