"""Practice in a world: groups from one start, tasks dealt by what is sometimes solved, a reward that rises."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from random_cases import start

from journeyman.errors import TrainingError
from journeyman.learn import LIVE, Schedule
from journeyman.learn.acting import Episode, Manner
from journeyman.learn.rlvr import Curriculum, chosen, divided, practise, roll_out, tried
from journeyman.model.transformers_engine import TransformersEngine
from journeyman.world import Say, State, Suite, Task, Verdict, fact, load
from journeyman.world.drills import drills

LETTERS = "abcdefghijklmnopqrstuvwxyz!?#$%&*+=~"
MANNER = Manner(turns=1, max_new_tokens=5)


@pytest.fixture(scope="module")
def letters() -> Suite:
    """A world where any of half of what is printable has to be said: what a random model sometimes does."""
    rules = load("shop").rules
    begin = State.build(list(rules.tables.values()), {})
    wanted = fact(*LETTERS)
    return Suite(
        rules,
        [
            Task.derive(rules, f"{kind}-{n}", f"{kind} {n}", begin, [Say("!")], say=(wanted,), family=kind)
            for kind in "ab"
            for n in range(6)
        ],
    )


def ended(task: Task, score: float) -> Episode:
    return Episode(task, verdict=Verdict(score, score, 1.0, ()))


@pytest.mark.parametrize("scaled", [False, True])
def test_a_round_weighs_episodes_against_their_own_group(
    scaled: bool, tiny_engine: TransformersEngine, letters: Suite
) -> None:
    start(tiny_engine)
    tasks = list(letters.tasks.values())[:4]
    found, episodes = roll_out(tiny_engine, letters, tasks, MANNER, group=8, seed=1, scaled=scaled)
    assert [episode.task.id for episode in episodes] == [task.id for task in tasks for _ in range(8)]
    assert found.reward == pytest.approx(sum(episode.score for episode in episodes) / 32)
    assert 0 < found.reward < 1
    silent = 0
    for at in range(4):
        group = episodes[8 * at : 8 * at + 8]
        mean = sum(episode.score for episode in group) / 8
        silent += mean in (0, 1)
        over = (mean * (1 - mean)) ** 0.5 or 1.0 if scaled else 1.0
        for episode, exposure in zip(group, found.exposures[8 * at : 8 * at + 8], strict=True):
            [(prompt, reply)] = episode.turns
            assert (exposure.prompt, exposure.response) == (tuple(prompt), tuple(reply))
            assert exposure.weight_R is not None
            assert exposure.weight_R.tolist() == pytest.approx([(episode.score - mean) / over] * len(reply))
    assert found.zero_variance == silent / 4


def test_the_same_seed_gives_the_same_round_and_another_another(
    tiny_engine: TransformersEngine, letters: Suite
) -> None:
    start(tiny_engine)
    tasks = list(letters.tasks.values())[:2]
    said = [
        [episode.turns for episode in roll_out(tiny_engine, letters, tasks, MANNER, group=3, seed=seed)[1]]
        for seed in (1, 1, 2)
    ]
    assert said[0] == said[1] != said[2]


def test_the_reward_rises(tiny_engine: TransformersEngine, letters: Suite) -> None:
    start(tiny_engine)
    train, held = divided(list(letters.tasks.values()), 4, seed=0)
    before = tried(tiny_engine, letters, held, MANNER, None)
    schedule = Schedule(25, rows=0, learning_rate=2e-2, seed=1)
    steps = list(practise(tiny_engine, letters, train, MANNER, schedule, at_once=4, group=8))
    assert [step.step for step in steps] == list(range(1, 26))
    first, last = (sum(step.reward for step in part) / 5 for part in (steps[:5], steps[-5:]))
    assert last > first + 0.2
    assert last > 0.8
    assert steps[-1].zero_variance > steps[0].zero_variance
    assert set(steps[0].kinds) <= {"a", "b"}
    after = tried(tiny_engine, letters, held, MANNER, LIVE)
    assert sum(after) >= sum(before)
    assert sum(after) == len(held)


def test_nothing_is_learnt_where_nothing_is_ever_solved(tiny_engine: TransformersEngine) -> None:
    suite = drills(load("shop"))
    state = start(tiny_engine, trained=True)
    kept = [each.clone() for each in state.parameters()]
    tasks = list(suite.tasks.values())[:5]
    steps = list(practise(tiny_engine, suite, tasks, MANNER, Schedule(2, rows=0), at_once=2, group=2))
    assert [(step.reward, step.zero_variance) for step in steps] == [(0.0, 1.0)] * 2
    assert all(bool((a == b).all()) for a, b in zip(kept, state.parameters(), strict=True))


def test_the_curriculum_deals_what_is_sometimes_solved(letters: Suite) -> None:
    tasks = list(letters.tasks.values())
    never, sometimes = tasks[:6], tasks[6:]
    curriculum = Curriculum(tasks, seed=0)
    assert curriculum.weight("a") == curriculum.weight("b")
    for _ in range(20):
        curriculum.note(
            [*(ended(task, 0.0) for task in never), *(ended(task, n % 2) for n, task in enumerate(sometimes))]
        )
    dealt = Counter(task.family for _ in range(50) for task in curriculum.deal(4))
    assert dealt["b"] > dealt["a"] > 0  # and nothing is given up for good
    assert sometimes[0].family == "b"


def test_a_deal_repeats_no_task_before_it_must(letters: Suite) -> None:
    tasks = list(letters.tasks.values())
    curriculum = Curriculum(tasks[:6], seed=1)
    assert len({task.id for task in curriculum.deal(6)}) == 6
    assert len(curriculum.deal(9)) == 9
    with pytest.raises(TrainingError):
        Curriculum([], seed=0)


def test_drills_of_one_task_stay_on_one_side() -> None:
    tasks = list(drills(load("shop")).tasks.values())
    train, held = divided(tasks, 40, seed=3)
    sides: Any = [{task.id.partition("/")[0] for task in side} for side in (train, held)]
    assert not sides[0] & sides[1]
    assert len(train) + len(held) == len(tasks)
    assert 40 <= len(held) < 44
    assert [task.id for task in held] != [task.id for task in divided(tasks, 40, seed=4)[1]]


def test_examples_are_of_many_families_and_are_not_practised() -> None:
    tasks = list(drills(load("shop")).tasks.values())
    examples, left = chosen(tasks, 4)
    assert len({task.family for task in examples}) == 4
    assert len(left) == len(tasks) - 4
    assert not {task.id for task in examples} & {task.id for task in left}
    assert chosen(tasks, 0) == ([], tasks)


def test_a_group_of_one_is_refused(tiny_engine: TransformersEngine, letters: Suite) -> None:
    with pytest.raises(ValueError, match="at least 2"):
        roll_out(tiny_engine, letters, [next(iter(letters.tasks.values()))], MANNER, group=1, seed=0)
