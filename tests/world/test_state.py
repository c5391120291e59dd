"""State: equal digests exactly for equal states, whatever way they came about."""

from __future__ import annotations

import itertools
from typing import Any

import lending
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lending import BOOKS, LOANS, READERS, TABLES, Book, Loan, Reader

from journeyman.errors import WorldError
from journeyman.world import State
from journeyman.world.context import Context
from journeyman.world.outcome import Conflict, NotFound, Tier
from journeyman.world.state import header

BOOK = st.builds(
    Book,
    st.sampled_from(["B1", "B2", "B3", "B4"]),
    st.sampled_from(["Dunes", "Öwls", "1", "[1]"]),
    st.sampled_from(["a", "b", "store"]),
    st.integers(1, 3),
    st.lists(st.sampled_from(["sea", "x"]), max_size=2).map(tuple),
    st.just(1),
)
READER = st.builds(
    Reader,
    st.sampled_from(["U1", "U2", "U9"]),
    st.just("Ann"),
    st.booleans(),
    st.sampled_from([None, 0.5, 1.0, 2.5]),
)
LOAN = st.builds(
    Loan, st.sampled_from(["L1", "L2", "L3"]), st.sampled_from(["U1", "U3"]), st.sampled_from(["B1", "B3"]),
    st.integers(0, 1), st.just(""),
)  # fmt: skip
DOINGS = st.lists(
    st.one_of(
        st.tuples(
            st.just("put"), st.one_of(BOOK.map(lambda row: (BOOKS, row)), READER.map(lambda row: (READERS, row)))
        ),
        st.tuples(st.just("put"), LOAN.map(lambda row: (LOANS, row))),
        st.tuples(st.just("remove"), st.sampled_from([(BOOKS, "B2"), (BOOKS, "B3"), (LOANS, "L1"), (LOANS, "L2")])),
        st.tuples(st.just("id"), st.sampled_from(["L", "X", "L=2,X"])),
        st.tuples(st.just("draw"), st.just(6)),
        st.tuples(st.just("wait"), st.integers(0, 2)),
        st.tuples(st.just("digest"), st.none()),
    ),
    max_size=25,
)


def done(state: State, doing: tuple[str, Any]) -> State:
    here = Context(state, True, Tier.CODE)
    what, thing = doing
    try:
        if what == "put":
            here.put(*thing)
        elif what == "remove":
            here.remove(*thing)
        elif what == "id":
            here.new_id(thing)
        elif what == "draw":
            here.below(thing)
        elif what == "wait":
            here.wait(thing)
        else:
            assert state.digest
    except (Conflict, NotFound):
        return state
    return here.result()


def content(state: State) -> Any:
    return header(state), {name: list(state.rows(name)) for name in state.tables}


def rebuilt(state: State) -> State:
    """From nothing, with the rows the other way round."""
    rows = {name: list(state.rows(name))[::-1] for name in state.tables}
    return State.build(TABLES, rows, **header(state))


@settings(max_examples=150, deadline=None)
@given(st.lists(DOINGS, min_size=2, max_size=2))
def test_digests_are_equal_exactly_for_equal_states(histories: list[list[tuple[str, Any]]]) -> None:
    states = [lending.start()]
    for history in histories:
        state = lending.start()
        for doing in history:
            state = done(state, doing)
            states.append(state)
        assert state.digest == rebuilt(state).digest
    for one, other in itertools.pairwise([*states, states[0]]):
        assert (one.digest == other.digest) == (content(one) == content(other))


@settings(max_examples=100, deadline=None)
@given(DOINGS, DOINGS)
def test_what_is_done_to_one_fork_is_not_seen_in_another(first: list[Any], second: list[Any]) -> None:
    origin = lending.start()
    before = content(origin)
    together: list[State] = []
    for history in (first, second):
        state = origin
        for doing in history:
            state = done(state, doing)
        together.append(state)
    one, other = origin, origin
    for a, b in itertools.zip_longest(first, second):  # interleaved
        one = done(one, a) if a else one
        other = done(other, b) if b else other
    assert content(origin) == before
    assert [one.digest, other.digest] == [state.digest for state in together]


