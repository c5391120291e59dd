"""One night: what the day's sessions taught becomes an adapter, and a verdict over it.

Read `night` top to bottom; each phase is a call into a room above. A phase's output is committed to the store before
the next begins, so a killed night continues where it stopped, and the same sessions, model and seed give the same
adapter on the same machine.

Always holds: nothing but one tenant's sessions reaches lessons, situations or training; what decides the verdict was
not trained on; an adapter goes into service in the same transaction that records its PROMOTE.

Knows the order of the phases and what each hands on; how a phase works is its room's to know.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from journeyman import morning
from journeyman.capture import conversations, import_files
from journeyman.dream import lessons as lessons_of
from journeyman.dream import recorded, spans
from journeyman.dream import situations as dreamt
from journeyman.dream.near_misses import near_misses
from journeyman.dream.writer import Writer
from journeyman.errors import InputError, UsageError
from journeyman.evaluate.general import Item, load_suite
from journeyman.model.source import DEFAULT_MODEL, fingerprint, locate
from journeyman.records import AdapterRecord, Lesson, Situation, content_hash
from journeyman.registry import canary
from journeyman.registry.adapters import LEARNING, AdapterDirectory, pick_sessions, versions
from journeyman.registry.lineage import TRAINED
from journeyman.store import Store, open_store
from journeyman.web.report import render

if TYPE_CHECKING:
    from journeyman.learn.exposures import Exposure
    from journeyman.model.transformers_engine import TransformersEngine

Progress = Callable[[str, float], None]
Paths = str | Path | Sequence[str | Path]
Output = dict[str, Any]

VERSION = 4  # of the phases' outputs: a night begun by another version is begun anew
VETERAN = "veteran"
CANDIDATE = "candidate"
RIVAL = "champion"
NOTHING = "NOTHING_TO_LEARN"


@dataclass(frozen=True)
class NightOptions:
    """What a night spends, and on how much. The defaults are for a model of 135M parameters on two cores."""

    # Evidence spans to learn. More of them on a longer log cover more of what is asked about, but answered no more of
    # it in a trial (768 on the student's log), and cost general ability: bench/results/trials.
    facts: int = 130
    wordings: int = 5  # questions a fact
    heldout: float = 0.25  # share of the facts of which one wording is kept for the gate
    steps: int = 200
    rows: int = 16  # small: at like exposures a trial with 56 had the higher loss (its other settings differed too)
    anchor_rows: int = 4
    learning_rate: float = 1e-3
    rank: int = 16
    trunk: float = 0.5  # share of the layers, from below, that stays the base's
    # The last so many steps add the student's own rollouts, scored by the veteran. None by default: a trial with them
    # (and softer targets) answered fewer questions, bench/results/trials.
    on_policy_steps: int = 0
    on_policy_rows: int = 6
    reply_tokens: int = 12


def night(
    store: Store | str | Path,
    model: str = DEFAULT_MODEL,
    *,
    tenant: str = "",
    sessions: Paths = (),
    only: Collection[str] = (),
    seed: int = 0,
    suites: Paths = (),
    writer: str | None = None,
    options: NightOptions | None = None,
    progress: Progress | None = None,
    engine: TransformersEngine | None = None,
) -> Output:
    """Run one night over the sessions that the champion has not learnt yet; returns what `web.report` shows.

    store: an open store, its path or its URL; `tenant`: whose night it is ("": the store's own); `sessions`: files to
    import first; `only`: ids of sessions to leave it at, if all are new; `suites`: JSONL files of items to add to the
    general suite; `writer`: base URL of an OpenAI-compatible engine that may write situations too.
    """
    with (
        nullcontext(store) if not isinstance(store, (str, Path)) else open_store(store) as opened,
        opened.lock("night"),
    ):
        if seed < 0:
            raise UsageError(f"a seed of {seed} is not a whole number from 0", "give 0 or more")
        # Read once, and first: what is wrong with a suite is said before the night is spent.
        items = [item for suite in _paths(suites) for item in load_suite(suite)]
        imports = import_files(opened, _paths(sessions), tenant=tenant)
        if imports and not any(each.read for each in imports):
            raise InputError("none of the session files has a readable conversation", "journeyman import says why")
        if not conversations.sessions(opened, *LEARNING, tenant=tenant):
            spec: Output = {"base": "", "seed": seed, "parent": None, "tenant": tenant}
            what = f"The store holds no sessions of {tenant or 'its own'} yet."
            return morning.frame("", spec, model, [], NOTHING, [what])
        report = progress or (lambda _phase, _share: None)
        night = Night(opened, model, tenant, seed, options or NightOptions(), report, engine, writer, only)
        for earlier in opened.nights(tenant):
            if earlier.key == night.key and earlier.result is not None:
                return morning.at_home(opened, {**earlier.result, "repeated": True})
        night.write()
        opened.begin_night(night.key, night.spec, tenant)

        said = night.phase("extract lessons", lambda: extract_lessons(night))
        if not said["facts"]:
            return _nothing(night, f"{len(night.sessions)} sessions were read; none holds a statement to learn from.")
        dreams = night.phase("dream situations", lambda: dream_situations(night, said))
        lifts = night.phase("measure lift", lambda: measure_lift(night, said, dreams))
        if not any(value["route"] in TRAINED for value in lifts["lifts"].values()):
            return _nothing(
                night, "Every situation is known already, or its lesson does not help: nothing is left to train."
            )
        trained = night.phase("train", lambda: train(night, said, dreams, lifts))
        found = night.phase("evaluate", lambda: evaluate(night, said, dreams, trained, items))
        verdict = night.phase("gate", lambda: gate(night, trained, found))
        return register(night, said, dreams, lifts, trained, found, verdict)


class Night:
    """A night under way: its sessions, its key, what it has committed, and the engine once a phase needs it."""

    def __init__(
        self,
        store: Store,
        model: str,
        tenant: str,
        seed: int,
        options: NightOptions,
        progress: Progress,
        engine: TransformersEngine | None,
        writer: str | None,
        only: Collection[str] = (),
    ) -> None:
        self.store, self.model, self.seed, self.options, self.progress = store, model, seed, options, progress
        self.tenant, self.writer = tenant, writer
        self.author: Writer | None = None
        self._engine, self._ready = engine, False
        self.base = engine.fingerprint if engine else fingerprint(locate(model))
        self.adapters = AdapterDirectory.beside(store)
        morning.sweep(store)
        self.conversations, self.parent = pick_sessions(store, self.adapters, self.base, tenant, only)
        self.sessions = [each.session for each in self.conversations]
        self.spec: Output = {
            "version": VERSION,
            "sessions": [session.id for session in self.sessions],
            "base": self.base,
            "parent": self.parent.hash if self.parent else None,
            "seed": seed,
            "options": asdict(options),
            **{name: given for name, given in (("writer", writer), ("tenant", tenant)) if given},
        }
        self.key = content_hash(self.spec)
        self.exposures: dict[str, Exposure] = {}  # by situation; made by "measure lift", made anew after a restart

    @property
    def engine(self) -> TransformersEngine:
        """The model, loaded when first needed, with the round's start as its `veteran`."""
        if self._engine is None:
            from journeyman.model import load_engine

            self._engine = load_engine(self.model)
        if self.parent and not self._ready:  # an engine that is handed in may hold another night's veteran
            self._engine.load_adapter(self.adapters.path(self.parent.hash), VETERAN)
        self._ready = True
        return self._engine

    @property
    def veteran(self) -> str | None:
        return VETERAN if self.parent else None

    def frame(self, verdict: str, reasons: Sequence[str]) -> Output:
        """The part of a result that every night has."""
        return morning.frame(self.key, self.spec, self.model, self.sessions, verdict, reasons)

    def write(self) -> None:
        """Meet the writer, if there is one and its work is still to be done: whether it answers is known at once."""
        if self.writer and "dream situations" not in self.store.phases(self.key):
            self.author = Writer(self.writer)

    def rival(self) -> str | None:
        """The adapter in service, loaded: who a candidate has to beat, also where a night is tried again."""
        champion = self.store.champion(self.base, self.tenant)
        return self.engine.load_adapter(self.adapters.path(champion.hash), RIVAL) if champion else None

    def told(self) -> list[str]:
        """All that the tenant's users have ever said, learnt tonight or before: none of it is a near miss."""
        said = conversations.sessions(self.store, *LEARNING, tenant=self.tenant)
        return [turn.content for session in said for turn in session.turns if turn.role == "user"]

    def phase(self, name: str, work: Callable[[], Output]) -> Output:
        """The committed output of a phase, or that of doing it now."""
        if name not in self.store.phases(self.key):
            self.progress(name, 0.0)
            engine = self.engine
            tokens, wall, cpu = engine.tokens, time.perf_counter(), time.process_time()
            output = work()
            spent = (time.perf_counter() - wall, time.process_time() - cpu, engine.tokens - tokens)
            self.store.commit_phase(self.key, name, output, *spent)
            self.progress(name, 1.0)
        # Read back even when fresh: a resumed night must see exactly what an unbroken one sees.
        return self.store.phases(self.key)[name].output


def _paths(given: Paths) -> list[str | Path]:
    return [given] if isinstance(given, (str, Path)) else list(given)


# The phases


def extract_lessons(night: Night) -> Output:
    """Statements of the users, the spans of them that the model could not have guessed, and which answers each session
    holds: a conversation may go on tomorrow, and is another session then."""
    engine = night.engine
    lessons = lessons_of.extract(night.sessions)
    gave = Counter(lesson.session_id for lesson in lessons)
    read = zip(night.spec["sessions"], night.conversations, strict=True)
    sources = {id: {"statements": gave[id], "receipts": each.receipts} for id, each in read}
    tables = engine.surprisal([lesson.text for lesson in lessons])
    surprisal = {lesson.text: table for lesson, table in zip(lessons, tables, strict=True)}
    chosen = spans.choose(spans.weigh(lessons, surprisal.__getitem__), night.options.facts)
    return {"statements": len(lessons), "facts": [asdict(span) for span in chosen], "sources": sources}


def dream_situations(night: Night, said: Output) -> Output:
    """Questions about each fact, some held out; near misses; anchors."""
    chosen = [
        spans.Span(Lesson.from_json(fact["lesson"]), fact["start"], fact["end"], fact["kind"], fact["worth"])
        for fact in said["facts"]
    ]
    situations = recorded.corrections(night.sessions, chosen) + recorded.questions(night.sessions, chosen)
    author = night.author
    for number, span in enumerate(chosen):
        situations += author.questions(span, night.options.wordings) if author else []
        situations += dreamt.asks(span, night.options.wordings, night.seed)
        night.progress("dream situations", number / len(chosen))
    situations = dreamt.consistent(situations)
    heldout = dreamt.hold_out(situations, night.options.heldout, night.seed)
    things = sorted({span.text for span in chosen if span.kind == "chunk"})
    return {
        "train": [s.to_json() for s in situations if s.id not in heldout],
        "heldout": [s.to_json() for s in situations if s.id in heldout],
        "quiet": [s.to_json() for s in [*near_misses(night.told(), night.seed, things=things), *dreamt.anchors()]],
    }


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


def train(night: Night, said: Output, dreams: Output, lifts: Output) -> Output:
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

    curve: list[Output] = []
    begun = time.perf_counter()
    for step in trainer.train(engine, [night.exposures[s.id] for s in situations], held, schedule, fresh):
        night.progress("train", step.step / options.steps)
        curve.append({**asdict(step), "seconds": time.perf_counter() - begun})
    lineage = {
        **night.spec,
        "model": engine.name,
        "night": night.key,
        "lessons": sorted({s.lesson_id for s in situations}),
        "situations": len(situations),
        "versions": versions(),
        canary.FIELD: canary.sing(engine, LIVE),
    }
    hash = night.adapters.add(lambda directory: lora.save(state, str(locate(engine.name)), directory), lineage)
    return {"adapter": hash, "curve": curve, "situations": len(situations), "quiet": len(held)}


def evaluate(night: Night, said: Output, dreams: Output, trained: Output, items: Sequence[Item]) -> Output:
    """Candidate against round start and base, on what was not trained on."""
    from journeyman.evaluate import evidence

    engine = night.engine
    engine.load_adapter(night.adapters.path(trained["adapter"]), CANDIDATE)
    return evidence.gather(
        engine,
        [Situation.from_json(value) for value in dreams["heldout"]],
        _lesson_texts(said),
        night.told(),
        items,
        candidate=CANDIDATE,
        champion=night.rival(),
        veteran=night.veteran,
        progress=lambda share: night.progress("evaluate", share),
    )


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


def register(
    night: Night, said: Output, dreams: Output, lifts: Output, trained: Output, found: Output, verdict: Output
) -> Output:
    """Write the page; record the adapter, the verdict and, if it says so, the promotion, in one transaction."""
    hash, parent = trained["adapter"], night.parent.hash if night.parent else ""
    result = {
        **night.frame(verdict["verdict"], verdict["reasons"]),
        **morning.outcome(night.store.phases(night.key), said, dreams, lifts, trained, found),
        "adapter": hash,
        "started_at": next(begun.started_at for begun in night.store.nights() if begun.key == night.key),
    }
    shown = morning.at_home(night.store, result)
    morning.write_whole(Path(shown["report"]), render(shown))
    record = AdapterRecord(hash, night.base, night.key, verdict["verdict"], parent, tenant=night.tenant)
    night.store.finish_night(night.key, result, record, promote=verdict["verdict"] == "PROMOTE")
    return shown


def _nothing(night: Night, reason: str) -> Output:
    """The normal result of a night without a lesson: it promotes nothing, and says so."""
    result = night.frame(NOTHING, [reason])
    night.store.finish_night(night.key, result)
    return result


def _lesson_texts(said: Output) -> dict[str, str]:
    return {(lesson := Lesson.from_json(fact["lesson"])).id: lesson.text for fact in said["facts"]}
