"""The adapters that a champion descends from, as steps from the base to it, and what each says to one question.

Always holds: the steps are in the order of the nights, the first begins at the base; one whose files are gone is there,
and says so; each is asked once.

Knows lineages, an engine and its adapters' files.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from journeyman.dream.words import content
from journeyman.evaluate.questions import fold
from journeyman.model import Ids
from journeyman.model.transformers_engine import TransformersEngine
from journeyman.records import AdapterRecord, Lesson, Situation
from journeyman.registry.adapters import AdapterDirectory
from journeyman.registry.lineage import Lineages, Making
from journeyman.store import Store

REPLY_TOKENS = 64


@dataclass(frozen=True)
class Learned:
    """A lesson that a night trained, and by which situations. `taught`: the night that read its session, an earlier one
    where this night repeated it; `receipts`: the answers that the session holds."""

    lesson: Lesson
    situations: tuple[Situation, ...]
    taught: str
    receipts: tuple[str, ...]


@dataclass(frozen=True)
class Step:
    """One night's step. `at`: when its adapter was registered; `here`: whether its weights still are; `erased`: whether
    what the night had learned from was erased later, so that nobody can say what it was; `learned`: its own lessons,
    then those that it repeated."""

    making: Making
    at: str
    here: bool
    erased: bool
    learned: tuple[Learned, ...]

    @property
    def adapter(self) -> str:
        return self.making.adapter


def steps(store: Store, record: AdapterRecord, lineages: Lineages | None = None) -> list[Step]:
    """From the base to the adapter, oldest first."""
    lineages = lineages or Lineages(store, record.tenant)
    directory, known = AdapterDirectory.beside(store), {each.hash: each for each in store.adapters(record.tenant)}
    found: list[Step] = []
    taught: dict[str, tuple[Lesson, Making]] = {}
    for making in reversed(lineages.of(record.hash)):
        for lesson in making.lessons:
            taught.setdefault(lesson.id, (lesson, making))
        night = lineages.night(making.night)
        erased = not making.lessons and bool(night and night.result and night.result.get("erased"))
        mine = known[making.adapter]
        here = not mine.withdrawn_at and directory.path(mine.hash).is_dir()
        found.append(Step(making, mine.created_at, here, erased, _learned(making, taught)))
    return found


def _learned(making: Making, taught: Mapping[str, tuple[Lesson, Making]]) -> tuple[Learned, ...]:
    by_lesson: defaultdict[str, list[Situation]] = defaultdict(list)
    for each in (*making.situations, *making.repeated):
        if each.lesson_id in taught:  # else the night that taught it has kept nothing
            by_lesson[each.lesson_id].append(each)
    found: list[Learned] = []
    for id, situations in by_lesson.items():
        lesson, by = taught[id]
        receipts = tuple(by.receipts.get(lesson.session_id, ()))
        found.append(Learned(lesson, tuple(situations), by.night, receipts))
    return tuple(found)


class Asked:
    """One question to the base and to the adapters of a store, each asked at most once."""

    def __init__(self, store: Store, engine: TransformersEngine, question: str) -> None:
        self.engine, self.prompt = engine, engine.user(question)
        self._directory = AdapterDirectory.beside(store)
        self._replies: dict[str, list[int]] = {}

    def load(self, adapter: str) -> str | None:
        """What the engine calls it ("": the base)."""
        if not adapter:
            return None
        name = str(self._directory.path(adapter))
        return name if name in self.engine.adapters else self.engine.load_adapter(name)

    def reply(self, adapter: str) -> list[int]:
        """Greedy, with the token that ends it."""
        if adapter not in self._replies:
            with self.engine.using(self.load(adapter)):
                [reply] = self.engine.generate([self.prompt], max_new_tokens=REPLY_TOKENS, keep_end=True)
            self._replies[adapter] = reply
        return self._replies[adapter]

    def was_asked(self, adapter: str) -> bool:
        return adapter in self._replies

    def text(self, adapter: str) -> str:
        return self.engine.decode(self.reply(adapter)).strip()

    def likelihood(self, adapter: str, reply: Ids, skipped: int = 0) -> float:
        """Log p of a reply without its first tokens, in nats."""
        with self.engine.using(self.load(adapter)):
            return sum(self.engine.score([(self.prompt, reply)])[0][skipped:])


def words_of(text: str) -> set[str]:
    """Its words as they are compared, but for those that stand in any text."""
    return {each for word in content(text) for each in fold(word)}
