"""What an erasure felled, and what is left to make it of again: nights to be run anew, and questions to prove it by.

Only the line of what served is made anew: the adapters from the last clean one up to the champion, night by night. What
had been refused, or rolled back, served nobody.

Always holds: the nights come in the order in which they were run; what is left of one holds nothing that was erased,
and nothing that what serves now has learned; what is asked about the erased is answered by nothing that stays.

Knows nights by what they handed on; nothing of how one is run.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from journeyman.capture import conversations
from journeyman.dream.lessons import plain
from journeyman.dream.words import WORD
from journeyman.records import Erasure, Lesson, NightRecord, Situation
from journeyman.registry.adapters import LEARNING
from journeyman.registry.lineage import RECALLED, Lineages
from journeyman.store import Store

MOST = 64  # questions of each kind: one batch


def line(store: Store, erasure: Erasure, was: str) -> list[NightRecord]:
    """The nights that made the adapter `was`, as far as they fell, oldest first."""
    known = {each.hash: each for each in store.adapters(erasure.tenant) if each.night_id in erasure.nights}
    nights = {each.key: each for each in store.nights(erasure.tenant)}
    found: list[NightRecord] = []
    while was in erasure.adapters and was in known:
        if known[was].night_id in nights:
            found.append(nights[known[was].night_id])
        was = known[was].parent
    return found[::-1]


def noted(store: Store, erasure: Erasure) -> dict[str, Any]:
    """What is kept of a rebuild that is to be: the keys of the nights, by base."""
    return {"nights": {base: [each.key for each in line(store, erasure, was)] for base, was, _ in erasure.service}}


def lines(store: Store, erasure: Erasure) -> dict[str, list[NightRecord]]:
    """The nights that were noted."""
    nights = {each.key: each for each in store.nights(erasure.tenant)}
    return {base: [nights[key] for key in keys] for base, keys in erasure.rebuild["nights"].items()}


def left(store: Store, night: NightRecord) -> list[str]:
    """Ids of the sessions that the night had read, that are still kept, and that what serves has not learned."""
    tenant, kept = night.tenant, _kept(store, night.tenant)
    champion = store.champion(night.spec["base"], tenant)
    made = Lineages(store, tenant).of(champion.hash) if champion else []
    learned = {id for each in made for id in each.sessions}
    return [id for id in night.spec["sessions"] if id in kept and id not in learned]


def again(store: Store, erasure: Erasure, key: str) -> NightRecord | None:
    """The night that has been run in the place of this one after the erasure, and has ended."""
    place = {"erasure": erasure.id, "night": key}
    for night in store.nights(erasure.tenant):
        if night.spec.get("rebuilds") == place and night.result and not night.result.get("erased"):
            return night
    return None


@dataclass(frozen=True)
class Questions:
    """`erased`: what the nights asked about the erased lessons; `left_out`: how many more of them what stays answers
    too; `kept`: what they held out about the others'."""

    erased: tuple[Situation, ...]
    kept: tuple[Situation, ...]
    left_out: int = 0

    @property
    def sha256(self) -> str:
        """Of the erased questions, all together: who still has the session can tell that they were these."""
        return hashlib.sha256("\n".join(sorted(each.id for each in self.erased)).encode()).hexdigest()


def questions(store: Store, erasure: Erasure, nights: Sequence[NightRecord]) -> Questions:
    """Those of these nights, MOST of each kind; call it before the rows are gone."""
    erased: dict[str, Situation] = {}
    kept: dict[str, Situation] = {}
    gone = set(erasure.sessions)
    for night in nights:
        outputs = {name: phase.output for name, phase in store.phases(night.key).items()}
        facts = outputs.get("extract lessons", {}).get("facts", ())
        of = {(lesson := Lesson.from_json(fact["lesson"])).id: lesson.session_id for fact in facts}
        dreams = outputs.get("dream situations", {})
        for name in ("train", "heldout"):
            for each in map(Situation.from_json, dreams.get(name, ())):
                if of.get(each.lesson_id) in gone:
                    erased[each.id] = each
                elif name == "heldout":
                    kept[each.id] = each
    said = " ".join(_words(turn) for id, turn in _turns(store, erasure.tenant) if id not in gone)
    asked = [each for each in erased.values() if f" {_words(each.evidence)} " not in f" {said} "]
    return Questions(_some(asked), _some(kept.values()), len(erased) - len(asked))


def trained_prompts(store: Store, nights: Sequence[NightRecord]) -> set[str]:
    """What these nights trained on, as it was asked; what they repeated of earlier nights among it."""
    phases = [phase for night in nights for phase in store.phases(night.key).values()]
    trained = [phase.output.get("train", ()) for phase in phases if phase.name in ("dream situations", RECALLED)]
    return {each["prompt"] for situations in trained for each in situations}


def _some(situations: Any) -> tuple[Situation, ...]:
    return tuple(sorted(situations, key=lambda each: each.id)[:MOST])  # ids are hashes: no kind is preferred


def _kept(store: Store, tenant: str) -> set[str]:
    return {session.id for session in conversations.sessions(store, *LEARNING, tenant=tenant)}


def _turns(store: Store, tenant: str) -> list[tuple[str, str]]:
    said = conversations.sessions(store, *LEARNING, tenant=tenant)
    return [(session.id, turn.content) for session in said for turn in session.turns]


def _words(text: str) -> str:
    return " ".join(WORD.findall(plain(text).casefold()))
