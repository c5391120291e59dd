"""The gates find what is planted."""

from __future__ import annotations

from typing import Any

import lending
import pytest
from lending import BOOKS, RULES, TABLES, TOOLS, BookId, start

from journeyman.world import Abstain, Allowed, Call, Context, Rules, Say, Suite, Task, admit, fact, read, write
from journeyman.world.admission import Finding
from journeyman.world.mutants import at_random, every_tool, mutants, play

LEND = Call("lend", {"book": "B1", "reader": "U1"})
BACK = Call("give_back", {"loan": "L1"})


def found(task: Task) -> dict[str, Finding]:
    return {finding.check: finding for finding in admit(lending.suite(task), task)}


def failed(task: Task) -> set[str]:
    return {check for check, finding in found(task).items() if not finding.passed}


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
    assert all(finding.passed for finding in admit(Suite(rules, [task]), task))


def test_arguments_of_any_form_have_their_mutants() -> None:
    rules = Rules("lending", TABLES, (*TOOLS, move))
    call = Call("move", {"book": "B1", "to": {"shelf": "b", "pages": 7}})
    suite = Suite(rules, [Task.derive(rules, "x", "Move Dunes.", start(), (call,))])
    task = suite.task("x")
    spoiled = [m.actions[0].args["to"] for m in mutants(suite, task) if m.kind == "perturbed"]  # pyright: ignore
    assert spoiled == [{"shelf": "bx", "pages": 7}, {"shelf": "b", "pages": 8}]
    assert every_tool(suite, task).score == at_random(suite, task, 0).score == 0
