"""Whoever the agent talks to: a pure function from what was said to what is answered.

Always holds: a user's memory is a value that never changes, so that an episode with a user forks and replays like any
other; the scripted user says what is known only when asked for it.

Knows text. A user played by a model keeps to the same protocol, and its answers are recorded with the episode.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Protocol


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


def _asks(words: str, asked: str) -> bool:
    return re.search(rf"\b{re.escape(asked.casefold())}", words) is not None
