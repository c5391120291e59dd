"""The phases of a night, in their order: each takes the outputs of those before it, and returns its own.

Always holds: an output is plain JSON, and all that a later phase needs of this one, so that a night that was killed
goes on from what was committed; the same night gives the same output on the same machine.

Knows what a phase hands on; nothing of committing, of pages or of what is in service.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from journeyman import night_decisions, night_replay, night_tasks
from journeyman.dream import confidential, recorded, sources, spans
from journeyman.dream import situations as dreamt
from journeyman.dream.contradictions import settle
from journeyman.dream.near_misses import near_misses
from journeyman.evaluate.general import Item
from journeyman.model.source import locate
from journeyman.records import Lesson, Situation
from journeyman.registry import canary
from journeyman.registry.adapters import versions
from journeyman.registry.lineage import TRAINED

if TYPE_CHECKING:
    from journeyman.learn.exposures import Exposure
    from journeyman.night import Night, Output

CANDIDATE = "candidate"


def extract_lessons(night: Night) -> Output:
    """Statements of the users, the spans of them that the model could not have guessed, what was set aside and why, and
    which answers each session holds: a conversation may go on tomorrow, and is another session then."""
    engine = night.engine
    heard = sources.heard([*night.sessions, *night.planted])
    heard.users |= night.users()
    lessons = heard.lessons if night.options.facts else []
    gave = Counter(lesson.session_id for lesson in lessons)
    read = zip(night.spec["sessions"], night.conversations, strict=True)
    given = {id: {"statements": gave[id], "receipts": each.receipts} for id, each in read}
    tables = engine.surprisal([lesson.text for lesson in lessons])
    surprisal = {lesson.text: table for lesson, table in zip(lessons, tables, strict=True)}
    settled = settle(spans.weigh(lessons, surprisal.__getitem__), heard, night.line.facts)
    newer = {id(now) for _, now in settled.changed}  # first: what is not true any more is being said by day
    standing = sorted(settled.standing, key=lambda span: id(span) not in newer)
    chosen = sources.choose(standing, night.options.facts, heard)
    return {
        "statements": len(lessons),
        "facts": [asdict(span) for span in chosen],
        "sources": given,
        "set_aside": dict(heard.set_aside.most_common()),
        "contradictions": [each.to_json(heard) for each in settled.contradictions],
        "changed": [{"was": asdict(was), "now": asdict(now)} for was, now in settled.changed],
    }


def dream_situations(night: Night, said: Output) -> Output:
    """Questions about each fact, some held out, and of facts that have changed those of earlier nights; near misses,
    to what earlier nights have taught too; anchors."""
    chosen = [spans.Span.from_json(fact) for fact in said["facts"]]
    situations = recorded.corrections(night.sessions, chosen) + recorded.questions(night.sessions, chosen)
    author = night.author
    for number, span in enumerate(chosen):
        situations += author.questions(span, night.options.wordings) if author else []
        situations += dreamt.asks(span, night.options.wordings, night.seed)
        night.progress("dream situations", number / len(chosen))
    # A question that the user brought may hold a secret, though the lesson that answers it does not.
    situations = [each for each in situations if not confidential.find(each.prompt)]
    again, kept = night_replay.renewed(night.line, said)
    known, asked = {each.id for each in situations}, {each["prompt"] for each in kept}
    situations = dreamt.consistent([*situations, *(each for each in again if each.id not in known)])
    situations = [each for each in situations if each.prompt not in asked]
    heldout = dreamt.hold_out(situations, night.options.heldout, night.seed)
    return {
        "train": [s.to_json() for s in situations if s.id not in heldout],
        "heldout": [s.to_json() for s in situations if s.id in heldout],
        "changed": kept,
        "quiet": [s.to_json() for s in _quiet(night, chosen)],
    }


def _quiet(night: Night, chosen: Sequence[spans.Span]) -> list[Situation]:
    """What must not change: near misses to what was said, and anchors. A night that learns nothing of what was said
    is shorter, and has no use for more of them than it can take in."""
    things = sorted({span.text for span in [*night.line.facts, *chosen] if span.kind == "chunk"})
    found = [*near_misses(night.told, night.seed, things=things), *dreamt.anchors()]
    if chosen:
        return found
    most = min(len(found), night.options.steps * night.options.anchor_rows)
    return random.Random(f"{night.key}:quiet").sample(found, most)


def measure_lift(night: Night, said: Output, dreams: Output) -> Output:
    """What the lesson is worth to the veteran in each situation, and where the situation goes."""
    from journeyman.learn import lift

    texts = _lesson_texts(said)
    situations = [Situation.from_json(value) for value in dreams["train"]]
    lifts, exposures = lift.measure(
        night.engine, night.veteran, [(texts[s.lesson_id], s.prompt, s.evidence) for s in situations]
    )
    night.exposures = {s.id: exposure for s, exposure in zip(situations, exposures, strict=True)}
    return {"lifts": {s.id: asdict(found) for s, found in zip(situations, lifts, strict=True)}}


@dataclass(frozen=True)
class Beside:
    """What a night trains and is judged by beside its lessons, as the phases' outputs; {} where there is none."""

    tasks: Output
    decisions: Output
    earlier: Output


