"""The rival of learning: look the best-matching turns up again and show them with the question.

BM25 (Robertson and Zaragoza 2009, "The Probabilistic Relevance Framework", section 3.2) with k1 = 1.5, b =
0.75 and an idf that is never negative, ln(1 + (N - df + 0.5) / (df + 0.5)).

Always holds: only what the user wrote is found, since an assistant's words may be wrong; the best match comes
first, equal ones in the order they were written; a turn that shares no word with the question is never given.

Knows nothing of meaning: a turn that says the same in other words is not found.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable

from journeyman.evaluate.questions import fold
from journeyman.records import Session

K1, B = 1.5, 0.75


class TurnIndex:
    """The users' turns of some sessions, each distinct text once."""

    def __init__(self, sessions: Iterable[Session]) -> None:
        texts = (turn.content.strip() for s in sessions for turn in s.turns if turn.role == "user")
        self.turns = [text for text in dict.fromkeys(texts) if text]
        words = [fold(text) for text in self.turns]
        mean = sum(map(len, words)) / max(1, len(words)) or 1.0
        self._penalty = [K1 * (1 - B + B * len(w) / mean) for w in words]
        self._postings: dict[str, list[tuple[int, int]]] = defaultdict(list)  # word -> (turn, how often)
        for turn, found in enumerate(words):
            for word, count in Counter(found).items():
                self._postings[word].append((turn, count))

    def best(self, question: str, n: int = 3, budget_words: int = 300) -> list[str]:
        """At most n turns and `budget_words` words; a turn that does not fit is cut, and is then the last."""
        scores: dict[int, float] = defaultdict(float)
        for word in sorted(set(fold(question))):
            found = self._postings.get(word, ())
            idf = math.log(1 + (len(self.turns) - len(found) + 0.5) / (len(found) + 0.5))
            for turn, count in found:
                scores[turn] += idf * count * (K1 + 1) / (count + self._penalty[turn])
        result: list[str] = []
        for turn in sorted(scores, key=lambda t: (-scores[t], t))[:n]:
            words = self.turns[turn].split()
            if len(words) > budget_words:
                return [*result, " ".join(words[:budget_words])] if budget_words > 0 else result
            result.append(self.turns[turn])
            budget_words -= len(words)
        return result
