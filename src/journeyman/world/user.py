"""Whoever the agent talks to: a pure function from what was said to what is answered.

Always holds: a user's memory is a value that never changes, so that an episode with a user forks and replays like any
other; the scripted user says what is known only when asked for it; the recorded one says nothing that was not said.

Knows text. A user played by a model keeps to the same protocol, and its answers are recorded with the episode.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import sqrt
from typing import Any, NamedTuple, Protocol

_WORD = re.compile(r"[^\W_][\w'’#-]*")


class UserSim(Protocol):
    """`answer` gives the reply and the new memory; None for a reply ends the talk."""

    @property
    def memory(self) -> Any:
        """What is remembered before anything was said; a value that hashes."""
        ...

    def answer(self, memory: Any, said: str) -> tuple[str | None, Any]: ...


@dataclass(frozen=True)
class Known:
    """Something the user tells if asked: any of `asked` (words or beginnings of words) stands in the question."""

    asked: tuple[str, ...]
    answer: str


@dataclass(frozen=True)
class Script:
    """Answers questions with what is known, says so where nothing is, and goes when told something that is no question.

    `patience` questions without an answer, and the user goes as well.
    """

    knows: tuple[Known, ...]
    lost: str = "I'm afraid I don't know that."
    patience: int = 3
    memory: tuple[int, int] = (0, 0)  # told (one bit each), questions in vain

    def answer(self, memory: tuple[int, int], said: str) -> tuple[str | None, tuple[int, int]]:
        told, vain = memory
        if "?" not in said:
            return None, memory
        words = said.casefold()
        fitting = [at for at, known in enumerate(self.knows) if any(_asks(words, each) for each in known.asked)]
        if not fitting:
            vain += 1
            return (None if vain >= self.patience else self.lost), (told, vain)
        for at in fitting:
            told |= 1 << at
        return " ".join(self.knows[at].answer for at in fitting), (told, vain)


class Line(NamedTuple):
    """What a user said, and what had been said to them just before."""

    heard: str
    said: str


@dataclass(frozen=True)
class Recorded:
    """Somebody as they once were: `lines` is what they still have to say after their first words.

    Asked a question, they say the line that answered the nearest one; to what is no question, what they said next,
    until all is said. Then a question gets what this person tends to say to one like it (`habits`), fewer times than
    `patience`, and after anything else they go. A line is said once.
    """

    lines: tuple[Line, ...]
    habits: tuple[Line, ...] = ()
    patience: int = 3
    memory: tuple[int, int] = (0, 0)  # said (one bit each), questions beyond what they have to say

    def answer(self, memory: tuple[int, int], said: str) -> tuple[str | None, tuple[int, int]]:
        told, vain = memory
        left = [at for at in range(len(self.lines)) if not told >> at & 1]
        if left:
            near = nearest(said, [self.lines[at] for at in left]) if "?" in said else None
            at = left[0 if near is None else near]
            return self.lines[at].said, (told | 1 << at, vain)
        near = nearest(said, self.habits) if "?" in said else None
        if near is None or vain + 1 >= self.patience:
            return None, memory
        return self.habits[near].said, (told, vain + 1)


def nearest(said: str, lines: Sequence[Line], least: float = 0.3) -> int | None:
    """Which of these lines was said to the words most like these; None if none is like them.

    Likeness is the cosine of the sets of words. Of equals the first.
    """
    words = words_of(said)
    best, found = least, None
    for at, line in enumerate(lines):
        heard = words_of(line.heard)
        like = len(words & heard) / sqrt(len(words) * len(heard)) if words and heard else 0.0
        if like > best:
            best, found = like, at
    return found


@lru_cache(maxsize=4096)
def words_of(text: str) -> frozenset[str]:
    """Lower case; whatever has a digit in it is one word, for it is a name."""
    return frozenset("#" if any(map(str.isdigit, word)) else word for word in _WORD.findall(text.casefold()))


def _asks(words: str, asked: str) -> bool:
    return re.search(rf"\b{re.escape(asked.casefold())}", words) is not None
