"""What answers of v3 mean, as far as that needs no server."""

from __future__ import annotations

import json
from typing import Any

import pytest
import requests

from tap_constantcontact.http.envelopes import ErrorBodyError, InvalidResponseError
from tap_constantcontact.http.error_handler import ResponseAction
from tap_constantcontact.v3.auth.bearer import BearerAuthenticator, StaticToken
from tap_constantcontact.v3.envelopes import paged
from tap_constantcontact.v3.errors import ERROR_HANDLER


def test_each_call_is_signed_with_the_token_of_the_moment() -> None:
    for token in ("first-token", "second-token"):
        credentials = BearerAuthenticator(StaticToken(token))
        request = credentials(requests.Request("GET", "https://api.test/v3/contacts").prepare())
        assert request.headers["Authorization"] == f"Bearer {token}"
        assert credentials.redact(f"say {token}") == "say <access_token>"
        assert not credentials.renew(request)


UNAUTHORIZED = {"error_key": "unauthorized", "error_message": "Unauthorized"}
PRIVILEGES = {
    "error_key": "access_denied",
    "error_message": "Request forbidden due to insufficient user privileges.",
}
NOT_FOUND = [{"error_key": "not_found", "error_message": "The requested resource was not found."}]
THROTTLED = {"error_key": "throttled", "error_message": "Too Many Requests"}
USED_UP = {"error_key": "quota_exceeded", "error_message": "Limit Exceeded"}


@pytest.mark.parametrize(
    ("status", "body", "action"),
    [
        (401, UNAUTHORIZED, ResponseAction.REFRESH_TOKEN_THEN_RETRY),
        (403, PRIVILEGES, ResponseAction.FORBIDDEN),
        (403, [PRIVILEGES], ResponseAction.FORBIDDEN),
        (403, {"error_key": "forbidden", "error_message": ""}, ResponseAction.FORBIDDEN),
        (403, {"message": "Forbidden"}, ResponseAction.RETRY_PROXY),
        (404, NOT_FOUND, ResponseAction.NOT_FOUND),
        (429, THROTTLED, ResponseAction.RATE_LIMITED),
        (429, USED_UP, ResponseAction.QUOTA_EXHAUSTED),
        (429, "", ResponseAction.RATE_LIMITED),
        (400, [{"error_key": "contacts.api.validation.error"}], ResponseAction.REJECTED),
        (500, "", ResponseAction.RETRY),
        (504, "<html></html>", ResponseAction.RETRY),
        (204, "", ResponseAction.RETRY),
    ],
    ids=str,
)
def test_error_responses(status: int, body: Any, action: ResponseAction) -> None:
    text = body if isinstance(body, str) else json.dumps(body)
    refusal = ERROR_HANDLER.resolve(status, {}, text.encode())
    assert refusal
    assert refusal.action is action


@pytest.mark.parametrize(
    "links", [None, {}, {"next": None}, {"next": {}}, {"next": {"href": None}}], ids=str
)
def test_a_last_page_has_many_forms(links: Any) -> None:
    body: dict[str, Any] = {"contacts": [{"contact_id": "a"}]}
    if links is not None:
        body["_links"] = links
    page = paged("contacts").open(body)
    assert page.rows == [{"contact_id": "a"}]
    assert page.next_link is None


def test_a_page_with_a_next_one() -> None:
    link = "/v3/contacts?cursor=bGltaXQ9MSZuZXh0PTI="
    page = paged("contacts").open({"contacts": [], "_links": {"next": {"href": link}}})
    assert page.next_link == link


@pytest.mark.parametrize(
    "body", [{}, [], None, {"lists": []}, {"contacts": None}, {"contacts": {}}], ids=str
)
def test_invalid_page_is_rejected(body: Any) -> None:
    with pytest.raises(InvalidResponseError):
        paged("contacts").open(body)


@pytest.mark.parametrize("body", [UNAUTHORIZED, [PRIVILEGES], {"contacts": [THROTTLED]}], ids=str)
def test_error_body_is_rejected(body: Any) -> None:
    with pytest.raises(ErrorBodyError):
        paged("contacts").open(body)
