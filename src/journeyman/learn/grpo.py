"""Group-relative policy optimisation (GRPO): reinforcement learning on verifiable rewards (RLVR), without a critic.

Each prompt is answered several times; an answer's advantage is its reward minus its group's mean. DeepSeekMath,
arXiv:2402.03300; `scaled=False` leaves out the division by the group's standard deviation, which favours prompts that
are nearly always or nearly never solved (Dr. GRPO, arXiv:2503.20783).

One update follows each round of rollouts, sampled at temperature 1, so the ratio of new to old policy is one and its
clipping never acts. The policy gradient -A log q(y) is then that of cross-entropy with the advantage as the tokens'
weight, and so an answer is an `Exposure` like any other: it may be mixed with distillation in one batch.

Always holds: advantages of a group sum to zero; a group whose answers all earned the same has weights of zero, costs
no update, and is counted.

Knows token ids and rewards, not how a reward is found.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch

from journeyman.errors import TrainingError
from journeyman.learn.exposures import LIVE, Exposure, observe, replies_of, verbatim
from journeyman.model import Ids
from journeyman.model.transformers_engine import TransformersEngine

Reward = Callable[[int, list[int]], float]  # number of the prompt, token ids of the reply without its end -> reward


@dataclass(frozen=True)
class Round:
    """One round of rollouts: what to learn, the mean reward, and the share of groups without any difference."""

    exposures: list[Exposure]
    reward: float
    zero_variance: float


def advantages(rewards: Sequence[float], *, scaled: bool = False) -> list[float]:
    """Of one group: each reward minus the mean, over the standard deviation where `scaled`; zeros if all agree."""
    rewards_K = torch.tensor(rewards, dtype=torch.float64)
    centred_K = rewards_K - rewards_K.mean()
    if float(rewards_K.max() - rewards_K.min()) <= max(1e-12, 1e-9 * float(rewards_K.abs().max())):
        return [0.0] * len(rewards)
    return (centred_K / rewards_K.std(correction=0) if scaled else centred_K).tolist()


def roll_out(
    engine: TransformersEngine,
    prompts: Sequence[Ids],
    reward: Reward,
    *,
    group: int,
    max_new_tokens: int,
    seed: int,
    scaled: bool = False,
    kl: float = 0.0,
    reference: str | None = None,
) -> Round:
    """The live student answers each prompt `group` times.

    kl: weight of a pull towards the adapter `reference` (None: the base) on every answer, under the run's divergence.
    """
    if group < 2:
        raise ValueError("a group of one has no mean to be compared with: give at least 2")
    asked = [prompt for prompt in prompts for _ in range(group)]
    replies = replies_of(engine, LIVE, asked, max_new_tokens=max_new_tokens, temperature=1.0, seed=seed)
    rewards: list[float] = []
    for place, reply in enumerate(replies):
        said = reply[:-1] if reply[-1] in engine.end_ids else reply
        earned: object = reward(place // group, said)
        try:
            rewards.append(float(earned))  # type: ignore[arg-type]  # whatever the caller's function gives
        except (TypeError, ValueError):
            rewards.append(math.nan)
        if not math.isfinite(rewards[-1]):
            raise TrainingError(
                f"the reward of a reply to prompt {place // group} is {earned}",
                "give a finite number for any reply",
            )
    found = weighed(
        engine,
        [[(prompt, reply)] for prompt, reply in zip(asked, replies, strict=True)],
        rewards,
        group=group,
        scaled=scaled,
    )
    if kl:
        cases = [(prompt, prompt, reply) for prompt, reply in zip(asked, replies, strict=True)]
        found.exposures.extend(
            replace(each, weight_R=torch.full_like(each.hard_R, kl, dtype=torch.float))
            for each in observe(engine, reference, cases)
        )
    return found


def weighed(
    engine: TransformersEngine,
    episodes: Sequence[Sequence[tuple[Ids, Ids]]],
    rewards: Sequence[float],
    *,
    group: int,
    scaled: bool = False,
) -> Round:
    """What `episodes` teach: of each its turns, (prompt, reply) in the student's own tokens, all of which weigh what
    the episode's reward is above its group's mean. `group` that follow each other are one."""
    if len(episodes) % group:
        raise ValueError(f"{len(episodes)} episodes are not whole groups of {group}")
    exposures: list[Exposure] = []
    silent = 0
    for start in range(0, len(episodes), group):
        earned = advantages(rewards[start : start + group], scaled=scaled)
        silent += not any(earned)
        for turns, advantage in zip(episodes[start : start + group], earned, strict=True):
            for prompt, reply in turns:
                exposure = verbatim(engine, prompt, reply)
                weight_R = torch.full_like(exposure.hard_R, advantage, dtype=torch.float)
                exposures.append(replace(exposure, weight_R=weight_R, sampled=True))
    groups = max(1, len(episodes) // group)
    return Round(exposures, sum(rewards) / max(1, len(rewards)), silent / groups)
