"""Real adapters of known worth through the real gate: what is refused, and whether what is good passes.

    python bench/gate_adapters.py [--each 20] [--store FILE] [--only KIND ...] [--threads 1]

One night over 26 facts that three people tell (bench/ten_nights/sayings.py) gives the situations to train and those
held out. Adapters of each kind are made from it, each with a seed of its own, and judged by `evaluate.evidence` and
`evaluate.gate` as a night's candidate is, each as if it were the first:

    identity        new, and not trained
    noise           a trained one's weights, shuffled within each matrix
    shuffled labels trained as the night does, each question with another lesson's answer
    retention bomb  trained as the night does, then noise added until 10 points of general ability are gone
    planted good    trained as the night does

Appends a row for each adapter to bench/results/gate_adapters.jsonl as it is judged; what is there is not done again.
`--store`: where the night is kept, so that it need not be run again.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).parent / "ten_nights"))
import sayings

from journeyman.cli import progress
from journeyman.evaluate import evidence
from journeyman.evaluate.gate import FIRST
from journeyman.evaluate.general import general_suite, run_suite
from journeyman.learn import LIVE, Exposure, Schedule, lift, train
from journeyman.learn.quiet import quiet
from journeyman.model import load_engine
from journeyman.model.lora import AdapterState, LoRAConfig
from journeyman.model.source import DEFAULT_MODEL
from journeyman.model.transformers_engine import TransformersEngine
from journeyman.night import NightOptions, night
from journeyman.records import Lesson, Situation
from journeyman.registry.lineage import TRAINED
from journeyman.store import Store, open_store

RESULT = Path(__file__).parent / "results" / "gate_adapters.jsonl"
OPTIONS = NightOptions(facts=64, heldout=0.6, steps=120, dream_steps=0, decisions=0)
KINDS = ("identity", "noise", "shuffled labels", "retention bomb", "planted good")
LOST = 0.10
Output = dict[str, Any]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--each", type=int, default=20, help="adapters of each kind (default: 20)")
    parser.add_argument("--store", help="where the night is kept (default: nowhere that stays)")
    parser.add_argument("--only", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    rows = [json.loads(line) for line in RESULT.read_text().splitlines()] if RESULT.is_file() else []
    done = {(row["kind"], row["seed"]) for row in rows}
    wanted = [(kind, seed) for seed in range(args.each) for kind in KINDS if kind in args.only]
    if not set(wanted) - done:
        return 0
    engine = load_engine(DEFAULT_MODEL, threads=args.threads)
    with tempfile.TemporaryDirectory() as scratch, open_store(args.store or Path(scratch) / "gate.db") as store:
        bench = Bench(engine, slept(store, engine))
        for kind, seed in wanted:
            if (kind, seed) not in done:
                with RESULT.open("a") as file:
                    file.write(json.dumps(bench.row(kind, seed)) + "\n")
    return 0


def slept(store: Store, engine: TransformersEngine) -> Mapping[str, Output]:
    """What the phases of the night hand on."""
    ended = [each for each in store.nights("") if each.result]
    if not ended:
        store.add_sessions(
            session
            for user, rules in (("ann", sayings.RULES), ("bea", sayings.CLERK), ("dan", sayings.DRIVER))
            for session in sayings.told(user, rules, 1)
        )
        with progress.shown(quiet=False) as report:
            night(store, options=OPTIONS, progress=report, engine=engine)
        ended = [each for each in store.nights("") if each.result]
    return {name: phase.output for name, phase in store.phases(ended[-1].key).items()}


class Bench:
    """`told`: what the phases of the night handed on."""

    def __init__(self, engine: TransformersEngine, told: Mapping[str, Output]) -> None:
        self.engine = engine
        facts = [Lesson.from_json(fact["lesson"]) for fact in told["extract lessons"]["facts"]]
        self.lessons = {lesson.id: lesson.text for lesson in facts}
        dreams, lifts = told["dream situations"], told["measure lift"]["lifts"]
        train = [Situation.from_json(value) for value in dreams["train"]]
        self.train = [each for each in train if lifts[each.id]["route"] in TRAINED]
        self.heldout = [Situation.from_json(value) for value in dreams["heldout"]]
        self.held = quiet(engine, [Situation.from_json(value) for value in dreams["quiet"]])
        self.right = self._exposures({lesson: lesson for lesson in self.lessons})
        self._good: tuple[int, AdapterState] | None = None
        suite = general_suite()
        self.able = sum(run_suite(engine, suite, None).correct) / len(suite)

    def row(self, kind: str, seed: int) -> Output:
        begun = time.perf_counter(), time.process_time()
        self.engine.put_adapter(LIVE, self.made(kind, seed))
        found = evidence.gather(
            self.engine,
            self.heldout,
            self.lessons,
            sorted(self.lessons.values()),
            [],
            candidate=LIVE,
            champion=None,
            veteran=None,
            progress=lambda _: None,
        )
        verdict = evidence.judged(found, FIRST)
        general = found["general"]
        print(f"{kind} {seed}: {verdict.verdict}", flush=True)
        return {
            "kind": kind,
            "seed": seed,
            **verdict.to_json(),
            "heldout": [sum(found["heldout"][side]) / len(self.heldout) for side in ("right_before", "right_after")],
            "general": [sum(general[side]) / len(general[side]) for side in ("right_before", "right_after")],
            "seconds": round(time.perf_counter() - begun[0], 1),
            "cpu_seconds": round(time.process_time() - begun[1], 1),
            "model": DEFAULT_MODEL,
            "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
        }

    def made(self, kind: str, seed: int) -> AdapterState:
        if kind == "identity":
            return self._new(seed)
        if kind == "shuffled labels":
            return self._trained(self._exposures(shuffled(list(self.lessons), seed)), seed)
        good = self._well_trained(seed)
        if kind == "planted good":
            return good
        if kind == "noise":
            return noise(good, seed)
        return self._bombed(good, seed)

    def _well_trained(self, seed: int) -> AdapterState:
        """As the night trains; the last one is kept, since three kinds are made of it."""
        if self._good is None or self._good[0] != seed:
            self._good = seed, self._trained(self.right, seed)
        return self._good[1]

    def _new(self, seed: int) -> AdapterState:
        layers = self.engine.model.config.num_hidden_layers
        first = round(OPTIONS.trunk * layers)
        return self.engine.new_adapter(LoRAConfig(OPTIONS.rank, 2 * OPTIONS.rank, first_layer=first), seed)

    def _exposures(self, answers: Mapping[str, str]) -> list[Exposure]:
        """`answers`: for each lesson the one whose answer its questions get."""
        said = {each.lesson_id: each.evidence for each in [*self.train, *self.heldout]}
        cases = [
            (self.lessons[answers[each.lesson_id]], each.prompt, said.get(answers[each.lesson_id], each.evidence))
            for each in self.train
        ]
        return lift.measure(self.engine, None, cases)[1]

    def _trained(self, exposures: list[Exposure], seed: int) -> AdapterState:
        state = self._new(seed)
        self.engine.put_adapter(LIVE, state)
        schedule = Schedule(OPTIONS.steps, OPTIONS.rows, OPTIONS.anchor_rows, OPTIONS.learning_rate, seed=seed)
        for _ in train(self.engine, exposures, self.held, schedule):
            pass
        return state

    def _bombed(self, good: AdapterState, seed: int) -> AdapterState:
        suite, strange = general_suite(), noise(good, seed)
        for strength in (0.5 * 1.5**times for times in range(12)):
            state = AdapterState(dict(blended(good, strange, strength)), good.config)
            self.engine.put_adapter(LIVE, state)
            if self.able - sum(run_suite(self.engine, suite, LIVE).correct) / len(suite) >= LOST:
                return state
        raise SystemExit(f"error: no noise takes {LOST:.0%} of general ability\ntry: another seed than {seed}")


def shuffled(lessons: list[str], seed: int) -> dict[str, str]:
    """Each lesson, and another one."""
    order = random.Random(seed).sample(lessons, len(lessons))
    return dict(zip(order, order[1:] + order[:1], strict=True))


def noise(state: AdapterState, seed: int) -> AdapterState:
    """The same numbers in other places of each matrix."""
    dice = torch.Generator().manual_seed(seed)

    def mixed(matrix: torch.Tensor) -> torch.Tensor:
        return matrix.flatten()[torch.randperm(matrix.numel(), generator=dice)].reshape(matrix.shape)

    with torch.no_grad():
        return AdapterState({name: (mixed(a), mixed(b)) for name, (a, b) in state.matrices.items()}, state.config)


def blended(
    good: AdapterState, strange: AdapterState, strength: float
) -> Iterator[tuple[str, tuple[torch.Tensor, torch.Tensor]]]:
    with torch.no_grad():
        for name, (a, b) in good.matrices.items():
            yield name, (a + strength * strange.matrices[name][0], b + strength * strange.matrices[name][1])


if __name__ == "__main__":
    sys.exit(main())
