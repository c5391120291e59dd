"""Reinforcement learning from a world's verdicts (RLVR): rollouts are episodes, a group is forks of one start.

    for step in practise(engine, suite, tasks, manner, Schedule(steps=12, rows=0)):
        print(step.reward, step.zero_variance)

Always holds: the reward is the verifier's score and nothing else; the students of a group start in the same state; a
curriculum decides which tasks are tried, never what one of them pays.

Knows worlds, the trainer and GRPO; nothing of sessions.
"""

from __future__ import annotations

import math
import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from journeyman.errors import TrainingError
from journeyman.learn.acting import Episode, Manner, play
from journeyman.learn.exposures import LIVE, Exposure
from journeyman.learn.grpo import Round, weighed
from journeyman.learn.trainer import Schedule, Step, train
from journeyman.model.transformers_engine import TransformersEngine
from journeyman.world.env import Env
from journeyman.world.suite import Suite
from journeyman.world.task import Task

FORGETS = 0.8  # of what a kind's earlier rounds showed, a round keeps so much: the student changes


@dataclass(frozen=True)
class Practised:
    """One step: the round's mean reward, the share of its groups without any difference, and the update."""

    step: int
    reward: float
    zero_variance: float
    kinds: dict[str, float]  # family -> mean reward
    update: Step


class Curriculum:
    """Deals tasks, more of those kinds that are sometimes solved.

    A kind (family) that is solved with probability p is dealt in proportion to sqrt(p (1 - p)), the spread of its
    rewards: what always or never succeeds teaches nothing. p is what the student's own rollouts showed, with one
    success and one failure added, so that no kind is given up for good.
    """

    def __init__(self, tasks: Sequence[Task], seed: int) -> None:
        if not tasks:
            raise TrainingError("there is no task to practise", "choose other tasks")
        self.kinds: dict[str, list[Task]] = defaultdict(list)
        for task in tasks:
            self.kinds[task.family].append(task)
        self.seen: dict[str, tuple[float, float]] = dict.fromkeys(self.kinds, (0.0, 0.0))  # solved, tried
        self._chance = random.Random(seed)

    def weight(self, kind: str) -> float:
        solved, tried = self.seen[kind]
        p = (solved + 1) / (tried + 2)
        return math.sqrt(p * (1 - p))

    def deal(self, count: int) -> list[Task]:
        """So many tasks, none twice as long as there are others of its kind."""
        kinds = list(self.kinds)
        chosen = self._chance.choices(kinds, [self.weight(kind) for kind in kinds], k=count)
        left = {kind: self._chance.sample(tasks, len(tasks)) for kind, tasks in self.kinds.items()}
        return [left[kind].pop() if left[kind] else self._chance.choice(self.kinds[kind]) for kind in chosen]

    def note(self, episodes: Sequence[Episode]) -> None:
        """What a round came to."""
        for kind in {episode.task.family for episode in episodes}:
            scores = [episode.score for episode in episodes if episode.task.family == kind]
            solved, tried = self.seen[kind]
            self.seen[kind] = (FORGETS * solved + sum(scores), FORGETS * tried + len(scores))


def roll_out(
    engine: TransformersEngine,
    suite: Suite,
    tasks: Sequence[Task],
    manner: Manner,
    *,
    group: int,
    seed: int,
    scaled: bool = False,
) -> tuple[Round, list[Episode]]:
    """The live student tries each task `group` times, from forks of one start."""
    if group < 2:
        raise ValueError("a group of one has no mean to be compared with: give at least 2")
    envs: list[Env] = []
    for task in tasks:
        start = Env(suite)
        start.reset(task, seed)
        envs += start.fork(group)
    with engine.using(LIVE):
        episodes = play(engine, envs, manner, temperature=1.0, seed=seed)
    turns, scores = [episode.turns for episode in episodes], [episode.score for episode in episodes]
    return weighed(engine, turns, scores, group=group, scaled=scaled), episodes


def practise(
    engine: TransformersEngine,
    suite: Suite,
    tasks: Sequence[Task],
    manner: Manner,
    schedule: Schedule,
    *,
    at_once: int = 6,
    group: int = 6,
    scaled: bool = False,
) -> Iterator[Practised]:
    """Train the adapter `LIVE` on its own episodes, `at_once` tasks a step; one item for each step."""
    curriculum = Curriculum(tasks, schedule.seed)
    rounds: list[tuple[Round, list[Episode]]] = []

    def fresh(step: int) -> list[Exposure]:
        seed = schedule.seed * 100_003 + step
        found, episodes = roll_out(
            engine, suite, curriculum.deal(at_once), manner, group=group, seed=seed, scaled=scaled
        )
        curriculum.note(episodes)
        rounds.append((found, episodes))
        return found.exposures

    for update in train(engine, [], [], schedule, fresh):
        found, episodes = rounds.pop()
        kinds: dict[str, list[float]] = defaultdict(list)
        for episode in episodes:
            kinds[episode.task.family].append(episode.score)
        means = {kind: sum(scores) / len(scores) for kind, scores in sorted(kinds.items())}
        yield Practised(update.step, found.reward, found.zero_variance, means, update)


def tried(
    engine: TransformersEngine,
    suite: Suite,
    tasks: Sequence[Task],
    manner: Manner,
    adapter: str | None,
    *,
    temperature: float = 0.0,
    seed: int = 0,
) -> list[float]:
    """Each task's score, tried once under `adapter`."""
    envs = []
    for task in tasks:
        env = Env(suite)
        env.reset(task, seed)
        envs.append(env)
    with engine.using(adapter):
        return [episode.score for episode in play(engine, envs, manner, temperature=temperature, seed=seed)]


def divided(tasks: Sequence[Task], held_out: int, seed: int) -> tuple[list[Task], list[Task]]:
    """Tasks to practise, and about `held_out` to be measured on; drills of one task stay on one side."""
    whole: dict[str, list[Task]] = defaultdict(list)
    for task in tasks:
        whole[task.id.partition("/")[0]].append(task)
    names = list(whole)
    random.Random(seed).shuffle(names)
    held: list[Task] = []
    while names and len(held) < held_out:
        held += whole[names.pop()]
    return [task for name in names for task in whole[name]], held


def chosen(tasks: Sequence[Task], count: int) -> tuple[list[Task], list[Task]]:
    """So many examples, of as many families as there are, and the tasks that are left."""
    kinds: dict[str, list[Task]] = defaultdict(list)
    for task in tasks:
        kinds[task.family].append(task)
    turns = sorted((place, number) for number, kind in enumerate(kinds.values()) for place in range(len(kind)))
    families = list(kinds.values())
    examples = [families[number][place] for place, number in turns[:count]]
    taken = {task.id for task in examples}
    return examples, [task for task in tasks if task.id not in taken]
