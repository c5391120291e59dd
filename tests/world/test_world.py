"""Calls: what they give, what they change, and what they never do."""

from __future__ import annotations

import re

import lending
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lending import BOOKS, RULES, Book

from journeyman.errors import WorldError
from journeyman.world import Rules, Table, Tier, World, write
from journeyman.world.context import Context
from journeyman.world.outcome import KINDS, TRUST

CALLS = st.one_of(
    st.tuples(st.just("lend"), st.fixed_dictionaries({"book": st.sampled_from(["B1", "B2", "B3", "B9"]),
                                                      "reader": st.sampled_from(["U1", "U2", "U9"])})),
    st.tuples(st.just("give_back"), st.fixed_dictionaries({"loan": st.sampled_from(["L1", "L2", "L9"])})),
    st.tuples(st.just("fine"), st.fixed_dictionaries({"reader": st.sampled_from(["U1", "U9"]),
                                                      "amount": st.sampled_from([0, 1.5])})),
    st.tuples(st.just("raffle"), st.fixed_dictionaries({}, optional={"days": st.integers(-1, 2)})),
    st.tuples(st.sampled_from(["look", "half_done", "breaks", "unwritable", "review", "shelve", "nothing"]),
              st.dictionaries(st.sampled_from(["book", "shelf", "x"]), st.sampled_from(["B1", "a", 3, None]))),
)  # fmt: skip


def world() -> World:
    return World(RULES, lending.start())


@settings(max_examples=150, deadline=None)
@given(st.lists(CALLS, max_size=15))
def test_failures_and_reads_leave_the_state_as_it_was(calls: list[tuple[str, dict[str, object]]]) -> None:
    here = world()
    for name, args in calls:
        before = here.digest
        outcome = here.call(name, args)
        tool = RULES.tools.get(name)
        assert outcome.ok or outcome.error in KINDS
        if not outcome.ok or tool is None or not tool.writes:
            assert here.digest == before


@settings(max_examples=60, deadline=None)
@given(st.lists(CALLS, max_size=12), st.integers(0, 12))
def test_going_back_and_going_on_again_is_the_same(calls: list[tuple[str, dict[str, object]]], at: int) -> None:
    here = world()
    for name, args in calls[:at]:
        here.call(name, args)
    kept = here.snapshot()
    (fork,) = here.fork()
    first = [here.call(*call) for call in calls[at:]]
    end = here.digest
    assert [fork.call(*call) for call in calls[at:]] == first
    here.restore(kept)
    assert [here.call(*call) for call in calls[at:]] == first
    assert here.digest == fork.digest == end


