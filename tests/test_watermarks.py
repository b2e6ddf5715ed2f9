from __future__ import annotations

import datetime as dt
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tap_constantcontact.state.watermarks import Watermarks, pass_timestamp

MORNING = dt.datetime(2026, 1, 1, 6, tzinfo=dt.UTC)
IDS = [str(number) for number in range(20, 0, -1)]


def hours(number: int) -> dt.datetime:
    return MORNING + dt.timedelta(hours=number)


def read(marks: Any, order: list[str]) -> list[dt.datetime | None]:
    marks = Watermarks.from_state(marks, order)
    return [marks.synced_until(position) for position in range(len(order))]


def test_before_the_first_run_nothing_is_read() -> None:
    assert read({}, IDS) == [None] * 20
    assert Watermarks(IDS).to_state() == {"watermarks": []}


def test_a_whole_pass_leaves_one_mark_for_everything() -> None:
    marks = Watermarks(IDS)
    marks.advance(3, MORNING)
    marks.complete(hours(1))
    assert marks.to_state() == {
        "watermarks": [{"synced_until": "2026-01-01T07:00:00.000Z", "last_ids": None}]
    }
    assert read(marks.to_state(), ["99", *IDS, "0"]) == [hours(1)] * 22


def test_interrupted_passes_leave_several_watermarks() -> None:
    first = Watermarks(IDS)
    first.advance(9, MORNING)
    second = Watermarks.from_state(first.to_state(), IDS)
    second.advance(4, hours(24))

    stairs = read(second.to_state(), IDS)

    assert stairs == [hours(24)] * 5 + [MORNING] * 5 + [None] * 10


def test_a_pass_that_goes_below_an_earlier_one_takes_its_mark_away() -> None:
    first = Watermarks(IDS)
    first.advance(9, MORNING)
    second = Watermarks.from_state(first.to_state(), IDS)
    second.advance(12, hours(24))
    assert read(second.to_state(), IDS) == [hours(24)] * 13 + [None] * 7


def test_new_parents_belong_to_the_last_range() -> None:
    marks = Watermarks(IDS)
    marks.advance(0, MORNING)
    assert read(marks.to_state(), ["22", "21", *IDS]) == [MORNING] * 3 + [None] * 19


def test_marks_hold_although_members_are_deleted() -> None:
    marks = Watermarks(IDS)
    marks.advance(9, MORNING)
    left = [each for each in IDS if each not in {IDS[9], IDS[8], IDS[2]}]
    assert read(marks.to_state(), left) == [MORNING] * 7 + [None] * 10


def test_where_all_witnesses_are_gone_things_are_read_again_rather_than_missed() -> None:
    marks = Watermarks(IDS)
    marks.advance(9, MORNING)
    left = [each for each in IDS if each not in set(IDS[5:10])]
    assert read(marks.to_state(), left) == [None] * 15


PASSES = st.lists(
    st.tuples(
        st.lists(st.integers(0, 30), max_size=6),  # Where it gets to, and which mark it leaves.
        st.booleans(),  # Whether it comes to the end.
        st.integers(0, 2),  # New members before it.
        st.sets(st.integers(0, 40), max_size=4),  # Members that vanish before it.
    ),
    max_size=12,
)


@given(PASSES)
def test_nothing_counts_as_read_later_than_it_was(passes: list[Any]) -> None:
    """Against a model that remembers of each member when it was read: a mark may be too careful."""
    truth: dict[str, dt.datetime] = {}
    order = [str(number) for number in range(10, 0, -1)]
    marks: Any = {}
    for number, (stops, is_full, new, gone) in enumerate(passes):
        moment = hours(number)
        arrivals = [f"{number}-{n}" for n in range(new)]
        # Nothing hangs on them that is older than they are.
        truth.update(dict.fromkeys(arrivals, moment - dt.timedelta(minutes=30)))
        order = arrivals + [each for place, each in enumerate(order) if place not in gone]
        marks = Watermarks.from_state(marks, order)
        for position in sorted(stop for stop in stops if stop < len(order)):
            marks.advance(position, moment)
            for each in order[: position + 1]:
                truth[each] = moment
        if is_full:
            marks.complete(moment)
            truth.update(dict.fromkeys(order, moment))
        marks = marks.to_state()

        assert len(marks["watermarks"]) <= 5
        for each, synced_until in zip(order, read(marks, order), strict=True):
            assert synced_until is None or synced_until <= truth[each]
        if is_full:
            assert all(each == moment for each in read(marks, order))


@given(
    last=st.lists(st.integers(-3000, 3000), max_size=6),
    nobody=st.booleans(),
)
def test_pass_has_a_later_timestamp_than_the_last(last: list[int], *, nobody: bool) -> None:
    before = [MORNING + dt.timedelta(milliseconds=each) for each in last]
    moment = pass_timestamp(MORNING, [*before, *([None] if nobody else [])])
    assert moment not in before
    assert moment >= MORNING
    early = [each for each in before if each - MORNING < dt.timedelta(seconds=1)]
    assert all(moment > each for each in early), "a clock that tells seconds does not go back"
    assert moment - MORNING <= len(last) * dt.timedelta(seconds=1)
