"""A month of one person: sessions cut into nights, facts that change midway, and what is asked after every night.

Always holds: the same person, number of nights and options give the same month; what is asked about a night is held out
of every arm's training; questions about facts that change are of no night.

Knows the demo's logs and how a night writes its questions; nothing of how anybody learns.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

from journeyman import night_phases
from journeyman.capture import read_sessions
from journeyman.cli import demo_data
from journeyman.model.transformers_engine import TransformersEngine
from journeyman.night import Night, NightOptions
from journeyman.records import Session, Situation, Turn
from journeyman.store import open_store


@dataclass(frozen=True)
class Changing:
    """A fact that is said on the first night, and said otherwise midway; `asked`: in words that no night writes."""

    said: str
    older: str
    newer: str
    asked: str


CHANGING = (
    Changing("My dentist's office is in {}.", "Tacoma", "Boise", "In which town do I see my dentist?"),
    Changing("My train to work leaves at {}.", "7:42", "8:15", "At what time does my train to work go?"),
    Changing("Our landlord's name is {}.", "Petrov", "Okafor", "How is our landlord called?"),
    Changing("My gym membership costs {} a month.", "$38", "$52", "What do I pay for the gym?"),
    Changing("My sister lives in {}.", "Lisbon", "Dublin", "In which city is my sister's home?"),
    Changing("My team's meeting room is called {}.", "Orion", "Magellan", "Which room does my team meet in?"),
)


@dataclass(frozen=True)
class Month:
    """nights: sessions, the first night's first; asked: of each night, the questions that are held out of it."""

    person: str
    nights: tuple[tuple[Session, ...], ...]
    asked: tuple[tuple[Situation, ...], ...]

    @property
    def changed_at(self) -> int:
        return len(self.nights) // 2 + 1

    @property
    def prompts(self) -> set[str]:
        return {each.prompt for questions in self.asked for each in questions}

    def told(self, night: int) -> list[Session]:
        """All that was said up to a night."""
        return [session for sessions in self.nights[:night] for session in sessions]


def of(person: str, nights: int, engine: TransformersEngine, options: NightOptions, seed: int) -> Month:
    with tempfile.TemporaryDirectory() as scratch:
        sessions = read_sessions(demo_data.prepare(person, Path(scratch)).sessions).sessions
    parts = _cut(sessions, nights)
    parts[0] += (_planted("older", 0),)
    parts[nights // 2] += (_planted("newer", nights // 2),)
    return Month(person, tuple(parts), tuple(_asked(each, engine, options, seed) for each in parts))


def _planted(which: str, night: int) -> Session:
    said = tuple(Turn("user", each.said.format(getattr(each, which))) for each in CHANGING)
    return Session(said, key=f"planted-{night}")


def _cut(sessions: Sequence[Session], nights: int) -> list[tuple[Session, ...]]:
    """As many nights as there are to be, in order: whole sessions, or where there are too few, pieces of them."""
    pieces: list[Session] = []
    each = -(-nights // len(sessions))
    for session in sessions:
        size = -(-len(session.turns) // each)
        pieces += [
            replace(session, turns=session.turns[at : at + size], key=f"{session.key}-{at}")
            for at in range(0, len(session.turns), size)
        ]
    cuts = [round(i * len(pieces) / nights) for i in range(nights + 1)]
    return [tuple(pieces[a:b]) for a, b in pairwise(cuts)]


def _asked(
    sessions: Sequence[Session], engine: TransformersEngine, options: NightOptions, seed: int
) -> tuple[Situation, ...]:
    """What a night over these sessions alone would hold out, but for what is about the facts that change."""
    with tempfile.TemporaryDirectory() as scratch, open_store(Path(scratch) / "day.db") as store:
        store.add_sessions(sessions)
        night = Night(store, engine.name, "", seed, options, lambda _what, _share: None, engine, None)
        dreams = night_phases.dream_situations(night, night_phases.extract_lessons(night))
    values = {value for each in CHANGING for value in (each.older, each.newer)}
    held = map(Situation.from_json, dreams["heldout"])
    return tuple(each for each in held if each.evidence not in values)