@pytest.mark.parametrize(
    ("name", "args", "error", "says"),
    [
        ("lend", {"book": "B9", "reader": "U1"}, "not_found", "'B9'"),
        ("lend", {"book": "B1", "reader": "U2"}, "refused", "owes"),
        ("lend", {"book": "B3", "reader": "U1"}, "conflict", "is out"),
        ("lend", {"book": "B1"}, "invalid", "needs reader"),
        ("lend", {"book": 1, "reader": "U1"}, "invalid", "book"),
        ("lend", {"book": "B1", "reader": "U1", "until": "x"}, "invalid", "takes no until"),
        ("lend", [], "invalid", "by name"),
        ("shelve", {"book": "B1", "shelf": "c"}, "invalid", "'store'"),
        ("review", {"book": "B1"}, "abstain", "nobody recorded"),
        ("breaks", {"book": "B1"}, "fault", "KeyError"),
        ("unwritable", {"book": "B1"}, "fault", "JSONEncodeError|TypeError"),
        ("give_back", {"loan": "L9"}, "not_found", "L9"),
        ("raffle", {"days": -1}, "conflict", "time"),
        ("fine", {"reader": "U1", "amount": 10**400}, "invalid", "amount is not of the type"),
        ("steal", {}, "not_found", "no tool"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_says_why(name: str, args: dict[str, object], error: str, says: str) -> None:
    here = world()
    outcome = here.call(name, args)
    assert (outcome.ok, outcome.value, outcome.error) == (False, None, error)
    assert re.search(says, outcome.message)
    assert here.digest == lending.start().digest


def test_whoever_is_referred_to_stays() -> None:
    here = Context(lending.start(), True, Tier.CODE)
    with pytest.raises(Exception, match="still referred to by loans"):
        here.remove(BOOKS, "B3")
    here.remove(BOOKS, "B2")


def test_a_read_that_writes_is_a_defect_of_the_world_and_no_outcome() -> None:
    here = World(Rules("sly", lending.TABLES, [lending.sly]), lending.start())
    with pytest.raises(WorldError, match="declared as a read"):
        here.call("sly", {"book": "B1"})
    assert here.digest == lending.start().digest


def test_numbers_time_and_chance_come_from_the_state() -> None:
    one, other = world(), World(RULES, lending.start(seed=1))
    assert one.call("lend", {"book": "B1", "reader": "U1"}).value == "L-2"
    assert one.call("lend", {"book": "B2", "reader": "U1"}).value == "L-3"
    drawn = [[w.call("raffle", {}).value for _ in range(12)] for w in (one, other)]
    assert drawn[0] != drawn[1]
    assert one.state.clock - lending.start().clock == 12 * 86400
    again = world()
    again.call("raffle", {})
    assert [again.call("raffle", {}).value for _ in range(11)] == drawn[0][1:]


# -- where an answer comes from


def test_trust_is_the_worlds_and_follows_what_was_read() -> None:
    here = world()
    sure, filled = here.call("look", {"book": "B1"}), here.call("look", {"book": "B3"})
    assert (sure.tier, sure.trust) == (Tier.CODE, 1.0)
    assert (filled.tier, filled.trust) == (Tier.FILLED, TRUST[Tier.FILLED])
    assert here.call("review", {"book": "B1"}).trust == 0
    assert here.call("breaks", {"book": "B1"}).trust == 0
    wary = World(Rules("lending", RULES.tables.values(), RULES.tools.values(), trust={**TRUST, Tier.FILLED: 0.1}),
                 lending.start())  # fmt: skip
    assert wary.call("look", {"book": "B3"}).trust == 0.1


def test_what_is_written_carries_the_weakest_thing_that_was_read() -> None:
    here = Context(lending.start(), True, Tier.CODE)
    here.get(BOOKS, "B3")
    made = here.put(BOOKS, Book("B7", "Copy of maps", "a", 80, (), 0))
    assert made.source == Tier.FILLED


def test_asking_whether_there_is_something_is_reading_it() -> None:
    here = Context(lending.start(), False, Tier.CODE)
    assert here.has(BOOKS, "B1")
    assert not here.has(BOOKS, "B9")
    assert here.tier == Tier.CODE
    assert here.has(BOOKS, "B3")
    assert here.tier == Tier.FILLED
    counts = Context(lending.start(), False, Tier.CODE)
    assert counts.count(lending.READERS) > 0
    assert counts.tier == Tier.CODE
    assert counts.count(BOOKS) > 0
    assert counts.tier == Tier.FILLED


def test_a_tool_cannot_vouch_for_itself() -> None:
    @write
    def boast(here: Context, book: lending.BookId) -> None:
        """Says that what it makes is as good as recorded."""
        here.put(BOOKS, here.get(BOOKS, book)._replace(source=0))

    here = World(Rules("boast", lending.TABLES, [boast]), lending.start())
    assert here.call("boast", {"book": "B3"}).trust == TRUST[Tier.FILLED]
    row = here.state.row("books", "B3")
    assert row is not None
    assert row[5] == Tier.FILLED


# -- what models are shown


def test_schemas_are_those_of_the_hints() -> None:
    found = {schema["function"]["name"]: schema["function"] for schema in RULES.schemas()}
    assert found["lend"]["parameters"] == {
        "type": "object",
        "properties": {"book": {"type": "string"}, "reader": {"type": "string"}, "note": {"type": "string"}},
        "required": ["book", "reader"],
        "additionalProperties": False,
    }
    assert found["look"]["parameters"]["properties"]["book"]["description"] == "the book's id"
    assert found["look"]["description"] == "Look a book up."
    assert found["shelve"]["parameters"]["properties"]["shelf"] == {"enum": ["a", "b", "store"]}
    assert found["raffle"]["parameters"]["required"] == []


def test_a_fingerprint_is_of_what_the_rules_say_and_do() -> None:
    def rules(**options: object) -> str:
        return Rules("lending", lending.TABLES, lending.TOOLS, guide="Be kind.", **options).fingerprint  # pyright: ignore[reportArgumentType]

    assert rules() == RULES.fingerprint
    assert rules(version="2") != rules()
    assert Rules("lending", lending.TABLES, lending.TOOLS[:-1], guide="Be kind.").fingerprint != rules()


@pytest.mark.parametrize("kind", ["no docstring", "no type", "bytes", "two numbers", "no context"])
def test_tools_that_cannot_be_shown_to_a_model_are_refused(kind: str) -> None:
    def silent(here: Context) -> None: ...

    def untyped(here: Context, x) -> None:
        """Does."""

    def raw(here: Context, x: bytes) -> None:
        """Does."""

    def mixed(here: Context, x: int | float) -> None:
        """Does."""

    def alone() -> None:
        """Does."""

    function = {"no docstring": silent, "no type": untyped, "bytes": raw, "two numbers": mixed, "no context": alone}
    with pytest.raises(WorldError) as caught:
        write(function[kind])
    assert caught.value.remedy


def test_tables_name_columns_and_tables_that_are_there() -> None:
    with pytest.raises(WorldError, match="shoe"):
        Table("x", lending.Reader, indexes=("shoe",))
    with pytest.raises(WorldError, match="refers to"):
        Rules("x", [lending.LOANS], [])
