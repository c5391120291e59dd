"""On-policy self-distillation (OPSD): pull the student, who sees the prompt alone, to the veteran, who has the lesson.

All exposures (`learn.exposures`: proven answers, rollouts, near misses, anchors) are trained with the same loss,
full-vocabulary forward KL, but for tokens that are themselves the target.
SDFT, arXiv:2601.19897; on-policy distillation with forward KL as in GKD, arXiv:2306.13649.

Always holds: the veteran is the adapter state at the round's start, never the live student; only the live adapter's
matrices change; the order of exposures is a function of the seed.

Knows token ids and hidden states, not what they say.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import torch

from journeyman.errors import TrainingError
from journeyman.learn.exposures import LIVE, Exposure
from journeyman.learn.losses import distillation_loss
from journeyman.model.packing import pack
from journeyman.model.transformers_engine import TransformersEngine


@dataclass(frozen=True)
class Schedule:
    """How long and how hard to train; AdamW without decay, linear warm-up, cosine to a tenth."""

    steps: int
    rows: int = 32
    anchor_rows: int = 4
    learning_rate: float = 1e-3
    warmup: float = 0.1
    clip: float = 1.0
    seed: int = 0

    def rate(self, step: int) -> float:
        warm = max(1, round(self.warmup * self.steps))
        if step < warm:
            return self.learning_rate * (step + 1) / warm
        progress = (step - warm) / max(1, self.steps - warm)
        return self.learning_rate * (0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi * progress)))


@dataclass
class Step:
    """What one update saw: mean losses in nats per response token, and the gradient's norm before clipping."""

    step: int
    loss: float
    anchor_loss: float
    gradient_norm: float
    tokens: int


@dataclass
class Deck:
    """Deals exposures without end: every item once, in a seeded order, before any item again."""

    items: Sequence[Exposure]
    generator: torch.Generator
    _order: list[int] = field(default_factory=list)

    def deal(self, count: int) -> list[Exposure]:
        hand: list[Exposure] = []
        while self.items and len(hand) < count:
            if not self._order:
                self._order = torch.randperm(len(self.items), generator=self.generator).tolist()
            hand.append(self.items[self._order.pop()])
        return hand


@dataclass
class Trunk:
    """The states that enter the first adapted layer. They do not change while training, so each text pays once."""

    engine: TransformersEngine
    stop: int
    _states: dict[tuple[int, ...], torch.Tensor] = field(default_factory=dict)

    def entering(self, sequences: Sequence[tuple[int, ...]], once: int) -> list[torch.Tensor]:
        """The states of all sequences; those of the first `once`, which will not come again, are not kept."""
        new = sorted({sequence for sequence in sequences[once:] if sequence not in self._states})
        states = self.engine.trunk([*sequences[:once], *new], self.stop)
        self._states.update(zip(new, states[once:], strict=True))
        return [*states[:once], *(self._states[sequence] for sequence in sequences[once:])]


def train(
    engine: TransformersEngine,
    exposures: Sequence[Exposure],
    anchors: Sequence[Exposure],
    schedule: Schedule,
    fresh: Callable[[int], Sequence[Exposure]] | None = None,
) -> Iterator[Step]:
    """Train the adapter `LIVE` in place, one yielded `Step` an update.

    `fresh(step)` gives on-policy exposures to add to a step's rows (or none).
    """
    generator = torch.Generator().manual_seed(schedule.seed)
    deck, anchor_deck = Deck(exposures, generator), Deck(anchors, generator)
    live = engine.adapter(LIVE)
    parameters = live.parameters()
    trunk = Trunk(engine, live.config.first_layer)
    for parameter in parameters:
        parameter.requires_grad_(True)
        parameter.grad = None  # of a run that had to stop
    optimizer = torch.optim.AdamW(parameters, lr=schedule.learning_rate, weight_decay=0.0, betas=(0.9, 0.99))
    try:
        for step in range(schedule.steps):
            for group in optimizer.param_groups:
                group["lr"] = schedule.rate(step)
            new = list(fresh(step)) if fresh else []
            rows = [*new, *deck.deal(schedule.rows - len(new))]
            held = anchor_deck.deal(schedule.anchor_rows)
            tokens = engine.tokens
            loss, anchor_loss = _accumulate(engine, rows, held, trunk, len(new))
            norm = float(torch.nn.utils.clip_grad_norm_(parameters, schedule.clip))
            if not math.isfinite(norm) or not math.isfinite(loss):
                raise TrainingError(
                    f"training diverged at step {step + 1}: loss {loss}, gradient norm {norm}",
                    "run the night again with a smaller --learning-rate",
                )
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            yield Step(step + 1, loss, anchor_loss, norm, engine.tokens - tokens)
    finally:
        for parameter in parameters:
            parameter.requires_grad_(False)
            parameter.grad = None


def _accumulate(
    engine: TransformersEngine, rows: Sequence[Exposure], anchors: Sequence[Exposure], trunk: Trunk, once: int
) -> tuple[float, float]:
    """Add the gradients of all rows, pack by pack; returns the mean losses of rows and of anchors."""
    batch = [*rows, *anchors]
    # Every token weighs the same, so a step's size does not depend on how its rows are packed.
    total = sum(len(row.response) for row in batch)
    sums = [0.0, 0.0]
    counts = [sum(len(row.response) for row in part) for part in (rows, anchors)]
    with engine.using(LIVE):
        sequences = [row.sequence for row in batch]
        entering = trunk.entering(sequences, once)
        for packed in pack(sequences):
            entering_TH = entering[0].new_empty(packed.tokens, entering[0].shape[1])
            for row, path in zip(packed.rows, packed.paths, strict=True):
                entering_TH[path] = entering[row]
            hidden_TH = engine.hidden(packed, start=trunk.stop, entering_TH=entering_TH)
            nodes, owners, veterans, targets, hard = [], [], [], [], []
            for row, path in zip(packed.rows, packed.paths, strict=True):
                item = batch[row]
                nodes.append(path[len(item.prompt) - 1 :])
                owners += [row] * len(item.response)
                targets += item.response
                hard.append(item.hard_R)
                veterans.append(item.veteran_RH)
            losses_N = distillation_loss(
                hidden_TH.index_select(0, torch.cat(nodes)),  # its backward adds in a fixed order
                torch.cat(veterans),
                torch.tensor(targets, device=engine.device),
                torch.cat(hard),
                engine.head_VH,
            )
            (losses_N / total).sum().backward()
            for value, row in zip(losses_N.tolist(), owners, strict=True):
                sums[row >= len(rows)] += value
    return sums[0] / max(1, counts[0]), sums[1] / max(1, counts[1])
