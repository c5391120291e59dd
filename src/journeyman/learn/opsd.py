"""On-policy self-distillation (OPSD): pull the student, who sees the prompt alone, to the veteran, who has the lesson.

The student answers, the veteran scores every token that it said, and the student is trained towards the veteran's
distribution at each of them (`learn.trainer`; full-vocabulary forward KL by default).
SDFT, arXiv:2601.19897; on-policy distillation with forward KL as in GKD, arXiv:2306.13649.

Always holds: the veteran is an adapter state that does not change meanwhile, the round's start, and never the live
student.

Knows token ids; what stands in the veteran's prompt is the caller's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from journeyman.learn.exposures import LIVE, Exposure, observe, replies_of
from journeyman.model import Ids
from journeyman.model.transformers_engine import TransformersEngine


def roll_out(
    engine: TransformersEngine,
    teacher: str | None,
    prompts: Sequence[tuple[Ids, Ids]],
    *,
    max_new_tokens: int,
    seed: int,
    temperature: float = 1.0,
) -> list[Exposure]:
    """The live student answers each (student's prompt, teacher's prompt); the teacher scores what it said."""
    replies = replies_of(
        engine,
        LIVE,
        [prompt for prompt, _ in prompts],
        max_new_tokens=max_new_tokens,
        temperature=temperature,
        seed=seed,
    )
    cases = [(prompt, shown, reply) for (prompt, shown), reply in zip(prompts, replies, strict=True)]
    return [replace(each, sampled=True) for each in observe(engine, teacher, cases)]


def forks(
    engine: TransformersEngine, teacher: str | None, cases: Sequence[tuple[Ids, Ids, Ids]], student: str | None = None
) -> list[float | None]:
    """Of each (student's prompt, teacher's prompt, proven reply): the teacher's probability of the reply's token at the
    fork, the first place where the student's likeliest token is another one; None where there is none.

    Before the fork both go the same way, behind it the student's own replies are somewhere else. So a teacher that is
    sure there (`exposures.SURE`) leads them onto the reply, and one that is not leads them astray, however well it
    knows the rest: then train on the replies (`exposures.proven`).
    """
    replies = [reply for _, _, reply in cases]
    with engine.using(student):
        alone = engine.heard(engine.states([(prompt, reply) for prompt, _, reply in cases]), replies)
    with engine.using(teacher):
        shown = engine.heard(engine.states([(shown, reply) for _, shown, reply in cases]), replies)
    found: list[float | None] = []
    for (_, likeliest_R), (logp_R, _) in zip(alone, shown, strict=True):
        places = (~likeliest_R).nonzero()
        found.append(float(logp_R[places[0, 0]].exp()) if len(places) else None)
    return found
