"""Updates: from prompts and a teacher, a transcript or a reward to an adapter.

    from journeyman.learn import LIVE, Schedule, grpo, observe, opsd, sft, train

Always holds: a teacher is the round's start, frozen; what is learnt lies in one adapter state; on a CPU the same seed
on the same machine gives the same state, bit for bit.

Knows nothing of stores, sessions or verdicts.
"""

from journeyman.learn import grpo, opsd, sft
from journeyman.learn.exposures import LIVE, Exposure, observe, proven, verbatim
from journeyman.learn.losses import Divergence, TokenLosses, token_losses
from journeyman.learn.trainer import Objective, Schedule, Step, Trainer, train

__all__ = [
    "LIVE",
    "Divergence",
    "Exposure",
    "Objective",
    "Schedule",
    "Step",
    "TokenLosses",
    "Trainer",
    "grpo",
    "observe",
    "opsd",
    "proven",
    "sft",
    "token_losses",
    "train",
    "verbatim",
]
