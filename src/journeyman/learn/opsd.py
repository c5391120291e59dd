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
