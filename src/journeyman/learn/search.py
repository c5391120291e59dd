"""Search in a dream: better actions than the student's own habit, found by branching, and distilled into it.

Worlds fork for nothing, so several actions are tried from each state of an episode and not from its start alone. Those
that came furthest are gone on from (`width`); what reaches the verdict is a solution, and the student repeats it as
supervised fine-tuning does: rejection sampling over trees (expert iteration, Anthony et al. 2017, arXiv:1705.08439;
ReST, arXiv:2308.08998).

    for step in practise(engine, suite, tasks, manner, Schedule(steps=12, rows=12), budget=288):
        print(step.found, step.steps)

Always holds: a solution is what the student itself wrote and the verifier paid for; what guides the search (how much of
a task is met) pays nothing; so many actions are tried as the budget says, at most.

Knows worlds, the trainer and SFT; nothing of sessions.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from journeyman.errors import ModelError
from journeyman.learn.acting import Episode, Manner, Talk, spoken, understood
from journeyman.learn.exposures import LIVE, Exposure, verbatim
from journeyman.learn.rlvr import Curriculum
from journeyman.learn.trainer import Schedule, Step, train
from journeyman.model import Ids
from journeyman.model.transformers_engine import TransformersEngine
from journeyman.world.env import Env
from journeyman.world.suite import Suite
from journeyman.world.task import Task


@dataclass(frozen=True)
class Searched:
    """One step: how many of the `dealt` tasks were solved in it, the actions that this took, and the update."""

    step: int
    dealt: int
    found: int
    steps: int
    update: Step


@dataclass
class Node:
    """A state that a search has come to: the episode, its conversation, and the turns that led there."""

    env: Env
    talk: Talk
    turns: list[tuple[Ids, Ids]] = field(default_factory=list)


@dataclass
class Tree:
    """What a search for one task came to. `episodes`: all that were ended; `steps`: actions that were tried."""

    task: Task
    episodes: list[Episode] = field(default_factory=list)
    open: list[Node] = field(default_factory=list)
    steps: int = 0

    @property
    def solution(self) -> Episode | None:
        """The shortest that was paid."""
        paid = [each for each in self.episodes if each.score > 0]
        return min(paid, key=lambda each: (len(each.turns), sum(len(reply) for _, reply in each.turns)), default=None)


def search(
    engine: TransformersEngine,
    suite: Suite,
    tasks: Sequence[Task],
    manner: Manner,
    *,
    tries: int,
    width: int = 2,
    budget: int | None = None,
    seed: int = 0,
) -> list[Tree]:
    """For each task, from its start and then from the `width` states that came furthest, `tries` actions are sampled
    under the adapter that is active; a task that is solved is searched no further. `budget`: actions in all."""
    if tries < 1 or width < 1:
        raise ValueError("a search tries at least one action from at least one state")
    trees = [Tree(task) for task in tasks]
    for tree in trees:
        env = Env(suite)
        env.reset(tree.task, seed)
        tree.open = [Node(env, manner.begin(env))]
    left = budget
    for turn in range(manner.turns):
        growing = [tree for tree in trees if tree.open and tree.solution is None]
        states = [(tree, node) for tree in growing for node in tree.open]
        chances = (states * tries)[:left]  # each state in turn, so that a budget that ends here is shared
        if not chances:
            break
        for tree in growing:
            tree.open = []
        tried = _acted(engine, manner, chances, seed * manner.turns + turn)
        left = None if left is None else left - len(tried)
        for tree, node in tried:
            tree.steps += 1
            if node.env.info["over"]:
                tree.episodes.append(Episode(tree.task, node.turns, node.env.verdict))
            else:
                tree.open.append(node)
        for tree in growing:
            tree.open = _furthest(tree.open, width)
    for tree in trees:
        for node in tree.open:
            tree.episodes.append(Episode(tree.task, node.turns, node.env.leave()))
        tree.open = []
    return trees


def practise(
    engine: TransformersEngine,
    suite: Suite,
    tasks: Sequence[Task],
    manner: Manner,
    schedule: Schedule,
    *,
    budget: int,
    at_once: int = 4,
    tries: int = 6,
    width: int = 2,
) -> Iterator[Searched]:
    """Train the adapter `LIVE` on what it finds, `schedule.rows` turns a step, the new ones first and then earlier ones
    again; one item for each step. `budget`: actions that are tried in all, spread evenly over the steps.

    Of a task no more is tried than it takes: first one action from each state, the others where that one failed; so
    what is always solved costs little, and the budget goes to what is sometimes solved.
    """
    curriculum = Curriculum(tasks, schedule.seed)
    chance = random.Random(f"{schedule.seed}:again")
    kept: dict[str, list[Exposure]] = {}
    rounds: list[tuple[int, int, int]] = []
    spent = 0

    def fresh(step: int) -> list[Exposure]:
        nonlocal spent
        seed = schedule.seed * 100_003 + step
        most = budget * (step + 1) // schedule.steps - spent
        dealt: list[Task] = []
        new: list[Exposure] = []
        found = used = turn = 0
        while used < most:
            waiting = curriculum.deal(at_once)
            dealt += waiting
            for share in (1, tries - 1):  # the others only where the first has failed
                if not waiting or not share or used >= most:
                    break
                with engine.using(LIVE):
                    trees = search(
                        engine,
                        suite,
                        waiting,
                        manner,
                        tries=share,
                        width=width,
                        budget=most - used,
                        seed=seed * 1_009 + turn,
                    )
                turn += 1
                used += sum(tree.steps for tree in trees)
                curriculum.note([each for tree in trees for each in tree.episodes])
                for tree in trees:
                    if (solved := tree.solution) is not None:
                        found += 1
                        kept[tree.task.id] = [verbatim(engine, *each) for each in solved.turns]
                        new += kept[tree.task.id]
                waiting = [tree.task for tree in trees if tree.solution is None]
        spent += used
        rounds.append((len(dealt), found, used))
        mine = set(map(id, new))
        old = [each for exposures in kept.values() for each in exposures if id(each) not in mine]
        return [*new, *chance.sample(old, len(old))][: schedule.rows]

    for update in train(engine, [], [], schedule, fresh):
        yield Searched(update.step, *rounds.pop(), update)


def _acted(
    engine: TransformersEngine, manner: Manner, chances: Sequence[tuple[Tree, Node]], seed: int
) -> list[tuple[Tree, Node]]:
    """An action sampled from each of these states, on a fork of its own; none where the model reads no further."""
    asked: list[tuple[Tree, Node, list[int]]] = []
    for tree, node in chances:
        try:
            asked.append((tree, node, node.talk.prompt(engine)))
        except ModelError:
            if not node.turns:
                raise
    replies = engine.generate(
        [prompt for _, _, prompt in asked],
        max_new_tokens=manner.max_new_tokens,
        temperature=1.0,
        seed=seed,
        keep_end=True,
    )
    found: list[tuple[Tree, Node]] = []
    for (tree, node, prompt), reply in zip(asked, replies, strict=True):
        [env] = node.env.fork()
        talk = Talk(list(node.talk.messages), node.talk.tools)
        text = spoken(engine, reply)
        action = understood(text)
        env.step(action)
        manner.go_on(talk, text, action, env.observation)
        found.append((tree, Node(env, talk, [*node.turns, *([(prompt, reply)] if reply else [])])))
    return found


def _furthest(nodes: Sequence[Node], width: int) -> list[Node]:
    """Of those that stand where no other stands, the ones of whose task most is met: a fork that leaves says it."""
    apart = {(node.env.world.digest, node.env.observation): node for node in nodes}
    ranked = sorted(apart.values(), key=lambda node: -node.env.fork()[0].leave().progress)
    return ranked[:width]
