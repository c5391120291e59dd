"""Where an adapter comes from, and what came of a session: session -> lesson -> situation -> night -> adapter.

A night that ended keeps what each of its phases handed on; nothing is written down twice for the sake of lineage.

Always holds: an adapter is said to have learned from every session that its night read, and that the nights before it
in its line read, whether or not a lesson of it was trained: a session that taught nothing has still had its part in
what was chosen.

Knows what the phases of a night hand on; not how they came by it.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from journeyman.records import Lesson, NightRecord, Situation
from journeyman.registry.adapters import LINEAGE, AdapterDirectory
from journeyman.store import Store

TRAINED = ("opsd", "replay")  # the routes of a situation that end in a gradient
RECALLED = "recall lessons"  # the phase of a night that begins from an adapter: what it repeats of that one's line


@dataclass(frozen=True)
class Making:
    """What one night brought to an adapter. `lessons` and `situations`: those that were trained; both empty where a
    session of the night was erased later. `receipts`: the answers that the sessions hold, by session. `repeated`:
    situations of the nights before it in its line, which taught their lessons, that it trained again."""

    night: str
    adapter: str
    parent: str
    sessions: tuple[str, ...]
    receipts: Mapping[str, tuple[str, ...]]
    lessons: tuple[Lesson, ...]
    situations: tuple[Situation, ...]
    repeated: tuple[Situation, ...] = ()

    def to_json(self) -> dict[str, Any]:
        asked = {
            lesson.id: [each.to_json() for each in self.situations if each.lesson_id == lesson.id]
            for lesson in self.lessons
        }
        return {
            "night": self.night,
            "adapter": self.adapter,
            "parent": self.parent,
            "sessions": list(self.sessions),
            "lessons": [{"id": each.id, **each.to_json(), "situations": asked[each.id]} for each in self.lessons],
        }


@dataclass(frozen=True)
class Descent:
    """What comes of some sessions: `nights` that read them or began from what came of them, registered `adapters`, and
    `directories` of adapters (those of nights that never ended among them), each by hash. `sessions`: all the ids that
    nights knew the sessions by, since a conversation that goes on gets another one."""

    sessions: tuple[str, ...]
    nights: tuple[str, ...]
    adapters: tuple[str, ...]
    directories: tuple[str, ...]


class Lineages:
    """The nights and adapters of one tenant, as they come from each other. It is read once, when it is made."""

    def __init__(self, store: Store, tenant: str = "") -> None:
        self._adapters = {each.hash: each for each in store.adapters(tenant)}
        nights = store.nights(tenant)
        self._nights = {each.key: each for each in nights}
        self._outputs = {
            each.key: {name: phase.output for name, phase in store.phases(each.key).items()} for each in nights
        }
        self._files = _files(AdapterDirectory.beside(store), tenant)

    def of(self, hash: str) -> list[Making]:
        """What made an adapter: its own night first, then that of what it began from, down to the base."""
        found: list[Making] = []
        while (record := self._adapters.get(hash)) is not None:
            night = self._nights.get(record.night_id)
            outputs = self._outputs.get(record.night_id, {})
            receipts = _receipts(outputs)
            found.append(
                Making(
                    record.night_id,
                    hash,
                    record.parent,
                    tuple(night.spec.get("sessions", ())) if night else (),
                    receipts,
                    *_trained(outputs),
                    _repeated(outputs),
                )
            )
            hash = record.parent
        return found

    def learned_from(self, session: str) -> list[str]:
        """The adapters, oldest first, that learned from the sessions whose id begins so."""
        nights = self._nights.values()
        read = {id for night in nights for id in night.spec.get("sessions", ()) if id.startswith(session)}
        held = [_receipts(outputs) for outputs in self._outputs.values()]
        fallen = self.descent(read, [each for found in held for id in read for each in found.get(id, ())]).adapters
        return [hash for hash in self._adapters if hash in fallen]

    def descent(self, sessions: Collection[str], receipts: Collection[str], everything: bool = False) -> Descent:
        """All that comes of these sessions and answers; `everything`: of all that the tenant has."""
        known, answers = set(sessions), set(receipts)
        nights: set[str] = set(self._nights) if everything else set()
        adapters: set[str] = set(self._adapters) if everything else set()
        directories: set[str] = set(self._files) if everything else set()
        for key, night in self._nights.items():
            held = _receipts(self._outputs[key])
            read = night.spec.get("sessions", ())
            mine = {id for id in read if id in known or not answers.isdisjoint(held.get(id, ()))}
            if mine:
                nights.add(key)
                known |= mine
        grown = -1
        while grown != (grown := len(nights) + len(adapters) + len(directories)):
            made = {self._outputs[key].get("train", {}).get("adapter") for key in nights}
            adapters |= {
                each.hash
                for each in self._adapters.values()
                if each.night_id in nights or each.hash in made or each.parent in adapters
            }
            directories |= adapters & set(self._files)
            directories |= {
                hash
                for hash, lineage in self._files.items()
                if lineage.get("night") in nights
                or not known.isdisjoint(lineage.get("sessions", ()))
                or lineage.get("parent") in directories | adapters
            }
            adapters |= directories & set(self._adapters)
            nights |= {key for key, night in self._nights.items() if night.spec.get("parent") in adapters}
        return Descent(tuple(sorted(known)), *(tuple(sorted(each)) for each in (nights, adapters, directories)))

    def lessons(self, nights: Collection[str], sessions: Collection[str]) -> list[Lesson]:
        """Those that these nights drew from these sessions, trained or not."""
        found = {
            lesson.id: lesson
            for key in nights
            for lesson in _lessons(self._outputs[key])
            if lesson.session_id in sessions
        }
        return [found[id] for id in sorted(found)]

    def answers(self) -> dict[str, set[str]]:
        """The receipts of the answers that each session held, by the ids that nights knew them by."""
        found: dict[str, set[str]] = {}
        for outputs in self._outputs.values():
            for id, receipts in _receipts(outputs).items():
                found.setdefault(id, set()).update(receipts)
        return found

    def night(self, key: str) -> NightRecord | None:
        return self._nights.get(key)


def _lessons(outputs: Mapping[str, Any]) -> list[Lesson]:
    return [Lesson.from_json(fact["lesson"]) for fact in outputs.get("extract lessons", {}).get("facts", ())]


def _receipts(outputs: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    sources = outputs.get("extract lessons", {}).get("sources", {})
    return {id: tuple(source.get("receipts", ())) for id, source in sources.items()}


def _trained(outputs: Mapping[str, Any]) -> tuple[tuple[Lesson, ...], tuple[Situation, ...]]:
    lifts = outputs.get("measure lift", {}).get("lifts", {})
    written = (Situation.from_json(value) for value in outputs.get("dream situations", {}).get("train", ()))
    situations = tuple(each for each in written if lifts.get(each.id, {}).get("route") in TRAINED)
    used = {each.lesson_id for each in situations}
    lessons = {each.id: each for each in _lessons(outputs) if each.id in used}
    return tuple(lessons.values()), situations


def _repeated(outputs: Mapping[str, Any]) -> tuple[Situation, ...]:
    again = outputs.get("train", {}).get("replayed")
    if not again:
        return ()
    recalled = map(Situation.from_json, outputs.get(RECALLED, {}).get("train", ()))
    dealt = again.get("dealt")  # a night of an earlier version did not keep which
    return tuple(each for each in recalled if dealt is None or each.id in dealt)


def _files(directory: AdapterDirectory, tenant: str) -> dict[str, dict[str, Any]]:
    """The lineage beside the weights, of all of the tenant's that lie there, registered or not."""
    found: dict[str, dict[str, Any]] = {}
    for path in sorted(directory.root.glob(f"*/{LINEAGE}")):
        try:
            lineage = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue  # damaged, or going: what the store says of it holds
        if isinstance(lineage, dict) and lineage.get("tenant", "") == tenant:
            found[path.parent.name] = lineage
    return found
