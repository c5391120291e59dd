"""After an erasure: what fell is made anew without what was erased, and it is proved that nothing of that is left.

The nights of the line that served are run again, one by one and each over what is left of its sessions, from the last
adapter that had not learned what was erased; each goes through the gate as any night does. Then what serves is asked,
with its book closed, what the erased sessions had taught, and so were the base and, before it was deleted, what fell. A
signed supplement to the certificate says which night and adapter replaced which, and what the answers came to.

Always holds: what was erased lies in no file: its questions are in this process only, so that a rebuild that was killed
and gone on with makes the same adapters, and says that nobody could be asked any more; each night is run once, since it
says in whose place it stands; counts and one hash of the questions are all that is kept of them.

Knows the order of things; how a night is run, and what an erasure takes, is others' to know.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from journeyman.errors import UsageError
from journeyman.evaluate import recall
from journeyman.model.source import fingerprint, locate
from journeyman.night import NightOptions, Output, Paths, Progress
from journeyman.night import night as run_night
from journeyman.records import Erasure, NightRecord, Situation
from journeyman.registry import certificate, erasure, rebuilding
from journeyman.registry.adapters import AdapterDirectory
from journeyman.registry.rebuilding import Questions
from journeyman.registry.writing import write_whole
from journeyman.store import Store

if TYPE_CHECKING:
    from journeyman.model.transformers_engine import TransformersEngine

FORMAT = "journeyman-rebuild/1"
FALLEN, SERVES = "fallen", "replacement"
NOBODY = "it was killed and gone on with: what was erased was in no file, so nobody could ask again"


def pending(store: Store, tenant: str | None = None) -> list[Erasure]:
    """The erasures after which a rebuild was asked for and is not done."""
    return [each for each in store.erasures(tenant) if each.rebuild and "supplement" not in each.rebuild]


def ask(store: Store, tenant: str | None = None) -> None:
    """Have what the last erasures felled made anew, though nobody asked for it then."""
    for each in store.erasures(tenant):
        if each.service and not each.rebuild:
            store.note_rebuild(each.id, rebuilding.noted(store, each))


@dataclass
class Asked:
    """What was asked over one base, and whether base and fallen adapter knew."""

    questions: Questions
    erased: dict[str, list[bool]] = field(default_factory=dict)  # by who was asked
    kept: dict[str, list[bool]] = field(default_factory=dict)

    def hear(self, engine: TransformersEngine, who: str, adapter: str | None) -> None:
        self.erased[who] = recall.recalled(engine, self.questions.erased, adapter)
        self.kept[who] = recall.recalled(engine, self.questions.kept, adapter)


class Rebuild:
    """Erases with itself for a witness, and makes what fell anew. `model`: which to load ("": what the nights name)."""

    def __init__(self, store: Store, model: str = "", suites: Paths = (), progress: Progress | None = None) -> None:
        self.store, self.model, self.suites, self.progress = store, model, suites, progress
        self.asked: dict[str, Asked] = {}  # by base
        self._engines: dict[str, TransformersEngine] = {}

    def erase(self, *, session: str = "", user: str = "", tenant: str | None = None) -> Erasure:
        with self.store.lock("night"):
            return erasure.erase(self.store, session=session, user=user, tenant=tenant, witness=self)

    # The witness

    def read(self, erasure: Erasure) -> Output:
        self.asked.clear()
        for base, was, _ in erasure.service:
            nights = rebuilding.line(self.store, erasure, was)
            self.asked[base] = Asked(rebuilding.questions(self.store, erasure, nights))
            self._engine(base, nights)  # a model that is not there is missed before anything is erased
        return rebuilding.noted(self.store, erasure)

    def hear(self, erasure: Erasure) -> None:
        directory = AdapterDirectory.beside(self.store)
        found: Output = {}
        for base, was, _ in erasure.service:
            engine = self._engine(base, rebuilding.lines(self.store, erasure)[base])
            self.asked[base].hear(engine, "base", None)
            self.asked[base].hear(engine, FALLEN, engine.load_adapter(directory.path(was), FALLEN))
            engine.drop_adapter(FALLEN)
            found[base] = _counts(self.asked[base])
        self.store.note_rebuild(erasure.id, {**erasure.rebuild, "recall": found})

    # The nights

    def finish(self, id: str) -> Output:
        """Make what this erasure felled anew, or go on with it; the signed supplement."""
        done = next(each for each in self.store.erasures() if each.id == id)
        if "supplement" in done.rebuild:
            return done.rebuild["supplement"]
        key = certificate.signing_key(self.store.folder)
        lines = rebuilding.lines(self.store, done)
        for nights in lines.values():
            for each in nights:
                self._run(done, each, nights)
        signed = certificate.sign(self._body(done, lines), key)
        write_whole(supplement_path(self.store, done), json.dumps(signed, indent=2) + "\n")
        self.store.note_rebuild(id, {**done.rebuild, "supplement": signed})
        return signed

    def _run(self, done: Erasure, night: NightRecord, nights: Sequence[NightRecord]) -> None:
        if rebuilding.again(self.store, done, night.key) or not (left := rebuilding.left(self.store, night)):
            return
        known = {each.name for each in fields(NightOptions)}  # another version may have had others
        engine = self._engine(night.spec["base"], nights)
        run_night(
            self.store,
            engine.name,
            tenant=night.tenant,
            only=left,
            seed=night.spec["seed"],
            suites=self.suites,
            writer=night.spec.get("writer"),
            options=NightOptions(**{name: value for name, value in night.spec["options"].items() if name in known}),
            progress=self.progress,
            engine=engine,
            rebuilds={"erasure": done.id, "night": night.key},
        )

    def _engine(self, base: str, nights: Sequence[NightRecord]) -> TransformersEngine:
        if base not in self._engines:
            name = self.model or next(
                (each.result["model"]["name"] for each in nights if each.result and "model" in each.result), ""
            )
            if not name or fingerprint(locate(name)) != base:
                raise UsageError(
                    f"what fell was made for another model ({base}) than {name or 'is known here'}",
                    "name the one that it was made for with --model",
                )
            self._engines = {base: _load(name)}  # one at a time
        return self._engines[base]

    # The supplement

    def _body(self, done: Erasure, lines: dict[str, list[NightRecord]]) -> Output:
        tenant = done.tenant
        return {
            "format": FORMAT,
            "erasure": done.id,
            "certificate_sha256": certificate.digest(done.certificate),
            "rebuilt_at": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "tenant": tenant,
            "nights": [self._replaced(done, each) for nights in lines.values() for each in nights],
            "service": [
                {"base": base, "was": was, "erased_to": then or "base", "now": self._serving(base, tenant) or "base"}
                for base, was, then in done.service
            ],
            "recall": [{"base": base, **self._recall(done, base, nights)} for base, nights in lines.items()],
        }

    def _serving(self, base: str, tenant: str) -> str:
        champion = self.store.champion(base, tenant)
        return champion.hash if champion else ""

    def _replaced(self, done: Erasure, night: NightRecord) -> Output:
        """One night that fell, and what has taken its place: nothing, where nothing was left of it to learn."""
        was = {"night": night.key, **{name: (night.result or {}).get(name) for name in ("adapter", "verdict")}}
        found = rebuilding.again(self.store, done, night.key)
        if not found or not found.result:
            return {"was": was, "now": None}
        asked = found.result.get("heldout") or {}
        now = {
            "night": found.key,
            **{name: found.result.get(name) for name in ("adapter", "verdict")},
            "sessions": list(found.spec["sessions"]),
            "heldout": {name: asked[name] for name in ("n", "before", "after") if name in asked},
        }
        return {"was": was, "now": now}

    def _recall(self, done: Erasure, base: str, nights: Sequence[NightRecord]) -> Output:
        """What base, fallen adapter and replacement answered. Of what stays only what no new night has trained counts:
        else the replacement would be asked what it had been shown."""
        if base not in self.asked or FALLEN not in self.asked[base].erased:
            return {**done.rebuild.get("recall", {}).get(base, {}), "why": NOBODY}
        asked, engine = self.asked[base], self._engine(base, nights)
        hash = self._serving(base, done.tenant)
        path = AdapterDirectory.beside(self.store).path(hash)
        asked.hear(engine, SERVES, engine.load_adapter(path, SERVES) if hash else None)
        found = [each for night in nights if (each := rebuilding.again(self.store, done, night.key))]
        shown = rebuilding.trained_prompts(self.store, found)
        counts = _counts(asked, lambda each: each.prompt not in shown)
        counts["erased"] |= recall.above(asked.erased["base"], asked.erased[SERVES])
        return counts


def supplement_path(store: Store, done: Erasure) -> Path:
    return store.folder / "erasures" / f"{done.id}.rebuilt.json"


def _counts(asked: Asked, counts: Callable[[Situation], bool] = lambda _: True) -> Output:
    """How many each has right, of the erased questions and of those that stay."""
    fair = [counts(each) for each in asked.questions.kept]
    stays = {
        who: sum(right for right, each in zip(rights, fair, strict=True) if each) for who, rights in asked.kept.items()
    }
    return {
        "erased": {
            "questions": len(asked.questions.erased),
            "sha256": asked.questions.sha256,
            "answered_by_what_stays": asked.questions.left_out,
            **{who: sum(rights) for who, rights in asked.erased.items()},
        },
        "kept": {"questions": sum(fair), **stays},
    }


def _load(name: str) -> TransformersEngine:
    from journeyman.model import load_engine

    return load_engine(name)
