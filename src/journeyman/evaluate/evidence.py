"""The evidence over a candidate: held-out situations, general ability, probes and drift, each before and after.

Always holds: everything is paired and greedy; "before" is the round's start for the gain and the frozen base for what
must not be lost; the values returned are plain JSON, enough for `judged` to come to the same verdict again.

Knows situations and adapters' names, not how either came about.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, TypeVar

from journeyman.evaluate import general
from journeyman.evaluate.gate import Attempts, Evidence, Verdict, judge
from journeyman.evaluate.leaks import Leaks
from journeyman.evaluate.manner import manner
from journeyman.evaluate.questions import is_correct
from journeyman.evaluate.statistics import PairedDifference, paired_difference
from journeyman.learn.exposures import disagreement
from journeyman.learn.lift import LEAD_IN, answer, veteran_prompt
from journeyman.records import Situation
from journeyman.shares import wilson

if TYPE_CHECKING:
    from journeyman.model.transformers_engine import TransformersEngine

T = TypeVar("T")
REPLY_TOKENS = 24
EXAMPLES = 24
HEATMAPS = 3
# The kinds of held-out work, as the gate speaks of them.
WORK = {"heldout": "situations", "tasks": "tasks", "decisions": "decisions"}


def gather(
    engine: TransformersEngine,
    heldout: Sequence[Situation],
    lessons: Mapping[str, str],
    told: Sequence[str],
    suite: Sequence[general.Item],
    *,
    candidate: str,
    champion: str | None,
    veteran: str | None,
    progress: Callable[[float], None],
) -> dict[str, Any]:
    """Measure `candidate` against `champion` (None: the base) and against the base; `veteran` is the round's start."""
    prompts = [engine.user(situation.prompt) for situation in heldout]

    def replies(adapter: str | None) -> list[list[int]]:
        with engine.using(adapter):
            return engine.generate(prompts, max_new_tokens=REPLY_TOKENS)

    def right(answers: Sequence[str]) -> list[bool]:
        return [is_correct(answer, [s.evidence]) for answer, s in zip(answers, heldout, strict=True)]

    ids_after, ids_before = replies(candidate), replies(champion)
    ids_base = ids_before if champion is None else replies(None)
    after, before, base = ([engine.decode(ids) for ids in each] for each in (ids_after, ids_before, ids_base))
    moved = engine.divergence(
        [(prompt, ids) for prompt, ids in zip(prompts, ids_base, strict=True) if ids], None, candidate
    )
    progress(0.25)
    items = [*general.general_suite(), *suite]
    suite_before = of_base(engine, ("suite", *items), lambda: general.run_suite(engine, items, None))
    suite_after = general.run_suite(engine, items, candidate)
    progress(0.6)
    probes = general.unknown_probes(told)
    probes_before = of_base(engine, ("probes", *probes), lambda: general.run_probes(engine, None, probes))
    probes_after = general.run_probes(engine, candidate, probes)
    progress(0.8)
    replies_before = of_base(engine, ("neutral",), lambda: general.base_replies(engine))
    drift = general.drift(engine, candidate, replies_before)
    found: dict[str, Any] = {
        "heldout": shares(right(before), right(after))
        | {
            "right_before": right(before),
            "right_base": right(base),
            "right_after": right(after),
            "clusters": [s.lesson_id for s in heldout],
            "against_champion": champion is not None,
        },
        "general": shares(suite_before.correct, suite_after.correct)
        | {
            "interval": list(paired_difference(suite_before.correct, suite_after.correct).interval),
            "by_family": {
                family: [share, suite_after.by_family[family]] for family, share in suite_before.by_family.items()
            },
            "right_before": suite_before.correct,
            "right_after": suite_after.correct,
        },
        "probes": {
            "n": probes_before.n,
            "before": sum(probes_before.confident) / max(1, probes_before.n),
            "after": sum(probes_after.confident) / max(1, probes_after.n),
            "confident_before": probes_before.confident,
            "confident_after": probes_after.confident,
        },
        "drift": {"kl": _mean([drift.kl_mean_nats]), "agreement": drift.agreement},
    }
    found["manner"] = {
        "before": asdict(manner(before, ids_before)),
        "after": asdict(manner(after, ids_after)),
        "kl": _mean([value for row in moved for value in row]),
    }
    found |= _shown(engine, heldout, lessons, before, after, candidate, champion, veteran)
    return found


