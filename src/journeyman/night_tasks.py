"""What a night makes of calls of tools: tasks in a world that is dreamed of them, some to train on, some to judge by.

The world comes of all sessions that the night reads, or that its line has learned from before, and that hold calls. In
training, each decision of a task that is solved by construction is an exposure of its own: what the model is asked with
by day at that moment, and the call that was right. Afterwards the candidate, and who it has to beat, do those tasks
that were kept to judge by.

Always holds: a night without calls of tools is what it would be without this file; no session enters that may not be
used for training and for dreams; each task names the sessions that it came from; so many decisions are trained on as
the night's `dream_steps` say, at most.

Knows what the phases of a night hand on; how a world is dreamed, and what may be practised in it, is `dream`'s to know.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from journeyman.capture import conversations
from journeyman.dream.practice import Practice, practice, walked
from journeyman.dream.worlds.agreement import known
from journeyman.dream.worlds.tasks import BUDGET
from journeyman.errors import WorldError
from journeyman.morning import DREAMED
from journeyman.records import content_hash
from journeyman.registry.adapters import LEARNING, learnt
from journeyman.world.actions import Call
from journeyman.world.task import Task

if TYPE_CHECKING:
    from journeyman.learn.calling import Shown, Work
    from journeyman.learn.exposures import Exposure
    from journeyman.night import Night, Output

PHASE = DREAMED
TOO_LONG = "the model cannot be asked with it"
MASTERED = "the model does it already"


class Dreams:
    """`on`: whether this night dreams tasks; `earlier`: the sessions of former nights that its world is made of too."""

    def __init__(self, night: Night) -> None:
        self._night, self._found = night, list[Practice]()
        self.on = night.options.dream_steps > 0 and any(
            turn.tool_calls for session in night.sessions for turn in session.turns
        )
        self.earlier: list[conversations.Conversation] = []
        if self.on and night.parent:
            known = learnt(night.store, night.adapters, night.parent, night.tenant)
            known -= {session.id for session in night.sessions}
            self.earlier = conversations.kept(night.store, *LEARNING, tenant=night.tenant, ids=known)

    def spec(self, options: Mapping[str, Any]) -> Output:
        """What a night's key says of its options and of its dreams."""
        if self.on:
            return {"options": dict(options), "earlier": [each.session.id for each in self.earlier]}
        return {"options": {name: value for name, value in options.items() if name != "dream_steps"}}

    @property
    def conversations(self) -> list[conversations.Conversation]:
        return [*self.earlier, *self._night.conversations]

    def practice(self) -> Practice:
        """Dreamed once; of a night that was resumed, dreamed anew, and the same."""
        if not self._found:
            budget = max(BUDGET, self._night.options.dream_steps)
            new = {session.id for session in self._night.sessions}
            came = known(self.conversations, self._night.store.outcomes(self._night.tenant))
            self._found.append(practice([each.session for each in self.conversations], new, budget, came))
        return self._found[0]


def dream(night: Night) -> Output:
    """The card of the world, and its tasks with all that training needs of them."""
    from journeyman.learn import difficulty
    from journeyman.learn.calling import reach

    found = night.dreams.practice()
    output: Output = {**found.to_json(), "train": [], "heldout": [], "tools": {}, "fingerprint": ""}
    if found.dreamed is None or found.why:
        return output
    output["fingerprint"] = found.dreamed.suite.fingerprint
    asked = {each.session.id: each for each in night.dreams.conversations}
    dropped = Counter(found.dropped)
    for side, tasks in (("train", found.train), ("heldout", found.heldout)):
        for task in tasks:
            entry, tools = _entry(found, task, asked[found.dreamed.tasks.origins[task.id].session])
            works = _works([entry], {entry["tools"]: tools})
            if any(reach(night.engine, *work) for work in works.values()):
                dropped[TOO_LONG] += 1
                continue
            output["tools"].setdefault(entry["tools"], tools)
            output[side].append(entry)
    works = _works(output["train"], output["tools"])
    hard = dict(zip(works, difficulty.chances(night.engine, night.veteran, list(works.values())), strict=True))
    bands = {id: difficulty.band(chance) for id, chance in hard.items()}
    output["difficulty"] = dict(sorted(Counter(bands.values()).items()))
    left = [entry for entry in output["train"] if bands[entry["id"]] != difficulty.ALWAYS]
    if len(left) < len(output["train"]):
        dropped[MASTERED] += len(output["train"]) - len(left)
    why = MASTERED if output["train"] and not left else "no task is left that the model can be asked with"
    output["train"] = left
    if not output["train"] or not output["heldout"]:
        output |= {"why": why, "train": [], "heldout": []}
    return {**output, "dropped": dict(sorted(dropped.items()))}


