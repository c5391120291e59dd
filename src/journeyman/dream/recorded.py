"""Situations that were recorded: where the assistant erred and its user corrected it, and where the user asked for what
had been said before.

The prompt is the user's own, so these are the best situations there are: they have been brought once already. Found by
form alone: an assistant's turn, then a user's turn that opens as corrections do; a question that asks in the words of
an earlier statement for what a span of it answers.

Always holds: the assistant's failed answer is in neither the lesson nor the prompt; no prompt contains its answer.

Knows English openings of corrections and words that ask; whether a correction is true is the user's to know.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from journeyman.dream import english
from journeyman.dream.lessons import plain, sentences
from journeyman.dream.spans import Span
from journeyman.dream.words import content
from journeyman.records import Session, Situation

_CORRECTION = re.compile(
    r"^(?:no\b[,.!]?|nope\b|wrong\b|actually\b|not quite\b|that(?:'s| is| was) (?:not|wrong|incorrect)|that isn't|"
    r"i (?:said|meant|told you|asked for)\b|it should (?:be|have been)\b|correction\b|you (?:forgot|missed|got)\b)",
    re.IGNORECASE,
)
_ASKS = re.compile(
    r"\b(?:how (?:many|much|old|long|often|far)|what (?:time|day|date|month|year)|when|where|who|which|what)\b",
    re.IGNORECASE,
)
SHARED_WORDS = 2  # at least, and half of what the question is about
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


def questions(sessions: Sequence[Session], chosen: Sequence[Span]) -> list[Situation]:
    """The questions that the user asked after one of the `chosen` spans had been said, and that it answers."""
    place = {session.id: number for number, session in enumerate(sessions)}
    known = [
        (span, (place[span.lesson.session_id], span.lesson.turn), _asked_by(english.asking(span)), set(_about(span)))
        for span in chosen
        if span.lesson.session_id in place
    ]
    found: list[Situation] = []
    for number, session in enumerate(sessions):
        for index, turn in enumerate(session.turns):
            for question in sentences(turn.content) if turn.role == "user" else ():
                asked = _asked_by(question)
                words = {word.lower() for word in content(question)} - set(asked.split())
                if not (asked and question.endswith("?") and len(question.split()) <= LONGEST_PROMPT):
                    continue
                fits = [
                    (len(words & about), span)
                    for span, said_at, answers, about in known
                    if said_at < (number, index) and answers == asked and not english.holds(question, span.text)
                ]
                shared, best = max(fits, key=lambda fit: (fit[0], fit[1].worth), default=(0, None))
                if best and shared >= max(SHARED_WORDS, len(words) / 2):
                    found.append(Situation("ask", question, best.lesson.id, best.text, "user"))
    return found


def _asked_by(text: str) -> str:
    """The words that ask, "" where there are none."""
    match = _ASKS.search(text)
    return match.group().lower() if match else ""


def _about(span: Span) -> list[str]:
    return [word.lower() for word in english.key_words(span)[1]]
