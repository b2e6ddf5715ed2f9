"""What answers of v3 mean, as far as that needs no server."""

from __future__ import annotations

import json
from typing import Any

import pytest
import requests

from tap_constantcontact.http.bodies import BrokenAnswerError, ErrorInAnswerError
from tap_constantcontact.http.refusals import Verdict
from tap_constantcontact.v3.bodies import paged
from tap_constantcontact.v3.credentials import BearerToken, GivenToken
from tap_constantcontact.v3.refusals import REFUSALS


def test_each_call_is_signed_with_the_token_of_the_moment() -> None:
    for token in ("first-token", "second-token"):
        credentials = BearerToken(GivenToken(token))
        request = credentials(requests.Request("GET", "https://api.test/v3/contacts").prepare())
        assert request.headers["Authorization"] == f"Bearer {token}"
        assert credentials.clean(f"say {token}") == "say <access_token>"
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
    ("status", "body", "verdict"),
    [
        (401, UNAUTHORIZED, Verdict.REPEAT_ONCE),
        (403, PRIVILEGES, Verdict.FORBIDDEN),
        (403, [PRIVILEGES], Verdict.FORBIDDEN),
        (403, {"error_key": "forbidden", "error_message": ""}, Verdict.FORBIDDEN),
        (403, {"message": "Forbidden"}, Verdict.BLOCKED),
        (404, NOT_FOUND, Verdict.MISSING),
        (429, THROTTLED, Verdict.SLOW_DOWN),
        (429, USED_UP, Verdict.QUOTA),
        (429, "", Verdict.SLOW_DOWN),
        (400, [{"error_key": "contacts.api.validation.error"}], Verdict.REJECTED),
        (500, "", Verdict.WAIT),
        (504, "<html></html>", Verdict.WAIT),
        (204, "", Verdict.WAIT),
    ],
    ids=str,
)
def test_what_a_refusal_means(status: int, body: Any, verdict: Verdict) -> None:
    text = body if isinstance(body, str) else json.dumps(body)
    refusal = REFUSALS.judge(status, {}, text.encode())
    assert refusal
    assert refusal.verdict is verdict


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
def test_what_is_no_page_is_none(body: Any) -> None:
    with pytest.raises(BrokenAnswerError):
        paged("contacts").open(body)


@pytest.mark.parametrize("body", [UNAUTHORIZED, [PRIVILEGES], {"contacts": [THROTTLED]}], ids=str)
def test_an_error_is_no_page(body: Any) -> None:
    with pytest.raises(ErrorInAnswerError):
        paged("contacts").open(body)
