"""Why an answer is what it is: which lessons of which nights, and so which sessions, made it.

First the nights: how likely each adapter of the line, from the base to the one that is asked about, makes the answer.
Then, for the nights that made it likelier, their lessons: the influence of each at that night's start
(`learn.influence`), beside what can be read without weights: whether the lesson holds words of the answer. What all
situations of a night have in common is the manner of answering, which any lesson would have taught: from each
situation's influence the night's mean is taken off, or else lessons of many situations would come before the cause.
What a night repeated of earlier ones is among its lessons, each traced to the session and night that taught it.

Always holds: what is said of weights was computed from the adapters as they lie there; a night that cannot be looked
into is named with the reason (erased, files gone, an adapter from elsewhere); nothing is trained.

Knows phases' situations and lineages. A lesson's influence is that of its situations: near misses and general prompts
belong to no lesson and are left out, and a veteran's distribution is taken for the words that the session proves.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from journeyman.capture import conversations
from journeyman.evaluate.questions import is_correct
from journeyman.learn import lift
from journeyman.learn.influence import Case, influence
from journeyman.model import lora
from journeyman.model.lora import AdapterState
from journeyman.model.transformers_engine import TransformersEngine
from journeyman.origins.changes import Asked, Learned, Step, steps, words_of
from journeyman.records import AdapterRecord, Session, Situation
from journeyman.registry.adapters import AdapterDirectory
from journeyman.store import Store

Output = dict[str, Any]
LEAST_SHARE = 0.1  # of the largest gain of any night: a night that gained less is not looked into
MANY = 600  # situations of one night that are looked into; of more, those of the lessons with most words in common


def explain(
    store: Store, engine: TransformersEngine, record: AdapterRecord | None, question: str, most: int = 10
) -> Output:
    """`record`: of the adapter that answers (None: the base); `most` lessons are named. Plain JSON:

    question, adapter, answers {base, before, now}, changed; nights: oldest first {night, adapter, at, log_likelihood,
    gain (nats), looked, why_not}; lessons: most influential first {lesson, text, session, turn, receipts, user,
    started_at, night, taught (the night that read the session: an earlier one where `night` repeated the lesson),
    adapter, influence (nats per nat, over the night's mean), situations, asked, holds_answer, in_common}.
    """
    asked = Asked(store, engine, question)
    line = steps(store, record) if record else []
    now, before = line[-1].adapter if line else "", line[-1].making.parent if line else ""
    found: Output = {
        "question": question,
        "adapter": now or None,
        "answers": {"base": asked.text(""), "before": asked.text(before) if _here(line, before) else None},
    }
    found["answers"]["now"] = asked.text(now)
    found["changed"] = asked.reply(now) != asked.reply("")
    reply = asked.reply(now)
    lead = engine.encode(lift.LEAD_IN)
    skipped = len(lead) if reply[: len(lead)] == lead and len(reply) > len(lead) else 0
    found["nights"] = _nights(asked, line, skipped) if found["changed"] else []
    looked = {each["night"] for each in found["nights"] if each["looked"]}
    lessons: list[Output] = []
    for step in line:
        if step.making.night in looked:
            answer: Case = (asked.prompt, reply, skipped)
            lessons += _lessons(store, engine, step, answer, question, found["answers"]["now"])
    lessons.sort(key=lambda each: -each["influence"])
    found["lessons"] = _with_sources(store, record.tenant if record else "", lessons[:most], line)
    found["lessons_n"] = len(lessons)
    return found


def _here(line: Iterable[Step], adapter: str) -> bool:
    return not adapter or any(each.here for each in line if each.adapter == adapter)


def _nights(asked: Asked, line: list[Step], skipped: int) -> list[Output]:
    """What each night did to the answer of the last: its log-likelihood, and which are worth looking into."""
    reply = asked.reply(line[-1].adapter)
    last = asked.likelihood("", reply, skipped)
    found: list[Output] = []
    for step in line:
        value = asked.likelihood(step.adapter, reply, skipped) if step.here else None
        gain = None if value is None else value - last
        last = last if value is None else value
        found.append(
            {
                "night": step.making.night,
                "adapter": step.adapter,
                "at": step.at,
                "log_likelihood": value,
                "gain": gain,
                "why_not": _why_not(step, _here(line, step.making.parent)),
            }
        )
    largest = max((each["gain"] for each in found if each["gain"] is not None), default=0.0)
    for each in found:
        enough = each["gain"] is not None and each["gain"] >= LEAST_SHARE * largest > 0
        each["looked"] = enough and not each["why_not"]
    return found


def _why_not(step: Step, parent_here: bool) -> str:
    if step.erased:
        return "what it had learned from was erased"
    if not step.here:
        return "the files of its adapter are gone"
    if not step.learned:
        return "nothing is kept of what it trained"
    return "" if parent_here else "the files of the adapter that it began from are gone"


def start_of(store: Store, engine: TransformersEngine, step: Step) -> AdapterState:
    """The adapter as it was when the night's training began: the parent's, or a fresh one of the night's seed."""
    directory = AdapterDirectory.beside(store)
    if step.making.parent:
        return lora.load(directory.path(step.making.parent), engine.layers)
    made = lora.load(directory.path(step.adapter), engine.layers)
    return engine.new_adapter(made.config, directory.lineage(step.adapter)["seed"])


def _lessons(
    store: Store, engine: TransformersEngine, step: Step, answer: Case, question: str, said: str
) -> list[Output]:
    said_words = {*words_of(question), *words_of(said)}
    learned = {each.lesson.id: each for each in step.learned}
    common = {id: sorted(said_words & {*words_of(each.lesson.text)}) for id, each in learned.items()}
    situations = [situation for each in step.learned for situation in each.situations]
    # The sort is stable: where nothing has to be left out, nothing depends on words.
    chosen = sorted(situations, key=lambda each: -len(common[each.lesson_id]))[:MANY]
    values = influence(engine, start_of(store, engine, step), answer, [_case(engine, each) for each in chosen])
    usual = sum(values) / max(1, len(values))
    by_lesson: defaultdict[str, list[tuple[float, Situation]]] = defaultdict(list)
    for value, situation in zip(values, chosen, strict=True):
        by_lesson[situation.lesson_id].append((value - usual, situation))
    return [_lesson(learned[id], step, pairs, common[id], said) for id, pairs in by_lesson.items()]


def _case(engine: TransformersEngine, situation: Situation) -> Case:
    response, lead = lift.answer(engine, situation.evidence)
    return engine.user(situation.prompt), response, lead


def _lesson(learned: Learned, step: Step, pairs: list[tuple[float, Situation]], common: list[str], said: str) -> Output:
    lesson = learned.lesson
    strongest = max(pairs, key=lambda pair: pair[0])[1]
    return {
        "lesson": lesson.id,
        "text": lesson.text,
        "session": lesson.session_id,
        "turn": lesson.turn,
        "receipts": list(learned.receipts),
        "night": step.making.night,
        "taught": learned.taught,
        "adapter": step.adapter,
        "influence": sum(value for value, _ in pairs),
        "situations": len(pairs),
        "asked": strongest.prompt,
        "holds_answer": any(is_correct(said, [each.evidence]) for _, each in pairs),
        "in_common": common,
    }


def _with_sources(store: Store, tenant: str, lessons: list[Output], line: Collection[Step]) -> list[Output]:
    """The lessons with who said it and when, as far as the session is still kept; a captured one, which may have gone
    on and be another session now, is known by its answers."""
    ids = {each["session"] for each in lessons}
    found = conversations.kept(store, tenant=tenant, ids=ids)
    kept: dict[str, Session] = {each.session.id: each.session for each in found}
    receipts = {receipt for each in lessons if each["session"] not in kept for receipt in each["receipts"]}
    answers = {each.receipt: each for each in store.exchanges(tenant=tenant, receipts=receipts)} if receipts else {}
    dates: Mapping[str, str] = {each.making.night: each.at for each in line}
    result: list[Output] = []
    for each in lessons:
        session = kept.get(each["session"])
        first = next((answers[receipt] for receipt in each["receipts"] if receipt in answers), None)
        known = {"user": "", "started_at": "", "name": ""}
        if session:
            known = {"user": session.user, "started_at": session.started_at, "name": session.key}
        elif first:
            known = {"user": first.user, "started_at": first.started_at, "name": first.session}
        result.append({**each, **known, "learned_at": dates.get(each["night"], ""), "kept": bool(session or first)})
    return result
