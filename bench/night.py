"""What a night is worth: closed-book questions before and after, over seeds, with the reason for every miss.

    python bench/night.py --sessions FILE --questions FILE --tag customer [--seeds 0 1 2] [--keep DIR]

Each seed is a night of its own in a new store. The questions are read by the evaluation only. Writes
bench/results/night_<tag>.json: per seed accuracy before, after and with the best-matching turns in the prompt, the
internalisation ratio, general ability, seconds, CPU-seconds, peak memory, and for each missed question whether no
situation covered it, the veteran was wrong, or training fell short.
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
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from journeyman.capture import read_sessions
from journeyman.evaluate.questions import Answered, Question, answer_questions, is_correct, load_questions, score
from journeyman.evaluate.retrieval import TurnIndex
from journeyman.model import load_engine
from journeyman.model.source import DEFAULT_MODEL
from journeyman.night import TRAINED, NightOptions, night
from journeyman.records import Session
from journeyman.store import Store, open_store

RESULTS = Path(__file__).parent / "results"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sessions", required=True)
    parser.add_argument("--questions", required=True)
    parser.add_argument("--tag", required=True)
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--keep", help="directory for the stores and adapters; default: a temporary one")
    args = parser.parse_args()
    for file in (args.sessions, args.questions):
        if not Path(file).is_file():
            print(f"error: {file} is not there\ntry: give the files to measure on", file=sys.stderr)
            return 2
    with tempfile.TemporaryDirectory() as scratch:
        result = measure(args, Path(args.keep or scratch))
    RESULTS.mkdir(exist_ok=True)
    target = RESULTS / f"night_{args.tag}.json"
    target.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")
    print(f"median after: {result['median_after']:.3f} (before {result['before']:.3f}, ceiling {result['ceiling']:.3f})")
    print(target)
    return 0


def measure(args: argparse.Namespace, directory: Path) -> dict[str, Any]:
    directory.mkdir(parents=True, exist_ok=True)
    questions = load_questions(args.questions)
    sessions = read_sessions(args.sessions).sessions
    index = TurnIndex(sessions)
    engine = load_engine(args.model)
    before = score(answer_questions(engine, questions, adapter=None))
    ceiling = score(answer_questions(engine, questions, adapter=None, context=lambda q: "\n".join(index.best(q))))
    runs = []
    for seed in args.seeds:
        path = directory / f"{args.tag}-{seed}.db"
        begun, cpu = time.perf_counter(), time.process_time()
        with open_store(path) as store:
            found = night(store, args.model, sessions=[args.sessions], seed=seed, engine=engine)
            spent = {"seconds": time.perf_counter() - begun, "cpu_seconds": time.process_time() - cpu}
            after = None
            if found["adapter"]:
                engine.load_adapter(found["adapter_path"], "measured")
                after = answer_questions(engine, questions, adapter="measured")
            run = _run(found, after, before.accuracy, ceiling.accuracy, store, sessions)
        runs.append({"seed": seed, **spent, **run})
        print(f"seed {seed}: {run['after']:.3f} in {spent['seconds']:.0f} s, {run['verdict']}", flush=True)
    return {
        "command": " ".join(["python", *sys.argv]).replace(args.sessions, Path(args.sessions).name).replace(
            args.questions, Path(args.questions).name
        ),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "model": args.model,
        "options": NightOptions().__dict__,
        "questions": len(questions),
        "sessions": len(sessions),
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
    accuracy = after.accuracy if after else before
    return {
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
        "missed": dict(Counter(_why(item, found["night"], store) for item in answered or [] if not item.correct)),
        "items": [
            {"question": a.question, "reply": a.reply, "correct": a.correct, "why": "" if a.correct else _why(a, found["night"], store)}
            for a in answered or []
        ],
        "words": sum(len(turn.content.split()) for session in sessions for turn in session.turns),
    }


def _why(item: Answered | Question, key: str, store: Store) -> str:
    """Why a question was missed, as far as the night's own records tell."""
    phases = store.phases(key)
    situations = phases["dream situations"].output
    lifts = phases["measure lift"].output["lifts"]
    covering = [s for s in situations["train"] if is_correct(s["evidence"], item.answers)]
    ids = [_situation_id(s) for s in covering]
    if not covering:
        return "no situation covered it"
    if not any(lifts[i]["route"] in TRAINED for i in ids if i in lifts):
        return "lift dropped it"
    if not any(lifts[i]["route"] == "opsd" for i in ids if i in lifts):
        return "the veteran was wrong"
    return "training fell short"


def _situation_id(value: dict[str, Any]) -> str:
    from journeyman.records import Situation

    return Situation.from_json(value).id


if __name__ == "__main__":
    sys.exit(main())
