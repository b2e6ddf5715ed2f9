"""What the sandbox sends is held against the published sample bodies, endpoint by endpoint."""

import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests

from sandbox import Account, Sandbox, serve

SAMPLES = Path(__file__).parent / "samples"
CREDENTIALS = {"api_key": "key", "access_token": "token"}


@dataclass(frozen=True)
class Case:
    """One endpoint: the samples of its answer, and where the sandbox differs for a reason.

    `unsent` are keys of the samples that the sandbox leaves out, `beyond` are keys that are
    documented although no sample shows them.
    """

    path: str
    samples: tuple[str, ...]
    unsent: dict[str, str] = field(default_factory=dict)
    beyond: dict[str, str] = field(default_factory=dict)
    params: dict[str, str] = field(default_factory=dict)


EARLY = "in data of 2012 only"
TABLE = "in the documentation's field table"

CONTACT_UNSENT = {
    "department_name": EARLY,
    "action_by": EARLY,
    "source_is_url": EARLY,
}
CONTACT_BEYOND = {
    "contact_id": "with include_contact_id",
    "notes[].modified_date": TABLE,
    "custom_fields[].label": "in later clients' models",
    "email_addresses[].opt_out_source": "in a later client's model",
}
PAGE = "results[]."


def of_page(keys: dict[str, str]) -> dict[str, str]:
    return {PAGE + key: why for key, why in keys.items()}


CASES = [
    Case(
        "/account/info",
        ("account_info",),
        beyond={
            "organization_addresses[].line2": TABLE,
            "organization_addresses[].state": TABLE,
        },
    ),
    Case("/account/verifiedemailaddresses", ("account_verified_email_addresses",)),
    Case(
        "/contacts",
        (
            "contacts.page1",
            "contacts.last_page",
            "contacts.modified_since",
            "contacts.removed_and_active",
        ),
        unsent=of_page(CONTACT_UNSENT),
        beyond=of_page(
            CONTACT_BEYOND
            | {
                "addresses[].state": "in contact.doc",
                "notes[].id": "in contact.note_and_custom_fields",
                "notes[].note": "in contact.note_and_custom_fields",
                "notes[].created_date": "in contact.note_and_custom_fields",
            },
        ),
        params={"limit": "500", "include_contact_id": "true"},
    ),
    Case(
        "/contacts/{contact}",
        ("contact", "contact.doc", "contact.note_and_custom_fields"),
        unsent=CONTACT_UNSENT,
        beyond=CONTACT_BEYOND | {"created_date": TABLE, "modified_date": TABLE},
    ),
    Case(
        "/lists",
        ("lists", "lists.int_ids"),
        unsent={"[].opt_in_default": EARLY},
        beyond={"[].list_id": "with include_list_id"},
        params={"include_list_id": "true"},
    ),
    Case(
        "/lists/{list}",
        ("list", "list.hidden"),
        unsent={"opt_in_default": EARLY},
        beyond={"created_date": TABLE, "modified_date": TABLE},
    ),
    Case(
        "/lists/{list}/contacts",
        ("contacts.page1", "contacts.last_page", "contacts.modified_since"),
        unsent=of_page(CONTACT_UNSENT),
        beyond=of_page(
            CONTACT_BEYOND
            | {
                "addresses[].state": "in contact.doc",
                "notes[].id": "in contact.note_and_custom_fields",
                "notes[].note": "in contact.note_and_custom_fields",
                "notes[].created_date": "in contact.note_and_custom_fields",
            },
        ),
    ),
    Case(
        "/activities",
        ("activities", "activities.mixed"),
        beyond={"[].file_name": TABLE},
    ),
    Case(
        "/activities/{activity}",
        ("activity", "activity.with_errors", "activity.with_string_errors"),
        beyond={
            "warnings[].message": TABLE,
            "warnings[].line_number": TABLE,
            "warnings[].email_address": TABLE,
        },
    ),
]


def shape(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Walk through a body: where every value stands, and its type."""
    match value:
        case dict():
            for key, inner in value.items():
                yield from shape(inner, f"{path}.{key}" if path else key)
        case list():
            for inner in value:
                yield from shape(inner, f"{path}[]")
        case _:
            yield path, "number" if type(value) in {int, float} else type(value).__name__


def shapes(bodies: list[Any]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for body in bodies:
        for path, kind in shape(body):
            found[path].add(kind)
    return found


@pytest.fixture(scope="module")
def box() -> Iterator[Sandbox]:
    with serve(Account(contacts=400, lists=4, activities=40, events=8, files=80)) as running:
        yield running


@pytest.fixture(scope="module")
def session() -> Iterator[requests.Session]:
    with requests.Session() as running:
        yield running


def ids_below(box: Sandbox, name: str) -> list[str]:
    """Find the ids that stand for a name in braces."""
    account = box.account
    ids = {
        "contact": account.ids("contacts"),
        "list": account.ids("lists"),
        "activity": account.ids("activities"),
    }
    return sorted(ids[name])[:100]


def addresses(box: Sandbox, path: str) -> list[str]:
    before, brace, rest = path.partition("{")
    if not brace:
        return [path]
    name, _, after = rest.partition("}")
    return [f"{before}{id_}{after}" for id_ in ids_below(box, name)]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.path)
def test_an_answer_has_the_shape_of_the_samples(
    box: Sandbox,
    session: requests.Session,
    case: Case,
) -> None:
    sent = shapes(
        [
            session.get(box.url + address, params=CREDENTIALS | case.params).json()
            for address in addresses(box, case.path)
        ],
    )
    documented = shapes(
        [json.loads((SAMPLES / f"{name}.json").read_text()) for name in case.samples]
    )
    documented.pop("meta.pagination.next_link", None)
    sent.pop("meta.pagination.next_link", None)

    assert documented.keys() - sent.keys() == case.unsent.keys() & documented.keys()
    assert sent.keys() - documented.keys() <= case.beyond.keys()
    for path in sent.keys() & documented.keys():
        if path.rpartition(".")[2] == "id":
            assert sent[path] == {"str"}, path
        else:
            assert sent[path] <= documented[path], path
