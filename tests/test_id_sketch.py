"""The set of members that were read: exact, small, and honest about what it cannot tell."""

from __future__ import annotations

import base64
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_constantcontact.state.id_sketch import IdSketch

IDS = st.sets(st.text(max_size=13) | st.integers(10**12, 2 * 10**12).map(str), max_size=200)


@given(IDS, IDS)
def test_difference_is_exact_or_none(ours: set[str], theirs: set[str]) -> None:
    found = IdSketch.load(IdSketch.of(ours).dump()).difference(theirs)

    if found is None:
        assert len(ours ^ theirs) > 5, "small ones can be told"
    else:
        assert found.missing == theirs - ours
        assert found.surplus == {IdSketch.short_id(each) for each in ours - theirs}


def test_hundred_differences_of_large_sets_are_decoded() -> None:
    ours = {str(each) for each in range(5000)}
    theirs = {str(each) for each in range(50, 5050)}
    found = IdSketch.of(ours).difference(theirs)
    assert found
    assert found.missing == {str(each) for each in range(5000, 5050)}
    assert len(found.surplus) == 50


def test_too_many_differences_are_none() -> None:
    assert IdSketch.of(map(str, range(1000))).difference({"a", "b"}) is None


@pytest.mark.parametrize("place", range(3))
def test_damaged_set_returns_none_and_ends(place: int) -> None:
    cells = bytearray(zlib.decompress(base64.b64decode(IdSketch.of(["a"]).dump())))
    filled = [start for start in range(0, len(cells), 8) if any(cells[start : start + 8])]
    cells[filled[place] : filled[place] + 8] = bytes(8)
    damaged = IdSketch.load(base64.b64encode(zlib.compress(bytes(cells))).decode())

    assert damaged.difference(set()) is None
    assert damaged.difference({"a", "b"}) is None


def test_removed_ids_are_missing() -> None:
    members = IdSketch.of(["a", "b"])
    members.remove(IdSketch.short_id("a"))
    found = members.difference({"a", "b"})
    assert found
    assert found.missing == {"a"}


def test_its_size_does_not_grow() -> None:
    assert len(IdSketch().dump()) < 100
    assert len(IdSketch.of(map(str, range(10**4))).dump()) < 2700


@pytest.mark.parametrize("text", ["", "soon", "AAAA", 5, None, "eJwDAAAAAAE="])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a set of ids"):
        IdSketch.load(text)
