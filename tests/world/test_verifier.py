"""Verdicts: what is asked for, and nothing else, in any order and any words."""

from __future__ import annotations

from typing import Any, NamedTuple

import lending
import pytest
from lending import LOANS, RULES

from journeyman.errors import WorldError
from journeyman.world import (
    Allowed,
    Call,
    Context,
    Fact,
    Forbidden,
    Rules,
    Say,
    State,
    Table,
    Task,
    Tier,
    Verdict,
    World,
    fact,
    write,
)
from journeyman.world.mutants import essence
from journeyman.world.task import Made, expectations
from journeyman.world.verifier import Verifier

LEND = Call("lend", {"book": "B1", "reader": "U1"})
OTHER = Call("lend", {"book": "B2", "reader": "U3"})
BACK = Call("give_back", {"loan": "L1"})


def judged(task: Task, *calls: Call, said: tuple[str, ...] = ()) -> Verdict:
    world = World(RULES, task.start.as_start(5))
    for call in calls:
        world.call(call.tool, call.args)
    return Verifier(task)(world.state, calls, said)


def test_what_was_asked_for_earns_all() -> None:
    verdict = judged(lending.task(oracle=(LEND, BACK)), LEND, BACK)
    assert (verdict.score, verdict.progress, verdict.reasons) == (1.0, 1.0, [])


@pytest.mark.parametrize(
    ("calls", "says"),
    [
        ((), ["a new row in loans", "L1 is to be gone"]),
        ((LEND,), ["L1 is to be gone"]),
        ((Call("lend", {"book": "B1", "reader": "U3"}), BACK), ["a new row in loans", "nobody asked for the new row"]),
        ((LEND, BACK, OTHER), ["nobody asked for the new row"]),
        ((LEND, BACK, Call("fine", {"reader": "U3", "amount": 1})), ["readers U3 to change fine None to 1.0"]),
        ((LEND, BACK, Call("give_back", {"loan": "L-2"})), ["a new row in loans"]),
    ],
)
def test_what_is_missing_and_what_is_too_much_is_named(calls: tuple[Call, ...], says: list[str]) -> None:
    verdict = judged(lending.task(oracle=(LEND, BACK)), *calls)
    assert verdict.score == 0
    assert len(verdict.reasons) == len(says)
    assert all(part in reason for part, reason in zip(says, verdict.reasons, strict=True))


def test_the_order_of_equal_work_does_not_matter() -> None:
    """Though the world then gives the new rows each other's ids."""
    task = lending.task(oracle=(LEND, OTHER, BACK))
    for calls in ((LEND, OTHER, BACK), (OTHER, LEND, BACK), (BACK, OTHER, LEND)):
        assert judged(task, *calls).score == 1


class Note(NamedTuple):
    id: str
    text: str


NOTES = Table("notes", Note)


@write
def note(here: Context, text: str) -> None:
    """Keep a note."""
    here.add(NOTES, Note(here.new_id("N"), text))


@pytest.mark.parametrize("texts", ["x" * 13, "x" * 13 + "y"])
def test_many_equal_rows_of_which_one_is_missing_take_no_time(texts: str) -> None:
    rules = Rules("notes", [NOTES], [note])
    asked = [Call("note", {"text": "x"})] * 14
    task = Task.derive(rules, "notes", "Write it fourteen times.", State.build([NOTES], {}), asked)
    world = World(rules, task.start)
    for text in texts:
        world.call("note", {"text": text})
    verdict = Verifier(task)(world.state, (), ())
    assert (verdict.score, verdict.progress) == (0, pytest.approx(13 / 14))


def test_what_ends_as_it_began_is_no_change() -> None:
    there, back = (Call("shelve", {"book": "B1", "shelf": shelf}) for shelf in ("b", "a"))
    assert judged(lending.task(oracle=(LEND,)), there, LEND, back).score == 1


def test_allowed_changes_may_be_there() -> None:
    fined = Call("fine", {"reader": "U3", "amount": 1})
    moved = Call("shelve", {"book": "B2", "shelf": "b"})
    columns = Allowed("readers", ("fine",))
    assert judged(lending.task(allow=(columns,)), LEND, fined).score == 1
    assert judged(lending.task(allow=(columns,)), LEND, moved).score == 0
    assert judged(lending.task(allow=(Allowed("readers", ("fine",), "U1"),)), LEND, fined).score == 0
    assert judged(lending.task(allow=(Allowed("readers", ("name",)),)), LEND, fined).score == 0
    assert judged(lending.task(allow=(Allowed("loans"),)), LEND, OTHER).score == 1
    assert judged(lending.task(allow=(Allowed("loans"),)), OTHER).score == 0


