"""A month of nights: what is learnt, what is kept, and what is lost, against other ways to come through it.

    python bench/month [--people customer student healthcare] [--nights 10] [--arms ...] [--seeds 0] [--keep DIR]

Each person's sessions are cut into nights. After each night every arm is asked what was held out of that night and of
those before it, and of the next one: R[i][j]. Six facts are said on the first night and said otherwise midway; at the
end they are asked for, and how often the older value still comes. Arms: see `ARMS`.

Writes one row an arm and night to bench/results/month.jsonl, and skips those that are there; adapters and stores are
kept in DIR until the month is done. `--steps`, `--rows` and `--facts` say how large a night is: small, so that 3 people
and 10 nights take about three hours of one core. `python bench/figures.py` makes the tables and the picture.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
import arms
import log
import merges
import rows
from arms import Run
from log import CHANGING, Month

from journeyman.evaluate import general
from journeyman.evaluate.questions import Question, answer_questions, is_correct
from journeyman.evaluate.retrieval import TurnIndex
from journeyman.learn import lift
from journeyman.learn.exposures import LIVE
from journeyman.model import load_engine, lora
from journeyman.model.source import DEFAULT_MODEL
from journeyman.model.transformers_engine import TransformersEngine
from journeyman.night import NightOptions
from journeyman.records import Situation
from journeyman.registry.writing import write_whole

Output = dict[str, Any]
REPLY_TOKENS = 16
TURNS, WORDS = 3, 120  # of sessions in the prompt
# A night of an arm: its adapter, by the number of the night.
TRAINED: dict[str, tuple[Callable[[Run, int], Path], float]] = {
    "replay": (arms.continued, 0.5),
    "replay, quarter": (arms.continued, 0.25),
    "no replay": (arms.continued, 0.0),
    "nightly SFT": (arms.fine_tuned, 0.0),
    "all at once": (arms.at_once, 0.0),
    "apart": (arms.apart, 0.0),
}
MERGED = {"apart, sum": merges.total, "apart, mean": merges.mean, "apart, TIES": merges.ties}
RETRIEVAL = "sessions in the prompt"
LAST_ALONE = {"all at once", *MERGED}  # measured at the end only
ARMS = ["base", *TRAINED, *MERGED, RETRIEVAL]
DEFAULT_ARMS = ["base", "replay", "no replay", "nightly SFT", "all at once", RETRIEVAL]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", nargs="+", default=["customer", "student", "healthcare"])
    parser.add_argument("--nights", type=int, default=10)
    parser.add_argument("--arms", nargs="+", default=DEFAULT_ARMS, choices=ARMS)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--facts", type=int, default=16, help="a night (default: 16)")
    parser.add_argument("--steps", type=int, default=32, help="updates a night (default: 32)")
    parser.add_argument("--rows", type=int, default=12, help="an update (default: 12)")
    parser.add_argument("--keep", type=Path, default=Path(tempfile.gettempdir()) / "journeyman-month")
    parser.add_argument("--out", type=Path, default=rows.RESULT)
    args = parser.parse_args()
    options = NightOptions(
        facts=args.facts, steps=args.steps, rows=args.rows, anchor_rows=max(1, args.rows // 4), heldout=1.0, replay=0.0
    )
    engine = load_engine(args.model)
    remember(engine, args.keep / f"surprisal-{engine.fingerprint}.json")
    done = {rows.name(row) for row in rows.read(args.out)}
    for person in args.people:
        month: Month | None = None
        for seed in args.seeds:
            for arm in args.arms:
                for night in _nights(arm, args.nights):
                    spec = {
                        "person": person, "arm": arm, "seed": seed, "night": night, "nights": args.nights,
                        "facts": args.facts, "steps": args.steps, "rows": args.rows,
                    }  # fmt: skip
                    if rows.name(spec) in done:
                        continue
                    month = month or log.of(person, args.nights, engine, options, 0)
                    row = {**spec, **one(engine, month, options, arm, seed, night, args.keep / rows.folder(spec))}
                    row |= {
                        "model": args.model,
                        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
                        "date": datetime.now(UTC).isoformat(timespec="seconds"),
                    }
                    rows.add(args.out, row)
                    print(rows.said(row), flush=True)
    return 0


def remember(engine: TransformersEngine, path: Path) -> None:
    """Let each text be read once for what is surprising in it: that is the base's view, and all arms hear the same."""
    known: dict[str, list[tuple[int, int, float]]] = json.loads(path.read_text()) if path.is_file() else {}
    read = engine.surprisal

    def surprisal(texts: Sequence[str]) -> list[list[tuple[int, int, float]]]:
        new = [text for text in dict.fromkeys(texts) if text not in known]
        if new:
            known.update(zip(new, read(new), strict=True))
            write_whole(path, json.dumps(known))
        return [known[text] for text in texts]

    engine.surprisal = surprisal


