"""The gates find what is planted."""

from __future__ import annotations

from typing import Any, NamedTuple

import lending
import pytest
from lending import BOOKS, READERS, RULES, TABLES, TOOLS, BookId, ReaderId, start

from journeyman.world import (
    Abstain,
    Allowed,
    Call,
    Context,
    Rules,
    Say,
    State,
    Suite,
    Table,
    Task,
    admit,
    fact,
    read,
    write,
)
from journeyman.world.admission import TRIED, Finding, refused
from journeyman.world.mutants import at_random, every_tool, mutants, play


class Friend(NamedTuple):
    id: str
    friend: str | None


FRIENDS = Table("friends", Friend, references={"friend": "friends"})
LEND = Call("lend", {"book": "B1", "reader": "U1"})
BACK = Call("give_back", {"loan": "L1"})


def found(task: Task) -> dict[str, Finding]:
    return {finding.check: finding for finding in admit(lending.suite(task), task)}


def failed(task: Task) -> set[str]:
    return {check for check, finding in found(task).items() if finding.passed is False}


def test_a_sound_task_passes() -> None:
    findings = found(lending.task(oracle=(LEND, BACK)))
    assert all(finding.passed for finding in findings.values())
    assert {check: finding.n for check, finding in findings.items() if finding.n == 0} == {}


def test_an_oracle_that_fails_is_found() -> None:
    task = Task("x", "…", lending.start(), (), lending.task().expect)
    assert failed(task) == {"oracle"}


def test_a_task_that_pays_for_nothing_is_found() -> None:
    """Its fact stands in what every agent says."""
    task = Task("x", "Say Done.", lending.start(), (Say("Done."),), (), say=(fact("done"),))
    assert failed(task) >= {"stop", "echo"}


def test_a_task_that_pays_for_saying_everything_is_found() -> None:
    task = lending.task("x", (Say("300"),), say=(fact("300"),))
    assert failed(task) == {"read-only"}


def test_a_verifier_that_lets_mistakes_pass_is_found() -> None:
    task = lending.task(oracle=(LEND, BACK))
    blind = Task("x", "…", task.start, task.oracle, tuple(each._replace(values=()) for each in task.expect))
    caught = found(blind)
    assert not caught["mutants"].passed
    assert any("another" in each for each in caught["mutants"].evidence)
    assert not caught["rows"].passed


def test_a_verifier_that_does_not_see_collateral_is_found() -> None:
    every = tuple(Allowed(name, ("shelf", "fine", "source")) for name in RULES.tables)
    assert "collateral" in failed(lending.task(oracle=(LEND,), allow=(*every, Allowed("loans"))))


def test_a_verifier_that_insists_on_an_order_is_found() -> None:
    """Expecting the very ids that the oracle's order gave."""
    other = Call("lend", {"book": "B2", "reader": "U3"})
    task = lending.task(oracle=(LEND, other))
    loans = ("L-2", "L-3")
    strict: Any = tuple(
        each._replace(values=(*each.values, ("id", loan))) for each, loan in zip(task.expect, loans, strict=True)
    )
    assert failed(Task("x", "…", task.start, task.oracle, strict)) == {"equivalents"}


