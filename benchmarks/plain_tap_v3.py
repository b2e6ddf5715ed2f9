"""The SDK's template for contacts of v3: the baseline for those."""

from __future__ import annotations

import decimal
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from singer_sdk import RESTStream, StreamSchema, Tap
from singer_sdk import typing as th
from singer_sdk.helpers.jsonpath import extract_jsonpath
from singer_sdk.pagination import BaseHATEOASPaginator
from typing_extensions import override

from tap_constantcontact.records.schemas import schemas_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from urllib.parse import ParseResult

    import requests
    from singer_sdk.helpers.types import Context, Record
    from singer_sdk.streams import Stream

INCLUDES = "custom_fields,list_memberships,phone_numbers,street_addresses,taggings,notes"


class NextLink(BaseHATEOASPaginator):
    """Follows the link in the body."""

    @override
    def get_next_url(self, response: requests.Response) -> str | None:
        links = response.json().get("_links") or {}
        link: str | None = (links.get("next") or {}).get("href")
        return link


class Contacts(RESTStream["ParseResult"]):
    """People."""

    name = "contacts"
    path = "/contacts"
    primary_keys = ("contact_id",)
    replication_key = "updated_at"
    schema = StreamSchema(schemas_of("v3"))
    records_jsonpath = "$.contacts[*]"

    @property
    @override
    def url_base(self) -> str:
        url: str = self.config["api_url"]
        return url

    @property
    @override
    def http_headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.config['access_token']}"}

    @override
    def get_new_paginator(self) -> NextLink:
        return NextLink()

    @override
    def get_url_params(
        self, context: Context | None, next_page_token: ParseResult | None
    ) -> dict[str, Any]:
        if next_page_token:
            return dict(parse_qsl(urlsplit(next_page_token.geturl()).query))
        return {"status": "all", "include": INCLUDES, "limit": 500}

    @override
    def parse_response(self, response: requests.Response) -> Iterable[Record]:
        body = response.json(parse_float=decimal.Decimal)
        yield from extract_jsonpath(self.records_jsonpath, input=body)


class PlainV3Tap(Tap):
    """The tap of the template."""

    name = "tap-plain-v3"
    config_jsonschema = th.PropertiesList(
        th.Property("access_token", th.StringType, required=True, secret=True),
        th.Property("api_url", th.StringType, required=True),
    ).to_dict()

    @override
    def discover_streams(self) -> list[Stream]:
        return [Contacts(self)]


if __name__ == "__main__":
    PlainV3Tap.cli()
