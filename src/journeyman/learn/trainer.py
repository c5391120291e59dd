"""The trainer: exposures in, a trained adapter state out, whichever way of learning the exposures come from.

A step takes some fresh exposures (rollouts, if there are any), fills up with stored ones, adds a few that hold what
must not change, and updates the live state once.

Always holds: only the live adapter's matrices change; the order of exposures is a function of the seed; a run that goes
on from a checkpoint ends in the same bits as one that was never stopped; a run whose numbers have gone wrong stops and
says why, and does not go on to write them into the weights.

Knows token ids, hidden states and weights of tokens; nothing of lessons, rewards or sessions.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import torch

from journeyman.errors import TrainingError
from journeyman.learn.exposures import LIVE, Exposure
from journeyman.learn.health import Watch
from journeyman.learn.losses import FORWARD_KL, Divergence, capped, importance, token_losses
from journeyman.model import Ids
from journeyman.model.packing import Pack, pack
from journeyman.model.transformers_engine import TransformersEngine

SIGNAL = 0.01  # nats: a token whose loss is below it hardly pulls
TRUNK_BYTES = 1 << 30


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

    def __post_init__(self) -> None:
        if not 0.0 <= self.warmup <= 1.0:
            raise ValueError(f"warmup is a share of the steps, from 0 to 1, not {self.warmup}")
        if self.clip <= 0.0:
            raise ValueError("clip must be positive, or nothing is learnt; give math.inf for none")

    def rate(self, step: int) -> float:
        warm = max(1, round(self.warmup * self.steps))
        if step < warm:
            return self.learning_rate * (step + 1) / warm
        progress = (step - warm) / max(1, self.steps - warm)
        return self.learning_rate * (0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi * progress)))


@dataclass(frozen=True)
class Objective:
    """What a token's loss is, and how a step's loss is made of its tokens'.

    cap: divergences beyond so many nats are rescaled to it; the loss of a token that is itself the target is not.
    importance_cap: at most so much does a token weigh that the student has come to like since it was sampled. mean:
    every token weighs the same, or every sequence.
    """

    divergence: Divergence = FORWARD_KL
    cap: float | None = None
    importance_cap: float = 2.0
    mean: Literal["token", "sequence"] = "token"

    def __post_init__(self) -> None:
        if not isinstance(self.divergence, Divergence):
            raise ValueError(f"divergence must be one of losses: Divergence({self.divergence!r}), not its name alone")
        if self.mean not in ("token", "sequence"):
            raise ValueError(f"mean must be token or sequence, not {self.mean}")
        if self.importance_cap <= 0 or (self.cap is not None and self.cap <= 0):
            raise ValueError("caps must be positive; leave cap out to have none")


@dataclass(frozen=True)
class Step:
    """What one update saw.

    loss, anchor_loss: means in nats per response token; gradient_norm: before clipping; tokens: that the update itself
    ran through the model, rollouts not counted; entropy: the student's, mean over the rows' tokens, in nats; signal:
    share of these tokens that pull; length: of this step's rollouts, mean tokens (None: there were none).
    """

    step: int
    loss: float
    anchor_loss: float
    gradient_norm: float
    tokens: int
    entropy: float
    signal: float
    length: float | None = None


@dataclass
class Deck:
    """Deals exposures without end: every item once, in a seeded order, before any item again."""

    items: Sequence[Exposure]
    generator: torch.Generator
    order: list[int] = field(default_factory=list)  # what is left of this round, last first

    def deal(self, count: int) -> list[Exposure]:
        hand: list[Exposure] = []
        while self.items and len(hand) < count:
            if not self.order:
                self.order = torch.randperm(len(self.items), generator=self.generator).tolist()
            hand.append(self.items[self.order.pop()])
        return hand


class Trunk:
    """The states that enter the first adapted layer. They do not change while training, so each text pays once, if all
    of them together fit in `TRUNK_BYTES`; else every step runs all layers."""

    def __init__(self, engine: TransformersEngine, stop: int, sequences: Sequence[tuple[int, ...]]) -> None:
        self._engine = engine
        weight_VH = engine.head.weight_VH
        size = sum(map(len, set(sequences))) * weight_VH.shape[1] * weight_VH.element_size()
        self.stop = stop if size <= TRUNK_BYTES else 0
        # All at once, so that the bits do not depend on which is met first.
        self._states = self._run(sequences) if self.stop else {}

    def entering(self, sequences: Sequence[tuple[int, ...]]) -> list[torch.Tensor]:
        """The states [len, H] of each, or nothing if no layer is left out; of a sequence that was not announced, made
        now and not kept."""
        if not self.stop:
            return []
        new = self._run([sequence for sequence in sequences if sequence not in self._states])
        return [self._states[sequence] if sequence in self._states else new[sequence] for sequence in sequences]

    def _run(self, sequences: Sequence[tuple[int, ...]]) -> dict[tuple[int, ...], torch.Tensor]:
        texts = sorted(set(sequences))
        return dict(zip(texts, self._engine.trunk(texts, self.stop), strict=True))


class Trainer:
    """A run over the adapter `LIVE`, which is trained in place; iterate over it for one `Step` an update.

    exposures: dealt in turn; anchors: dealt beside them, `Schedule.anchor_rows` a step; fresh(step): exposures to take
    part in that step only, rollouts for instance.
    """

    def __init__(
        self,
        engine: TransformersEngine,
        exposures: Sequence[Exposure],
        anchors: Sequence[Exposure],
        schedule: Schedule,
        fresh: Callable[[int], Sequence[Exposure]] | None = None,
        objective: Objective | None = None,
    ) -> None:
        self.engine, self.schedule, self.fresh = engine, schedule, fresh
        self.objective = objective or Objective()
        self.done = 0
        self._watch = Watch()
        self._generator = torch.Generator().manual_seed(schedule.seed)
        self._decks = [Deck(exposures, self._generator), Deck(anchors, self._generator)]
        live = engine.adapter(LIVE)
        if not (exposures or anchors or fresh):
            raise TrainingError("there is nothing to train on", "give exposures, anchors, or a function of fresh ones")
        # By name, since a state that was loaded has its matrices in another order than a new one.
        self._names, self._parameters = zip(*sorted(live.named_parameters().items()), strict=True)
        self._trunk = Trunk(engine, live.config.first_layer, [each.sequence for each in [*exposures, *anchors]])
        self._optimizer = torch.optim.AdamW(
            self._parameters, lr=schedule.learning_rate, weight_decay=0.0, betas=(0.9, 0.99)
        )

    def __iter__(self) -> Iterator[Step]:
        for parameter in self._parameters:
            parameter.requires_grad_(True)
            parameter.grad = None  # of a run that had to stop
        try:
            while self.done < self.schedule.steps:
                yield self._step()
        finally:
            for parameter in self._parameters:
                parameter.requires_grad_(False)
                parameter.grad = None

    def _step(self) -> Step:
        for group in self._optimizer.param_groups:
            group["lr"] = self.schedule.rate(self.done)
        new = list(self.fresh(self.done)) if self.fresh else []
        said = [self._without_end(each.response) for each in new if each.sampled]
        length = self._watch.see(self.done + 1, said).length if said else None
        stored, anchors = self._decks
        rows = [*new, *stored.deal(self.schedule.rows - len(new))]
        rows = [row for row in rows if row.weight_R is None or bool(row.weight_R.any())]
        tokens = self.engine.tokens
        seen = self._accumulate(rows, anchors.deal(self.schedule.anchor_rows))
        norm = float(torch.nn.utils.clip_grad_norm_(self._parameters, self.schedule.clip))
        if not math.isfinite(norm) or not math.isfinite(seen[0]):
            raise TrainingError(
                f"training diverged at step {self.done + 1}: loss {seen[0]}, gradient norm {norm}",
                "use a smaller learning rate (of a night: --learning-rate)",
            )
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)
        self.done += 1
        loss, anchor_loss, entropy, signal = seen
        return Step(self.done, loss, anchor_loss, norm, self.engine.tokens - tokens, entropy, signal, length)

    def _without_end(self, reply: Ids) -> Ids:
        return reply[:-1] if reply[-1] in self.engine.end_ids else reply

    def _accumulate(self, rows: Sequence[Exposure], anchors: Sequence[Exposure]) -> tuple[float, float, float, float]:
        """Add the gradients of all rows, pack by pack; returns the mean losses of rows and of anchors, and of the rows'
        tokens the mean entropy and the share that pulls."""
        batch = [*rows, *anchors]
        if not batch:  # a round of rollouts may have nothing to teach
            return 0.0, 0.0, 0.0, 0.0
        if self.objective.mean == "token":
            total = sum(len(row.response) for row in batch)
            shares = [1.0 / total] * len(batch)
        else:
            shares = [1.0 / (len(batch) * len(row.response)) for row in batch]
        # Gradients of a mean would vanish in a half-precision base: what flows back is that of a sum, and the float32
        # gradients of the parameters are divided. A power of two costs no bit.
        scale = 2.0 ** round(math.log2(sum(len(row.response) for row in batch)))
        sums = [0.0, 0.0, 0.0, 0.0]
        counts = [max(1, sum(len(row.response) for row in part)) for part in (rows, anchors)]
        engine = self.engine
        with engine.using(LIVE):
            sequences = [row.sequence for row in batch]
            entering = self._trunk.entering(sequences)
            for packed in pack(sequences, engine.batching.pack_tokens):
                losses_N, entropy_N, shares_N, owners = self._losses(packed, batch, entering, shares)
                (losses_N * (shares_N * scale)).sum().backward()
                for loss, entropy, row in zip(losses_N.tolist(), entropy_N.tolist(), owners, strict=True):
                    if row >= len(rows):
                        sums[1] += loss
                        continue
                    sums[0] += loss
                    sums[2] += entropy
                    sums[3] += abs(loss) > SIGNAL
        for parameter in self._parameters:
            if parameter.grad is not None:
                parameter.grad /= scale
        return sums[0] / counts[0], sums[1] / counts[1], sums[2] / counts[0], sums[3] / counts[0]

    def _losses(
        self, packed: Pack, batch: Sequence[Exposure], entering: Sequence[torch.Tensor], shares: Sequence[float]
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, list[int]]:
        """Of every response token in a pack: its weighted loss [N], the student's entropy [N], its share of the step's
        loss [N], and the row that it belongs to."""
        engine, items = self.engine, [batch[row] for row in packed.rows]
        entering_TH = None
        if entering:
            entering_TH = entering[0].new_empty(packed.tokens, entering[0].shape[1])
            for row, path in zip(packed.rows, packed.paths, strict=True):
                entering_TH[path] = entering[row]
        hidden_TH = engine.hidden(packed, start=self._trunk.stop, entering_TH=entering_TH)
        nodes = [path[len(item.prompt) - 1 :] for item, path in zip(items, packed.paths, strict=True)]
        hidden_NH = hidden_TH.index_select(0, torch.cat(nodes).to(engine.device))  # its backward adds in a fixed order

        def joined(rows: Sequence[torch.Tensor]) -> torch.Tensor:
            return torch.cat([row.to(engine.device) for row in rows])

        hard_N = joined([item.hard_R for item in items])
        found = token_losses(
            hidden_NH,
            engine.head,
            torch.tensor([token for item in items for token in item.response], device=engine.device),
            teacher_NH=joined(
                [
                    hidden_NH.new_zeros(len(item.response), hidden_NH.shape[1])
                    if item.veteran_RH is None
                    else item.veteran_RH
                    for item in items
                ]
            ),
            hard_N=hard_N,
            divergence=self.objective.divergence,
            chunk=engine.batching.head_rows,
        )
        losses_N = found.loss_N
        if self.objective.cap is not None:
            losses_N = torch.where(hard_N, losses_N, capped(losses_N, self.objective.cap))
        if any(item.weight_R is not None or item.then_R is not None for item in items):
            ones = [torch.ones(len(item.response)) for item in items]
            weight_N = joined([o if i.weight_R is None else i.weight_R for i, o in zip(items, ones, strict=True)])
            then_N = joined(
                [
                    now_R if item.then_R is None else item.then_R
                    for item, now_R in zip(items, found.logq_N.split([len(o) for o in ones]), strict=True)
                ]
            )
            losses_N = losses_N * weight_N * importance(found.logq_N, then_N, self.objective.importance_cap)
        owners = [row for row, item in zip(packed.rows, items, strict=True) for _ in item.response]
        shares_N = torch.tensor([shares[row] for row in owners], device=engine.device)
        return losses_N, found.entropy_N, shares_N, owners

    # Checkpoints

    def _terms(self) -> dict[str, Any]:
        """What two runs have to agree in for one to go on where the other stopped."""
        return {
            "model": self.engine.fingerprint,
            "scale": getattr(self.engine.adapter(LIVE).config, "scale", None),  # of LoRA; full weights have none
            "layers": {name: tuple(each.shape) for name, each in zip(self._names, self._parameters, strict=True)},
            "items": [len(deck.items) for deck in self._decks],
            "schedule": asdict(self.schedule),
            "objective": asdict(self.objective),
        }

    def state_dict(self) -> dict[str, Any]:
        """All that the rest of the run depends on, between two steps: plain values and tensors, for `torch.save`."""
        return {
            "terms": self._terms(),
            "done": self.done,
            "parameters": [parameter.detach().clone() for parameter in self._parameters],
            "optimizer": deepcopy(self._optimizer.state_dict()),
            "generator": self._generator.get_state(),
            "watch": asdict(self._watch),
            "orders": [list(deck.order) for deck in self._decks],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a checkpoint of a run with the same exposures, anchors, schedule and objective."""
        theirs = state.get("terms", {})
        if other := [name for name, value in self._terms().items() if theirs.get(name) != value]:
            raise TrainingError(
                f"the checkpoint is of a run with other {', '.join(other)}",
                "go on with the options that the run was begun with",
            )
        with torch.no_grad():
            for own, saved in zip(self._parameters, state["parameters"], strict=True):
                own.copy_(saved)
        self._optimizer.load_state_dict(deepcopy(state["optimizer"]))
        self._generator.set_state(state["generator"])
        for deck, order in zip(self._decks, state["orders"], strict=True):
            deck.order = list(order)
        self.done = state["done"]
        self._watch = Watch(**deepcopy(state["watch"]))


def train(
    engine: TransformersEngine,
    exposures: Sequence[Exposure],
    anchors: Sequence[Exposure],
    schedule: Schedule,
    fresh: Callable[[int], Sequence[Exposure]] | None = None,
    objective: Objective | None = None,
) -> Iterator[Step]:
    """Train the adapter `LIVE` from the first step to the last; see `Trainer`."""
    return iter(Trainer(engine, exposures, anchors, schedule, fresh, objective))
