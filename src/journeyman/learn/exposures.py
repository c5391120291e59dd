"""Exposures: what a student can learn from, each with its teacher's view, its weight, or both.

One kind of item serves all ways to learn, since they differ in where a response comes from and in what is wanted of its
tokens. Answers that the sessions prove are heard once and kept (`proven`: no rollout, and no teacher pass after the
first); the student's own rollouts are scored by the teacher (`learn.opsd`) or by a reward (`learn.grpo`); transcripts
are repeated as they are (`learn.sft`); and what must not change is held (`learn.quiet`).

Always holds: a teacher's states are those of its own prompt, in front of the very tokens that the student is trained
on; nothing here changes a weight.

Knows token ids and hidden states, not what they say.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from journeyman.errors import TrainingError
from journeyman.model import Ids
from journeyman.model.transformers_engine import TransformersEngine

LIVE = "live"  # the adapter state that is being trained
SURE = 0.9


@dataclass(frozen=True)
class Exposure:
    """One thing to learn from; R is len(response).

    veteran_RH: the teacher's states that predict each response token (None: there is no teacher). hard_R: bool, True
    where the token itself is the target (cross-entropy); everywhere without a teacher. weight_R: what each token's
    loss is multiplied by (None: one). then_R: log p of each token when it was sampled, for responses of a student that
    has been trained since, or of another engine (None: it was the student of now). sampled: the live student said it.
    """

    prompt: tuple[int, ...]
    response: tuple[int, ...]
    veteran_RH: torch.Tensor | None
    hard_R: torch.Tensor
    weight_R: torch.Tensor | None = None
    then_R: torch.Tensor | None = None
    sampled: bool = False

    def __post_init__(self) -> None:
        if not self.prompt or not self.response:
            raise ValueError("an exposure needs a prompt and a response of at least one token each")
        if min(*self.prompt, *self.response) < 0:
            raise ValueError("an id is negative: give no -100 for what does not count, but prompt and response apart")
        for name in ("veteran_RH", "hard_R", "weight_R", "then_R"):
            given = getattr(self, name)
            if given is not None and len(given) != len(self.response):
                raise ValueError(f"{name} has {len(given)} rows for a response of {len(self.response)} tokens")
        if self.veteran_RH is None and not bool(self.hard_R.all()):
            raise ValueError("without a teacher every token has to be its own target: hard_R must be True")

    @property
    def sequence(self) -> tuple[int, ...]:
        """What goes through the model: all but the last token, which only has to be predicted."""
        return (*self.prompt, *self.response[:-1])


def replies_of(
    engine: TransformersEngine,
    adapter: str | None,
    prompts: Sequence[Ids],
    *,
    max_new_tokens: int,
    temperature: float = 0.0,
    seed: int = 0,
) -> list[list[int]]:
    """What the adapter answers to each prompt, with the token that ended it: one token at least."""
    with engine.using(adapter):
        replies = engine.generate(
            prompts, max_new_tokens=max_new_tokens, temperature=temperature, seed=seed, keep_end=True
        )
    if silent := [prompt for prompt, reply in zip(prompts, replies, strict=True) if not reply]:
        raise TrainingError(
            f"a prompt of {len(silent[0])} tokens leaves no room for a reply (max_new_tokens is {max_new_tokens})",
            "shorten it, use a model with a longer context, or give max_new_tokens of at least 1",
        )
    return replies


def observe(engine: TransformersEngine, teacher: str | None, cases: Sequence[tuple[Ids, Ids, Ids]]) -> list[Exposure]:
    """Exposures from (student's prompt, teacher's prompt, response), scored by the teacher now: the response is only a
    place to hear the teacher."""
    with engine.using(teacher):
        states = engine.states([(shown, response) for _, shown, response in cases])
    return [
        Exposure(tuple(prompt), tuple(response), states_RH, states_RH.new_zeros(len(response), dtype=torch.bool))
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
    states = [each.veteran_RH for each in exposures if each.veteran_RH is not None]
    if len(states) < len(exposures):
        raise ValueError("an exposure without a teacher has nobody to hear it: observe it first")
    heard = engine.heard(states, [each.response for each in exposures])
    return [
        replace(each, hard_R=logp_R.exp() < SURE) for each, (logp_R, _) in zip(exposures, heard, strict=True)
    ], heard


def verbatim(engine: TransformersEngine, prompt: Ids, response: Ids) -> Exposure:
    """The exposure of a response that is to be repeated as it is, whatever a teacher would say."""
    hard_R = torch.ones(len(response), dtype=torch.bool, device=engine.device)
    return Exposure(tuple(prompt), tuple(response), None, hard_R)


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
