"""Lessons: the statements of a session's user, one sentence each, in the user's own words.

Always holds: a lesson's text is found in its turn (apart from typographic quotes, which become plain ones) with at
most two additions that make it stand alone: the heading of its note ("Monday: ...") and, where the sentence begins
with a pronoun, the sentence before it. Sentences said again in other sessions are kept once, with the newest proof.

Knows sentence boundaries of languages written with . ! ? and their full-width forms; it does not know what a
sentence means.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from journeyman.records import Lesson, Session

MIN_WORDS = 3
MAX_CHARACTERS = 400  # a longer "sentence" is pasted text: a table, a log, code

_PLAIN = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"', "\u00a0": " "})
_SENTENCE_END = re.compile(r"(?<=[.!?])[\"')\]]*\s+(?=[\"'(@$#]?[A-ZÀ-ÞА-Я0-9¿¡])|(?<=[。！？])\s*")
_ABBREVIATION = re.compile(r"(?:\b(?:Mr|Mrs|Ms|Dr|Prof|St|vs|etc|e\.g|i\.e|No|approx)|\b[A-Z])\.$")
_HEADING = re.compile(r"^([A-Z][\w'&/-]*(?: [\w'&/-]+){0,2}):\s+(?=\S)")
_LEANING = re.compile(
    r"^(?:it|its|it's|they|they're|their|that|that's|this|these|those|he|she|his|her)\b", re.IGNORECASE
)


def plain(text: str) -> str:
    """Typographic quotes and no-break spaces as their plain forms."""
    return text.translate(_PLAIN)


def sentences(text: str) -> list[str]:
    """The sentences of `text`, in order."""
    found: list[str] = []
    for line in plain(text).splitlines():
        pending = ""
        for part in _SENTENCE_END.split(line.strip().lstrip("-*• ")):
            pending = f"{pending} {part}".strip() if pending else part.strip()
            if pending and not _ABBREVIATION.search(pending):
                found.append(pending)
                pending = ""
        if pending:
            found.append(pending)
    return found


def extract(sessions: Iterable[Session]) -> list[Lesson]:
    """All candidate lessons of `sessions`, in the order in which they were said."""
    newest: dict[str, Lesson] = {}
    for session in sessions:
        for index, turn in enumerate(session.turns):
            if turn.role == "user":
                for text in _statements(turn.content):
                    newest[text.casefold()] = Lesson(text, session.id, index, session.topic)
    return list(newest.values())


def _statements(content: str) -> Iterator[str]:
    heading = ""
    before = ""
    for sentence in sentences(content):
        if match := _HEADING.match(sentence):
            heading = match.group(1)
        if len(sentence.split()) >= MIN_WORDS and len(sentence) <= MAX_CHARACTERS:
            if heading and not sentence.startswith(f"{heading}:"):
                yield f"{heading}: {sentence}"
            elif before and _LEANING.match(sentence) and len(before) + len(sentence) < MAX_CHARACTERS:
                yield f"{before} {sentence}"
            else:
                yield sentence
        before = sentence
