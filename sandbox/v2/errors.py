"""Error responses: a status and a JSON array of errors."""

from typing import Final

import msgspec


class ApiError(Exception):
    """An error response."""

    def __init__(
        self,
        status: int,
        key: str,
        message: str,
        headers: dict[str, str] | None = None,
    ) -> None:
        """Create an error response.

        Args:
            status: The HTTP status.
            key: The `error_key`.
            message: The `error_message`.
            headers: Headers of the gateway.
        """
        super().__init__(f"{status} {key}: {message}")
        self.status = status
        self.headers = headers or {}
        self.body = msgspec.json.encode([{"error_key": key, "error_message": message}])


_MISSING: Final = {
    "contact_id": "No persons found using 'contact ids ({id})'.",
    "list_id": "ContactList not found for specified ID.",
    "activity_id": "Activity not found.",
    "campaign_id": "Campaign ID not found.",
    "schedule_id": "Campaign Schedule not found for id.",
    "link_id": "Link ID not found.",
    "event_id": "Event not found.",
    "fee_id": "Event fee not found.",
    "registrant_id": "Registrant not found.",
    "item_id": "Event item not found.",
    "attribute_id": "Item attribute not found.",
    "promocode_id": "Promocode not found.",
    "folder_id": "Folder not found.",
    "file_id": "File not found.",
    "file_ids": "File not found.",
}


def missing(id_: str, name: str) -> ApiError:
    """Return a 404.

    Args:
        id_: The requested id.
        name: Name of the id in the path, such as `contact_id`.

    Returns:
        A 404 with the API's message for this kind of id.
    """
    return ApiError(404, "http.status.not_found", _MISSING[name].format(id=id_))


def no_such_path(path: str) -> ApiError:
    """Return a 404 for an unknown path."""
    return ApiError(404, "http.status.not_found", f"No resource at {path}.")


def unknown_parameter(name: str) -> ApiError:
    """Reject an unknown query parameter, as the API does."""
    return ApiError(400, "query.param.invalid", f"The query parameter {name} is not supported.")


def bad_parameter(name: str, why: str) -> ApiError:
    """Reject the value of a query parameter."""
    return ApiError(400, "query.param.value.invalid", f"The query parameter {name} is {why}.")


def next_not_alone() -> ApiError:
    """Reject `next` together with other parameters: the token contains them."""
    return bad_parameter("next", "only supported without other parameters")


def bad_token() -> ApiError:
    """Reject a page token of another collection."""
    return bad_parameter("next", "not a token of this collection")


def bad_limit(most: int) -> ApiError:
    """Reject a page size that is not a number or out of range."""
    return bad_parameter("limit", f"not a whole number from 1 to {most}")


def _gateway(key: str, message: str, code: str, retry_after: int | None = None) -> ApiError:
    headers = {"X-Mashery-Error-Code": code, "X-Mashery-Responder": "sandbox"}
    if retry_after is not None:
        headers["Retry-After"] = str(retry_after)
    return ApiError(
        403,
        f"mashery.not.authorized.{key}",
        f"The Mashery account associated with this request is {message}",
        headers,
    )


def inactive_key() -> ApiError:
    """Reject an API key that is wrong or missing."""
    return _gateway(
        "inactive",
        "not active, or an invalid API key was used.",
        "ERR_403_DEVELOPER_INACTIVE",
    )


def over_qps(retry_after: int | None) -> ApiError:
    """Reject a request beyond the rate limit."""
    return _gateway(
        "over.qps",
        "over its queries-per-second quota.",
        "ERR_403_DEVELOPER_OVER_QPS",
        retry_after,
    )


def over_quota(retry_after: int | None) -> ApiError:
    """Reject a request because the daily quota is exhausted."""
    return _gateway(
        "over.ratelimit",
        "over its rate limit quota.",
        "ERR_403_DEVELOPER_OVER_RATE",
        retry_after,
    )


def no_token() -> ApiError:
    """Reject a request without any access token."""
    return ApiError(401, "http.status.unauthorized", "No authentication is present.")


def wrong_token() -> ApiError:
    """Reject an access token that is wrong or has expired."""
    return ApiError(
        401,
        "http.status.authentication.invalid_token",
        "The access token is invalid or has expired.",
    )


def _forbidden(message: str) -> ApiError:
    # The gateway has no part in these, so its headers and its kind of key are missing.
    return ApiError(403, "http.status.forbidden", message)


def no_right() -> ApiError:
    """Reject a request for a product that the account does not have."""
    return _forbidden("This account has no right to that part of the API.")


def slash_at_end() -> ApiError:
    """Reject the path of a collection with a trailing slash."""
    return _forbidden("A path must not end in a slash.")


def wrong_method(method: str) -> ApiError:
    """Reject methods other than GET."""
    return ApiError(
        405,
        "http.status.method_not_allowed",
        f"The method {method} is not allowed here.",
        {"Allow": "GET"},
    )


def not_acceptable() -> ApiError:
    """Reject formats other than JSON."""
    return ApiError(406, "http.status.not_acceptable", "Only application/json is offered.")
