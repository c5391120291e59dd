"""What a night is worth: closed-book questions before and after, over seeds, with the reason for every miss.

    python bench/night.py [--user customer] [--seeds 0 1 2] [--facts N] [--keep DIR]
    python bench/night.py --sessions FILE --questions FILE --tag NAME

Without files it measures on the demo's log, of any user that the BFCL v4 memory sessions have. Each seed is a night of
its own in a new store. The questions are read by the evaluation only. Writes bench/results/night_TAG.json: per seed
accuracy before, after and with the best-matching turns in the prompt, the internalisation ratio, general ability,
seconds, CPU-seconds, peak memory, and for each missed question whether no situation covered it, the veteran was wrong,
or training fell short.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import sys
import tempfile
from collections import Counter
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from journeyman.capture import read_sessions
from journeyman.cli import demo_data, missed
from journeyman.evaluate.questions import Answered, QuestionScore, answer_questions, load_questions, score
from journeyman.evaluate.retrieval import TurnIndex
from journeyman.model import load_engine
from journeyman.model.source import DEFAULT_MODEL
from journeyman.night import NightOptions, night
from journeyman.records import Session
from journeyman.store import Store, open_store

RESULTS = Path(__file__).parent / "results"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--user", default="customer", help="whose BFCL sessions to measure on (default: customer)")
    parser.add_argument("--sessions", help="another log")
    parser.add_argument("--questions", help="closed-book questions about it")
    parser.add_argument("--tag", help="name of the result (default: the user)")
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--facts", type=int, default=NightOptions.facts, help="how many to learn (default: 130)")
    parser.add_argument("--keep", help="directory for the stores and adapters; default: a temporary one")
    args = parser.parse_args()
    if bool(args.sessions) != bool(args.questions):
        parser.error("--sessions and --questions go together")
    with tempfile.TemporaryDirectory() as scratch:
        if not args.sessions:
            files = demo_data.prepare(args.user, Path(scratch))
            args.sessions, args.questions = str(files.sessions), str(files.questions)
        args.tag = args.tag or args.user
        result = measure(args, Path(args.keep or scratch))
    print(
        f"median after: {result['median_after']:.3f} (before {result['before']:.3f}, ceiling {result['ceiling']:.3f})"
    )
    print(_target(args.tag))
    return 0


def measure(args: argparse.Namespace, directory: Path) -> dict[str, Any]:
    directory.mkdir(parents=True, exist_ok=True)
    questions = load_questions(args.questions)
    sessions = read_sessions(args.sessions).sessions
    index = TurnIndex(sessions)
    engine = load_engine(args.model)
    # As many exposures a fact, however many facts.
    options = NightOptions(
        facts=args.facts, steps=round(NightOptions.steps * max(1.0, args.facts / NightOptions.facts))
    )
    before = score(answer_questions(engine, questions, adapter=None))
    ceiling = score(answer_questions(engine, questions, adapter=None, context=lambda q: "\n".join(index.best(q))))
    runs: list[dict[str, Any]] = []
    result: dict[str, Any] = {}
    for seed in args.seeds:
        path = directory / f"{args.tag}-{seed}.db"
        with open_store(path) as store:
            found = night(store, args.model, sessions=[args.sessions], seed=seed, options=options, engine=engine)
            after = None
            if found["adapter"]:
                engine.load_adapter(found["adapter_path"], "measured")
                after = answer_questions(engine, questions, adapter="measured")
            run = _run(found, after, before.accuracy, ceiling.accuracy, store, sessions)
        runs.append({"seed": seed, **run})
        print(f"seed {seed}: {run['after']:.3f} in {run['seconds']:.0f} s, {run['verdict']}", flush=True)
        result = _result(args, options, before, ceiling, len(sessions), runs)
        RESULTS.mkdir(exist_ok=True)  # after each seed: what has been measured is kept
        _target(args.tag).write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")
    return result


def _target(tag: str) -> Path:
    return RESULTS / f"night_{tag}.json"


def _result(
    args: argparse.Namespace,
    options: NightOptions,
    before: QuestionScore,
    ceiling: QuestionScore,
    sessions: int,
    runs: list[dict[str, Any]],
) -> dict[str, Any]:
    return {
        "command": " ".join(["python", "bench/night.py", *sys.argv[1:]]).replace(f" --keep {args.keep}", ""),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "model": args.model,
        "options": asdict(options),
        "questions": before.n,
        "sessions": sessions,
        "before": before.accuracy,
        "ceiling": ceiling.accuracy,
        "median_after": statistics.median(run["after"] for run in runs),
        "median_internalisation": statistics.median(run["internalisation"] or 0.0 for run in runs),
        "peak_memory_gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
        "runs": runs,
    }


def _run(
    found: dict[str, Any],
    answered: list[Answered] | None,
    before: float,
    ceiling: float,
    store: Store,
    sessions: list[Session],
) -> dict[str, Any]:
    after = score(answered) if answered else None
    practised = missed.traces(store.phases(found["night"]))
    why = {a.question: "" if a.correct else missed.why(a.answers, practised) for a in answered or []}
    accuracy = after.accuracy if after else before
    return {
        # Of the night's phases as they were committed: a night that --keep has from before is not run again.
        "seconds": found.get("seconds", 0.0),
        "cpu_seconds": found.get("cpu_seconds", 0.0),
        "verdict": found["verdict"],
        "reasons": found["reasons"],
        "after": accuracy,
        "interval": list(after.interval) if after else None,
        "internalisation": (accuracy - before) / (ceiling - before) if ceiling > before else None,
        "general": {key: found["general"].get(key) for key in ("before", "after", "n", "interval")},
        "heldout": {key: found.get("heldout", {}).get(key) for key in ("before", "after", "n")},
        "probes": {key: found.get("probes", {}).get(key) for key in ("before", "after", "n")},
        "drift": found.get("drift"),
        "situations": found.get("situations"),
        "phases": found["phases"],
        "missed": dict(Counter(reason.split(":")[0].split(" in ")[0] for reason in why.values() if reason)),
        "items": [
            {"question": a.question, "reply": a.reply, "correct": a.correct, "why": why[a.question]}
            for a in answered or []
        ],
        "words": sum(len(turn.content.split()) for session in sessions for turn in session.turns),
    }


if __name__ == "__main__":
    sys.exit(main())
