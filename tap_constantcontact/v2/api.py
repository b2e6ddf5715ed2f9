"""The API v2 as one thing that a tap can choose."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tap_constantcontact.api import Api
from tap_constantcontact.http.urls import BaseUrl
from tap_constantcontact.records.schemas import schemas_of
from tap_constantcontact.state.ids import fingerprint
from tap_constantcontact.v2.auth import ApiKeyAuthenticator
from tap_constantcontact.v2.envelopes import PAGED
from tap_constantcontact.v2.errors import ERROR_HANDLER
from tap_constantcontact.v2.streams import IN_ORDER

if TYPE_CHECKING:
    import logging
    from collections.abc import Mapping

    from tap_constantcontact.http.shutdown import ShutdownRequest

VERSION = "v2"
#: Where the vendor's is.
URL = "https://api.constantcontact.com/v2"


def api(config: Mapping[str, Any], _logger: logging.Logger, _shutdown: ShutdownRequest) -> Api:
    """The API v2 with the settings of a run; those of a discovery need not be whole."""
    return Api(
        version=VERSION,
        quota_key=fingerprint(str(config.get("api_key"))),
        root=BaseUrl(config.get("api_url") or URL, VERSION),
        authenticator=ApiKeyAuthenticator(
            config.get("api_key", ""), config.get("access_token", "")
        ),
        error_handler=ERROR_HANDLER,
        envelope=PAGED,
        schemas=schemas_of(VERSION),
        streams=IN_ORDER,
    )