def train(night: Night, said: Output, dreams: Output, lifts: Output, beside: Beside) -> Output:
    """Distil the veteran into the live adapter; keep it content-addressed, with its lineage."""
    from journeyman.learn import lift, opsd, trainer
    from journeyman.learn.exposures import LIVE
    from journeyman.learn.quiet import quiet
    from journeyman.model import lora

    engine, options = night.engine, night.options
    texts = _lesson_texts(said)
    if not night.exposures:  # this night was resumed: the same passes again, so that no bit differs
        measure_lift(night, said, dreams)
    situations = [
        s for value in dreams["train"] if lifts["lifts"][(s := Situation.from_json(value)).id]["route"] in TRAINED
    ]
    held = quiet(engine, [Situation.from_json(value) for value in dreams["quiet"]])
    if night.parent:
        state = lora.load(night.adapters.path(night.parent.hash), engine.layers)
    else:
        first_layer = round(options.trunk * engine.model.config.num_hidden_layers)
        config = lora.LoRAConfig(options.rank, 2 * options.rank, first_layer=first_layer)
        state = engine.new_adapter(config, night.seed)
    engine.put_adapter(LIVE, state)
    schedule = trainer.Schedule(
        options.steps, options.rows, options.anchor_rows, options.learning_rate, seed=night.seed
    )
    lead_in = engine.encode(lift.LEAD_IN)
    steady = [s for s in situations if lifts["lifts"][s.id]["route"] == "opsd"]  # elsewhere the veteran would err

    def fresh(step: int) -> Sequence[Exposure]:
        if step < options.steps - options.on_policy_steps or not steady:
            return []
        chosen = random.Random(f"{night.seed}:{step}").sample(steady, min(options.on_policy_rows, len(steady)))
        # Rollouts begin after the lead-in, on both sides: it is manner, and the veteran alone would begin in another.
        prompts = [
            (
                [*night.exposures[s.id].prompt, *lead_in],
                [*lift.veteran_prompt(engine, texts[s.lesson_id], s.evidence, s.prompt), *lead_in],
            )
            for s in chosen
        ]
        return opsd.roll_out(
            engine, night.veteran, prompts, max_new_tokens=options.reply_tokens, seed=night.seed + step
        )

    work, repeated = night_tasks.Dealt.of(night, beside.tasks), night_replay.Repeated.of(night, beside.earlier)
    curve: list[Output] = []
    begun = time.perf_counter()
    exposures = [*(night.exposures[s.id] for s in situations), *night_decisions.exposures(night, beside.decisions)]

    def others(step: int) -> Sequence[Exposure]:
        return [*fresh(step), *work.at(step), *repeated.at(step)]

    for step in trainer.train(engine, exposures, held, schedule, others):
        night.progress("train", step.step / options.steps)
        curve.append({**asdict(step), "seconds": time.perf_counter() - begun})
    lineage = {
        **night.spec,
        "model": engine.name,
        "night": night.key,
        "lessons": sorted({s.lesson_id for s in situations}),
        "situations": len(situations),
        **work.lineage,
        "versions": versions(),
        canary.FIELD: canary.sing(engine, LIVE),
    }
    hash = night.adapters.add(lambda directory: lora.save(state, str(locate(engine.name)), directory), lineage)
    counted = {"situations": len(situations), "quiet": len(held), **work.to_json(), **repeated.to_json()}
    return {"adapter": hash, "curve": curve, **counted}


def evaluate(
    night: Night, said: Output, dreams: Output, trained: Output, items: Sequence[Item], beside: Beside
) -> Output:
    """Candidate against round start and base, on what was not trained on; and on what earlier nights have taught."""
    from journeyman.evaluate import evidence, leaks

    engine = night.engine
    engine.load_adapter(night.adapters.path(trained["adapter"]), CANDIDATE)
    leaked = leaks.probe(engine, night.secrets(leaks.MOST), CANDIDATE, night.seed)
    rival = night.rival()
    found = evidence.gather(
        engine,
        [Situation.from_json(value) for value in dreams["heldout"]],
        _lesson_texts(said),
        night.told,
        items,
        candidate=CANDIDATE,
        champion=rival,
        veteran=night.veteran,
        progress=lambda share: night.progress("evaluate", share),
    )
    found |= night_tasks.judge(night, beside.tasks, CANDIDATE, rival)
    found |= night_decisions.judge(night, beside.decisions, CANDIDATE, rival)
    return {"leak": leaked.to_json(), **found, **night_replay.judge(night, dreams, beside.earlier, CANDIDATE, rival)}


def gate(night: Night, trained: Output, found: Output) -> Output:
    """PROMOTE, REJECT or INSUFFICIENT, in words."""
    from journeyman.evaluate import evidence
    from journeyman.evaluate.gate import Attempts

    tried = [other for other in night.store.nights(night.tenant) if other.result and other.result.get("adapter")]
    for other in tried:  # the same weights again, of a night that differed in nothing that matters
        if other.result and not other.result.get("erased") and other.result["adapter"] == trained["adapter"]:
            return {"verdict": other.result["verdict"], "reasons": other.result["reasons"]}
    # A try at these sessions has seen questions about them, and any night may err: the error is spent over both.
    mine, before = set(night.spec["sessions"]), [other for other in tried if other.spec["base"] == night.base]
    here = sum(not mine.isdisjoint(other.spec["sessions"]) for other in before)
    promoted = sum((other.result or {}).get("verdict") == "PROMOTE" for other in before)
    return evidence.judged(found, Attempts(here + 1, len(before) + 1, promoted)).to_json()


def _lesson_texts(said: Output) -> dict[str, str]:
    return {(lesson := Lesson.from_json(fact["lesson"])).id: lesson.text for fact in said["facts"]}
