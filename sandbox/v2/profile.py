"""The account itself, as `/account/...` shows it."""

from typing import TYPE_CHECKING, Final

import msgspec

from sandbox.checks import one_of

if TYPE_CHECKING:
    from sandbox.v2.request import ApiRequest
    from sandbox.world.world import World

STATUS_FILTER: Final = one_of("ALL", "CONFIRMED", "UNCONFIRMED")


def account_info(world: "World", _request: "ApiRequest") -> bytes:
    """Respond to `/account/info`: one object."""
    return msgspec.json.encode(world.profile.info)


def verified_emails(world: "World", request: "ApiRequest") -> bytes:
    """Respond to `/account/verifiedemailaddresses`: a bare array."""
    status = request.text("status", "ALL")
    return msgspec.json.encode(
        [email for email in world.profile.emails if status in ("ALL", email["status"])],
    )