def test_a_world_that_remembers_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hidden memory: what is answered depends on what was asked before, in another episode."""
    asked: list[str] = []
    tool = RULES.tools["lend"]
    honest = tool.function

    def remembering(here: Any, **args: Any) -> str:
        asked.append(args["book"])
        return f"{honest(here, **args)} ({len(asked)})"

    monkeypatch.setattr(tool, "function", remembering)
    assert failed(lending.task(oracle=(LEND, BACK))) == {"repeats"}


def test_mutants_are_the_same_each_time_and_of_every_kind() -> None:
    task = lending.task(
        oracle=(Call("lend", {**LEND.args, "note": "gloves"}), BACK, Call("fine", {"reader": "U3", "amount": 2.0}))
    )
    suite = lending.suite(task)
    one, other = list(mutants(suite, task)), list(mutants(suite, task))
    assert one == other
    assert {each.kind for each in one} == {"dropped", "repeated", "another", "perturbed", "reordered", "collateral"}
    assert play(suite, task, task.oracle).score == 1


@read
def rumour(here: Context, book: BookId) -> str:
    """What people say, as far as somebody has heard it."""
    if here.get(BOOKS, book).id != "B1":
        raise Abstain("nobody heard")
    return "good"


@write
def move(here: Context, book: BookId, to: Any) -> None:
    """Put a book elsewhere."""
    here.put(BOOKS, here.get(BOOKS, book)._replace(shelf=to["shelf"], pages=to["pages"]))


def test_what_nobody_knows_speaks_neither_for_a_task_nor_against_it() -> None:
    rules = Rules("lending", TABLES, (*TOOLS, rumour))
    task = Task.derive(rules, "x", "Lend Dunes to Ann.", start(), (LEND, Call("rumour", {"book": "B1"})))
    assert refused(admit(Suite(rules, [task]), task)) is None


def test_what_was_not_tried_has_not_passed() -> None:
    """It only says something: that names no entity, and changes no row."""
    findings = found(lending.task("x", (Say("300"),), say=(fact("300"),)))
    for finding in findings.values():
        assert (finding.passed is None) == (finding.n == 0), finding
    assert findings["wrong-entity"].passed is findings["rows"].passed is None
    assert refused(list(findings.values())) == "read-only"


@pytest.mark.parametrize("check", TRIED)
def test_what_has_to_be_tried_and_was_not_refuses_a_task(check: str) -> None:
    findings = [Finding("echo", None, 0, 0), Finding(check, None, 0, 0)]
    assert refused(findings) == check
    assert refused(findings[:1]) is None
    assert refused([*findings, Finding("rows", False, 0, 1)]) == "rows"


@write
def draw_lots(here: Context, reader: ReaderId) -> None:
    """Fine a reader as luck will have it."""
    here.put(READERS, here.get(READERS, reader)._replace(fine=1.0 + here.below(1000)))


def test_an_oracle_that_depends_on_luck_is_found() -> None:
    rules = Rules("lending", TABLES, (*TOOLS, draw_lots))
    actions = (LEND, Call("draw_lots", {"reader": "U2"}))
    task = Task.derive(rules, "x", "Lend Dunes to Ann, and let Bo draw.", start(), actions)
    [oracle] = admit(Suite(rules, [task]), task)
    assert (oracle.check, oracle.passed, oracle.value, oracle.n) == ("oracle", False, 1, 2)
    assert oracle.evidence


@write
def pair(here: Context) -> None:
    """Two rows that refer to each other, one of them by a second thought."""
    first = here.add(FRIENDS, Friend(here.new_id("F"), None))
    second = here.add(FRIENDS, Friend(here.new_id("F"), first.id))
    here.put(FRIENDS, first._replace(friend=second.id))


def test_new_rows_that_refer_to_each_other_are_told_apart_from_others() -> None:
    rules = Rules("friends", (FRIENDS,), (pair,))
    task = Task.derive(rules, "x", "Let there be two friends.", State.build((FRIENDS,), {}), (Call("pair", {}),))
    suite = Suite(rules, [task])
    once, again, twice = (play(suite, task, [Call("pair", {})] * times) for times in (1, 1, 2))
    assert once.essence == again.essence != twice.essence
    assert once.score == 1


def test_arguments_of_any_form_have_their_mutants() -> None:
    rules = Rules("lending", TABLES, (*TOOLS, move))
    call = Call("move", {"book": "B1", "to": {"shelf": "b", "pages": 7}})
    suite = Suite(rules, [Task.derive(rules, "x", "Move Dunes.", start(), (call,))])
    task = suite.task("x")
    spoiled = [m.actions[0].args["to"] for m in mutants(suite, task) if m.kind == "perturbed"]  # pyright: ignore
    assert spoiled == [{"shelf": "bx", "pages": 7}, {"shelf": "b", "pages": 8}]
    assert every_tool(suite, task).score == at_random(suite, task, 0).score == 0


@pytest.mark.parametrize("tools", [["look"], []])
def test_a_world_in_which_nothing_can_be_changed_is_tried_as_well(tools: list[str]) -> None:
    rules = Rules("library", TABLES, [tool for tool in TOOLS if tool.name in tools])
    looks = [Call("look", {"book": "B1"})] if tools else []
    task = Task.derive(rules, "x", "", lending.start(), [*looks, Say("Dunes")], say=(fact("Dunes", none_of=["Maps"]),))
    findings = {finding.check: finding for finding in admit(Suite(rules, [task]), task)}
    assert findings["oracle"].passed
    assert findings["collateral"].passed is None
    assert not [check for check, finding in findings.items() if finding.passed is False]
