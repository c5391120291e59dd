"""Search in the dream against plain GRPO, on equal budgets of dreamed steps and of updates.

    python bench/search.py [--seeds 0 1 2] [--ways search grpo] [--families NAME ...] [--steps N] [--threads N]

Both practise the drills of bench/rlvr.py: the same tasks, prompts, schedule of updates, and actions in all (steps x
tasks x group). GRPO samples each task's group; search tries more only where one try has failed, and repeats what was
found. The base is measured first, each seed practises from the base by itself in either way, and all are measured on
the same held-out tasks. Writes bench/results/search.json after each run: success before and after with Wilson's
intervals, the paired differences to the base and between the ways with Tango's, and what each step took.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from rlvr import WAYS, add_settings, measured, share

from journeyman.evaluate.statistics import paired_difference
from journeyman.learn import LIVE, Schedule, rlvr, search
from journeyman.learn.acting import Manner
from journeyman.model import load_engine
from journeyman.model.lora import LoRAConfig
from journeyman.model.source import DEFAULT_MODEL
from journeyman.model.transformers_engine import Batching, TransformersEngine
from journeyman.world import Suite, Task, load
from journeyman.world.drills import drills

RESULT = Path(__file__).parent / "results" / "search.json"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_settings(parser)
    parser.add_argument("--ways", nargs="+", choices=["search", "grpo"], default=["search", "grpo"])
    parser.add_argument("--out", type=Path, default=RESULT)
    args = parser.parse_args()
    suite = drills(load("shop", per_family=24))
    tasks = [task for task in suite.tasks.values() if task.family in args.families]
    train, held = rlvr.divided(tasks, args.held_out, seed=0)
    examples, train = rlvr.chosen(train, args.examples)
    engine = load_engine(DEFAULT_MODEL, threads=args.threads)
    if engine.device.type == "cpu":  # what every prompt begins with is long: larger packs run it less often
        engine.batching = Batching(1024, 128, 64)
    manner = Manner.showing(suite, examples, turns=1, max_new_tokens=44)
    budget = args.steps * args.tasks * args.group
    result: dict[str, Any] = {
        "command": " ".join(["python", "bench/search.py", *sys.argv[1:]]),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "load": os.getloadavg()[0],
        "model": DEFAULT_MODEL,
        "options": {
            **{name: value for name, value in vars(args).items() if name != "out"},
            "practised": len(train),
            "held_out": len(held),
            "dreamed_steps": budget,
        },
    }
    base, said = measured(engine, suite, held, manner, None)
    result["before"] = {**{way: share(scores) for way, scores in base.items()}, "said": said}
    print(f"base: { ({way: sum(base[way]) / len(held) for way in WAYS}) }", flush=True)
    runs: list[dict[str, Any]] = []
    scores: dict[str, dict[str, list[float]]] = {each: {way: [] for way in WAYS} for each in args.ways}
    for seed in args.seeds:
        for way in args.ways:
            begun, cpu, tokens = time.monotonic(), time.process_time(), engine.tokens
            config = LoRAConfig(16, 32, first_layer=engine.model.config.num_hidden_layers // 2)
            engine.put_adapter(LIVE, engine.new_adapter(config, seed))
            steps = list(practised(way, engine, suite, train, manner, args, seed))
            spent = {
                "seconds": time.monotonic() - begun,
                "cpu_seconds": time.process_time() - cpu,
                "tokens": engine.tokens - tokens,
            }
            after, said = measured(engine, suite, held, manner, LIVE)
            for each, found in after.items():
                scores[way][each] += found
            runs.append(
                {
                    "way": way,
                    "seed": seed,
                    **spent,
                    "dreamed_steps": sum(step["dreamed_steps"] for step in steps),
                    "steps": steps,
                    "after": {**{each: share(found) for each, found in after.items()}, "said": said},
                    "difference": {each: paired_difference(base[each], after[each]).to_json() for each in WAYS},
                }
            )
            result["runs"] = runs
            result["ways"] = {name: {each: share(s[each]) for each in WAYS if s[each]} for name, s in scores.items()}
            if len({len(s["greedy"]) for s in scores.values()}) == 1 and len(scores) == 2:
                clusters = [task.id for _ in range(len(runs) // 2) for task in held]
                result["search_over_grpo"] = {
                    each: paired_difference(scores["grpo"][each], scores["search"][each], clusters).to_json()
                    for each in WAYS
                }
            args.out.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")
            print(
                f"{way} seed {seed}: { ({each: runs[-1]['after'][each]['share'] for each in WAYS}) }", spent, flush=True
            )
    return 0


def practised(
    way: str,
    engine: TransformersEngine,
    suite: Suite,
    train: list[Task],
    manner: Manner,
    args: argparse.Namespace,
    seed: int,
) -> Iterator[dict[str, Any]]:
    """One item for each update: the actions that were tried for it, and what came of them."""
    actions = args.tasks * args.group
    if way == "grpo":
        schedule = Schedule(args.steps, rows=0, learning_rate=args.learning_rate, seed=seed)
        for step in rlvr.practise(engine, suite, train, manner, schedule, at_once=args.tasks, group=args.group):
            yield {"dreamed_steps": actions, "reward": step.reward, "zero_variance": step.zero_variance}
        return
    schedule = Schedule(args.steps, rows=actions, learning_rate=args.learning_rate, seed=seed)
    for step in search.practise(
        engine,
        suite,
        train,
        manner,
        schedule,
        budget=args.steps * actions,
        at_once=args.tasks,
        tries=args.group,
    ):
        yield {"dreamed_steps": step.steps, "dealt": step.dealt, "found": step.found, "update": asdict(step.update)}


if __name__ == "__main__":
    sys.exit(main())
