"""How hard a task is for the model as it is: how likely it is to do each of its calls as they were done.

    found = chances(engine, "veteran", [(shown, work)])     # [0.02]: it does this one time in fifty
    if band(found[0]) == ALWAYS: ...                        # nothing to be learnt of it

No episode is sampled: the calls are known, so one pass over them says what many rollouts would. It is a lower bound of
success, since a task may be solved in other words or in another order.

What teaches depends on who learns. A group of rollouts (GRPO, search) shows no difference where all succeed or all
fail, so of use to it is what is sometimes done. Distilled from the oracle, what is never done teaches most: there only
what is always done is dropped.

Always holds: the same weights and tasks give the same chances; nothing is trained.

Knows tasks as conversations; nothing of where they come from.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import exp

from journeyman.learn.calling import Shown, Work, decisions
from journeyman.model.transformers_engine import TransformersEngine

ALWAYS, SOMETIMES, NEVER = "always", "sometimes", "never"
HIGH, LOW = 0.9, 0.1  # from here on it is always done, below never: as rollouts in groups would show it


def chances(engine: TransformersEngine, adapter: str | None, cases: Sequence[tuple[Shown, Work]]) -> list[float]:
    """For each case the probability that all calls of it are sampled as they are, each after those before it.

    ModelError as in `decisions`.
    """
    pairs = [decisions(engine, *case) for case in cases]
    with engine.using(adapter):
        scores = iter(engine.score([pair for each in pairs for pair in each]))
    return [exp(sum(sum(next(scores)) for _ in each)) for each in pairs]


def band(chance: float) -> str:
    return ALWAYS if chance >= HIGH else NEVER if chance < LOW else SOMETIMES
