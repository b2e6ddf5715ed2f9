"""The API v3."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from tap_constantcontact.api import Api
from tap_constantcontact.http import envelopes
from tap_constantcontact.http.shutdown import ShutdownRequest
from tap_constantcontact.records.schemas import schemas_of
from tap_constantcontact.state.ids import fingerprint
from tap_constantcontact.v3.auth.bearer import BearerAuthenticator, StaticToken
from tap_constantcontact.v3.auth.oauth import AUTH_URL, OAuthClient
from tap_constantcontact.v3.auth.token_manager import TokenManager
from tap_constantcontact.v3.auth.token_store.base import StoreError
from tap_constantcontact.v3.auth.token_store.selection import open_store
from tap_constantcontact.v3.errors import ERROR_HANDLER
from tap_constantcontact.v3.streams import IN_ORDER
from tap_constantcontact.v3.urls import V3BaseUrl

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Mapping

    from tap_constantcontact.v3.auth.bearer import TokenSource

VERSION = "v3"
#: The vendor's base URL.
URL = "https://api.cc.email/v3"


def api(config: Mapping[str, Any], logger: logging.Logger, shutdown: ShutdownRequest) -> Api:
    """Return the API v3 with the settings of a run. For discovery they may be incomplete."""
    return Api(
        version=VERSION,
        quota_key=quota_key(config),
        root=V3BaseUrl(config.get("api_url") or URL, VERSION),
        authenticator=BearerAuthenticator(token_source(config, logger, shutdown)),
        error_handler=ERROR_HANDLER,
        envelope=envelopes.ARRAY,
        schemas=schemas_of(VERSION),
        streams=IN_ORDER,
    )


def quota_key(config: Mapping[str, Any]) -> str:
    """Return the hash of the OAuth application, whose accounts share the quota."""
    return fingerprint(str(config.get("client_id") or config.get("access_token")))


def oauth_client(
    config: Mapping[str, Any],
    notice: Callable[[str], None],
    shutdown: ShutdownRequest | None = None,
) -> OAuthClient:
    """Return the OAuth client for the settings."""
    shutdown = shutdown or ShutdownRequest()

    def sleep(seconds: float) -> None:
        with shutdown.waiting():
            time.sleep(seconds)

    return OAuthClient(
        config.get("auth_url") or AUTH_URL,
        config.get("client_id", ""),
        config.get("client_secret"),
        timeout=timeout_of(config),
        notice=notice,
        sleep=sleep,
    )


def timeout_of(config: Mapping[str, Any]) -> float:
    """Return the timeout of a request in seconds."""
    return float(config.get("request_timeout", 60))


def given_token(config: Mapping[str, Any]) -> str | None:
    """Return the access token of the settings, if it belongs to v3 and there is no login to use."""
    token, client_id = config.get("access_token"), config.get("client_id")
    if not token or not client_id:
        return token
    if config.get("api_key"):
        return None
    try:
        label = str(config.get("account_label") or "")
        is_logged_in = bool(open_store(config.get("token_store")).of(client_id, label))
    except StoreError:
        is_logged_in = False
    return None if is_logged_in else str(token)


def token_source(
    config: Mapping[str, Any], logger: logging.Logger, shutdown: ShutdownRequest | None = None
) -> TokenSource:
    """Return the source of access tokens: the settings, or a stored login."""
    if token := given_token(config):
        return StaticToken(token)
    if config.get("access_token"):
        logger.warning(
            "Setting 'access_token' is ignored: it belongs to v2, or the token store contains a"
            " login,"
            " which is used."
        )
    return TokenManager(
        oauth_client(config, lambda text: logger.warning("%s", text), shutdown),
        open_store(config.get("token_store"), timeout_of(config)),
        config.get("client_id", ""),
        config.get("refresh_token"),
        logger,
        label=str(config.get("account_label") or ""),
    )
