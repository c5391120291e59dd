"""Supervised fine-tuning (SFT), the rival that asks for no rollout: repeat what was said, token by token.

`replay` repeats transcripts. `veteran_samples` repeats what the veteran says with the lesson in its prompt: off-policy
context distillation, with the veteran's words as targets or, `soft`, its whole distribution along them.

Always holds: no token of these exposures was chosen by the student.

Knows token ids, not where a transcript comes from.
"""

from __future__ import annotations

from collections.abc import Sequence

from journeyman.learn.exposures import Exposure, observe, replies_of, verbatim
from journeyman.model import Ids
from journeyman.model.transformers_engine import TransformersEngine


def replay(engine: TransformersEngine, transcripts: Sequence[tuple[Ids, Ids]]) -> list[Exposure]:
    """The exposures of (prompt, response) pairs; give the token that ends a turn as part of the response."""
    return [verbatim(engine, prompt, response) for prompt, response in transcripts]


def veteran_samples(
    engine: TransformersEngine,
    teacher: str | None,
    prompts: Sequence[tuple[Ids, Ids]],
    *,
    max_new_tokens: int,
    seed: int,
    temperature: float = 1.0,
    soft: bool = False,
) -> list[Exposure]:
    """The veteran answers each (student's prompt, teacher's prompt), and the student is to say the same unprompted."""
    responses = replies_of(
        engine,
        teacher,
        [shown for _, shown in prompts],
        max_new_tokens=max_new_tokens,
        temperature=temperature,
        seed=seed,
    )
    if not soft:
        return replay(engine, [(prompt, response) for (prompt, _), response in zip(prompts, responses, strict=True)])
    cases = [(prompt, shown, response) for (prompt, shown), response in zip(prompts, responses, strict=True)]
    return observe(engine, teacher, cases)