@settings(max_examples=100, deadline=None)
@given(DOINGS)
def test_changes_are_what_differs_from_the_start(history: list[Any]) -> None:
    origin = state = lending.start()
    for doing in history:
        state = done(state, doing)
    found = {(each.table, each.key): (each.before, each.after) for each in state.changes()}
    right = {}
    for name in state.tables:
        old, new = ({row[0]: row for row in each.rows(name)} for each in (origin, state))
        right |= {(name, k): (old.get(k), new.get(k)) for k in old.keys() | new.keys() if old.get(k) != new.get(k)}
    assert found == right
    assert state.as_start().changes() == []
    assert state.as_start().digest == state.digest


@settings(max_examples=60, deadline=None)
@given(DOINGS)
def test_indexes_give_what_a_search_gives(history: list[Any]) -> None:
    state = lending.start()
    for doing in history:
        state = done(state, doing)
    here = Context(state, False, Tier.CODE)
    for shelf in ("a", "b", "store"):
        assert here.find(BOOKS, shelf=shelf) == [row for row in state.rows("books") if row[2] == shelf]
        assert here.find(BOOKS, shelf=shelf, pages=1) == here.find(BOOKS, pages=1, shelf=shelf)
    assert here.find(LOANS, reader="U1", book="B3") == [r for r in state.rows("loans") if r[1:3] == ("U1", "B3")]


def test_clock_counters_seed_and_draws_are_part_of_a_state() -> None:
    origin = lending.start()
    others = [
        done(origin, ("wait", 1)),
        done(origin, ("id", "L")),
        done(origin, ("id", "X")),
        done(origin, ("draw", 6)),
    ]
    assert len({state.digest for state in (origin, *others, lending.start(seed=1), origin.as_start(2))}) == 7
    assert origin == lending.start()
    assert origin != others[0]


def test_values_that_python_takes_as_equal_have_digests_of_their_own() -> None:
    """Also where a digest is brought up to date row by row."""
    origin = lending.start()
    one = done(origin, ("put", (READERS, Reader("U1", "Ann", True, 1.0))))
    other = done(one, ("put", (READERS, Reader("U1", "Ann", True, None))))
    assert other.digest == origin.digest != one.digest


def test_a_digest_is_what_it_has_always_been() -> None:
    assert lending.start().digest == "9420d93dc007b45f83a2b9fe98225ec2bf4c65c2d1edfd02e6d3ea2d5e24ea8a"


def test_a_long_life_costs_no_more_memory_than_what_it_touched() -> None:
    state = lending.start()
    for number in range(500):
        state = done(state, ("put", (BOOKS, Book("B1", f"{number}", "a", 1, (), 1))))
    assert state.log is not None
    assert state.log[4] < 64
    assert len(state.touched) == 1
    assert state.digest == rebuilt(state).digest


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ({"books": [Book("B1", "x", "a", 0, (), 1)]}, "a book has pages"),
        ({"books": [Book("B1", "x", "q", 1, (), 1)]}, "shelf"),  # pyright: ignore[reportArgumentType]
        ({"books": [Book("B1", "x", "a", True, (), 1)]}, "pages"),
        ({"books": [Book("B1", "x", "a", 1 << 63, (), 1)]}, "pages"),
        ({"books": [Book("B1", "\ud800", "a", 1, (), 1)]}, "title"),
        ({"books": [Book("B1", "x", "a", 1, ["sea"], 1)]}, "tags"),  # pyright: ignore[reportArgumentType]
        ({"readers": [Reader("U1", "A", False, float("nan"))]}, "fine"),
        ({"readers": [Reader("U1", "A", False, -0.0)]}, "fine"),
        ({"readers": [Reader("U1", "A", False, 1)]}, "fine"),
        ({"readers": [Reader("U1", "A", False, None)] * 2}, "two rows"),
        ({"readers": [("U1", "A", False, None)]}, "a Reader is wanted"),
        ({"loans": [Loan("L1", "U1", "B1", 0, "")]}, "refers to readers 'U1'"),
        ({"shoes": []}, "no such tables"),
    ],
)
def test_rows_that_are_not_as_their_table_wants_them_are_refused(rows: Any, says: str) -> None:
    with pytest.raises(WorldError, match=says) as caught:
        State.build(TABLES, rows)
    assert caught.value.remedy
