"""One run: train an arm on a kind of work, then measure what it gained and what it cost.

Always holds: the adapter is new in every run; probes are answered greedily; base and adapter meet the same items.

Knows a run's row as it is written, not where to.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from arms import ANCHOR_ROWS, ROWS, Arm
from work import Probe, Rated, Work

from journeyman.dream.situations import anchors
from journeyman.errors import TrainingError
from journeyman.evaluate.general import Item, run_suite
from journeyman.evaluate.manner import manner
from journeyman.learn import LIVE, Exposure, Schedule, Step, Trainer
from journeyman.learn.quiet import quiet
from journeyman.model.lora import LoRAConfig
from journeyman.model.transformers_engine import TransformersEngine

PILOT_STEPS = 3
_ENDLESS = 1 << 30
Row = dict[str, Any]


def held(engine: TransformersEngine) -> list[Exposure]:
    """The anchors, the same for all arms: a third of the night's."""
    return quiet(engine, anchors()[::3])


def train(
    engine: TransformersEngine,
    work: Work,
    arm: Arm,
    anchored: Sequence[Exposure],
    *,
    seed: int,
    rate: float,
    steps: int,
    seconds: float = math.inf,
    halfway: int = 0,
) -> Row:
    """Train `LIVE` anew: so many steps, or, where `seconds` are given, until these CPU-seconds are spent, the
    preparation among them; `steps` is then how many are expected. `halfway`: tokens after which the probes are answered
    once before the end."""
    first_layer = engine.model.config.num_hidden_layers // 2
    engine.put_adapter(LIVE, engine.new_adapter(LoRAConfig(16, 32, first_layer=first_layer), seed))
    clock = Clock(engine)
    lot = arm.prepare(engine, work, seed)
    held_beside = [*anchored, *(quiet(engine, work.near) if arm.near else [])] if arm.anchored else []
    beside = ANCHOR_ROWS if arm.anchored else 0
    schedule = Schedule(steps, rows=ROWS, anchor_rows=beside, learning_rate=rate, seed=seed)
    if seconds < math.inf:
        schedule = Timed(_ENDLESS, ROWS, beside, rate, seed=seed, clock=clock, seconds=seconds, expected=steps)
    row: Row = {"seed": seed, "learning_rate": rate, "stopped": ""}
    prepared = clock.spent()
    last: Step | None = None
    try:
        for step in Trainer(engine, lot.stored, held_beside, schedule, lot.fresh):
            last = step
            if clock.spent()["cpu_seconds"] >= seconds:
                break
            if halfway and "at_tokens" not in row and clock.spent()["tokens"] >= halfway:
                with clock:
                    row["at_tokens"] = _bits(_answers(engine, work.probes, LIVE, work.reply_tokens)[0])
    except TrainingError as error:
        row["stopped"] = error.message
    row |= {"spent": clock.spent(), "prepared": prepared}
    row["steps"] = last.step if last else 0
    if last:
        row["last"] = asdict(last)
    if lot.rounds:
        row["zero_variance"] = sum(each.zero_variance for each in lot.rounds) / len(lot.rounds)
        row["reward"] = [round(each.reward, 3) for each in lot.rounds]
    return row


def right(engine: TransformersEngine, work: Work, adapter: str | None) -> str:
    """Which probes are answered right: all that a trial needs."""
    return _bits(_answers(engine, work.probes, adapter, work.reply_tokens)[0])


def evaluate(engine: TransformersEngine, work: Work, adapter: str | None, *, shown: bool = False) -> Row:
    """What `adapter` (None: the base) answers; `shown`: with the lesson in its prompt."""
    right, texts, ids = _answers(engine, work.probes, adapter, work.reply_tokens, shown)
    row: Row = {"right": _bits(right), "manner": asdict(manner(texts, ids))}
    if adapter is None:
        names = list(dict.fromkeys(probe.about for probe in work.probes))
        row["about"] = [names.index(probe.about) for probe in work.probes]
    row["fires"] = _bits(_answers(engine, work.outside, adapter, work.reply_tokens, shown)[0])
    if work.further:
        row["further"] = _bits(_answers(engine, work.further, adapter, work.reply_tokens, shown)[0])
    if work.rated and not shown:
        row["auc"] = _auc(engine, work.rated, adapter)
    if adapter is not None:
        with engine.using(None):
            own = engine.generate([probe.prompt for probe in work.probes], max_new_tokens=16, keep_end=True)
        pairs = [(probe.prompt, reply) for probe, reply in zip(work.probes, own, strict=True)]
        values = [value for each in engine.divergence(pairs, None, adapter) for value in each]
        row["kl_new"] = sum(values) / len(values)
    return row


def retained(engine: TransformersEngine, suites: Mapping[str, Sequence[Item]], adapter: str | None) -> dict[str, str]:
    """Of each suite, which items are right."""
    return {name: _bits(run_suite(engine, items, adapter).correct) for name, items in suites.items()}


class Clock:
    """Seconds, CPU-seconds and tokens since it was made, but for what was spent within `with clock`."""

    def __init__(self, engine: TransformersEngine) -> None:
        self.engine = engine
        self.start = self._now()
        self._before: tuple[float, float, int] = self.start

    def _now(self) -> tuple[float, float, int]:
        return time.perf_counter(), time.process_time(), self.engine.tokens

    def spent(self) -> dict[str, Any]:
        wall, cpu, tokens = (now - then for now, then in zip(self._now(), self.start, strict=True))
        return {"seconds": round(wall, 2), "cpu_seconds": round(cpu, 2), "tokens": int(tokens)}

    def __enter__(self) -> None:
        self._before = self._now()

    def __exit__(self, *_: object) -> None:
        a, b, c = (
            start + now - before for start, now, before in zip(self.start, self._now(), self._before, strict=True)
        )
        self.start = (a, b, int(c))


@dataclass(frozen=True)
class Timed(Schedule):
    """The shape of a `Schedule` over CPU-seconds instead of steps: what a step costs is not known before."""

    clock: Clock | None = None
    seconds: float = math.inf
    expected: int = 1

    def rate(self, step: int) -> float:  # noqa: ARG002
        assert self.clock
        spent = self.clock.spent()["cpu_seconds"] / self.seconds
        shape = Schedule(self.expected, learning_rate=self.learning_rate, warmup=self.warmup)
        return shape.rate(min(int(spent * self.expected), self.expected))


def _answers(
    engine: TransformersEngine, probes: Sequence[Probe], adapter: str | None, tokens: int, shown: bool = False
) -> tuple[list[bool], list[str], list[list[int]]]:
    with engine.using(adapter):
        ids = engine.generate([probe.shown if shown else probe.prompt for probe in probes], max_new_tokens=tokens)
    texts = [engine.decode(reply) for reply in ids]
    return [probe.right(text) for probe, text in zip(probes, texts, strict=True)], texts, ids


def _auc(engine: TransformersEngine, rated: Sequence[Rated], adapter: str | None) -> float:
    """How often a good decision is likelier, by its mean token, than a bad one."""
    with engine.using(adapter):
        scores = [sum(v) / len(v) for v in engine.score([(each.prompt, each.response) for each in rated])]
    good, bad = ([s for s, each in zip(scores, rated, strict=True) if each.good is kind] for kind in (True, False))
    return sum((g > b) + 0.5 * (g == b) for g in good for b in bad) / (len(good) * len(bad))


def _bits(values: Sequence[bool]) -> str:
    return "".join("01"[value] for value in values)
