"""Situations that were recorded: where the assistant erred and its user corrected it.

The prompt is the user's own, the evidence is what the correction says, so this is the best situation there is: it has
been brought once already. Found by form alone: an assistant's turn, then a user's turn that opens as corrections do.

Always holds: the assistant's failed answer is in neither the lesson nor the prompt.

Knows English openings of corrections; whether the correction is true is the user's to know.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from journeyman.dream.lessons import plain, sentences
from journeyman.dream.spans import Span
from journeyman.records import Session, Situation

_CORRECTION = re.compile(
    r"^(?:no\b[,.!]?|nope\b|wrong\b|actually\b|not quite\b|that(?:'s| is| was) (?:not|wrong|incorrect)|that isn't|"
    r"i (?:said|meant|told you|asked for)\b|it should (?:be|have been)\b|correction\b|you (?:forgot|missed|got)\b)",
    re.IGNORECASE,
)
LONGEST_PROMPT = 60  # words: a longer one will not be brought again in the same words


def corrections(sessions: Iterable[Session], chosen: Sequence[Span]) -> list[Situation]:
    """The prompts whose answers were corrected, each with the worthiest of the `chosen` spans of its correction."""
    by_turn: dict[tuple[str, int], list[Span]] = {}
    for span in chosen:
        by_turn.setdefault((span.lesson.session_id, span.lesson.turn), []).append(span)
    found: list[Situation] = []
    for session in sessions:
        for index in range(2, len(session.turns)):
            asked, answered, said = session.turns[index - 2 : index + 1]
            if (asked.role, answered.role, said.role) != ("user", "assistant", "user"):
                continue
            opening = next(iter(sentences(said.content)), "")
            prompt = plain(asked.content).strip()
            spans = by_turn.get((session.id, index))
            if spans and _CORRECTION.match(opening) and 0 < len(prompt.split()) <= LONGEST_PROMPT:
                best = max(spans, key=lambda span: span.worth)
                if best.text.lower() not in prompt.lower():
                    found.append(Situation("ask", prompt, best.lesson.id, best.text, "user"))
    return found
