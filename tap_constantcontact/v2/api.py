"""The API v2 as one thing that a tap can choose."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tap_constantcontact.api import Api
from tap_constantcontact.http.links import ApiRoot
from tap_constantcontact.records.schemas import schemas_of
from tap_constantcontact.v2.bodies import PAGED
from tap_constantcontact.v2.credentials import KeyAndToken
from tap_constantcontact.v2.refusals import REFUSALS
from tap_constantcontact.v2.streams import IN_ORDER

if TYPE_CHECKING:
    import logging
    from collections.abc import Mapping

    from tap_constantcontact.http.stop import Stop

VERSION = "v2"
#: Where the vendor's is.
URL = "https://api.constantcontact.com/v2"


def api(config: Mapping[str, Any], _logger: logging.Logger, _stop: Stop) -> Api:
    """The API v2 with the settings of a run; those of a discovery need not be whole."""
    return Api(
        version=VERSION,
        root=ApiRoot(config.get("api_url") or URL, VERSION),
        credentials=KeyAndToken(config.get("api_key", ""), config.get("access_token", "")),
        refusals=REFUSALS,
        envelope=PAGED,
        schemas=schemas_of(VERSION),
        streams=IN_ORDER,
    )
