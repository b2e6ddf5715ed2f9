"""What tells one of the vendor's APIs from another."""

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
    """An API as a run talks to it. The tap chooses one.

    Attributes:
        version: What it is called.
        root: Where it is.
        authenticator: Who is asking.
        error_handler: What its refusals mean.
        envelope: What its lists look like, where a stream does not say otherwise.
        schemas: Of the streams, by their names.
        streams: In the order of a run: when calls run out, it is the cheap and important that has
            been read.
    """

    version: str
    root: BaseUrl
    authenticator: Authenticator
    error_handler: ErrorHandler
    envelope: Envelope
    schemas: SchemaDirectory
    streams: Sequence[type[Stream]]
