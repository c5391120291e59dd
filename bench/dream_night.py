"""A whole night over a desk's log, dreamed tasks and all: its verdict, and what the desk's real work says of it.

    python bench/dream_night.py [--sessions 48] [--seed 0] [--threads N]

The log is that of bench/desk.py. The night is the default one: it dreams a world of the sessions, trains on its tasks
beside what was said, and its gate decides. Then the base, the candidate and (if it is another) who is in service do 32
pieces of real work at the real desk, about orders that are in no session, half of them in words that nobody used. What
pays is the desk's verifier. Writes bench/results/dream_night.json.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
import desk

from journeyman.cli import progress
from journeyman.evaluate.statistics import paired_difference
from journeyman.learn.acting import play
from journeyman.learn.calling import ByDay, Shown, Work
from journeyman.model import load_engine
from journeyman.model.source import DEFAULT_MODEL
from journeyman.model.transformers_engine import TransformersEngine
from journeyman.night import night
from journeyman.shares import wilson
from journeyman.store import open_store
from journeyman.world import Call, Env, Suite

RESULT = Path(__file__).parent / "results" / "dream_night.json"
WORK = 32


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sessions", type=int, default=48)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    begun = time.perf_counter(), time.process_time()
    with tempfile.TemporaryDirectory() as scratch, progress.shown(quiet=False) as report:
        engine = load_engine(DEFAULT_MODEL, threads=args.threads)
        log = Path(scratch) / "log.jsonl"
        log.write_text("".join(json.dumps(each) + "\n" for each in desk.log(range(args.sessions), args.seed)))
        with open_store(Path(scratch) / "desk.db") as store:
            found = night(store, sessions=[log], seed=args.seed, progress=report, engine=engine)
            work = desk.held_out(WORK, args.seed)
            rights = {"base": done(engine, work, None)}
            if found["adapter"]:
                engine.load_adapter(found["adapter_path"], "candidate")
                rights["candidate"] = done(engine, work, "candidate")
    result: dict[str, Any] = {
        "model": DEFAULT_MODEL,
        "verdict": found["verdict"],
        "reasons": found["reasons"],
        "tasks": found.get("tasks"),
        "real": {
            who: {"k": sum(right), "n": len(right), "interval": list(wilson(sum(right), len(right)))}
            for who, right in rights.items()
        },
        "phases": found["phases"],
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "command": " ".join(["python", "bench/dream_night.py", *sys.argv[1:]]),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(time.perf_counter() - begun[0], 1),
        "cpu_seconds": round(time.process_time() - begun[1], 1),
    }
    if "candidate" in rights:
        step = paired_difference([float(x) for x in rights["base"]], [float(x) for x in rights["candidate"]])
        result["gain"] = {"difference": step.difference, "interval": list(step.interval)}
    RESULT.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")
    print(json.dumps(result, indent=1, ensure_ascii=False))
    return 0


def done(engine: TransformersEngine, work: Suite, adapter: str | None) -> list[bool]:
    """The desk's real work as its client asks for it: the desk's tools, shown by the model's own template."""
    shown = Shown(desk.SYSTEM, tuple(desk.schemas()))
    works = {
        id: Work(task.instruction, tuple((each, "") for each in task.oracle if isinstance(each, Call)))
        for id, task in work.tasks.items()
    }
    manner = ByDay.of(engine, dict.fromkeys(works, shown), works)
    envs = [Env(work) for _ in works]
    for env, task in zip(envs, work.tasks.values(), strict=True):
        env.reset(task)
    with engine.using(adapter):
        return [episode.score > 0 for episode in play(engine, envs, manner)]


if __name__ == "__main__":
    sys.exit(main())
