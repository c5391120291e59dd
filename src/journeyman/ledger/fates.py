"""Fates: what a tenant's nights made of its sessions.

Always holds: of several nights, the one counts of which most came; an adapter counts as in service while the champion
is it or descends from it; a night that has not ended has made nothing yet.

Knows what the phases of a night hand on; nothing of tokens.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from journeyman.capture.conversations import UNDER_WAY
from journeyman.records import Lesson, NightRecord, PhaseRecord, Situation
from journeyman.registry.lineage import TRAINED
from journeyman.store import Store

Fate = Literal["gradient", "evaluation", "dream", "waiting", "bin"]
FATES: tuple[Fate, ...] = ("gradient", "evaluation", "dream", "waiting", "bin")
IN_SERVICE = "what it taught is in service"


@dataclass(frozen=True)
class Use:
    """What became of something, why, and the adapters that were trained on its session, promoted or not."""

    fate: Fate
    why: str
    adapters: tuple[str, ...] = ()

    @property
    def rank(self) -> tuple[int, bool]:
        """The lower, the more came of it."""
        return FATES.index(self.fate), self.why != IN_SERVICE


class Uses:
    """What a tenant's nights made of its sessions; those under way have made nothing yet."""

    def __init__(self, nights: Iterable[tuple[NightRecord, Mapping[str, PhaseRecord]]], serving: set[str]) -> None:
        self._by_session: dict[str, Use] = {}
        self._by_receipt: dict[str, Use] = {}
        self._waiting = Use("waiting", "its tenant has had no night yet")
        for night, phases in nights:
            if night.result is None or night.result.get("erased"):  # what it made is gone: the next reads it anew
                continue
            self._waiting = Use("waiting", "the next night will read it")
            outputs = {name: phase.output for name, phase in phases.items()}
            sources = outputs.get("extract lessons", {}).get("sources", {})
            for session, use in _of_night(night, outputs, serving).items():
                _better(self._by_session, session, use)
                for receipt in sources.get(session, {}).get("receipts", ()):
                    _better(self._by_receipt, receipt, use)

    def of(self, receipt: str, sessions: Sequence[str], left_out: str = "") -> Use:
        """Of an answer (or "") and the sessions that it is in now; `left_out`: why it is in none."""
        found: dict[str, Use] = {}
        for use in (self._by_receipt.get(receipt), *map(self._by_session.get, sessions)):
            if use:
                _better(found, "", use)
        best = found.get("")
        if best and best.fate != "bin":
            return best
        if any(session not in self._by_session for session in sessions):
            return replace(self._waiting, adapters=best.adapters if best else ())
        return best or Use("waiting" if left_out == UNDER_WAY else "bin", left_out)


def serving(store: Store, tenant: str) -> set[str]:
    """The hashes of the tenant's adapters in service, one a base, and of all that they descend from."""
    known = {adapter.hash: adapter for adapter in store.adapters(tenant)}
    found: set[str] = set()
    for base in {adapter.base for adapter in known.values()}:
        champion = store.champion(base, tenant)
        hash = champion.hash if champion else ""
        while hash in known and hash not in found:
            found.add(hash)
            hash = known[hash].parent
    return found


def _of_night(night: NightRecord, outputs: Mapping[str, dict[str, Any]], serving: set[str]) -> dict[str, Use]:
    """What a night that has ended made of each of its sessions."""
    said, dreams = outputs.get("extract lessons", {}), outputs.get("dream situations", {})
    routes = {id: lift["route"] for id, lift in outputs.get("measure lift", {}).get("lifts", {}).items()}
    result = night.result or {}
    adapter = result.get("adapter") or ""
    sources = said.get("sources", {})
    found = {
        session: Use(
            "bin",
            "a night had no room for its lessons"
            if sources.get(session, {}).get("statements")
            else "no lesson was found in it",
        )
        for session in night.spec.get("sessions", ())
    }
    lessons = [Lesson.from_json(fact["lesson"]) for fact in said.get("facts", ())]
    whose = {lesson.id: lesson.session_id for lesson in lessons}
    for value in dreams.get("train", ()):
        _better(found, whose[value["lesson_id"]], Use("dream", "no question about it was worth training"))
    for value in dreams.get("heldout", ()):
        _better(found, whose[value["lesson_id"]], Use("evaluation", "held out for the gate to judge by"))
    tasks = outputs.get("dream tasks", {})
    for entry in tasks.get("heldout", ()):
        for session in entry["sessions"]:
            _better(found, session, Use("evaluation", "its tasks were held out for the gate to judge by"))
    for entry in tasks.get("train", ()):
        for session in entry["sessions"]:
            _better(found, session, Use("dream", "tasks were dreamed of it, and others were trained"))
    decided = outputs.get("weigh decisions", {})
    for entry in decided.get("heldout", ()):
        _better(found, entry["session"], Use("evaluation", "its decisions were held out for the gate to judge by"))
    if adapter:
        if result.get("verdict") != "PROMOTE":
            learnt = Use("bin", "learnt, but the gate did not promote the adapter", (adapter,))
        else:
            why = IN_SERVICE if adapter in serving else "what it taught is no longer in service"
            learnt = Use("gradient", why, (adapter,))
        for value in dreams.get("train", ()):
            if routes.get(Situation.from_json(value).id) in TRAINED:
                found[whose[value["lesson_id"]]] = learnt
        practised = set(outputs.get("train", {}).get("dreamed", {}).get("tasks", ()))
        for entry in tasks.get("train", ()):
            found |= dict.fromkeys(entry["sessions"], learnt) if entry["id"] in practised else {}
        found |= {entry["session"]: learnt for entry in decided.get("train", ())}
    return found


def _better(found: dict[str, Use], key: str, use: Use) -> None:
    """Keep the use of which more came, or else the later, with the adapters of both."""
    known = found.get(key, use)
    adapters = tuple(dict.fromkeys((*known.adapters, *use.adapters)))
    found[key] = replace(use if use.rank <= known.rank else known, adapters=adapters)
