"""One night: what the day's sessions taught becomes an adapter, and a verdict over it.

Read `night` top to bottom; each phase is a call into a room above. A phase's output is committed to the store before
the next begins, so a killed night continues where it stopped, and the same sessions, model and seed give the same
adapter on the same machine.

Always holds: nothing but one tenant's sessions reaches lessons, situations or training; what decides the verdict was
not trained on; an adapter goes into service in the same transaction that records its PROMOTE.

Knows the order of the phases and what each hands on; how a phase works is its room's to know.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from journeyman import morning, night_decisions, night_phases, night_replay, night_tasks
from journeyman.capture import conversations, import_files
from journeyman.capture.conversations import Conversation
from journeyman.dream import confidential
from journeyman.dream.confidential import Secret
from journeyman.dream.writer import Writer
from journeyman.errors import InputError, UsageError
from journeyman.evaluate.general import load_suite
from journeyman.model.source import DEFAULT_MODEL, fingerprint, locate
from journeyman.records import AdapterRecord, Session, content_hash
from journeyman.registry.adapters import LEARNING, AdapterDirectory, pick_sessions
from journeyman.registry.lineage import TRAINED
from journeyman.store import Store, open_store
from journeyman.web.report import render

if TYPE_CHECKING:
    from journeyman.learn.exposures import Exposure
    from journeyman.model.transformers_engine import TransformersEngine

Progress = Callable[[str, float], None]
Paths = str | Path | Sequence[str | Path]
Output = dict[str, Any]

VERSION = 6  # of the phases' outputs: a night begun by another version is begun anew
VETERAN = "veteran"
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
    # Share of the rows that repeat what earlier nights of the line have trained. With a quarter much less of a month is
    # known at its end, and hardly more the morning after: bench/month.
    replay: float = 0.5
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
    # Decisions in dreamed worlds to train on, each time counted anew; 0: none. A night without calls of tools dreams
    # none, whatever this says. So many are six rows in a hundred of the training, and on two cores some minutes.
    dream_steps: int = 200
    # Calls that somebody has judged: at most so many, the newest, to practise, and as many to judge by; 0: none. A
    # night without any is the same whatever it says. Here `heldout` is the share of the sessions to judge by.
    decisions: int = 64
    canaries: int = 0  # made-up secrets to plant among the sessions: the gate tries to get them out again


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
    rebuilds: Mapping[str, str] | None = None,
) -> Output:
    """Run one night over the sessions that the champion has not learnt yet; returns what `web.report` shows.

    store: an open store, its path or its URL; `tenant`: whose night it is ("": the store's own); `sessions`: files to
    import first; `only`: ids of sessions to leave it at, if all are new; `suites`: JSONL files of items to add to the
    general suite; `writer`: base URL of an OpenAI-compatible engine that may write situations too; `rebuilds`: in whose
    place it is run, and after which erasure (see `night_rebuild`).
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
        kept = conversations.kept(opened, *LEARNING, tenant=tenant)
        if not kept:
            spec: Output = {"base": "", "seed": seed, "parent": None, "tenant": tenant}
            what = f"The store holds no sessions of {tenant or 'its own'} yet."
            return morning.frame("", spec, model, [], NOTHING, [what])
        report = progress or (lambda _phase, _share: None)
        given = options or NightOptions()
        night = Night(opened, model, tenant, seed, given, report, engine, writer, only, rebuilds, kept)
        del kept  # what was learnt before has been looked through, and is not held all night
        for earlier in opened.nights(tenant):
            if earlier.key == night.key and earlier.result is not None:
                return morning.at_home(opened, {**earlier.result, "repeated": True})
        night.write()
        opened.begin_night(night.key, night.spec, tenant)

        said = night.phase("extract lessons", lambda: night_phases.extract_lessons(night))
        tasks = night.phase(night_tasks.PHASE, lambda: night_tasks.dream(night)) if night.dreams.on else {}
        decided = night.phase(night_decisions.PHASE, lambda: night_decisions.weigh(night)) if night.judged else {}
        others = tasks.get("train") or decided.get("train")
        if not said["facts"] and not others:
            return _nothing(night, f"{len(night.sessions)} sessions were read; none holds a statement to learn from.")
        dreams = night.phase("dream situations", lambda: night_phases.dream_situations(night, said))
        old = night.phase(night_replay.PHASE, lambda: night_replay.recall(night, said, dreams)) if night.parent else {}
        lifts = night.phase("measure lift", lambda: night_phases.measure_lift(night, said, dreams))
        if not any(value["route"] in TRAINED for value in lifts["lifts"].values()) and not others:
            return _nothing(
                night, "Every situation is known already, or its lesson does not help: nothing is left to train."
            )
        beside = night_phases.Beside(tasks, decided, old)
        trained = night.phase("train", lambda: night_phases.train(night, said, dreams, lifts, beside))
        found = night.phase("evaluate", lambda: night_phases.evaluate(night, said, dreams, trained, items, beside))
        verdict = night.phase("gate", lambda: night_phases.gate(night, trained, found))
        return register(night, said, dreams, lifts, trained, found, verdict)


class Night:
    """A night under way: its sessions, its key, what it has committed, and the engine once a phase needs it.

    `kept`: all of the tenant's that may be learnt from, where it has been read already; what is held of it are
    tonight's sessions and all the users' own words (`told`, learnt tonight or before: none of it is a near miss).
    """

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
        rebuilds: Mapping[str, str] | None = None,
        kept: Sequence[Conversation] | None = None,
    ) -> None:
        self.store, self.model, self.seed, self.options, self.progress = store, model, seed, options, progress
        self.tenant, self.writer = tenant, writer
        self.author: Writer | None = None
        self._engine, self._ready = engine, False
        self.base = engine.fingerprint if engine else fingerprint(locate(model))
        self.adapters = AdapterDirectory.beside(store)
        morning.sweep(store)
        kept = conversations.kept(store, *LEARNING, tenant=tenant) if kept is None else kept
        self.conversations, self.parent = pick_sessions(store, self.adapters, self.base, tenant, only, kept)
        self.sessions = [each.session for each in self.conversations]
        self.dreams = night_tasks.Dreams(self)
        self.line = night_replay.Line(store, tenant, self.parent.hash if self.parent else "", kept)
        self.told = [turn.content for each in kept for turn in each.session.turns if turn.role == "user"]
        self.judged = night_decisions.judged(self.conversations) if options.decisions > 0 else []
        given_options = asdict(options)
        if not self.judged:
            del given_options["decisions"]
        self.spec: Output = {
            "version": VERSION,
            "sessions": [session.id for session in self.sessions],
            "base": self.base,
            "parent": self.parent.hash if self.parent else None,
            "seed": seed,
            **self.dreams.spec(given_options),
            # Of whom something may be trained or asked again: consent that has ended makes it another night.
            **({"recalls": self.line.sessions} if self.parent else {}),
            **{
                name: given for name, given in (("writer", writer), ("tenant", tenant), ("rebuilds", rebuilds)) if given
            },
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

    @property
    def planted(self) -> list[Session]:
        """Canaries, in sessions of their own, that are kept nowhere."""
        return confidential.canaries(self.options.canaries, self.key)

    def secrets(self, most: int) -> list[Secret]:
        """What must not come out of an adapter: canaries, tonight's secrets, the tenant's others, that many at most."""

        def sessions() -> Iterator[Session]:
            yield from (*self.planted, *self.sessions)
            yield from reversed(conversations.sessions(self.store, tenant=self.tenant))  # read if so few are not enough

        return confidential.secrets(sessions(), most)

    def users(self) -> dict[str, str]:
        """Who brought the sessions of earlier nights of which a fact is still known."""
        gone = {fact.lesson.session_id for fact in self.line.facts} - self.line.users.keys()
        found = conversations.sessions(self.store, tenant=self.tenant, ids=gone) if gone else []
        return {**self.line.users, **{session.id: session.user for session in found}}

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
    result = {**night.frame(NOTHING, [reason]), **morning.left_out(night.store.phases(night.key))}
    night.store.finish_night(night.key, result)
    return result
