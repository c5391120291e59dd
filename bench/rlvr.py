"""What practice in a world is worth: reward by step, and success on tasks that were not practised, over seeds.

    python bench/rlvr.py [--seeds 0 1 2] [--families NAME ...] [--steps N] [--threads N]

The tasks are drills of the shop: one step of a task, spelled out. There are more tools to call than examples of calls.
The base is measured first, on the held-out tasks once greedily and once at temperature 1; each seed then practises from
the base by itself and is measured on the same tasks. Writes bench/results/rlvr.json after each seed: reward and share
of groups without a difference by step, success before and after with Wilson's intervals, the paired difference with
Tango's, and some of what was written.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from journeyman.evaluate.statistics import paired_difference
from journeyman.learn import LIVE, Schedule, rlvr
from journeyman.learn.acting import Manner, play
from journeyman.model import load_engine
from journeyman.model.lora import LoRAConfig
from journeyman.model.source import DEFAULT_MODEL
from journeyman.model.transformers_engine import Batching, TransformersEngine
from journeyman.shares import wilson
from journeyman.world import Env, Suite, Task, load
from journeyman.world.drills import drills

RESULT = Path(__file__).parent / "results" / "rlvr.json"
WAYS = {"greedy": 0.0, "sampled": 1.0}


def add_settings(parser: argparse.ArgumentParser) -> None:
    """What is practised, how long and from which seeds: the same for every way to practise."""
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument(
        "--families", nargs="+", default=["cancel_order", "escalate_case", "give_credit", "change_quantity", "refund"]
    )
    parser.add_argument("--examples", type=int, default=2, help="solved tasks in each prompt (default: 2)")
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--tasks", type=int, default=4, help="a step (default: 4)")
    parser.add_argument("--group", type=int, default=6, help="tries of each (default: 6)")
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--held-out", type=int, default=32)
    parser.add_argument("--threads", type=int, default=1)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_settings(parser)
    args = parser.parse_args()
    suite = drills(load("shop", per_family=24))
    tasks = [task for task in suite.tasks.values() if task.family in args.families]
    train, held = rlvr.divided(tasks, args.held_out, seed=0)
    examples, train = rlvr.chosen(train, args.examples)
    engine = load_engine(DEFAULT_MODEL, threads=args.threads)
    if engine.device.type == "cpu":  # what every prompt begins with is long: larger packs run it less often
        engine.batching = Batching(1024, 128, 64)
    manner = Manner.showing(suite, examples, turns=1, max_new_tokens=44)
    result: dict[str, Any] = {
        "command": " ".join(["python", "bench/rlvr.py", *sys.argv[1:]]),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "load": os.getloadavg()[0],
        "model": DEFAULT_MODEL,
        "options": {**vars(args), "practised": len(train), "held_out": len(held)},
        "prompt": engine.tokenizer.decode(engine.chat([*manner.before, {"role": "user", "content": "…"}])),
    }
    base, said = measured(engine, suite, held, manner, None)
    result["before"] = {**{way: share(scores) for way, scores in base.items()}, "said": said}
    print(f"base: { ({way: sum(base[way]) / len(held) for way in WAYS}) }", flush=True)
    runs: list[dict[str, Any]] = []
    for seed in args.seeds:
        begun, cpu = time.monotonic(), time.process_time()
        config = LoRAConfig(16, 32, first_layer=engine.model.config.num_hidden_layers // 2)
        engine.put_adapter(LIVE, engine.new_adapter(config, seed))
        schedule = Schedule(args.steps, rows=0, learning_rate=args.learning_rate, seed=seed)
        steps: list[dict[str, Any]] = []
        for step in rlvr.practise(engine, suite, train, manner, schedule, at_once=args.tasks, group=args.group):
            steps.append(
                {
                    "reward": step.reward,
                    "zero_variance": step.zero_variance,
                    "kinds": step.kinds,
                    "length": step.update.length,
                    "entropy": step.update.entropy,
                }
            )
            print(f"seed {seed} step {step.step}: {steps[-1]}", flush=True)
        trained = time.monotonic() - begun, time.process_time() - cpu
        after, said = measured(engine, suite, held, manner, LIVE)
        runs.append(
            {
                "seed": seed,
                "seconds": trained[0],
                "cpu_seconds": trained[1],
                "steps": steps,
                "after": {**{way: share(scores) for way, scores in after.items()}, "said": said},
                "difference": {way: paired_difference(base[way], after[way]).to_json() for way in WAYS},
            }
        )
        result["runs"] = runs
        result["reward"] = [sum(run["steps"][at]["reward"] for run in runs) / len(runs) for at in range(args.steps)]
        result["zero_variance"] = [
            sum(run["steps"][at]["zero_variance"] for run in runs) / len(runs) for at in range(args.steps)
        ]
        RESULT.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")
        print(f"seed {seed}: { ({way: runs[-1]['after'][way]['share'] for way in WAYS}) }", flush=True)
    return 0


def measured(
    engine: TransformersEngine, suite: Suite, tasks: Sequence[Task], manner: Manner, adapter: str | None
) -> tuple[dict[str, list[float]], list[list[Any]]]:
    """Of each way to decode, 1 for each task that was solved; and what was written greedily for the first few."""
    found: dict[str, list[float]] = {}
    said: list[list[Any]] = []
    for way, temperature in WAYS.items():
        envs = []
        for task in tasks:
            env = Env(suite)
            env.reset(task)
            envs.append(env)
        with engine.using(adapter):
            episodes = play(engine, envs, manner, temperature=temperature, seed=1)
        found[way] = [float(episode.score > 0) for episode in episodes]
        said = said or [
            [episode.task.instruction, engine.decode(episode.turns[0][1]), episode.score] for episode in episodes[:12]
        ]
    return found, said


def share(scores: Sequence[float]) -> dict[str, Any]:
    solved = sum(scores)
    return {"share": solved / len(scores), "n": len(scores), "interval": wilson(solved, len(scores))}


if __name__ == "__main__":
    sys.exit(main())