def judged(found: Mapping[str, Any], attempts: Attempts) -> Verdict:
    """The gate's verdict over what `gather` returned."""
    heldout, suite, probes = found["heldout"], found["general"], found["probes"]
    kl = found["drift"]["kl"]  # None: not a number
    # Held-out work of either kind shows a gain, in one test; neither kind may have become worse by itself.
    kinds = {WORK[name]: found[name] for name in WORK if name in found}

    def gain(side: str, *parts: Mapping[str, Any]) -> PairedDifference:
        before, after, clusters = (
            [each for part in parts or kinds.values() for each in part[name]]
            for name in (side, "right_after", "clusters")
        )
        return paired_difference(before, after, clusters=clusters)

    return judge(
        Evidence(
            gain=gain("right_before"),
            gain_over_base=gain("right_base") if heldout["against_champion"] else None,
            general=paired_difference(suite["right_before"], suite["right_after"]),
            probes=paired_difference(probes["confident_before"], probes["confident_after"]),
            **_earlier(found.get("earlier")),
            work={name: gain("right_before", part) for name, part in kinds.items()},
            drift=general.Drift(math.inf if kl is None else kl, found["drift"]["agreement"]),
            leaks=Leaks(**found["leak"]) if found.get("leak") else None,
            health={"the adapter loads and its outputs are finite": kl is not None},
        ),
        attempts,
    )


def _earlier(found: Mapping[str, Any] | None) -> dict[str, Any]:
    if not found:
        return {}
    kept = paired_difference(found["right_before"], found["right_after"], found["clusters"])
    return {"earlier": kept, "all_earlier": found["all"]}


def of_base(engine: TransformersEngine, what: tuple[Any, ...], find: Callable[[], T]) -> T:
    """What the base makes of items that are the same every night."""
    if what in engine.known:
        return engine.known[what]
    engine.known[what] = found = find()
    return found


def _mean(values: Sequence[float]) -> float | None:
    """None if there is nothing, or nothing finite, to take the mean of."""
    mean = sum(values) / len(values) if values else math.nan
    return mean if math.isfinite(mean) else None


def shares(before: Sequence[bool], after: Sequence[bool]) -> dict[str, Any]:
    """How many of the same items were right, with their intervals (Wilson)."""
    n = len(before)
    return {
        "n": n,
        "before": sum(before) / max(1, n),
        "after": sum(after) / max(1, n),
        "before_interval": list(wilson(sum(before), n)) if n else None,
        "after_interval": list(wilson(sum(after), n)) if n else None,
    }


def _shown(
    engine: TransformersEngine,
    heldout: Sequence[Situation],
    lessons: Mapping[str, str],
    before: Sequence[str],
    after: Sequence[str],
    candidate: str,
    champion: str | None,
    veteran: str | None,
) -> dict[str, Any]:
    """What a person looks at: answers side by side, and where the veteran disagrees token by token."""
    chosen = range(min(EXAMPLES, len(heldout)))
    shown = [
        veteran_prompt(engine, lessons[heldout[i].lesson_id], heldout[i].evidence, heldout[i].prompt) for i in chosen
    ]
    with engine.using(veteran):
        # The veteran begins as the answers that it taught: see `learn.lift.answer`.
        taught = engine.generate([[*prompt, *engine.encode(LEAD_IN)] for prompt in shown], max_new_tokens=REPLY_TOKENS)
    examples = [
        {
            "prompt": heldout[i].prompt,
            "before": before[i],
            "after": after[i],
            "veteran": LEAD_IN + engine.decode(taught[i]),
            "evidence": heldout[i].evidence,
            "lesson": lessons[heldout[i].lesson_id],
            "correct_before": is_correct(before[i], [heldout[i].evidence]),
            "correct_after": is_correct(after[i], [heldout[i].evidence]),
        }
        for i in chosen
    ]
    learnt_first = sorted(chosen, key=lambda i: (not examples[i]["correct_after"], i))
    heatmaps = []
    for i in learnt_first[:HEATMAPS]:
        response, _ = answer(engine, heldout[i].evidence)
        for adapter, caption in ((champion, "before training"), (candidate, "after training")):
            case = (engine.user(heldout[i].prompt), shown[i], response)
            heatmaps.append(
                {
                    "prompt": heldout[i].prompt,
                    "caption": caption,
                    "tokens": disagreement(engine, veteran, adapter, case),
                }
            )
    return {"examples": [examples[i] for i in learnt_first], "heatmaps": heatmaps}
