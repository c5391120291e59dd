"""The veteran's lift: what having the lesson is worth, situation by situation, and where each situation goes.

Lift is log p(evidence | lesson, prompt) - log p(evidence | prompt), in nats a token. A situation whose evidence the
student knows already needs no training. One whose evidence the veteran would have said is distilled (OPSD). One where
the veteran falters although the session proves the answer is replayed: its evidence is the target where the veteran
is not sure of it (`Exposure.hard_R`). One on which the lesson does not help is dropped: it is not about that lesson.

Always holds: the route is decided before any training; the veteran is the round's start with the lesson first in its
prompt, and the question is never cut.

Knows prompts and evidence, not sessions.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from journeyman.learn.exposures import Exposure, observe, proven
from journeyman.model.transformers_engine import TransformersEngine

LiftRoute = Literal["opsd", "replay", "already known", "lesson does not help"]
KNOWN = math.log(0.5)  # a student that gives every evidence token more than half needs no lesson
MIN_LIFT = 0.2  # nats a token
LEAD_IN = "You said:"


@dataclass(frozen=True)
class Lift:
    """Mean log p of the evidence's tokens with the lesson (`veteran`) and without (`student`), and the route."""

    veteran: float
    student: float
    route: LiftRoute


def veteran_prompt(engine: TransformersEngine, lesson: str, evidence: str, question: str) -> list[int]:
    """What the veteran is shown: the lesson first, then what it comes down to, then the question, never cut.

    Lesson and evidence stand before the question, so that all wordings about a fact share their encoding.
    """
    return engine.user(f"Notes about me:\n{lesson}\n{LEAD_IN} {evidence}\n\nFrom the notes: {question}")


def answer(engine: TransformersEngine, evidence: str) -> tuple[list[int], int]:
    """The proven answer as token ids, and how many of them are its lead-in, which is manner and not evidence.

    The lead-in says where the answer comes from, and gives the model some positions to think of it: a fact that has to
    be the very first token is learnt more slowly.
    """
    ids = engine.encode(f"{LEAD_IN} {evidence}")
    return [*ids, engine.end_id], len(engine.encode(LEAD_IN))


def measure(
    engine: TransformersEngine, veteran: str | None, cases: Sequence[tuple[str, str, str]]
) -> tuple[list[Lift], list[Exposure]]:
    """Lift and exposure of each (lesson, question, evidence). `veteran` is the round-start adapter (None: the base)."""
    answers = [answer(engine, evidence) for _, _, evidence in cases]
    triples = [
        (engine.user(question), veteran_prompt(engine, lesson, evidence, question), response)
        for (lesson, question, evidence), (response, _) in zip(cases, answers, strict=True)
    ]
    exposures, with_lesson = proven(engine, observe(engine, veteran, triples))
    with engine.using(veteran):
        alone = engine.heard(
            engine.states([(prompt, response) for prompt, _, response in triples]),
            [each.response for each in exposures],
        )
    lifts: list[Lift] = []
    for (response, lead), (logp_R, likeliest_R), (alone_R, _) in zip(answers, with_lesson, alone, strict=True):
        evidence = slice(lead, len(response) - 1)
        v, s = float(logp_R[evidence].mean()), float(alone_R[evidence].mean())
        lifts.append(Lift(v, s, _route(v, s, falters=not bool(likeliest_R[evidence].all()))))
    return lifts, exposures


def _route(veteran: float, student: float, *, falters: bool) -> LiftRoute:
    """`falters`: the veteran by itself would have said another token somewhere in the evidence."""
    if student > KNOWN:
        return "already known"
    if veteran - student < MIN_LIFT:
        return "lesson does not help"
    return "replay" if falters else "opsd"
