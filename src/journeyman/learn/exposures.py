"""Exposures: what a student can learn from, each with its teacher's view.

They come from answers that the sessions prove (heard once and kept: no rollout, and no teacher pass after the first),
from the student's own rollouts (sampled now, scored by the teacher), and from what must not change (`learn.quiet`).

Always holds: a teacher's states are those of its own prompt, in front of the very tokens that the student is trained
on; nothing here changes a weight.

Knows token ids and hidden states, not what they say.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from journeyman.model import Ids
from journeyman.model.transformers_engine import TransformersEngine

LIVE = "live"  # the adapter state that is being trained
SURE = 0.9


@dataclass(frozen=True)
class Exposure:
    """One thing to learn from, with the veteran's view of it.

    veteran_RH: the veteran's states [len(response), H] that predict each response token; hard_R: bool
    [len(response)], True where the token itself is the target (cross-entropy), because the veteran is not
    sure of what the session proves.
    """

    prompt: tuple[int, ...]
    response: tuple[int, ...]
    veteran_RH: torch.Tensor
    hard_R: torch.Tensor

    @property
    def sequence(self) -> tuple[int, ...]:
        """What goes through the model: all but the last token, which only has to be predicted."""
        return (*self.prompt, *self.response[:-1])


def observe(engine: TransformersEngine, teacher: str | None, cases: Sequence[tuple[Ids, Ids, Ids]]) -> list[Exposure]:
    """Exposures from (student's prompt, teacher's prompt, response), scored by the teacher now: the response is only a
    place to hear the teacher."""
    with engine.using(teacher):
        states = engine.states([(shown, response) for _, shown, response in cases])
    return [
        Exposure(
            tuple(prompt), tuple(response), states_RH, torch.zeros(len(response), dtype=torch.bool).to(states_RH.device)
        )
        for (prompt, _, response), states_RH in zip(cases, states, strict=True)
    ]


def proven(
    engine: TransformersEngine, exposures: Sequence[Exposure]
) -> tuple[list[Exposure], list[tuple[torch.Tensor, torch.Tensor]]]:
    """The exposures of responses that the sessions themselves vouch for, and how the teacher hears each response
    (`TransformersEngine.heard`).

    Where the teacher gives a token less than `SURE`, the token is the target: what a small teacher would say besides is
    mostly noise.
    """
    heard = engine.heard([each.veteran_RH for each in exposures], [each.response for each in exposures])
    return [
        replace(each, hard_R=logp_R.exp() < SURE) for each, (logp_R, _) in zip(exposures, heard, strict=True)
    ], heard


def said(engine: TransformersEngine, reply: Sequence[int], max_new_tokens: int) -> list[int]:
    """A generated reply as a response: with its end, unless it was cut."""
    return [*reply] if len(reply) == max_new_tokens else [*reply, engine.end_id]


def roll_out(
    engine: TransformersEngine,
    teacher: str | None,
    prompts: Sequence[tuple[Ids, Ids]],
    *,
    max_new_tokens: int,
    seed: int,
) -> list[Exposure]:
    """On-policy exposures: the live student answers each (student's prompt, teacher's prompt) at temperature 1, the
    teacher scores what it said."""
    with engine.using(LIVE):
        replies = engine.generate(
            [prompt for prompt, _ in prompts], max_new_tokens=max_new_tokens, temperature=1.0, seed=seed
        )
    return observe(
        engine,
        teacher,
        [
            (prompt, shown, said(engine, reply, max_new_tokens))
            for (prompt, shown), reply in zip(prompts, replies, strict=True)
        ],
    )


@torch.no_grad()
def disagreement(
    engine: TransformersEngine, teacher: str | None, student: str | None, case: tuple[Ids, Ids, Ids]
) -> list[dict[str, str | float]]:
    """For each token of a response: KL(teacher || student) in nats, and what either would rather have said."""
    prompt, shown, response = case
    with engine.using(teacher):
        teacher_RV = engine.logits(engine.states([(shown, response)])[0]).log_softmax(1)
    with engine.using(student):
        student_RV = engine.logits(engine.states([(prompt, response)])[0]).log_softmax(1)
    kl_R = (teacher_RV.exp() * (teacher_RV - student_RV)).sum(1)
    return [
        {
            "text": engine.decode([token]),
            "kl": float(kl_R[place]),
            "veteran": engine.decode([int(teacher_RV[place].argmax())]),
            "student": engine.decode([int(student_RV[place].argmax())]),
        }
        for place, token in enumerate(response)
    ]
