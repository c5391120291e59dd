"""Whether a run is still sound: what its rollouts look like, and when it has to stop.

A student that is trained on its own words can end in saying nothing, or one phrase without end, while its loss falls.
These are wrong whatever is being learnt. Shorter replies, lower entropy and equal replies are not: a fact that has been
learnt is said briefly and surely, and "yes" may be right for many prompts.

Always holds: what is judged is the student's own rollouts, never stored answers; one odd round stops nothing.

Knows token ids, not what they say.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from journeyman.errors import TrainingError
from journeyman.model import Ids

ROUNDS = 3  # in a row that must be bad
FEW = 8  # fewer replies are too few to judge: they wait for those of the next rounds
MOST = 0.5  # more than this share of empty or looping replies is bad


@dataclass(frozen=True)
class Rollouts:
    """Of one round's replies: mean length in tokens; shares that are empty and that loop."""

    length: float
    empty: float
    looping: float


def rollouts(replies: Sequence[Ids]) -> Rollouts:
    """Of replies without the token that ends them."""
    count = max(1, len(replies))
    return Rollouts(
        sum(map(len, replies)) / count,
        sum(not reply for reply in replies) / count,
        sum(map(loops, replies)) / count,
    )


def loops(reply: Ids) -> bool:
    """Whether it ends in the same one to eight tokens, four times or more and over twelve tokens at least."""
    spans = [(width, max(4 * width, 12)) for width in range(1, 9)]
    return any(len(reply) >= span and list(reply[width - span :]) == list(reply[-span:-width]) for width, span in spans)


@dataclass
class Watch:
    """Sees every round of a run's rollouts and stops the run, with a `TrainingError`, when they have collapsed."""

    bad: int = 0
    waiting: list[Ids] = field(default_factory=list)  # replies that are not judged yet

    def see(self, step: int, replies: Sequence[Ids]) -> Rollouts:
        self.waiting += replies
        if len(self.waiting) >= FEW:
            judged, self.waiting, complaint = rollouts(self.waiting), [], ""
            if judged.empty > MOST:
                complaint = f"{judged.empty:.0%} of the student's replies are empty"
            elif judged.looping > MOST:
                complaint = f"{judged.looping:.0%} of the student's replies repeat one phrase without end"
            self.bad = self.bad + 1 if complaint else 0
            if self.bad >= ROUNDS:
                raise TrainingError(
                    f"the replies have collapsed by step {step}: {complaint}, {ROUNDS} rounds in a row",
                    "use a smaller learning rate, more anchor rows, or fewer on-policy steps",
                )
        return rollouts(replies)
