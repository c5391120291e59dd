"""What a night repeats of earlier nights: some of what they trained, beside its own, and their questions to judge by.

A night that starts from an adapter trains on a share of the situations that the nights of that adapter's line have
trained, each with the lesson that it came from. The lesson, and not what the round's start says: an answer that has
faded comes back, and no fault is handed on from night to night. Afterwards earlier nights' questions are asked again,
each against the best of those who have known the answer.

Always holds: nothing is repeated of a session that may not be used any more (what was erased is in no night of a line);
nor of a fact that the same user has stated otherwise since: its questions are asked with the newer answer; no question
that is judged by is trained on tonight; the same line and seed give the same choice.

Knows what the phases of a night hand on; how one trains and who contradicts whom is others' to know.
"""

from __future__ import annotations

import math
import random
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from journeyman.capture import conversations
from journeyman.dream import english
from journeyman.dream.situations import consistent
from journeyman.dream.spans import Span
from journeyman.records import Situation
from journeyman.registry.adapters import LEARNING
from journeyman.registry.lineage import RECALLED, Lineages

if TYPE_CHECKING:
    from journeyman.learn.exposures import Exposure
    from journeyman.night import Night, Output
    from journeyman.store import Store

PHASE = RECALLED
TIMES = 2  # that each repeated situation is dealt in a night: more situations rather than the same ones again
ASKED = 150  # questions of earlier nights to judge by; of so many a loss can be told from chance


@dataclass(frozen=True)
class Taught:
    """What one night of a line has taught, as far as its sessions may still be used: the situations that it trained,
    those that it held out, and the facts that they are about. `adapter`: what the night left."""

    adapter: str
    facts: tuple[Span, ...]
    train: tuple[Situation, ...]
    heldout: tuple[Situation, ...]


class Line:
    """The nights behind an adapter ("": none), oldest first. `kept`: all that may be learnt from, where it has been
    read already. `users`: who brought the sessions that facts come from, as far as they may be learnt from still."""

    def __init__(
        self, store: Store, tenant: str, parent: str, kept: Sequence[conversations.Conversation] | None = None
    ) -> None:
        makings = Lineages(store, tenant).of(parent)[::-1] if parent else []
        if kept is None or not makings:
            kept = conversations.kept(store, *LEARNING, tenant=tenant) if makings else []
        ids = {each.session.id: each.session.user for each in kept}
        answers = {receipt: each.session.user for each in kept for receipt in each.receipts}
        self.users: dict[str, str] = {}
        self.facts: list[Span] = []  # all, whatever may be used of them
        self.taught: list[Taught] = []
        for making in makings:
            outputs = {name: phase.output for name, phase in store.phases(making.night).items()}
            said = outputs.get("extract lessons", {}).get("facts", ())
            facts = [Span.from_json(fact) for fact in said]
            self.facts += facts

            def usable(session: str, receipts: Mapping[str, Sequence[str]] = making.receipts) -> bool:
                # A conversation that has gone on has another id, and holds the same answers.
                return session in ids or (bool(receipts.get(session)) and answers.keys() >= set(receipts[session]))

            for session in {fact.lesson.session_id for fact in facts if usable(fact.lesson.session_id)}:
                self.users[session] = ids[session] if session in ids else answers[making.receipts[session][0]]
            held = map(Situation.from_json, outputs.get("dream situations", {}).get("heldout", ()))
            lessons = {fact.lesson.id for fact in facts if usable(fact.lesson.session_id)}
            self.taught.append(
                Taught(
                    making.adapter,
                    tuple(fact for fact in facts if fact.lesson.id in lessons),
                    tuple(each for each in making.situations if each.lesson_id in lessons),
                    tuple(each for each in held if each.lesson_id in lessons),
                )
            )

    @property
    def sessions(self) -> list[str]:
        """Those that something may be repeated of."""
        return sorted({fact.lesson.session_id for night in self.taught for fact in night.facts})

    def asked(self, fact: Span) -> list[Situation]:
        """What nights asked about a fact, first what they held out."""
        of = (fact.lesson.id, fact.text)
        found = [each for night in self.taught for each in (*night.heldout, *night.train)]
        return [each for each in found if (each.lesson_id, each.evidence) == of]


def renewed(line: Line, said: Output) -> tuple[list[Situation], list[Output]]:
    """Of facts that their user states otherwise tonight, the questions of earlier nights with the newer answer: those
    to train on, and one for each fact, with what `was` the answer, to see by whether that still comes."""
    chosen = {(fact.lesson.id, fact.start) for fact in map(Span.from_json, said["facts"])}
    train: dict[str, Situation] = {}
    kept: dict[str, Output] = {}
    for pair in said["changed"]:
        was, now = Span.from_json(pair["was"]), Span.from_json(pair["now"])
        if (now.lesson.id, now.start) not in chosen:
            continue
        again = [replace(each, lesson_id=now.lesson.id, evidence=now.text) for each in line.asked(was)]
        again = [each for each in again if not english.holds(each.prompt, now.text)]
        if again:
            kept[again[0].id] = {**again[0].to_json(), "was": was.text}
            train |= {each.id: each for each in again[1:]}
    return [each for id, each in train.items() if id not in kept], list(kept.values())


