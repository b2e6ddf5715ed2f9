"""The SDK's template for contacts of v3: the baseline for those."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from singer_sdk import StreamSchema, Tap
from singer_sdk import typing as th
from singer_sdk.pagination import BaseHATEOASPaginator
from typing_extensions import override

from benchmarks.plain_tap import PlainStream
from tap_constantcontact.records.schemas import schemas_of

if TYPE_CHECKING:
    from urllib.parse import ParseResult

    import requests
    from singer_sdk.helpers.types import Context
    from singer_sdk.streams import Stream

INCLUDES = "custom_fields,list_memberships,phone_numbers,street_addresses,taggings,notes"


class NextLink(BaseHATEOASPaginator):
    """Follows the link in the body."""

    @override
    def get_next_url(self, response: requests.Response) -> str | None:
        links = response.json().get("_links") or {}
        link: str | None = (links.get("next") or {}).get("href")
        return link


class Contacts(PlainStream):
    """People."""

    name = "contacts"
    path = "/contacts"
    primary_keys = ("contact_id",)
    replication_key = "updated_at"
    schema = StreamSchema(schemas_of("v3"))
    records_jsonpath = "$.contacts[*]"

    @override
    def get_new_paginator(self) -> BaseHATEOASPaginator:
        return NextLink()

    @override
    def get_url_params(
        self, context: Context | None, next_page_token: ParseResult | None
    ) -> dict[str, Any]:
        if next_page_token:
            return dict(parse_qsl(urlsplit(next_page_token.geturl()).query))
        return {"status": "all", "include": INCLUDES, "limit": self.limit}


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
