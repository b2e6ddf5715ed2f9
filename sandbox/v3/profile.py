"""The account itself and what its user may do (docs/api/v3.md §6)."""

from typing import Any, Final

import msgspec

from sandbox.v3.request import ApiRequest
from sandbox.world.fake_data import stable_uuid
from sandbox.world.world import World

PRIVILEGES: Final = (
    "account:read",
    "account:update",
    "campaign:create",
    "campaign:read",
    "campaign:send",
    "contacts:lists:read",
    "contacts:lists:write",
    "contacts:read",
    "contacts:write",
    "customer-journey:read",
    "ui:campaign:metrics",
    "ui:dashboard",
)
_ROLES: Final = ("CONTACT", "REPLY_TO", "OTHER")


def encoded_id(world: World) -> str:
    """The account's id."""
    return f"a07e{stable_uuid('account', world.profile.organization)[:11].replace('-', '')}"


def summary(world: World, request: ApiRequest) -> bytes:
    """Respond to `/account/summary`: one object; the country in lower case, as recorded."""
    info = world.profile.info
    said: dict[str, Any] = {
        "contact_email": info["email"],
        "contact_phone": info["phone"],
        "country_code": info["country_code"].lower(),
        "encoded_account_id": encoded_id(world),
        "encoded_partner_id": "a37cranviy95el",
        "first_name": info["first_name"],
        "last_name": info["last_name"],
        "organization_name": info["organization_name"],
        "state_code": info["state_code"],
        "time_zone_id": info["time_zone"],
        "website": info["website"],
    }
    extra = request.words("extra_fields")
    if "physical_address" in extra:
        said["physical_address"] = _address(world)
    if "company_logo" in extra:
        said["company_logo"] = {
            "url": "https://files.example.com/logo.png",
            "internal_id": "ACCOUNT.IMAGE.1",
        }
    return msgspec.json.encode(said)


def _address(world: World) -> dict[str, str]:
    there = world.profile.address
    return {
        "address_line1": there["line1"],
        "address_line2": there["line2"],
        "city": there["city"],
        "state_code": there["state_code"],
        "postal_code": there["postal_code"],
        "country_code": there["country_code"],
    }


def physical_address(world: World, _request: ApiRequest) -> bytes:
    """Respond to `/account/summary/physical_address`: one object."""
    return msgspec.json.encode(_address(world))


def emails(world: World, request: ApiRequest) -> bytes:
    """Respond to `/account/emails`: a bare array."""
    status = request.text("confirm_status")
    rows = []
    for number, email in enumerate(world.profile.emails, start=1):
        role = _ROLES[(number - 1) % len(_ROLES)]
        row: dict[str, Any] = {
            "email_id": number,
            "email_address": email["email_address"],
            "confirm_status": email["status"],
        }
        if email["status"] == "CONFIRMED":
            row |= {
                "roles": [role],
                "confirm_time": "2023-09-29T14:37:13.521+0000",
                "confirm_source_type": "SITE_OWNER",
                "confirm_source": "203.0.113.10",
            }
        else:
            row |= {"roles": [], "pending_roles": [role]}
        if not status or email["status"].startswith(status):
            rows.append(row)
    return msgspec.json.encode(rows)


def privileges(_world: World, request: ApiRequest) -> bytes:
    """Respond to `/account/user/privileges`: a bare array, in no order."""
    names = [name for name in PRIVILEGES if name not in request.faults.missing_privileges]
    rows = [
        {"privilege_id": PRIVILEGES.index(name) * 7 + 3, "privilege_name": name} for name in names
    ]
    return msgspec.json.encode(sorted(rows, key=lambda row: str(row["privilege_name"])[::-1]))