def recall(night: Night, said: Output, dreams: Output) -> Output:
    """What is repeated tonight of what earlier nights trained, and what is asked of it; with the lessons of both."""
    line, options = night.line, night.options
    changed = {(was.lesson.id, was.text) for was in (Span.from_json(pair["was"]) for pair in said["changed"])}
    texts = {fact.lesson.id: fact.lesson.text for each in line.taught for fact in each.facts}

    def holds(each: Situation) -> bool:
        return (each.lesson_id, each.evidence) not in changed

    tonight = [Situation.from_json(value) for side in ("train", "heldout") for value in dreams[side]]
    tonight += [Situation.from_json(_plain(value)) for value in dreams["changed"]]
    earlier = [each for one in line.taught for each in (*one.train, *one.heldout) if holds(each)]
    # What is asked for otherwise tonight, in the same words, is not repeated.
    fair = {each.id for each in consistent([*tonight, *earlier])} - {each.id for each in tonight}
    trained = _spread((each for one in line.taught for each in one.train if holds(each) and each.id in fair), night)
    rows = round(options.replay * options.rows) if trained else 0
    train = trained[: math.ceil(rows * options.steps / TIMES)]
    again = {each.id for each in train}
    asked: list[Output] = []
    of = {each.id: one.adapter for one in reversed(line.taught) for each in (*one.heldout, *one.train)}
    heldout = _spread((each for one in line.taught for each in one.heldout if holds(each) and each.id in fair), night)
    for each in dict.fromkeys([*heldout, *trained]):
        if each.id not in again and len(asked) < ASKED:
            asked.append({**each.to_json(), "adapter": of[each.id]})
    used = {each.lesson_id for each in train} | {each["lesson_id"] for each in asked}
    return {
        "lessons": {id: texts[id] for id in sorted(used)},
        "train": [each.to_json() for each in train],
        "rows": rows,
        "asked": asked,
        "changed": len(changed),
    }


@dataclass
class Repeated:
    """Which earlier situations are trained again at which step. `known`: how many of them the round's start still knew,
    of `n`; `dealt`: the ids of those that a step has."""

    steps: list[list[Exposure]] = field(default_factory=list)
    dealt: list[str] = field(default_factory=list)
    n: int = 0
    known: int = 0

    @classmethod
    def of(cls, night: Night, recalled: Output) -> Repeated:
        """Of the phase's output (empty: there is none)."""
        if not recalled.get("rows"):
            return cls()
        from journeyman.learn import lift

        situations = [Situation.from_json(value) for value in recalled["train"]]
        lessons = recalled["lessons"]
        lifts, exposures = lift.measure(
            night.engine, night.veteran, [(lessons[s.lesson_id], s.prompt, s.evidence) for s in situations]
        )
        # What is known is trained too: it is to stay so.
        useful = [
            (situation.id, exposure)
            for situation, exposure, found in zip(situations, exposures, lifts, strict=True)
            if found.route != "lesson does not help"
        ]
        dealt: dict[str, None] = {}
        chance, deck = random.Random(f"{night.seed}:replay"), list[int]()
        steps: list[list[Exposure]] = []
        for _ in range(night.options.steps if useful else 0):
            hand: list[Exposure] = []
            while len(hand) < min(recalled["rows"], len(useful)):
                deck = deck or chance.sample(range(len(useful)), len(useful))
                id, exposure = useful[deck.pop()]
                dealt[id] = None
                hand.append(exposure)
            steps.append(hand)
        return cls(steps, sorted(dealt), len(useful), sum(found.route == "already known" for found in lifts))

    def at(self, step: int) -> Sequence[Exposure]:
        return self.steps[step] if step < len(self.steps) else ()

    def to_json(self) -> Output:
        if not self.n:
            return {}
        rows = sum(map(len, self.steps))
        return {"replayed": {"situations": self.n, "known": self.known, "rows": rows, "dealt": self.dealt}}


def judge(night: Night, dreams: Output, recalled: Output, candidate: str, champion: str | None) -> Output:
    """How many of earlier nights' questions the candidate still answers, and what it says of facts that changed."""
    from journeyman.evaluate import earlier

    engine, found = night.engine, dict[str, Any]()
    if asked := recalled.get("asked"):
        items = [(Situation.from_json(_plain(value)), value["adapter"]) for value in asked]
        paths = {adapter: night.adapters.path(adapter) for _, adapter in items}
        found["earlier"] = earlier.measured(engine, items, paths, night.veteran, candidate)
        found["earlier"]["all"] = len(asked) < ASKED
    if changed := dreams["changed"]:
        facts = [(Situation.from_json(_plain(value)), value["was"]) for value in changed]
        found["changed"] = earlier.updates(engine, facts, candidate, champion)
    return found


def _plain(value: Output) -> Output:
    return {name: each for name, each in value.items() if name not in ("adapter", "was")}


def _spread(situations: Iterable[Situation], night: Night) -> list[Situation]:
    """In a seeded order in which every fact comes once before any comes again."""
    by_fact: defaultdict[tuple[str, str], dict[str, Situation]] = defaultdict(dict)
    for each in situations:
        by_fact[each.lesson_id, each.evidence][each.id] = each
    chance = random.Random(f"{night.seed}:recall")
    hands = [chance.sample(list(mine.values()), len(mine)) for mine in by_fact.values()]
    chance.shuffle(hands)
    longest = max(map(len, hands), default=0)
    return [hand[turn] for turn in range(longest) for hand in hands if turn < len(hand)]