def test_forbidden_things_must_not_be_tried() -> None:
    never = Forbidden("lend", (("reader", "U2"),), why="U2 is banned")
    task = lending.task(forbid=(never, Forbidden(said=fact("Béla"))))
    verdict = judged(task, Call("lend", {"book": "B2", "reader": "U2"}), LEND)
    assert (verdict.score, verdict.reasons) == (0, ["calling lend is forbidden: U2 is banned"])
    assert judged(task, LEND, said=("Béla owes money",)).score == 0
    assert judged(task, LEND, said=("Done",)).score == 1


def test_facts_have_to_be_said_and_their_rivals_not() -> None:
    task = lending.task("ask", (Say("300"),), say=(fact("300", none_of=["120", "80"]),))
    assert judged(task, said=("It has 300 pages.",)).score == 1
    assert judged(task).score == 0
    assert judged(task, said=("300, 120 or 80",)).score == 0
    assert judged(task, BACK, said=("300",)).score == 0


def test_free_words_are_held_to_their_facts() -> None:
    noted = Call("lend", {"book": "B1", "reader": "U1", "note": "Handle with gloves."})
    task = lending.task(oracle=(noted,), wording={("loans", "note"): (fact("gloves"),)})
    assert judged(task, Call("lend", {**noted.args, "note": "Please wear GLOVES"})).score == 1
    assert judged(task, LEND).score == 0
    free = lending.task(oracle=(noted,))
    assert judged(free, LEND).score == 1


def test_trust_is_in_the_score() -> None:
    task = lending.task()
    world = World(RULES, task.start.as_start())
    world.call(LEND.tool, LEND.args)
    assert Verifier(task)(world.state, [LEND], [], trust=0.8).score == 0.8


def test_a_task_that_pays_for_nothing_is_none() -> None:
    with pytest.raises(WorldError, match="does nothing"):
        lending.task(oracle=(Call("look", {"book": "B1"}),))
    with pytest.raises(WorldError, match="oracle fails at lend: B3 is out"):
        lending.task(oracle=(Call("lend", {"book": "B3", "reader": "U1"}),))


# -- rows that refer to rows that were made with them


def made(pairs: list[tuple[str, str]]) -> Any:
    """A state with new readers by name, and loans to them."""
    here = Context(lending.start().as_start(), True, Tier.CODE)
    ids: dict[str, str] = {}
    for name, book in pairs:
        if name not in ids:
            ids[name] = here.new_id("U")
            here.put(lending.READERS, lending.Reader(ids[name], name, False, None))
        here.put(LOANS, lending.Loan(here.new_id("L"), ids[name], book, 0, ""))
    return here.result()


def test_made_rows_are_known_by_what_they_refer_to() -> None:
    right = made([("Di", "B1"), ("Ed", "B2"), ("Di", "B2")])
    tables = {table.name: table for table in lending.TABLES}
    expect = expectations(tables, right.changes(), {})
    assert sum(isinstance(value, Made) for each in expect for _, value in each.values) == 3
    task = Task("made", "…", lending.start(), (), expect)
    same = made([("Ed", "B2"), ("Di", "B2"), ("Di", "B1")])
    crossed = made([("Di", "B1"), ("Ed", "B2"), ("Ed", "B2")])
    assert Verifier(task)(same, [], []).score == 1
    assert Verifier(task)(crossed, [], []).score == 0
    assert essence(same) == essence(right) != essence(crossed)


def test_twins_are_told_apart_by_search() -> None:
    """Two new readers of one name: which of them is which shows only in their loans."""
    here = made([("Di", "B1")])
    tables: dict[str, Table[Any]] = {table.name: table for table in lending.TABLES}
    twins = [lending.Reader(f"U-{n}", "Di", False, None) for n in (1, 2)]

    def state(first: str, second: str) -> Any:
        context = Context(lending.start(), True, Tier.CODE)
        for twin in twins:
            context.put(lending.READERS, twin)
        for loan in (lending.Loan("L-1", first, "B1", 0, ""), lending.Loan("L-2", second, "B2", 0, "")):
            context.put(LOANS, loan)
        return context.result()

    task = Task("twins", "…", lending.start(), (), expectations(tables, state("U-1", "U-2").changes(), {}))
    assert Verifier(task)(state("U-2", "U-1"), [], []).score == 1
    assert Verifier(task)(state("U-1", "U-1"), [], []).score == 0
    assert Verifier(task)(here, [], []).progress < 1


def test_facts_are_values() -> None:
    assert fact("1", none_of=["2"]) == Fact(("1",), ("2",))
