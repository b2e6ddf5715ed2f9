"""Definition of the settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from singer_sdk import typing as th

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Versions of the API.
VERSIONS = ("v2", "v3")


def _number_from(lowest: float, highest: int) -> th.CustomType:
    # The bounds of `th.NumberType` are whole numbers.
    return th.CustomType({"type": ["number"], "minimum": lowest, "maximum": highest})


SETTINGS = th.PropertiesList(
    th.Property(
        "api_version",
        th.StringType(allowed_values=list(VERSIONS)),
        title="API version",
        description="API to use: v2 or v3. Default: v3 if client_id is set, else v2.",
    ),
    th.Property(
        "client_id",
        th.StringType,
        title="Client ID",
        description="v3: Client id of the OAuth application.",
    ),
    th.Property(
        "client_secret",
        th.StringType,
        secret=True,
        title="Client secret",
        description="v3: Client secret. Only for applications of the authorization code flow.",
    ),
    th.Property(
        "refresh_token",
        th.StringType,
        secret=True,
        title="Refresh token",
        description="v3: Initial OAuth refresh token. Only needed if you do not log in with"
        " --login. Rotated tokens are kept in the token store.",
    ),
    th.Property(
        "token_store",
        th.StringType,
        title="Token store",
        description="v3: File or database URL in which tokens are kept between runs. Default:"
        " a file in the Meltano project, or in the user's data folder.",
    ),
    th.Property(
        "account_label",
        th.StringType,
        title="Account label",
        description="Name of the account, to load several accounts into the same tables: adds"
        " the column account_label to all records and primary keys. v3: each label has its own"
        " login in the token store.",
    ),
    th.Property(
        "auth_url",
        th.StringType,
        title="Authorization URL",
        description="v3: Base URL of the authorization server. Default: Constant Contact's.",
    ),
    th.Property(
        "api_key",
        th.StringType,
        secret=True,
        title="API key",
        description="v2: API key of the application.",
    ),
    th.Property(
        "access_token",
        th.StringType,
        secret=True,
        title="Access token",
        description="v2: Access token of the account. v3: use this access token directly,"
        " without refreshing it. For testing.",
    ),
    th.Property(
        "start_date",
        th.DateTimeType,
        title="Start date",
        description="Oldest change to sync in a first run, such as 2024-01-01T00:00:00Z."
        " Default: everything.",
    ),
    th.Property(
        "api_url",
        th.StringType,
        title="API URL",
        description="Base URL of the API, for a proxy or the sandbox. Default: Constant Contact's.",
    ),
    th.Property(
        "requests_per_second",
        _number_from(0.01, 1000),
        default=4,
        title="Requests per second",
        description="Rate limit over all streams. The API allows 4 requests per second and"
        " key, shared by all its clients.",
    ),
    th.Property(
        "requests_per_day",
        th.IntegerType(minimum=1, maximum=10**9),
        title="Requests per day",
        description="Daily quota of the key, for budget_store and --plan. Default: 10,000.",
    ),
    th.Property(
        "budget_store",
        th.StringType,
        title="Budget store",
        description="File or database URL with the rate limit and the daily budget of the key,"
        " shared by all runs that use it. Default: each run has the whole rate limit.",
    ),
    th.Property(
        "max_parallel_requests",
        th.IntegerType(minimum=1, maximum=64),
        default=4,
        title="Max parallel requests",
        description="Maximum number of requests in flight. Upcoming requests are prefetched,"
        " within the rate limit. 1 disables prefetching.",
    ),
    th.Property(
        "max_requests",
        th.IntegerType(minimum=1, maximum=10**9),
        title="Max requests per run",
        description="Maximum number of API requests per run. The run stops gracefully and the"
        " next run resumes. Default: no limit.",
    ),
    th.Property(
        "tracking_window_days",
        th.IntegerType(minimum=0, maximum=36500),
        default=90,
        title="Tracking window (days)",
        description="Campaigns sent longer ago are not checked for new tracking records. 0:"
        " no limit.",
    ),
    th.Property(
        "lookback_hours",
        th.IntegerType(minimum=0, maximum=24 * 366),
        default=24,
        title="Overlap of time filters (hours)",
        description="Hours subtracted from bookmarks, because API timestamps can be off by"
        " several hours.",
    ),
    th.Property(
        "contacts_full_refresh_days",
        th.IntegerType(minimum=0, maximum=36500),
        default=7,
        title="Contacts full refresh interval (days)",
        description="Interval in days between full syncs of contacts, because list changes do"
        " not always update the modification date. 0 disables full syncs.",
    ),
    th.Property(
        "optional_streams",
        th.ArrayType(th.StringType),
        default=[],
        title="Optional streams",
        description="Streams that need one request per contact or campaign. Only the streams"
        " listed here are added to the catalog.",
    ),
    th.Property(
        "landing_page_ids",
        th.ArrayType(th.StringType),
        title="Landing page ids",
        description="v3: Landing pages of the stream landing_page_events. The API has no list"
        " of them.",
    ),
    th.Property(
        "id_map_file",
        th.StringType,
        title="ID map file",
        description="v3: CSV file with the columns kind and id: the v2 ids that the stream"
        " id_map looks up.",
    ),
    th.Property(
        "request_timeout",
        _number_from(0.1, 3600),
        default=60,
        title="Request timeout (seconds)",
        description="Seconds to wait for a response before a retry.",
    ),
    th.Property(
        "user_agent",
        th.StringType,
        title="User agent",
        description="User-Agent header. Default: tap-constantcontact/<version>.",
    ),
)

#: JSON schema of the settings. Settings of the other API are removed before it is applied.
JSON_SCHEMA: dict[str, Any] = {
    **SETTINGS.to_dict(),
    # Meltano Hub makes a group of required settings of it.
    "dependentRequired": {"api_key": ["access_token"]},
}

#: Streams that are in the catalog only if `optional_streams` lists them.
OPTIONAL_STREAMS = {
    "v2": (
        "campaign_previews",
        "contact_activity",
        "contact_summaries",
        "contact_campaign_summaries",
    ),
    "v3": (
        "campaign_did_not_opens",
        "campaign_previews",
        "landing_page_events",
        "contact_activity",
        "contact_summaries",
        "contact_campaign_summaries",
        "sms_engagement",
        "segment_members",
        "id_map",
    ),
}
#: Settings that only one API uses.
API_OF_SETTING = {
    "api_key": "v2",
    **dict.fromkeys(
        (
            "client_id",
            "client_secret",
            "refresh_token",
            "token_store",
            "auth_url",
            "landing_page_ids",
            "id_map_file",
        ),
        "v3",
    ),
}
# Settings that streams require.
REQUIRED_BY_STREAM = {"landing_page_events": "landing_page_ids", "id_map": "id_map_file"}
# Kinds of ids in the file of the stream id_map.
ID_KINDS = ("contact", "list", "campaign")

#: Settings with credentials.
CREDENTIALS = ("client_id", "api_key", "access_token")


def select_api_version(config: Mapping[str, Any]) -> str:
    """Return the API of the settings: the one they name, or v3 if there is a client id."""
    named = config.get("api_version")
    if named in VERSIONS:
        return str(named)
    return "v2" if is_empty(config.get("client_id")) else "v3"


def is_empty(value: Any) -> bool:
    """Return whether a setting is not set: an empty text counts as none."""
    return value is None or value == ""
