"""Search in a dream: branches from each state, within a budget, and only what was paid is learnt."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from random_cases import start

from journeyman.learn import LIVE, Schedule
from journeyman.learn.acting import Manner, written
from journeyman.learn.rlvr import tried
from journeyman.learn.search import practise, search
from journeyman.model.transformers_engine import TransformersEngine
from journeyman.world import Call, Say, State, Suite, Task, fact, load

LETTERS = "abcdefghijklmnopqrstuvwxyz!?#$%&*+=~"
MANNER = Manner(turns=1, max_new_tokens=5)


def letters() -> Suite:
    """A world where any of half of what is printable has to be said: what a random model sometimes does."""
    rules = load("shop").rules
    begin = State.build(list(rules.tables.values()), {})
    wanted = fact(*LETTERS)
    return Suite(
        rules,
        [Task.derive(rules, f"a-{n}", f"a {n}", begin, [Say("!")], say=(wanted,), family="a") for n in range(8)],
    )


def answering(engine: TransformersEngine, monkeypatch: pytest.MonkeyPatch, say: Callable[[str, int], str]) -> list[int]:
    """Let the engine write `say(prompt, number of the reply)`; how many were asked for at once is in what is
    returned."""
    asked: list[int] = []

    def generate(prompts: Sequence[Sequence[int]], **_: Any) -> list[list[int]]:
        before = sum(asked)
        asked.append(len(prompts))
        texts = [engine.tokenizer.decode(list(prompt)) for prompt in prompts]
        return [[*engine.encode(say(text, before + at)), engine.end_id] for at, text in enumerate(texts)]

    monkeypatch.setattr(engine, "generate", generate)
    monkeypatch.setattr(engine, "limit", None)
    return asked


def test_branching_finds_what_needs_two_lucky_actions_in_a_row(
    tiny_engine: TransformersEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    suite = load("shop")
    task = next(
        each for each in suite.tasks.values() if len(each.oracle) >= 2 and all(isinstance(a, Call) for a in each.oracle)
    )
    calls = [written(action) for action in task.oracle]

    def say(prompt: str, number: int) -> str:
        done = sum(call in prompt for call in calls)
        if number % 3:  # two tries of three are wrong, at every state
            return '{"name": "list_cases", "arguments": {}}'
        return calls[done] if done < len(calls) else "Done."

    asked = answering(tiny_engine, monkeypatch, say)
    [tree] = search(tiny_engine, suite, [task], Manner(turns=len(calls) + 1), tries=3, width=2)
    solved = tree.solution
    assert solved is not None
    assert [tiny_engine.decode(reply) for _, reply in solved.turns][: len(calls)] == calls
    assert tree.steps == sum(asked)
    assert max(asked) <= 2 * 3


def test_a_search_keeps_within_its_budget_and_shares_it(
    tiny_engine: TransformersEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    suite = load("shop")
    tasks = [suite.task("cancel-1"), suite.task("cancel-2")]
    answering(tiny_engine, monkeypatch, lambda _text, _n: '{"name": "list_cases", "arguments": {}}')
    trees = search(tiny_engine, suite, tasks, Manner(turns=4), tries=3, budget=5)
    assert sorted(tree.steps for tree in trees) == [2, 3]
    assert all(tree.solution is None and not tree.open for tree in trees)
    # Equal actions lead to one state, which is gone on from once.
    [tree] = search(tiny_engine, suite, tasks[:1], Manner(turns=3), tries=4, width=3)
    assert tree.steps == 3 * 4


def test_a_solution_is_what_the_student_wrote_and_was_paid_for(tiny_engine: TransformersEngine) -> None:
    start(tiny_engine)
    with tiny_engine.using(LIVE):
        trees = search(tiny_engine, letters(), list(letters().tasks.values()), MANNER, tries=6, seed=3)
    solved = [tree.solution for tree in trees]
    assert any(solved)
    for tree, solution in zip(trees, solved, strict=True):
        assert tree.steps == 6
        if solution is not None:
            assert solution.score > 0
            assert any(mark in tiny_engine.decode(solution.turns[0][1]).lower() for mark in LETTERS)


def test_success_rises_within_the_budget(tiny_engine: TransformersEngine) -> None:
    start(tiny_engine)
    suite = letters()
    tasks = list(suite.tasks.values())
    before = tried(tiny_engine, suite, tasks[6:], MANNER, None)
    schedule = Schedule(20, rows=12, learning_rate=2e-2, seed=1)
    steps = list(practise(tiny_engine, suite, tasks[:6], MANNER, schedule, budget=240, at_once=3, tries=4))
    assert [step.step for step in steps] == list(range(1, 21))
    assert sum(step.steps for step in steps) <= 240
    assert sum(step.found for step in steps[-5:]) >= sum(step.found for step in steps[:5])
    after = tried(tiny_engine, suite, tasks[6:], MANNER, LIVE)
    assert sum(after) >= sum(before)
    assert sum(after) == 2


def test_nothing_is_learnt_where_nothing_is_found(tiny_engine: TransformersEngine) -> None:
    state = start(tiny_engine, trained=True)
    kept = [each.clone() for each in state.parameters()]
    suite = load("shop")
    steps = list(practise(tiny_engine, suite, [suite.task("cancel-1")], MANNER, Schedule(2, rows=4), budget=8, tries=2))
    assert [step.found for step in steps] == [0, 0]
    assert all(bool((a == b).all()) for a, b in zip(kept, state.parameters(), strict=True))


def test_a_search_tries_something(tiny_engine: TransformersEngine) -> None:
    with pytest.raises(ValueError, match="at least one"):
        search(tiny_engine, letters(), [], MANNER, tries=0)
