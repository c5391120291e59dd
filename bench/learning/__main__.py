"""Which way of learning gains most, and at what cost? All arms on three kinds of work, at equal budgets.

    python bench/learning --data DIR [--seconds 120] [--only WORK ...] [--longer ARM ...]

DIR holds bfcl_memory, taskmaster_coffee and retention_a. Four stages, each made of runs whose rows are appended to
bench/results/learning.jsonl as they end; a run whose row is there is not run again, so that the command may be stopped
and given again at any time:

    pilot   an arm's cost a step; from it the number of steps for its trials
    tune    two learning rates an arm, on the selection shard, one seed
    forks   how sure the veteran is of each case's proven reply where the student would leave it; nothing is trained
    report  the best of them, on the report shard, until every arm has spent the same CPU-seconds: five seeds of the
            arms that decide, two of the others

`--longer`: instead of these, the first seed of these arms once more with four times the CPU-seconds: whether what an
arm did not learn is a matter of time.

Always holds: what is reported was not looked at while an arm was tuned; all arms get the same CPU-seconds and as many
tuning trials; probes are answered at the end and, for a comparison at equal tokens, when as many tokens have gone
through the model as the arm with the fewest has at its end.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))
import coffee
import facts
import form
import measure
import public_suites
import torch
from arms import ARMS
from measure import Row
from work import Shard, Work

from journeyman.evaluate.general import Item
from journeyman.learn import LIVE, opsd
from journeyman.model import load_engine
from journeyman.model.source import DEFAULT_MODEL
from journeyman.model.transformers_engine import TransformersEngine

RESULTS = Path(__file__).parent.parent / "results" / "learning.jsonl"
WORKS = {"facts": facts.build, "coffee": coffee.build, "form": form.build}
SUITES = ("arc_easy", "blimp", "lambada", "piqa", "wikidata")
ITEMS = 40  # of each suite, others for each seed
RATES = (1e-3, 3e-3)
SEEDS, FEW_SEEDS = 5, 2
TUNING_SEED = 100
LONGER = 4


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=120.0, help="of CPU, for the training of every run")
    parser.add_argument("--only", nargs="+", choices=list(WORKS), default=list(WORKS))
    parser.add_argument("--longer", nargs="+", choices=list(ARMS), default=[], metavar="ARM")
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--out", type=Path, default=RESULTS)
    args = parser.parse_args()
    bench = Bench(load_engine(args.model), args)
    for name in args.only if args.longer else ():
        for arm_name in args.longer:
            bench.longer(name, arm_name)
    if args.longer:
        return 0
    for name in args.only:
        bench.pilot(name)
        bench.tune(name)
        bench.forks(name)
    # Seeds outermost: a bench that is stopped early has measured all arms alike.
    for seed in range(SEEDS):
        for name in args.only:
            bench.report(name, seed)
    return 0


class Bench:
    """The rows so far, and what is needed to add to them."""

    def __init__(self, engine: TransformersEngine, args: argparse.Namespace) -> None:
        self.engine, self.data, self.seconds, self.out, self.model = (
            engine,
            args.data,
            args.seconds,
            args.out,
            args.model,
        )
        self.rows: list[Row] = []
        if self.out.is_file():
            self.rows = [json.loads(line) for line in self.out.read_text().splitlines()]
        self.anchors = measure.held(engine)
        self._works: dict[tuple[str, Shard], Work] = {}

    def work(self, name: str, shard: Shard) -> Work:
        if (name, shard) not in self._works:
            self._works[name, shard] = WORKS[name](self.engine, self.data, shard)
        return self._works[name, shard]

    def found(self, **key: Any) -> Row | None:
        key["budget"] = self.seconds
        return next((row for row in self.rows if all(row.get(k) == value for k, value in key.items())), None)

    def add(self, row: Row) -> None:
        row |= {
            "budget": self.seconds,
            "model": self.model,
            "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
            "threads": torch.get_num_threads(),
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        self.rows.append(row)
        with self.out.open("a") as file:
            file.write(json.dumps(row) + "\n")
        right = row.get("right", "")
        print(
            f"{row['stage']} {row['work']} {row['arm']} {row.get('seed', '')}: {right.count('1')}/{len(right)}",
            flush=True,
        )

    def pilot(self, name: str) -> None:
        for arm_name, arm in ARMS.items():
            key = {"stage": "pilot", "work": name, "arm": arm_name}
            if self.found(**key) or not arm.suits(self.work(name, "select")):
                continue
            work = self.work(name, "select")
            row = measure.train(
                self.engine, work, arm, self.anchors, seed=TUNING_SEED, steps=measure.PILOT_STEPS, rate=RATES[0]
            )
            step = {k: (row["spent"][k] - row["prepared"][k]) / measure.PILOT_STEPS for k in row["spent"]}
            # CPU-seconds: unlike those of the clock they are the same on a busy machine.
            left = self.seconds - row["prepared"]["cpu_seconds"]
            row["fitting"] = max(1, int(left / step["cpu_seconds"]))
            row["fitting_tokens"] = int(row["prepared"]["tokens"] + row["fitting"] * step["tokens"])
            self.add({**key, **row})

    def tune(self, name: str) -> None:
        for arm_name, arm in ARMS.items():
            for rate in RATES:
                key = {"stage": "tune", "work": name, "arm": arm_name, "learning_rate": rate}
                if self.found(**key) or not arm.suits(self.work(name, "select")):
                    continue
                work = self.work(name, "select")
                row = measure.train(
                    self.engine, work, arm, self.anchors, seed=TUNING_SEED, steps=self.steps(name, arm_name), rate=rate
                )
                self.add({**key, **row, "right": measure.right(self.engine, work, LIVE)})

    def forks(self, name: str) -> None:
        key = {"stage": "forks", "work": name, "arm": "base"}
        if not self.found(**key):
            cases = [(case.prompt, case.shown, case.proven) for case in self.work(name, "select").cases]
            found = opsd.forks(self.engine, None, cases)
            self.add({**key, "veteran": [None if each is None else round(each, 4) for each in found]})

    def report(self, name: str, seed: int) -> None:
        suites = self.suites(seed)
        for shown in (False, True):
            arm_name = "in context" if shown else "base"
            key = {"stage": "report", "work": name, "arm": arm_name, "seed": seed}
            if self.found(**key):
                continue
            row: Row = {**key, **measure.evaluate(self.engine, self.work(name, "report"), None, shown=shown)}
            if not shown:
                same = self.found(stage="report", arm="base", seed=seed)  # of another kind of work
                row["suites"] = same["suites"] if same else measure.retained(self.engine, suites, None)
            self.add(row)
        halfway = min(row["fitting_tokens"] for row in self.of(stage="pilot", work=name))
        for arm_name, arm in ARMS.items():
            key = {"stage": "report", "work": name, "arm": arm_name, "seed": seed}
            if self.found(**key) or (seed >= FEW_SEEDS and not arm.decides):
                continue
            if not arm.suits(work := self.work(name, "report")):
                continue
            row = measure.train(
                self.engine,
                work,
                arm,
                self.anchors,
                seed=seed,
                rate=self.rate(name, arm_name),
                steps=self.steps(name, arm_name),
                seconds=self.seconds,
                halfway=halfway,
            )
            row |= measure.evaluate(self.engine, work, LIVE)
            row["suites"] = measure.retained(self.engine, suites, LIVE)
            self.add({**key, **row})

    def longer(self, name: str, arm_name: str) -> None:
        key = {"stage": "longer", "work": name, "arm": arm_name, "seed": 0}
        if self.found(**key):
            return
        work = self.work(name, "report")
        row = measure.train(
            self.engine,
            work,
            ARMS[arm_name],
            self.anchors,
            seed=0,
            rate=self.rate(name, arm_name),
            steps=LONGER * self.steps(name, arm_name),
            seconds=LONGER * self.seconds,
        )
        self.add({**key, **row, **measure.evaluate(self.engine, work, LIVE)})

    def of(self, **key: Any) -> Iterator[Row]:
        key["budget"] = self.seconds
        return (row for row in self.rows if all(row.get(k) == value for k, value in key.items()))

    def steps(self, name: str, arm_name: str) -> int:
        return next(self.of(stage="pilot", work=name, arm=arm_name))["fitting"]

    def rate(self, name: str, arm_name: str) -> float:
        """Of the arm's trials the one that got most right; of equals the gentlest."""
        trials = self.of(stage="tune", work=name, arm=arm_name)
        return max(trials, key=lambda row: (row["right"].count("1"), -row["learning_rate"]))["learning_rate"]

    def suites(self, seed: int) -> dict[str, list[Item]]:
        part = slice(seed * ITEMS, (seed + 1) * ITEMS)
        return {name: public_suites.load(self.data / "retention_a" / f"{name}.jsonl")[part] for name in SUITES}


if __name__ == "__main__":
    sys.exit(main())