@dataclass
class Dealt:
    """Which tasks are trained on at which step. `lineage`: what the adapter's own file says of them."""

    steps: list[list[Exposure]] = field(default_factory=list)
    tasks: list[str] = field(default_factory=list)
    tokens: int = 0  # that the decisions have, what they share counted once a step

    @classmethod
    def of(cls, night: Night, tasks: Output) -> Dealt:
        """Of the phase's output (empty: there are none)."""
        if not tasks.get("train"):
            return cls()
        from journeyman.learn.calling import decisions, endings
        from journeyman.learn.exposures import verbatim
        from journeyman.model.packing import pack

        engine, options = night.engine, night.options
        works = _works(tasks["train"], tasks["tools"])
        sizes = {id: len(work.steps) + 1 for id, (_, work) in works.items()}  # and to stop
        deals = dealt(list(sizes.values()), options.dream_steps, options.steps, night.seed)
        names = list(works)
        used = [names[number] for number in sorted({number for hand in deals for number in hand})]
        ends = endings(engine, night.veteran, [works[id] for id in used])
        exposures = {
            id: [verbatim(engine, *pair) for pair in (*decisions(engine, *works[id]), end)]
            for id, end in zip(used, ends, strict=True)
        }
        steps = [[each for number in hand for each in exposures[names[number]]] for hand in deals]
        tokens = sum(
            packed.tokens
            for hand in steps
            if hand
            for packed in pack([each.sequence for each in hand], engine.batching.pack_tokens)
        )
        return cls(steps, used, tokens)

    def at(self, step: int) -> Sequence[Exposure]:
        return self.steps[step] if step < len(self.steps) else ()

    @property
    def lineage(self) -> Output:
        return {"tasks": self.tasks} if self.tasks else {}

    def to_json(self) -> Output:
        if not self.tasks:
            return {}
        return {"dreamed": {"steps": sum(map(len, self.steps)), "tokens": self.tokens, "tasks": self.tasks}}


def dealt(sizes: Sequence[int], budget: int, steps: int, seed: int) -> list[list[int]]:
    """For each step of the training the works that are practised in it, by number, spread evenly: a work of n decisions
    when so much of the budget has come together. Every work comes once, in a seeded order, before any comes again."""
    fits = [number for number, size in enumerate(sizes) if size <= budget]
    chance, deck, spent = random.Random(f"{seed}:dreams"), list[int](), 0
    found: list[list[int]] = []
    for step in range(steps):
        hand: list[int] = []
        while fits:
            deck = deck or chance.sample(fits, len(fits))
            if spent + sizes[deck[-1]] > budget * (step + 1) // steps:
                break
            spent += sizes[deck[-1]]
            hand.append(deck.pop())
        found.append(hand)
    return found


def judge(night: Night, tasks: Output, candidate: str, champion: str | None) -> Output:
    """How many of the tasks that were kept apart the candidate does, and how many who it has to beat."""
    if not tasks.get("heldout"):
        return {}
    from journeyman.evaluate import dreamed
    from journeyman.learn.calling import ByDay

    world = night.dreams.practice().dreamed
    if world is None or world.suite.fingerprint != tasks["fingerprint"]:
        raise WorldError(
            "the world that this night has dreamed is not what the same sessions are dreamed to now",
            "begin another night: give another --seed",
        )
    works = _works(tasks["heldout"], tasks["tools"])
    manner = ByDay.of(
        night.engine, {id: shown for id, (shown, _) in works.items()}, {id: work for id, (_, work) in works.items()}
    )
    found = dreamed.measured(
        night.engine, world.suite, [world.suite.task(id) for id in works], manner, candidate, champion
    )
    sessions = {entry["id"]: entry["origin"]["session"] for entry in tasks["heldout"]}
    return {"tasks": {**found, "clusters": [sessions[id] for id in works]}}


def _entry(found: Practice, task: Task, source: conversations.Conversation) -> tuple[Output, list[dict[str, Any]]]:
    """A task as plain JSON, and the tools that are shown with it: those that the client of its session showed, if the
    task needs no other."""
    assert found.dreamed is not None
    suite, origin = found.dreamed.suite, found.dreamed.tasks.origins[task.id]
    steps = walked(suite, task)
    tools = source.tools
    if not {call.tool for call, _ in steps} <= {each["function"].get("name") for each in tools}:
        tools = suite.rules.schemas()
    first = source.session.turns[0]
    entry = {
        "id": task.id,
        "kind": origin.how,
        "instruction": task.instruction,
        "system": first.content if first.role == "system" else "",
        "tools": content_hash(tools),
        "steps": [[call.tool, dict(call.args), answer] for call, answer in steps],
        "origin": origin._asdict(),
        "sessions": list(origin.sessions),
    }
    return entry, tools


def _works(entries: Sequence[Output], tools: Mapping[str, Sequence[Any]]) -> dict[str, tuple[Shown, Work]]:
    """By the task's id."""
    from journeyman.learn.calling import Shown, Work

    return {
        entry["id"]: (
            Shown(entry["system"], tuple(tools[entry["tools"]])),
            Work(entry["instruction"], tuple((Call(tool, args), answer) for tool, args, answer in entry["steps"])),
        )
        for entry in entries
    }
