"""The arms: ways to learn from the same cases, in the same trainer.

Always holds: every arm trains the same adapter (rank 16, upper half of the layers) in steps of the same number of rows,
its anchors beside them where it has any; what an arm does is a function of the seed.

Knows exposures, not what a reply means: rewards come from the cases.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from work import Case, Work

from journeyman.learn import Exposure, grpo, observe, opsd, proven, sft
from journeyman.model.transformers_engine import TransformersEngine

ROWS = 8
GROUP = 4
ANCHOR_ROWS = 2

Fresh = Callable[[int], Sequence[Exposure]]


@dataclass
class Lot:
    """What a run trains on: stored exposures, those made anew each step, and the rewards that its rounds saw."""

    stored: Sequence[Exposure]
    fresh: Fresh | None
    rounds: list[grpo.Round]


@dataclass(frozen=True)
class Arm:
    """`decides`: measured on all seeds, since the default recipe hangs on it; `near`: near misses among its anchors, as
    nights have them; only for work that has any."""

    prepare: Callable[[TransformersEngine, Work, int], Lot]
    anchored: bool = True
    decides: bool = False
    near: bool = False

    def suits(self, work: Work) -> bool:
        return bool(work.near) or not self.near


def _drawn(work: Work, seed: int, step: int, count: int) -> list[Case]:
    return random.Random(f"{seed}:{step}").sample(list(work.cases), min(count, len(work.cases)))


def _own(
    engine: TransformersEngine, work: Work, cases: Sequence[Case], seed: int, placebo: bool = False
) -> list[Exposure]:
    prompts = [(case.prompt, case.placebo if placebo else case.shown) for case in cases]
    return opsd.roll_out(engine, None, prompts, max_new_tokens=work.reply_tokens, seed=seed)


def _rewarded(engine: TransformersEngine, work: Work, cases: Sequence[Case], seed: int) -> grpo.Round:
    return grpo.roll_out(
        engine,
        [case.prompt for case in cases],
        lambda number, ids: cases[number].reward(engine.decode(ids)),
        group=GROUP,
        max_new_tokens=work.reply_tokens,
        seed=seed,
    )


def _proven(engine: TransformersEngine, work: Work) -> list[Exposure]:
    return proven(engine, observe(engine, None, [(case.prompt, case.shown, case.proven) for case in work.cases]))[0]


def replay(engine: TransformersEngine, work: Work, seed: int) -> Lot:  # noqa: ARG001
    """SFT on the transcripts as they are."""
    return Lot(sft.replay(engine, work.transcripts), None, [])


def samples(engine: TransformersEngine, work: Work, seed: int) -> Lot:
    """SFT on what the veteran says: off-policy context distillation."""
    prompts = [(case.prompt, case.shown) for case in work.cases]
    said = sft.veteran_samples(engine, None, prompts, max_new_tokens=work.reply_tokens, seed=seed, temperature=0.7)
    return Lot(said, None, [])


def night(engine: TransformersEngine, work: Work, seed: int) -> Lot:  # noqa: ARG001
    """A night's default: what the sessions prove, scored by the veteran, and the token itself where it is unsure."""
    return Lot(_proven(engine, work), None, [])


def own_words(engine: TransformersEngine, work: Work, seed: int, placebo: bool = False) -> Lot:
    """OPSD: the student's rollouts, scored by the veteran; `placebo`: by one whose lesson does not belong there."""

    def fresh(step: int) -> Sequence[Exposure]:
        return _own(engine, work, _drawn(work, seed, step, ROWS), 1000 * seed + step, placebo)

    return Lot([], fresh, [])


def half_proven(engine: TransformersEngine, work: Work, seed: int) -> Lot:
    """A night's default with half of the rows rolled out by the student."""

    def fresh(step: int) -> Sequence[Exposure]:
        return _own(engine, work, _drawn(work, seed, step, ROWS // 2), 1000 * seed + step)

    return Lot(_proven(engine, work), fresh, [])


def rewards(engine: TransformersEngine, work: Work, seed: int) -> Lot:
    """GRPO: rows of four replies a prompt."""
    rounds: list[grpo.Round] = []

    def fresh(step: int) -> Sequence[Exposure]:
        rounds.append(_rewarded(engine, work, _drawn(work, seed, step, ROWS // GROUP), 1000 * seed + step))
        return rounds[-1].exposures

    return Lot([], fresh, rounds)


def both(engine: TransformersEngine, work: Work, seed: int) -> Lot:
    """OPSD + GRPO: every rollout is scored by the veteran and by its reward, weights 0.1 and 0.9."""
    rounds: list[grpo.Round] = []

    def fresh(step: int) -> Sequence[Exposure]:
        cases = _drawn(work, seed, step, ROWS // GROUP)
        rounds.append(_rewarded(engine, work, cases, 1000 * seed + step))
        rolled = rounds[-1].exposures
        heard = observe(
            engine,
            None,
            [(each.prompt, cases[place // GROUP].shown, each.response) for place, each in enumerate(rolled)],
        )
        return [
            *(replace(each, weight_R=0.9 * each.weight_R) for each in rolled if each.weight_R is not None),
            *(
                replace(each, weight_R=each.hard_R.new_full((len(each.response),), 0.1, dtype=torch.float))
                for each in heard
            ),
        ]

    return Lot([], fresh, rounds)


ARMS = {
    "SFT replay": Arm(replay, anchored=False, decides=True),
    "SFT replay + anchor": Arm(replay),
    "SFT on veteran": Arm(samples, anchored=False),
    "SFT on veteran + anchor": Arm(samples),
    "OPSD": Arm(own_words, decides=True),
    "OPSD, placebo": Arm(lambda engine, work, seed: own_words(engine, work, seed, placebo=True)),
    "GRPO": Arm(rewards, decides=True),
    "OPSD + GRPO": Arm(both, decides=True),
    "proven": Arm(night, decides=True),
    "proven + OPSD": Arm(half_proven, decides=True),
    "proven, near misses": Arm(night, decides=True, near=True),
}
