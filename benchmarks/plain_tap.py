"""A tap for the same streams as the SDK's template makes them: the baseline of the benchmarks.

It reads contacts and the tracking reports of campaigns, page after page, with the SDK's defaults
throughout: its JSONPath, its retries, its type conformance, its writer.
"""

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


class NextLink(BaseHATEOASPaginator):
    """Follows the link in the body."""

    @override
    def get_next_url(self, response: requests.Response) -> str | None:
        found = response.json()
        if not isinstance(found, dict):
            return None
        link: str | None = found.get("meta", {}).get("pagination", {}).get("next_link")
        return link


class PlainStream(RESTStream["ParseResult"]):
    """A tap from the SDK's template, for an API with next links."""

    schema = StreamSchema(schemas_of("v2"))
    records_jsonpath = "$.results[*]"
    limit = 500

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
    def get_new_paginator(self) -> BaseHATEOASPaginator:
        return NextLink()

    @override
    def get_url_params(
        self, context: Context | None, next_page_token: ParseResult | None
    ) -> dict[str, Any]:
        params: dict[str, Any] = {"api_key": self.config["api_key"]}
        if next_page_token:
            return params | dict(parse_qsl(urlsplit(next_page_token.geturl()).query))
        return params | {"limit": self.limit}

    @override
    def parse_response(self, response: requests.Response) -> Iterable[Record]:
        body = response.json(parse_float=decimal.Decimal)
        yield from extract_jsonpath(self.records_jsonpath, input=body)


class Contacts(PlainStream):
    """People."""

    name = "contacts"
    path = "/contacts"
    primary_keys = ("id",)
    replication_key = "modified_date"

    @override
    def get_url_params(
        self, context: Context | None, next_page_token: ParseResult | None
    ) -> dict[str, Any]:
        params = super().get_url_params(context, next_page_token)
        if next_page_token:
            return params
        return params | {"status": "ALL", "include_contact_id": "true"}


class Campaigns(PlainStream):
    """The sent campaigns."""

    name = "campaigns"
    path = "/emailmarketing/campaigns"
    primary_keys = ("id",)
    limit = 50

    @override
    def get_url_params(
        self, context: Context | None, next_page_token: ParseResult | None
    ) -> dict[str, Any]:
        params = super().get_url_params(context, next_page_token)
        return params if next_page_token else params | {"status": "SENT"}

    @override
    def get_child_context(self, record: Record, context: Context | None) -> Context:
        return {"campaign_id": record["id"]}


class CampaignDetails(PlainStream):
    """A campaign's detail."""

    name = "campaign_details"
    schema = StreamSchema(schemas_of("v2"), key="campaigns")
    path = "/emailmarketing/campaigns/{campaign_id}"
    primary_keys = ("id",)
    parent_stream_type = Campaigns
    records_jsonpath = "$"

    @override
    def get_url_params(
        self, context: Context | None, next_page_token: ParseResult | None
    ) -> dict[str, Any]:
        return {"api_key": self.config["api_key"]}


class ReportStream(PlainStream):
    """A report of a campaign."""

    parent_stream_type = Campaigns


_REPORTS = ("sends", "opens", "clicks", "bounces", "forwards", "unsubscribes")


def _report(kind: str) -> type[ReportStream]:
    date = f"{kind.removesuffix('s')}_date"
    return type(
        f"Campaign{kind.title()}",
        (ReportStream,),
        {
            "name": f"campaign_{kind}",
            "path": f"/emailmarketing/campaigns/{{campaign_id}}/tracking/{kind}",
            "primary_keys": ("campaign_id", "contact_id", date),
        },
    )


class PlainTap(Tap):
    """The tap of the template."""

    name = "tap-plain"
    config_jsonschema = th.PropertiesList(
        th.Property("api_key", th.StringType, required=True, secret=True),
        th.Property("access_token", th.StringType, required=True, secret=True),
        th.Property("api_url", th.StringType, required=True),
    ).to_dict()

    @override
    def discover_streams(self) -> list[Stream]:
        kinds: list[type[PlainStream]] = [Contacts, Campaigns, CampaignDetails]
        kinds += [_report(kind) for kind in _REPORTS]
        return [kind(self) for kind in kinds]


if __name__ == "__main__":
    PlainTap.cli()
