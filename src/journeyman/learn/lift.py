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

import torch

from journeyman.learn.opsd import Exposure, observe
from journeyman.model.transformers_engine import HEAD_ROWS, TransformersEngine

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

    @property
    def nats(self) -> float:
        return self.veteran - self.student


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
    exposures = observe(engine, veteran, triples, proven=True)
    with engine.using(veteran):
        alone = engine.states([(prompt, response) for prompt, _, response in triples])
    evidences = [slice(lead, len(response) - 1) for response, lead in answers]
    targets = [response[part] for (response, _), part in zip(answers, evidences, strict=True)]
    with_lesson = _mean_log_p(
        engine, [e.veteran_RH[part] for e, part in zip(exposures, evidences, strict=True)], targets
    )
    without = _mean_log_p(engine, [states_RH[part] for states_RH, part in zip(alone, evidences, strict=True)], targets)
    lifts = [
        Lift(v, s, _route(v, s, _falters(engine, exposure.veteran_RH[part], target)))
        for v, s, exposure, part, target in zip(with_lesson, without, exposures, evidences, targets, strict=True)
    ]
    return lifts, exposures


def _route(veteran: float, student: float, falters: bool) -> LiftRoute:
    if student > KNOWN:
        return "already known"
    if veteran - student < MIN_LIFT:
        return "lesson does not help"
    return "replay" if falters else "opsd"


def _falters(engine: TransformersEngine, states_RH: torch.Tensor, target: Sequence[int]) -> bool:
    """Whether the veteran by itself would have said another token anywhere in the evidence."""
    return engine.logits(states_RH).argmax(1).tolist() != list(target)


@torch.no_grad()
def _mean_log_p(
    engine: TransformersEngine, states: Sequence[torch.Tensor], targets: Sequence[Sequence[int]]
) -> list[float]:
    if not states:
        return []
    flat_NH = torch.cat(list(states))
    flat_N = torch.tensor([token for target in targets for token in target], device=engine.device)
    values: list[float] = []
    for hidden_NH, target_N in zip(flat_NH.split(HEAD_ROWS), flat_N.split(HEAD_ROWS), strict=True):
        logits_NV = engine.logits(hidden_NH)
        values += (logits_NV.gather(1, target_N[:, None])[:, 0] - logits_NV.logsumexp(1)).tolist()
    means: list[float] = []
    start = 0
    for target in targets:
        means.append(sum(values[start : start + len(target)]) / max(1, len(target)))
        start += len(target)
    return means