def _nights(arm: str, nights: int) -> Sequence[int]:
    if arm == "base":
        return [0]
    return [nights] if arm in LAST_ALONE else range(1, nights + 1)


def one(
    engine: TransformersEngine, month: Month, options: NightOptions, arm: str, seed: int, night: int, folder: Path
) -> Output:
    """One night of one arm, and what it answers afterwards."""
    folder.mkdir(parents=True, exist_ok=True)
    last = night == len(month.nights)
    began = time.process_time()
    adapter: str | None = None
    if arm in TRAINED:
        learn, replay = TRAINED[arm]
        run = Run(engine, month, replace(options, replay=replay), seed, folder)
        adapter = engine.load_adapter(learn(run, night), "measured")
    elif arm in MERGED:
        beside = folder.parent / folder.name.replace(rows.slug(arm), rows.slug("apart"))
        run = Run(engine, month, replace(options, replay=0.0), seed, beside)
        states = [lora.load(arms.apart(run, each), engine.layers) for each in range(1, night + 1)]
        adapter = "measured"
        engine.put_adapter(adapter, MERGED[arm](states))
    engine.drop_adapter(LIVE)
    learnt = time.process_time() - began
    index = TurnIndex(month.told(night)) if arm == RETRIEVAL else None
    if index:  # long prompts: the night's own questions, and all of them at the end
        asked = range(1, night + 1) if last else [night]
    else:
        asked = range(1, len(month.nights) + 1) if night == 0 else range(1, min(night + 1, len(month.nights)) + 1)
    found: Output = {"scores": {}, "likely": {}, "lessons": {}}
    for period in asked:
        questions = month.asked[period - 1]
        right = _right(engine, questions, adapter, index)
        found["scores"][str(period)] = [int(each) for each in right]
        if not index:
            found["likely"][str(period)] = likely(engine, questions, adapter)
        found["lessons"][str(period)] = [each.lesson_id for each in questions]
    if last or night == 0:
        found["changed"] = _changed(engine, adapter, index)
        if not index:
            suite = general.run_suite(engine, general.general_suite(), adapter)
            told = [turn.content for session in month.told(len(month.nights)) for turn in session.turns]
            probes = general.run_probes(engine, adapter, general.unknown_probes(told))
            found["general"] = [int(each) for each in suite.correct]
            found["confident"] = [int(each) for each in probes.confident]
    engine.drop_adapter("measured")
    found |= {"learning_cpu_seconds": round(learnt, 1), "cpu_seconds": round(time.process_time() - began, 1)}
    return {**found, "options": asdict(options)}


def _right(
    engine: TransformersEngine, questions: Sequence[Situation], adapter: str | None, index: TurnIndex | None
) -> list[bool]:
    replies = _replies(engine, [each.prompt for each in questions], adapter, index)
    return [is_correct(reply, [each.evidence]) for reply, each in zip(replies, questions, strict=True)]


def likely(engine: TransformersEngine, questions: Sequence[Situation], adapter: str | None) -> list[float]:
    """The geometric mean of what the proven answer's tokens are given: finer than whether a greedy reply holds it."""
    answers = [lift.answer(engine, each.evidence) for each in questions]
    pairs = [(engine.user(each.prompt), ids) for each, (ids, _) in zip(questions, answers, strict=True)]
    with engine.using(adapter):
        scored = engine.score(pairs)
    told = [values[lead:-1] for values, (_, lead) in zip(scored, answers, strict=True)]
    return [round(math.exp(sum(values) / len(values)), 4) for values in told]


def _changed(engine: TransformersEngine, adapter: str | None, index: TurnIndex | None) -> Output:
    replies = _replies(engine, [each.asked for each in CHANGING], adapter, index)
    return {
        "replies": replies,
        "newer": [int(is_correct(reply, [each.newer])) for reply, each in zip(replies, CHANGING, strict=True)],
        "older": [int(is_correct(reply, [each.older])) for reply, each in zip(replies, CHANGING, strict=True)],
    }


def _replies(
    engine: TransformersEngine, prompts: Sequence[str], adapter: str | None, index: TurnIndex | None
) -> list[str]:
    def notes(question: str) -> str:
        return "\n".join(index.best(question, TURNS, WORDS)) if index else ""

    asked = [Question(str(number), prompt, ("?",)) for number, prompt in enumerate(prompts)]
    context = notes if index else None
    found = answer_questions(engine, asked, adapter=adapter, context=context, max_new_tokens=REPLY_TOKENS)
    return [each.reply for each in found]


if __name__ == "__main__":
    sys.exit(main())
