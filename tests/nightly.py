"""Nights as they leave a store behind, without the hours: their phases, their adapters' files and their verdicts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from journeyman.capture import conversations
from journeyman.dream.spans import Span
from journeyman.records import AdapterRecord, Lesson, NightRecord, Session, Situation, Turn
from journeyman.registry.adapters import LEARNING, AdapterDirectory
from journeyman.registry.lineage import RECALLED
from journeyman.store import Store

BASE = "b4se"


def said(words: str, tenant: str = "", user: str = "") -> Session:
    return Session((Turn("user", words), Turn("assistant", f"I see: {words}")), user=user, tenant=tenant)


def weights(content: str) -> Callable[[Path], None]:
    """Writes what no engine would load, and what has a hash all the same."""

    def write(directory: Path) -> None:
        (directory / "adapter_config.json").write_text('{"r": 2, "base_model_name_or_path": "/somewhere"}')
        (directory / "adapter_model.safetensors").write_bytes(content.encode())

    return write


def run(
    store: Store,
    key: str,
    *,
    tenant: str = "",
    parent: str | None = None,
    verdict: str = "PROMOTE",
    write: Callable[[Path], None] | None = None,
    base: str = BASE,
    ids: Sequence[str] | None = None,
    ends: bool = True,
    repeats: Sequence[Situation] = (),
    **more: Any,
) -> str:
    """A night over the tenant's sessions that its line has not read (or those of `ids`); the hash of its adapter.

    Each session gives one lesson (`more`: of the spec), and each lesson two situations: one trained, one held out.
    `repeats`: of earlier nights' situations, what this one trains again.
    """
    adapters = AdapterDirectory.beside(store)
    read: set[str] = set()
    above = parent
    while above:
        lineage = adapters.lineage(above)
        read |= set(lineage["sessions"])
        above = lineage["parent"]
    kept = [each for each in conversations.kept(store, *LEARNING, tenant=tenant) if each.session.id not in read]
    kept = [each for each in kept if ids is None or each.session.id in ids]
    sessions = [each.session.id for each in kept]
    spec: dict[str, Any] = {
        "sessions": sessions,
        "base": base,
        "parent": parent,
        "seed": 0,
        "options": {"rank": 2},
        **more,
    }
    spec |= {"tenant": tenant} if tenant else {}
    lessons = [
        Lesson(each.session.turns[0].content, each.session.id, 0) for each in kept if each.session.turns[0].content
    ]
    train = [Situation("ask", f"What of {each.text}?", each.id, each.text) for each in lessons]
    heldout = [Situation("ask", f"And of {each.text}?", each.id, each.text) for each in lessons]
    store.begin_night(key, spec, tenant)
    phases: dict[str, Any] = {
        "extract lessons": {
            "statements": len(lessons),
            "facts": [asdict(Span(each, 0, len(each.text), "chunk")) for each in lessons],
            "sources": {each.session.id: {"statements": 1, "receipts": each.receipts} for each in kept},
        },
        "dream situations": {
            "train": [each.to_json() for each in train],
            "heldout": [each.to_json() for each in heldout],
            "quiet": [],
        },
        "measure lift": {"lifts": {each.id: {"route": "opsd"} for each in train}},
    }
    lineage = {**spec, "model": "tiny", "night": key, "lessons": sorted({each.id for each in lessons})}
    hash = adapters.add(write or weights(f"of night {key}"), lineage)
    phases["train"] = {"adapter": hash, "curve": [], "situations": len(train), "quiet": 0}
    if repeats:
        phases[RECALLED] = {"lessons": {}, "train": [each.to_json() for each in repeats], "rows": 1, "asked": []}
        dealt = sorted(each.id for each in repeats)
        phases["train"]["replayed"] = {"situations": len(dealt), "known": 0, "rows": len(dealt), "dealt": dealt}
    for name, output in phases.items():
        store.commit_phase(key, name, output, 1.0, 1.0, 10)
    if ends:
        record = AdapterRecord(hash, base, key, verdict, parent or "", tenant=tenant)
        result = {
            "night": key,
            "tenant": tenant,
            "verdict": verdict,
            "reasons": [f"it knows {each.text}" for each in lessons],
            "adapter": hash,
            "parent": parent,
            "model": {"name": "tiny", "fingerprint": base},
            "general": {"before": 0.5, "after": 0.5, "n": 10},
            "heldout": {"before": 0.1, "after": 0.9, "n": len(heldout)},
            "examples": [{"prompt": each.prompt, "after": each.evidence} for each in heldout],
        }
        page = store.folder / "nights" / key / "report.html"
        page.parent.mkdir(parents=True)
        page.write_text(" ".join(each.text for each in lessons))
        store.finish_night(key, result, record, promote=verdict == "PROMOTE")
    return hash


def night(store: Store, key: str) -> NightRecord:
    return next(each for each in store.nights() if each.key == key)
