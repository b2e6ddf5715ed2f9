"""URLs of an API: its base, and the next links of its responses."""

from __future__ import annotations

from urllib.parse import urlsplit


class CrossHostLinkError(ValueError):
    """A next link to another host, which must not receive credentials."""


class BaseUrl:
    """The base URL, which resolves next links.

    A next link is host-relative and starts at the API's version, such as `/v2/`, not at the base
    (docs/api/v2.md §2.3). Whatever a proxy puts before the version in the base is kept.
    """

    def __init__(self, url: str, version: str) -> None:
        """Take a base such as `https://api.constantcontact.com/v2`, and its version, `v2`."""
        self.url = url.rstrip("/")
        parts = urlsplit(self.url)
        self._origin = (parts.scheme, parts.netloc)
        before = parts.path.removesuffix(f"/{version}")
        self._before = f"{parts.scheme}://{parts.netloc}{before}"

    def follow(self, next_link: str, first: str) -> str:
        """Return the URL of a next page: the link as given, on our own host.

        Args:
            next_link: As in the response.
            first: The URL of the first page.

        Raises:
            CrossHostLinkError: If the link names another host, port or scheme.
        """
        parts = urlsplit(next_link)
        if (parts.scheme or parts.netloc) and (parts.scheme, parts.netloc) != self._origin:
            host = parts.netloc or parts.scheme
            msg = f"The next link points to another host ({host!r})"
            raise CrossHostLinkError(msg)
        if parts.netloc:
            return next_link
        if not parts.path.startswith("/"):
            msg = "The next link is not host-relative"
            raise CrossHostLinkError(msg)
        return f"{self._before}{next_link}"
