"""The vendor's contract of v3: build 3.0.178 of August 2026, its read side, without its prose."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema

CONTRACT: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "contract" / "v3.json").read_text(encoding="utf-8")
)
# Where the service, and so the sandbox, does not keep to the contract: what, and the notes on it.
DEVIATIONS = {
    "a last page without `_links`, with nothing in it, or null": (
        "docs/api/v3.md §2.2: four forms, all live"
    ),
    "`handle` of a social profile that is null": "docs/api/v3.md §2.4: a documented null",
    "a cursor of events that is null": "docs/api/v3.md §2.4: null at the end",
    "200 for the list of automations": "docs/api/v3.md §4: 209 is printed, and has not been seen",
}
# Rows of a page that are looked at: the others are made by the same code.
_ROWS = 20


@cache
def template_of(path: str) -> str | None:
    """The path of the contract that a path below `/v3` is one of; None if there is none."""
    found = [
        each for each in CONTRACT["paths"] if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", each), path)
    ]
    return min(found, key=lambda each: each.count("{")) if found else None


@cache
def _validator(template: str) -> jsonschema.Draft4Validator:
    responses = CONTRACT["paths"][template]["responses"]
    schema = responses.get("200") or responses["209"]
    return jsonschema.Draft4Validator({**schema, "definitions": CONTRACT["definitions"]})


def faults_of(path: str, body: bytes) -> list[str]:
    """What is wrong with an answer by the contract, the deviations that are known apart."""
    template = template_of(path)
    if template is None:
        return [f"{path} is in no contract"]
    return [
        f"{template}: {'.'.join(map(str, fault.absolute_path))}: {fault.message}"
        for fault in _validator(template).iter_errors(_shortened(json.loads(body)))
        if not _is_known(fault)
    ]


def _shortened(body: Any) -> Any:
    if isinstance(body, list):
        return body[:_ROWS]
    return {k: held[:_ROWS] if isinstance(held, list) else held for k, held in body.items()}


def _is_known(fault: jsonschema.ValidationError) -> bool:
    """Whether a fault is one of the deviations."""
    where = [*map(str, fault.absolute_path)]
    if where[-1:] in (["handle"], ["next_cursor"], ["prev_cursor"]):
        return fault.instance is None
    is_last_page = "_links" in where or "'_links'" in fault.message
    return is_last_page and (fault.validator == "required" or fault.instance is None)
