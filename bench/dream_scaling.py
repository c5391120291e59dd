"""What dreaming is worth at the real desk, by how much is dreamed; and training on the log alone, at the same compute.

    python bench/dream_scaling.py [--seeds 0 1 2 3 4] [--amounts 1 4 16 64] [--arms dream log] [--threads N]

Of each seed: a log of the desk in bench/desk.py (48 sessions), the world and the tasks that are dreamed of it, and work
for the days after it at the real desk: other orders, half of the wordings never heard. At an amount of x the default
model is trained on 2 x decisions (a prompt and the call that was right), four a step, from the base:

    dream   of the dreamed tasks, each once before any comes again
    log     of the recorded ones among them, the same number of decisions, so of the same ones more often

Then it does the real work greedily, one call each, and dreamed work that was kept from the training: Kendall's tau says
whether the dream ranks what was trained as the real desk does. What pays is the desk's, or the dream's, verifier.
One row a run in bench/results/dream_scaling.jsonl; a run whose row is there is not run again, so that the command may
be stopped and given again. `python bench/dream_scaling.py --show` prints the curve and where it says to stop.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
import desk

from journeyman.dream.dreamed import Dreamed, dream
from journeyman.dream.practice import unfit
from journeyman.evaluate.scaling import fitted, rank_agreement
from journeyman.learn import LIVE, Schedule
from journeyman.learn.acting import Episode, Manner, play, written
from journeyman.learn.exposures import Exposure, verbatim
from journeyman.learn.trainer import train
from journeyman.model import load_engine
from journeyman.model.lora import LoRAConfig
from journeyman.model.source import DEFAULT_MODEL
from journeyman.model.transformers_engine import Batching, TransformersEngine
from journeyman.world import Env, Suite, Task

RESULTS = Path(__file__).parent / "results" / "dream_scaling.jsonl"
SESSIONS, TRIED, HELD_OUT, JUDGED = 48, 200, 32, 12
UNIT, ROWS = 2, 4  # decisions at the amount 1, and at most in one step
REPLY = 64


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--amounts", type=int, nargs="+", default=[1, 4, 16, 64])
    parser.add_argument("--arms", nargs="+", choices=["dream", "log"], default=["dream", "log"])
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--show", action="store_true", help="only what was found so far")
    args = parser.parse_args()
    rows = [json.loads(line) for line in args.out.read_text().splitlines()] if args.out.is_file() else []
    if args.show:
        return show(rows)
    engine: TransformersEngine | None = None
    for seed in args.seeds:
        wanted = [("base", 0), *((arm, amount) for amount in args.amounts for arm in args.arms)]
        left = [key for key in wanted if not any((r["seed"], r["arm"], r["amount"]) == (seed, *key) for r in rows)]
        if not left:
            continue
        engine = engine or opened(args.threads)
        begun = time.process_time()
        dreamed = dream(desk.log(range(SESSIONS), seed), budget=TRIED)
        if why := unfit(dreamed.card):
            raise SystemExit(f"error: seed {seed}: {why}")
        judged, pools = exposures(engine, dreamed, seed)
        dreaming = time.process_time() - begun
        for arm, amount in left:
            rows.append(
                {
                    "arm": arm,
                    "amount": amount,
                    "seed": seed,
                    **run(engine, judged, pools, arm, amount, seed, args.learning_rate),
                    "pools": {name: len(pool) for name, pool in pools.items()},
                    "tasks": dreamed.tasks.to_json()["kinds"],
                    "held_out_of_the_world": dreamed.card["held_out"],
                    "dreaming_cpu_seconds": dreaming,
                    "command": "python bench/dream_scaling.py",
                    "model": DEFAULT_MODEL,
                    "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
                    "date": datetime.now(UTC).isoformat(timespec="seconds"),
                }
            )
            with args.out.open("a") as file:
                file.write(json.dumps(rows[-1]) + "\n")
            right = rows[-1]["right"]
            print(
                f"seed {seed} {arm} {amount}: {right.count('1')}/{len(right)}, {rows[-1]['cpu_seconds']:.0f} s",
                flush=True,
            )
    return show(rows)


def opened(threads: int) -> TransformersEngine:
    engine = load_engine(DEFAULT_MODEL, threads=threads)
    if engine.device.type == "cpu":
        engine.batching = Batching(1024, 128, 64)
    return engine


def manner(suite: Suite) -> Manner:
    return Manner.showing(suite, [], tools=True, turns=1, max_new_tokens=REPLY)


def exposures(engine: TransformersEngine, dreamed: Dreamed, seed: int) -> tuple[Suite, dict[str, list[list[Exposure]]]]:
    """Dreamed work of one call that is kept apart; for each arm its tasks, each with its decisions: all others that
    were dreamed, and those of them that were recorded."""
    tasks = [task for task in dreamed.suite.tasks.values() if task.user is None]
    single = [task for task in tasks if len(task.oracle) == 1]
    judged = random.Random(f"{seed}:judged").sample(single, min(JUDGED, len(single) // 3))
    calls = {task.oracle[0].text for task in judged}
    found: dict[str, list[list[Exposure]]] = {"dream": [], "log": []}
    for task in tasks:
        if any(action.text in calls for action in task.oracle):
            continue
        decisions = _decisions(engine, dreamed.suite, task)
        found["dream"].append(decisions)
        if dreamed.tasks.origins[task.id].how == "recorded":
            found["log"].append(decisions)
    return Suite(dreamed.suite.rules, judged), found


def _decisions(engine: TransformersEngine, suite: Suite, task: Task) -> list[Exposure]:
    asks, env, found = manner(suite), Env(suite), list[Exposure]()
    env.reset(task)
    talk = asks.begin(env)
    for action in task.oracle:
        text = written(action)
        found.append(verbatim(engine, talk.prompt(engine), [*engine.encode(text), engine.end_id]))
        env.step(action)
        asks.go_on(talk, text, action, env.observation)
    return found


def run(
    engine: TransformersEngine,
    judged: Suite,
    pools: dict[str, list[list[Exposure]]],
    arm: str,
    amount: int,
    seed: int,
    rate: float,
) -> dict[str, Any]:
    """Train from the base, and do the real work."""
    begun, tokens = time.process_time(), engine.tokens
    decisions = dealt(pools[arm], amount * UNIT, seed) if amount else []
    if decisions:
        config = LoRAConfig(16, 32, first_layer=engine.model.config.num_hidden_layers // 2)
        engine.put_adapter(LIVE, engine.new_adapter(config, seed))
        hands = [decisions[at : at + ROWS] for at in range(0, len(decisions), ROWS)]
        schedule = Schedule(len(hands), rows=0, learning_rate=rate, seed=seed)
        for _ in train(engine, [], [], schedule, hands.__getitem__):
            pass
    spent = {"train_cpu_seconds": time.process_time() - begun, "train_tokens": engine.tokens - tokens}
    suite = desk.held_out(HELD_OUT, seed)
    adapter = LIVE if decisions else None
    episodes, dreamed = done(engine, suite, adapter), done(engine, judged, adapter)
    return {
        "decisions": len(decisions),
        "different": len({each.sequence for each in decisions}),
        "right": "".join(str(int(episode.score > 0)) for episode in episodes),
        "right_dreamed": "".join(str(int(episode.score > 0)) for episode in dreamed),
        "kinds": [task.family for task in suite.tasks.values()],
        "said": [engine.decode(episode.turns[0][1]) for episode in episodes[:6]],
        **spent,
        "cpu_seconds": time.process_time() - begun,
    }


def done(engine: TransformersEngine, suite: Suite, adapter: str | None) -> list[Episode]:
    envs = [Env(suite) for _ in suite.tasks]
    for env, task in zip(envs, suite.tasks.values(), strict=True):
        env.reset(task)
    with engine.using(adapter):
        return play(engine, envs, manner(suite))


def dealt(tasks: Sequence[Sequence[Exposure]], count: int, seed: int) -> list[Exposure]:
    """So many decisions: every task once, in a seeded order, before any comes again."""
    chance, found = random.Random(f"{seed}:scaling"), list[Exposure]()
    while len(found) < count:
        for task in chance.sample(list(tasks), len(tasks)):
            found += task
    return found[:count]


def share(right: str) -> float:
    return right.count("1") / len(right)


def show(rows: Sequence[dict[str, Any]]) -> int:
    for arm in ("dream", "log"):
        points = [(row["amount"], share(row["right"])) for row in rows if row["arm"] in ("base", arm)]
        for amount in sorted({amount for amount, _ in points}):
            found = [value for at, value in points if at == amount]
            print(f"{arm} {amount}: {sum(found) / len(found):.1%} of {len(found)} seeds")
        if len({amount for amount, _ in points}) > 2:
            curve = fitted(points)
            print(
                f"  level {curve.top:.1%}, half of it at {curve.half:.1f}, error {curve.error:.1%}, stop {curve.stop()}"
            )
    ranks = [(share(row["right_dreamed"]), share(row["right"])) for row in rows if row["right_dreamed"]]
    print(f"rank agreement of {len(ranks)} checkpoints: {rank_agreement(ranks)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
