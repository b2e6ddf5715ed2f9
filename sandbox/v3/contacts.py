"""People, as `/contacts` shows them (docs/api/v3.md §7).

Pages are numbered, with the newest contacts first. Contacts that are added or removed meanwhile
shift the rest. Deleted contacts are returned on request only.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, TypeAlias
from weakref import WeakKeyDictionary

import msgspec

from sandbox.http import Reply
from sandbox.v3.errors import TIMED_OUT, missing, segment_with_others
from sandbox.v3.request import ApiRequest, by_number, envelope, seconds
from sandbox.world import timestamps
from sandbox.world.contacts import Contact, Document
from sandbox.world.fake_data import stable_uuid
from sandbox.world.outreach import TextContact
from sandbox.world.world import World

Person: TypeAlias = Contact | TextContact

STATUSES: Final = (
    "all",
    "active",
    "deleted",
    "not_set",
    "pending_confirmation",
    "temp_hold",
    "unsubscribed",
)
INCLUDES: Final = (
    "custom_fields",
    "list_memberships",
    "phone_numbers",
    "street_addresses",
    "taggings",
    "notes",
)
_DELETED: Final = "REMOVED"
_PERMISSIONS: Final = {
    "UNCONFIRMED": "pending_confirmation",
    "OPTOUT": "unsubscribed",
    "TEMP_HOLD": "temp_hold",
    "NON_SUBSCRIBER": "not_set",
    "VISITOR": "not_set",
}
_CONFIRMED: Final = {"CONFIRMED": "confirmed", "UNCONFIRMED": "pending"}
_WHO: Final = {"ACTION_BY_VISITOR": "Contact", "ACTION_BY_OWNER": "Account"}
_PHONES: Final = (("home_phone", "home"), ("work_phone", "work"), ("cell_phone", "mobile"))
_ADDRESSES: Final = {"PERSONAL": "home", "BUSINESS": "work"}
# One in so many contacts gets text messages as well, has a birthday, an anniversary.
TEXTED_EVERY: Final = 13
_BIRTHDAY_EVERY: Final = 7
_ANNIVERSARY_EVERY: Final = 11

# By world, the JSON of contacts with all that can be included, beside what it was made from.
_WHOLE: "WeakKeyDictionary[World, dict[str, tuple[bytes, bytes]]]" = WeakKeyDictionary()


def is_texted(row: Contact) -> bool:
    """Return whether a contact receives text messages."""
    return row.number % TEXTED_EVERY == 0


def channel(uuid: str, number: str, created: int) -> Document:
    """Return the SMS channel of a contact."""
    return {
        "sms_channel_id": stable_uuid("channel", uuid),
        "sms_address": number,
        "dial_code": "1",
        "country_code": "US",
        "create_source": "Account",
        "sms_channel_consents": [
            {
                "sms_consent_permission": "explicit",
                "consent_type": "promotional_sms",
                "opt_in_date": seconds(created),
                "advertised_frequency": "1",
                "advertised_interval": "monthly",
                "created_at": seconds(created),
                "updated_at": seconds(created),
            },
        ],
    }


def _email(row: Contact, document: Document) -> Document:
    held = document["email_addresses"][0]
    opted_out = held.get("opt_out_date")
    is_out = row.status == "OPTOUT" and opted_out and opted_out != timestamps.NEVER
    granted = "explicit" if held["opt_in_source"] == "ACTION_BY_VISITOR" else "implicit"
    changed = max(row.created, timestamps.read(opted_out)) if is_out else row.created
    found = {
        "address": held["email_address"],
        "permission_to_send": _PERMISSIONS.get(row.status, granted),
        "created_at": seconds(row.created),
        "updated_at": seconds(changed),
        "opt_in_source": _WHO[held["opt_in_source"]],
        "opt_in_date": seconds(row.created),
        "confirm_status": _CONFIRMED.get(held["confirm_status"], "off"),
    }
    if is_out:
        found |= {
            "opt_out_source": _WHO[held["opt_out_source"]],
            "opt_out_date": seconds(timestamps.read(opted_out)),
        }
        if row.number % 2:
            found["opt_out_reason"] = "Too many mails"
    return found


def _custom_fields(world: World, document: Document) -> list[Document]:
    values = {each["name"]: each["value"] for each in document["custom_fields"]}
    found = []
    for field in world.groups.fields:
        if (value := values.get(field.slot)) is None:
            continue
        entry: Document = {"custom_field_id": field.uuid, "value": value}
        if field.choices:
            entry["choice_ids"] = [f"{field.choices.index(value) + 1:06d}"]
        found.append(entry)
    return found


def _phones(row: Contact, document: Document) -> list[Document]:
    return [
        {
            "phone_number_id": stable_uuid("phone", f"{row.id} {kind}"),
            "phone_number": document[name],
            "kind": kind,
            "created_at": seconds(row.created),
            "updated_at": seconds(row.modified),
            "create_source": "Account",
        }
        for name, kind in _PHONES
        if document[name]
    ]


def _addresses(row: Contact, document: Document) -> list[Document]:
    return [
        {
            "street_address_id": stable_uuid("address", f"{row.id} {number}"),
            "kind": _ADDRESSES.get(each["address_type"], "other"),
            **{
                name: text
                for name, text in (
                    ("street", each["line1"]),
                    ("city", each["city"]),
                    ("state", each["state"]),
                    ("postal_code", each["postal_code"]),
                    ("country", "United States"),
                )
                if text
            },
            "created_at": seconds(row.created),
            "updated_at": seconds(row.modified),
        }
        for number, each in enumerate(document["addresses"])
        if each["line1"]
    ]


def _included(world: World, row: Contact, document: Document) -> dict[str, Any]:
    lists = world.contact_lists.by_id
    return {
        "custom_fields": _custom_fields(world, document),
        "list_memberships": [lists[each].v3 for each in row.lists],
        "phone_numbers": _phones(row, document),
        "street_addresses": _addresses(row, document),
        "taggings": [tag.uuid for tag in world.groups.tags_of(row)],
        "notes": [
            {"note_id": each["id"], "content": each["note"], "created_at": seconds(row.created)}
            for each in document["notes"]
        ],
    }


def _document(world: World, row: Contact) -> Document:
    document = row.document()
    found: Document = {"contact_id": row.uuid, "email_address": _email(row, document)}
    for name in ("first_name", "last_name", "job_title", "company_name"):
        if document[name]:
            found[name] = document[name]
    if row.number % _BIRTHDAY_EVERY == 0:
        found |= {"birthday_month": row.number % 12 + 1, "birthday_day": row.number % 28 + 1}
    if row.number % _ANNIVERSARY_EVERY == 0:
        found["anniversary"] = "2006-11-15"
    found["create_source"] = found["email_address"]["opt_in_source"]
    if row.modified > row.created:
        found["update_source"] = "Account"
    found |= {"created_at": seconds(row.created), "updated_at": seconds(row.modified)}
    if row.status == _DELETED:
        found["deleted_at"] = timestamps.text(row.modified)[:10]
    if is_texted(row):
        found["sms_channel"] = channel(row.uuid, f"555{row.number % 10**7:07d}", row.created)
    return found | _included(world, row, document)


def _texted(person: TextContact) -> Document:
    return {
        "contact_id": person.uuid,
        "first_name": person.first_name.text,
        "create_source": "Account",
        "created_at": seconds(person.created),
        "updated_at": seconds(person.modified),
        "sms_channel": channel(person.uuid, person.phone, person.created),
        **{name: [] for name in INCLUDES},
    }


def _whole(world: World, person: Person) -> bytes:
    """JSON of a contact with everything that can be included, cached."""
    if isinstance(person, TextContact):
        return msgspec.json.encode(_texted(person))
    known = _WHOLE.setdefault(world, {})
    made_from, body = known.get(person.uuid, (b"", b""))
    if made_from is not person.body:
        body = msgspec.json.encode(_document(world, person))
        known[person.uuid] = (person.body, body)
    return body


def _as_sent(world: World, person: Person, includes: set[str]) -> bytes:
    body = _whole(world, person)
    if includes >= set(INCLUDES):
        return body
    found = msgspec.json.decode(body)
    return msgspec.json.encode(
        {name: value for name, value in found.items() if name in includes or name not in INCLUDES}
    )


def everybody(world: World) -> Sequence[Person]:
    """Return all contacts, newest first; those with only a phone number come last."""
    texted = sorted(world.outreach.contacts.values(), key=lambda each: each.created, reverse=True)
    return [*world.contacts.newest_first(), *texted] if texted else world.contacts.newest_first()


def _opted_out(row: Person) -> int | None:
    if isinstance(row, TextContact) or row.status != "OPTOUT":
        return None
    when = row.document()["email_addresses"][0].get("opt_out_date")
    return timestamps.read(when) if when and when != timestamps.NEVER else None


def _permission(row: Person) -> str:
    if isinstance(row, TextContact):
        return "not_set"
    return "deleted" if row.status == _DELETED else _PERMISSIONS.get(row.status, "active")


def _wanted(request: ApiRequest) -> Sequence[Person]:
    rows = everybody(request.world)
    before = request.timestamp("created_before")
    if before is not None:
        texted = [row for row in rows if isinstance(row, TextContact) and row.created < before]
        mailed = request.world.contacts.newest_first()
        rows = [*mailed[bisect_right(mailed, -before, key=lambda row: -row.created) :], *texted]
    statuses = request.words("status")
    if "all" not in statuses:
        shown = statuses or set(STATUSES) - {"deleted"}
        rows = [row for row in rows if _permission(row) in shown]
    for name, timestamp in (("updated", "modified"), ("created", "created")):
        if (after := request.timestamp(f"{name}_after")) is not None:
            rows = [
                row for row in rows if getattr(row, timestamp) >= after - after % timestamps.SECOND
            ]
    if (until := request.timestamp("updated_before")) is not None:
        rows = [row for row in rows if row.modified < until]
    if (since := request.timestamp("optout_after")) is not None:
        rows = [row for row in rows if (_opted_out(row) or 0) >= since]
    if wanted := request.words("lists"):
        lists = request.world.contact_lists.by_id
        rows = [
            row
            for row in rows
            if isinstance(row, Contact) and wanted & {lists[each].v3 for each in row.lists}
        ]
    return rows


def all_contacts(world: World, request: ApiRequest) -> bytes | Reply:
    """Respond to `/contacts`."""
    if request.limit > (request.faults.slow_pages or request.limit):
        return TIMED_OUT
    if "segment_id" in request.given:
        return _of_segment(world, request)
    email = request.text("email")
    if email:
        found = world.contacts.by_email.get(email.lower())
        rows: Sequence[Person] = [found] if found else []
    else:
        rows = _wanted(request)
    includes = request.words("include")
    beside = {"contacts_count": len(rows)} if request.text("include_count") == "true" else {}
    return by_number(
        request, "contacts", rows, lambda row: _as_sent(world, row, includes), **beside
    )


def _of_segment(world: World, request: ApiRequest) -> bytes | Reply:
    """The members of a segment, which takes time to work out; it combines with `limit` alone."""
    if request.given.keys() - {"segment_id"}:
        raise segment_with_others()
    number = int(request.given["segment_id"])
    segment = next((each for each in world.groups.segments if each.number == number), None)
    if segment is None:
        raise missing()
    if not request.position and request.faults.slow_segments > 0:
        request.faults.slow_segments -= 1
        return Reply(202, envelope(request, "contacts", [], None, status="processing"))
    rows = [row for row in world.contacts.newest_first() if world.groups.is_in(row, segment)]
    return by_number(request, "contacts", rows, lambda row: _as_sent(world, row, set()))


def asked_for(world: World, request: ApiRequest) -> Person:
    """The contact that the path names."""
    written: Mapping[str, Person] = world.contacts.by_uuid
    texted: Mapping[str, Person] = world.outreach.contacts
    return request.find(texted if request.ids["contact_id"] in texted else written, "contact_id")


def one_contact(world: World, request: ApiRequest) -> bytes:
    """Respond to `/contacts/{contact_id}`; deleted ones too."""
    return _as_sent(world, asked_for(world, request), request.words("include"))


def counts(world: World, _request: ApiRequest) -> bytes:
    """Respond to `/contacts/counts`."""
    permissions = [row.status for row in world.contacts.rows if row.status != _DELETED]
    active = permissions.count("ACTIVE")
    return msgspec.json.encode(
        {
            "total": len(permissions),
            "explicit": active // 2,
            "implicit": active - active // 2,
            "pending": permissions.count("UNCONFIRMED"),
            "unsubscribed": permissions.count("OPTOUT"),
        }
    )


def texting(world: World, uuid: str) -> list[Document]:
    """Return the SMS consent history of a contact, with three formats of timestamps."""
    row = world.contacts.by_uuid.get(uuid)
    person = world.outreach.contacts.get(uuid)
    if person is None and (row is None or not is_texted(row)):
        return []
    created = person.created if person else row.created if row else 0
    day = timestamps.text(created)[:10]
    return [
        {
            "contact_id": uuid,
            "sms_channel_id": stable_uuid("channel", uuid),
            "sms_channel_history_id": stable_uuid("history", uuid),
            "insert_time": timestamps.eastern(created),
            "history_details": {
                "state": "E",
                "source": "A",
                "consent_type": "promotional_sms",
                "source_sms_number": "6035550239",
                "consent_action_time": f"{day} 00:00:00 -0400",
                "consent_action_type": "opt_in",
                "consent_medium_type": "FI",
                "source_consent_timestamp": day,
            },
        }
    ]


def sms_history(world: World, request: ApiRequest) -> bytes:
    """Respond to `/contacts/sms_engagement_history/{contact_id}`: a bare array."""
    return msgspec.json.encode(texting(world, asked_for(world, request).uuid))


def xrefs(pairs: Iterable[tuple[str, dict[str, str]]]) -> bytes:
    """Cross references, sorted by the old id, which comes with leading zeros."""
    rows = [{"sequence_id": old.zfill(12), **new} for old, new in sorted(pairs)]
    return msgspec.json.encode({"xrefs": rows})


def contact_xrefs(world: World, request: ApiRequest) -> bytes:
    """Respond to `/contacts/contact_id_xrefs`; unknown ids are left out."""
    asked = request.needed("sequence_ids").split(",")
    known = world.contacts.by_id
    return xrefs((each, {"contact_id": known[each].uuid}) for each in asked if each in known)
