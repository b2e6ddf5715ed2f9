"""The properties of an API that a run needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from singer_sdk import SchemaDirectory
    from singer_sdk.streams import Stream

    from tap_constantcontact.http.authenticator import Authenticator
    from tap_constantcontact.http.envelopes import Envelope
    from tap_constantcontact.http.error_handler import ErrorHandler
    from tap_constantcontact.http.urls import BaseUrl


@dataclass(frozen=True)
class Api:
    """An API. The tap selects one.

    Attributes:
        version: Its name.
        quota_key: Hash of the API key or OAuth application, whose accounts share rate limit and
            daily quota.
        root: Its base URL.
        authenticator: Signs requests.
        error_handler: Interprets error responses.
        envelope: Envelope of its lists, unless a stream has its own.
        schemas: Schemas by stream.
        streams: Streams in the order of a run: if requests run out, the cheap and important ones
            are synced.
    """

    version: str
    quota_key: str
    root: BaseUrl
    authenticator: Authenticator
    error_handler: ErrorHandler
    envelope: Envelope
    schemas: SchemaDirectory
    streams: Sequence[type[Stream]]
