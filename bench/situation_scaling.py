"""What dreamed situations are worth in real questions, by how many are dreamed; and the log alone, at the same compute.

    python bench/situation_scaling.py [--user customer] [--seeds 0 1 2 3 4] [--amounts 1 4 16 64] [--arms dream log]

A person's conversations (BFCL's memory log, as in `journeyman demo`) make lessons, and these situations: questions that
a night writes about each. At an amount of x the default model is trained from the base, eight rows a step and the
night's anchors and near misses beside them:

    dream   on 16 x dreamed situations, each once before any comes again, as a night trains them
    log     on the person's own statements, token by token, until as many tokens have gone through the model

Then it answers, closed book and greedily, the questions that the log's authors wrote about the person, and those of the
night's own questions that were kept from training: Kendall's tau says whether these rank what was trained as the real
ones do. One row a run in bench/results/situation_scaling.jsonl; a run whose row is there is not run again, so that the
command may be stopped and given again.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from dream_scaling import dealt

from journeyman import night_phases
from journeyman.capture import read_sessions
from journeyman.cli import demo_data
from journeyman.evaluate.questions import Question, answer_questions, load_questions
from journeyman.learn import LIVE, Exposure, Schedule, sft, train
from journeyman.learn.quiet import quiet
from journeyman.model import load_engine
from journeyman.model.lora import LoRAConfig
from journeyman.model.source import DEFAULT_MODEL
from journeyman.model.transformers_engine import TransformersEngine
from journeyman.night import Night, NightOptions
from journeyman.records import Situation
from journeyman.registry.lineage import TRAINED
from journeyman.store import open_store

RESULTS = Path(__file__).parent / "results" / "situation_scaling.jsonl"
UNIT, ROWS, ANCHOR_ROWS = 16, 8, 2  # situations at the amount 1; rows of a step
RATE = 1e-3
ARMS = ("dream", "log")


@dataclass(frozen=True)
class Day:
    """What there is to train on, and the questions: real ones, and the night's own that are kept from training."""

    situations: Sequence[Exposure]
    statements: Sequence[Exposure]
    held: Sequence[Exposure]
    real: Sequence[Question]
    dreamed: Sequence[Question]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--user", default="customer", help="whose conversations (default: customer)")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--amounts", type=int, nargs="+", default=[1, 4, 16, 64])
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=list(ARMS))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, default=RESULTS)
    args = parser.parse_args()
    rows = [json.loads(line) for line in args.out.read_text().splitlines()] if args.out.is_file() else []
    engine = load_engine(DEFAULT_MODEL, threads=args.threads)
    begun = time.process_time()
    day = of(engine, args.user)
    dreaming = time.process_time() - begun
    for seed in args.seeds:
        for arm, amount in [("base", 0), *((arm, amount) for amount in sorted(args.amounts) for arm in args.arms)]:
            if any((row["seed"], row["arm"], row["amount"]) == (seed, arm, amount) for row in rows):
                continue
            like = [r for r in rows if (r["seed"], r["arm"], r["amount"]) == (seed, "dream", amount)]
            if arm == "log" and not like:
                raise SystemExit("error: the log's share of compute is the dream's, which is missing: --arms dream log")
            found = run(engine, day, arm, amount, seed, like[0]["train_tokens"] if arm == "log" else 0)
            row = {
                "arm": arm,
                "amount": amount,
                "seed": seed,
                **found,
                "situations": len(day.situations),
                "dreaming_cpu_seconds": round(dreaming, 1),
                "command": "python bench/situation_scaling.py",
                "user": args.user,
                "model": DEFAULT_MODEL,
                "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
                "date": datetime.now(UTC).isoformat(timespec="seconds"),
            }
            rows.append(row)
            with args.out.open("a") as file:
                file.write(json.dumps(row) + "\n")
            right = row["right"]
            print(
                f"seed {seed} {arm} {amount}: {right.count('1')}/{len(right)}, {row['cpu_seconds']:.0f} s", flush=True
            )
    return 0


def of(engine: TransformersEngine, user: str) -> Day:
    """The night's own lessons, situations and veteran: the same for all seeds and amounts."""
    with tempfile.TemporaryDirectory() as scratch, open_store(Path(scratch) / "day.db") as store:
        files = demo_data.prepare(user, Path(scratch))
        store.add_sessions(read_sessions(files.sessions).sessions)
        night = Night(store, engine.name, "", 0, NightOptions(), lambda _what, _share: None, engine, None)
        said = night_phases.extract_lessons(night)
        dreams = night_phases.dream_situations(night, said)
        lifts = night_phases.measure_lift(night, said, dreams)["lifts"]
        chosen = [s for s in map(Situation.from_json, dreams["train"]) if lifts[s.id]["route"] in TRAINED]
        users_turn = engine.tokenizer("<|im_start|>user\n", add_special_tokens=False).input_ids
        texts = dict.fromkeys(fact["lesson"]["text"] for fact in said["facts"])
        return Day(
            [night.exposures[each.id] for each in chosen],
            sft.replay(engine, [(users_turn, [*engine.encode(text), engine.end_id]) for text in texts]),
            quiet(engine, [Situation.from_json(value) for value in dreams["quiet"]]),
            load_questions(files.questions),
            [Question(s.id, s.prompt, (s.evidence,)) for s in map(Situation.from_json, dreams["heldout"])],
        )


def run(engine: TransformersEngine, day: Day, arm: str, amount: int, seed: int, tokens: int) -> dict[str, Any]:
    """Train from the base, and answer. `tokens`: of the log's statements, as many rows as make so many."""
    begun, before = time.process_time(), engine.tokens
    hand: list[Exposure] = []
    if amount:
        config = LoRAConfig(16, 32, first_layer=engine.model.config.num_hidden_layers // 2)
        engine.put_adapter(LIVE, engine.new_adapter(config, seed))
        hand = (
            dealt([[each] for each in day.situations], amount * UNIT, seed)
            if arm == "dream"
            else worth(day, tokens, seed)
        )
        hands = [hand[at : at + ROWS] for at in range(0, len(hand), ROWS)]
        schedule = Schedule(len(hands), rows=0, anchor_rows=ANCHOR_ROWS, learning_rate=RATE, seed=seed)
        for _ in train(engine, [], day.held, schedule, hands.__getitem__):
            pass
    spent = {"train_cpu_seconds": round(time.process_time() - begun, 1), "train_tokens": engine.tokens - before}
    adapter = LIVE if amount else None
    right, dreamed = (answer_questions(engine, each, adapter=adapter) for each in (day.real, day.dreamed))
    return {
        "decisions": len(hand),
        "right": "".join(str(int(each.correct)) for each in right),
        "right_dreamed": "".join(str(int(each.correct)) for each in dreamed),
        "said": [each.reply for each in right[:6]],
        **spent,
        "cpu_seconds": round(time.process_time() - begun, 1),
    }


def worth(day: Day, tokens: int, seed: int) -> list[Exposure]:
    """Statements that take so many tokens to train on, with their anchors."""
    beside = ANCHOR_ROWS / ROWS * sum(len(each.sequence) for each in day.held) / len(day.held)
    shortest = min(len(each.sequence) for each in day.statements)
    found: list[Exposure] = []
    for each in dealt([[each] for each in day.statements], 1 + tokens // shortest, seed):
        tokens -= round(len(each.sequence) + beside)
        if tokens < 0 and found:
            break
        found.append(each)
    return found


if __name__ == "__main__":
    sys.exit(main())
