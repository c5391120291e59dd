"""Does `journeyman why` name the lesson without which the answer would not have been learnt? Real retraining says so.

    python bench/why.py --store STORE [--model MODEL] [--lessons N] [--steps N]

STORE holds a finished night. Some of its lessons, far apart in the order in which they were said and with different
evidence, are trained together from the base, two situations each, and then again without each of them. Every question
(one that was trained, and one that was held back, of each lesson) is answered by the adapter of all. What leaving a
lesson out really costs is the log-likelihood that the answer loses; that is compared with the influence
(`journeyman.learn.influence`), which sees the start of training only and trains nothing. Writes
bench/results/why.json and prints a table.

Always holds: full batches, so that leaving one lesson out changes nothing in the order of the others; the situations
and the veteran's words are the night's own.

Does not know: how influence fares among hundreds of lessons, or many nights; retraining those takes days.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from os import cpu_count
from pathlib import Path
from typing import Any

import numpy as np
import torch

from journeyman.errors import JourneymanError, UsageError
from journeyman.learn import LIVE, Schedule, lift, train, verbatim
from journeyman.learn.influence import Case, influence
from journeyman.model import load_engine
from journeyman.model.lora import LoRAConfig
from journeyman.model.source import DEFAULT_MODEL
from journeyman.model.transformers_engine import TransformersEngine
from journeyman.records import Situation
from journeyman.registry.lineage import Lineages
from journeyman.shares import wilson
from journeyman.store import open_store

RESULTS = Path(__file__).parent / "results"
TRAINED = 2  # situations a lesson
CAUSED = 1.0  # nats: an answer that no lesson's absence costs so much was not learnt from one


def main(arguments: Sequence[str] | None = None) -> int:
    options = _options(arguments)
    try:
        lessons = chosen(options.store, options.lessons)
        engine = load_engine(options.model)
    except JourneymanError as error:
        print(f"error: {error.message}\ntry: {error.remedy}", file=sys.stderr)
        return error.exit_code
    found = measured(engine, lessons, options.steps, options.learning_rate)
    result = {
        "command": " ".join(["python bench/why.py", *(arguments if arguments is not None else sys.argv[1:])]),
        "date": datetime.now(UTC).date().isoformat(),
        "machine": f"{platform.system()} {platform.machine()}, {cpu_count()} cores",
        "model": engine.name,
        **found,
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "why.json").write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps({name: value for name, value in result.items() if name != "questions"}, indent=2))
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--store", required=True)
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--lessons", type=int, default=5)
    parser.add_argument("--steps", type=int, default=18)
    parser.add_argument("--learning-rate", type=float, default=3e-3)
    return parser.parse_args(arguments)


def chosen(store: str, count: int) -> list[list[Situation]]:
    """The situations of each lesson: TRAINED to train, and one to hold back."""
    with open_store(store, create=False) as opened:
        ended = [each for each in opened.adapters() if not each.withdrawn_at]
        if not ended:
            raise UsageError(f"no night has left an adapter in {store}", "run a night first: journeyman night")
        making = Lineages(opened).of(ended[-1].hash)[0]
    by_lesson: defaultdict[str, list[Situation]] = defaultdict(list)
    for each in making.situations:
        by_lesson[each.lesson_id].append(each)
    seen: set[str] = set()
    fit: list[list[Situation]] = []
    for situations in by_lesson.values():
        evidence = {each.evidence for each in situations}
        if len(situations) > TRAINED and len(evidence) == 1 and evidence.isdisjoint(seen):
            seen |= evidence
            fit.append(situations[: TRAINED + 1])
    if len(fit) < count:
        raise UsageError(f"the night has {len(fit)} lessons to choose from", "give fewer --lessons")
    return fit[:: max(1, len(fit) // count)][:count]


def measured(engine: TransformersEngine, lessons: list[list[Situation]], steps: int, rate: float) -> dict[str, Any]:
    config = LoRAConfig(first_layer=round(0.5 * engine.model.config.num_hidden_layers))  # as a night's
    places = range(len(lessons))

    def case(situation: Situation) -> Case:
        response, lead = lift.answer(engine, situation.evidence)
        return engine.user(situation.prompt), response, lead

    def trained(of: Sequence[int]) -> str:
        engine.put_adapter(LIVE, engine.new_adapter(config, 0))
        exposures = [verbatim(engine, *case(each)[:2]) for place in of for each in lessons[place][:TRAINED]]
        for _ in train(engine, exposures, [], Schedule(steps, len(exposures), learning_rate=rate)):
            pass
        engine.put_adapter(name := f"of {of}", engine.adapter(LIVE))
        return name

    begun = time.process_time()
    everything = trained(list(places))
    without = [trained([other for other in places if other != place]) for place in places]
    retraining = time.process_time() - begun

    start, lead = engine.new_adapter(config, 0), engine.encode(lift.LEAD_IN)
    cases = [case(each) for situations in lessons for each in situations[:TRAINED]]
    questions: list[dict[str, Any]] = []
    begun = time.process_time()
    for place in places:
        for held_back, situation in ((False, lessons[place][0]), (True, lessons[place][TRAINED])):
            prompt = engine.user(situation.prompt)
            with engine.using(everything):
                [reply] = engine.generate([prompt], max_new_tokens=24, keep_end=True)
            skipped = len(lead) if reply[: len(lead)] == lead and len(reply) > len(lead) else 0

            def likelihood(adapter: str, pair: Any = (prompt, reply), skipped: int = skipped) -> float:
                with engine.using(adapter):
                    return sum(engine.score([pair])[0][skipped:])

            cost = [likelihood(everything) - likelihood(each) for each in without]
            values = influence(engine, start, (prompt, reply, skipped), cases)
            by_lesson = [sum(values[TRAINED * each : TRAINED * (each + 1)]) for each in places]
            questions.append(
                {
                    "question": situation.prompt,
                    "held_back": held_back,
                    "answer": engine.decode(reply).strip(),
                    "cost_of_leaving_out_nats": [round(each, 3) for each in cost],
                    "influence_nats_per_nat": [round(each, 3) for each in by_lesson],
                    "cause_named": int(np.argmax(cost)) == int(np.argmax(by_lesson)),
                    "rank_correlation": round(_spearman(cost, by_lesson), 3),
                }
            )
    caused = [each for each in questions if max(each["cost_of_leaving_out_nats"]) >= CAUSED]
    named = sum(each["cause_named"] for each in caused)
    return {
        "lessons": len(lessons),
        "situations_a_lesson": TRAINED,
        "steps": steps,
        "learning_rate": rate,
        "questions_n": len(questions),
        "caused_n": len(caused),
        "cause_named": named,
        "cause_named_interval": list(wilson(named, len(caused))),
        "by_chance": 1 / len(lessons),
        "rank_correlation_mean": float(np.mean([each["rank_correlation"] for each in caused])),
        "retraining_cpu_seconds": round(retraining, 1),
        "asking_cpu_seconds": round(time.process_time() - begun, 1),
        "threads": torch.get_num_threads(),
        "evidence": [situations[0].evidence for situations in lessons],
        "questions": questions,
    }


def _spearman(one: Sequence[float], other: Sequence[float]) -> float:
    """Of values without ties."""
    left, right = (np.argsort(np.argsort(each)) for each in (one, other))
    return float(np.corrcoef(left, right)[0, 1])


if __name__ == "__main__":
    sys.exit(main())
